//! What is served as metrics, and what is written of it.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::destinations::Each;
use super::text::{Family, Form};
use super::{bridges, destinations, node, process};
use crate::admin::sums::{Last, Sums};
use crate::admin::tests::figures;
use crate::broker::PAGE_ENTRIES_MAX;
use crate::model::DestinationKind;
use crate::network::BridgeStatus;
use crate::node::{Alarm, ElectionStatus, GroupStatus, MemberStatus, Snapshot, Status};

fn families() -> Vec<Family> {
    let node = node::FAMILIES.iter().map(|(family, _)| *family);
    let bridges = bridges::FAMILIES.iter().map(|(family, _)| *family);
    node.chain(bridges).chain(process::FAMILIES).chain(destinations::families()).collect()
}

/// A node of which everything can be told.
fn snapshot() -> Snapshot {
    let alarm = |name: &str| Alarm { name: name.to_owned(), message: String::new() };
    let member =
        |node: &str| MemberStatus { node: node.to_owned(), lag_bytes: Some(7), ..MemberStatus::default() };
    let election = ElectionStatus { took_ms: Some(1500), ..ElectionStatus::default() };
    let alarms = vec![alarm("names"), alarm("disk-full"), alarm("names")];
    let members = vec![member("a"), member("b"), member("a")];
    Snapshot {
        status: Status { alarms, election: Some(election), ..Status::default() },
        group: Some(GroupStatus { members, ..GroupStatus::default() }),
    }
}

/// Everything in this form, of a node with so many queues.
async fn whole(form: Form, queues: usize) -> String {
    let names: Vec<_> = (0..queues).map(|number| format!("q{number:05}")).collect();
    let names: Vec<_> = names.iter().map(|name| &**name).collect();
    let figures = figures(DestinationKind::Queue, &names);
    let mut out = String::new();
    node::fill(&mut out, form, &snapshot());
    bridges::fill(&mut out, form, &[BridgeStatus::default()]);
    destinations::fill(&mut out, form, &Sums::of(&figures, &Last::default()).await);
    process::fill(&mut out, form, 1500);
    let mut each = Each::new(figures, form);
    while let Some(part) = each.next() {
        assert!(part.lines().count() <= PAGE_ENTRIES_MAX + 2, "a part is no longer than a page");
        out += &part;
    }
    out + form.end()
}

#[tokio::test]
async fn each_family_is_begun_once_and_has_its_samples_behind_it_each_once() {
    for form in [Form::Text, Form::OpenMetrics] {
        let text = whole(form, 2 * PAGE_ENTRIES_MAX + 1).await;
        let (mut begun, mut filled, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for line in text.lines().filter(|line| *line != "# EOF") {
            match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                Some((name, "counter")) if form == Form::OpenMetrics => begun.push(format!("{name}_total")),
                Some((name, _)) => begun.push(name.to_owned()),
                None if line.starts_with("# HELP ") => {}
                None => {
                    let name = line.split(['{', ' ']).next().unwrap();
                    assert_eq!(begun.last().map(String::as_str), Some(name), "{line}");
                    assert!(seen.insert(line.rsplit_once(' ').unwrap().0), "twice: {line}");
                    filled.insert(name);
                }
            }
        }
        let known: Vec<_> = families().iter().map(|family| family.name).collect();
        let known: BTreeSet<_> = known.into_iter().collect();
        assert_eq!((begun.len(), &begun.iter().map(|it| &**it).collect()), (known.len(), &known));
        assert_eq!(filled, known, "a family without a sample");
        let shown = seen.iter().filter(|line| line.starts_with("quorate_destination_messages{")).count();
        assert_eq!(shown, 2 * PAGE_ENTRIES_MAX + 1);
        assert_eq!(text.ends_with("# EOF\n"), form == Form::OpenMetrics);
    }
}

#[test]
fn the_table_of_metrics_is_what_is_served() {
    let mut table = "| metric | type | meaning |\n|---|---|---|\n".to_owned();
    for family in families() {
        writeln!(table, "| `{}` | {} | {} |", family.name, family.kind.name(), family.help).unwrap();
    }
    let written = include_str!("../../../config/METRICS.md");
    assert!(written.ends_with(&format!("\n\n{table}")), "config/METRICS.md has to end with:\n{table}");
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_exist() {
    let known = families();
    for text in [include_str!("../../../config/alerts.yml"), include_str!("../../../config/grafana.json")] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<_> =
            words.filter(|word| word.starts_with("quorate_") || word.starts_with("process_")).collect();
        assert!(asked.len() > 8, "{asked:?}");
        for name in asked {
            assert!(known.iter().any(|family| family.name == name), "{name}");
        }
    }
}
