//! Faults of every kind, one after the other and two at a time, chosen by a seed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::disk::Loss;
use super::group::{Group, RECOVERY};
use super::nemesis::Kind;
use super::report::{Report, Struck};
use super::transfers::{QUEUES, Transfers};
use crate::harness::checker::judge;
use crate::harness::gaps::longest;
use crate::harness::load::{Load, Plan};
use crate::harness::{eventually, setting, stores};

/// The queue of the load.
const QUEUE: &str = "faults";
/// Another one that nobody consumes from until the end: what was confirmed and delivered before it was lost would not show.
const STANDING: &str = "standing";
/// One step of so many is two faults at once.
const TWO_AT_ONCE: u64 = 5;
/// Confirmed sends and acknowledgements between two faults.
const CALM: usize = 50;

/// The kinds of a run in their order: each one once in a while, the frequent ones more often.
fn order(kinds: &[Kind], dice: &mut Dice) -> Vec<Kind> {
    let mut deck: Vec<Kind> = Vec::new();
    for (kind, _, weight) in Kind::ALL.iter().filter(|(kind, ..)| kinds.contains(kind)) {
        deck.extend((0..*weight).map(|_| *kind));
    }
    for at in (1..deck.len()).rev() {
        deck.swap(at, dice.below(at as u64 + 1) as usize);
    }
    deck
}

/// The kinds that `QUORATE_FAULTS` names, by any part of their names; all without it.
fn chosen() -> Vec<Kind> {
    let wished = std::env::var("QUORATE_FAULTS").unwrap_or_default();
    let words: Vec<&str> = wished.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    let kinds =
        Kind::ALL.iter().filter(|(_, name, _)| words.is_empty() || words.iter().any(|w| name.contains(w)));
    kinds.map(|(kind, ..)| *kind).collect()
}

async fn step(group: &Group, load: &Load, kind: Kind, second: Option<Kind>, dice: &mut Dice) -> Vec<Struck> {
    let history = load.history();
    let place = history.len();
    load.progress(CALM, CALM, RECOVERY).await;
    let from = history.now();
    let names = format!(
        "{}{}",
        kind.name(),
        second.map(|second| format!(" + {}", second.name())).unwrap_or_default()
    );
    println!("{:8.1} s  {names}", from.as_secs_f64());
    let mut others = dice.split();
    let (seen, also) = tokio::join!(kind.strike(group, dice), async {
        match second {
            Some(second) => Some((second, second.strike(group, &mut others).await)),
            None => None,
        }
    });
    load.progress(1, 1, RECOVERY).await;
    let gap = longest(&history.events_from(place), from, history.now());
    println!(
        "{:8.1} s  {}, {} ms without a confirmed send",
        history.now().as_secs_f64(),
        seen.as_deref().unwrap_or("NO EFFECT SEEN"),
        gap.as_millis()
    );
    group.whole().await;
    let mut struck = vec![Struck { kind, seen, gap: second.is_none().then_some(gap) }];
    struck.extend(also.map(|(kind, seen)| Struck { kind, seen, gap: None }));
    struck
}

/// Logs that differ on the medium, damaged records, states that differ; ends the nodes.
async fn nodes_agree(group: &Group) -> Vec<String> {
    group.whole().await;
    let (applied, digest) = group.agreement().await;
    let committed =
        eventually("all nodes tell what is committed", RECOVERY, || async { group.committed() }).await;
    for node in &group.nodes {
        node.process.end();
        // What was not synced then is lost.
        node.disk.cut(Loss::Whole);
        node.disk.light();
    }
    println!("applied {applied}, digest {digest}");
    let logs: Vec<_> = group.nodes.iter().map(|node| node.log()).collect();
    stores::differences(&logs, committed)
}

async fn run(seed: u64, time: Duration) -> Report {
    println!("QUORATE_SEED={seed} for {} s", time.as_secs());
    let start = Instant::now();
    let mut dice = Dice::new(seed);
    let group = Group::start("mix").await;
    let mut plan = Plan::new(group.stomp(), &format!("/queue/{QUEUE}"));
    plan.pace = Duration::from_millis(setting("QUORATE_PACE_MS", 2));
    let load = Load::start(plan);
    let mut transfers = Transfers::start(group.stomp());
    let plan = Plan::new(group.stomp(), &format!("/queue/{STANDING}"));
    let pace = Duration::from_millis(30);
    let mut standing = Load::start(Plan { producers: 1, consumers: 0, pace, ..plan });
    let kinds = chosen();
    let mixing: Vec<Kind> = kinds.iter().copied().filter(|kind| kind.mixes()).collect();
    let (mut faults, mut deck, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    let mut stores = group.stores().await;
    while start.elapsed() < time {
        if deck.is_empty() {
            deck = order(&kinds, &mut dice);
        }
        let kind = deck.pop().unwrap();
        let two = kind.mixes() && dice.chance(TWO_AT_ONCE);
        let second = if two { Some(dice.pick(&mixing)) } else { None };
        faults.extend(step(&group, &load, kind, second, &mut dice).await);
        let before = std::mem::replace(&mut stores, group.stores().await);
        // A node that had done something to its own store would repair itself, and nothing else would show.
        if !kind.damages() && stores != before {
            wrong.push(format!("{}: of the stores {before:?} became {stores:?}", kind.name()));
        }
    }
    transfers.end_sending().await;
    let history = load.finish(Duration::from_secs(3)).await;
    history.save(&group.directory().join("history"));
    standing.consume(2);
    let stood = standing.finish(Duration::from_secs(3)).await;
    stood.save(&group.directory().join("history-standing"));
    let stood = judge(&stood.events());
    for queue in QUEUES.into_iter().chain([QUEUE, STANDING]) {
        eventually(&format!("queue {queue} is empty"), RECOVERY, || async {
            (group.size(queue)? == 0).then_some(())
        })
        .await;
    }
    println!("{} transactions were confirmed", transfers.committed());
    let journal = transfers.finish().await;
    wrong.extend(journal.faults());
    wrong.extend(nodes_agree(&group).await);
    if !stood.is_clean() {
        wrong.push(format!("consumed at the end: {}", stood.summary()));
    }
    let verdict = judge(&history.events());
    let report = Report {
        seed,
        took: start.elapsed(),
        faults,
        verdict,
        beside: [journal.summary(), format!("consumed at the end: {}", stood.summary())],
        wrong,
    };
    publish(&report);
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "seed {seed}: {complaints:#?}");
    report
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints the report, and adds it to the file that `QUORATE_REPORT` names.
fn publish(report: &Report) {
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = if git(&["status", "--porcelain", "src"]).is_none_or(|text| !text.is_empty()) {
        " (changed)"
    } else {
        ""
    };
    let when = Command::new("date").args(["-u", "+%F %H:%M UTC"]).output().map(|output| output.stdout);
    let when = String::from_utf8_lossy(&when.unwrap_or_default()).trim().to_owned();
    let section = report.section(&when, &format!("{commit}{changed}"));
    println!("{section}");
    if let Some(path) = std::env::var_os("QUORATE_REPORT") {
        let old = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
        std::fs::write(&path, old + &section).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixture_of_faults_loses_nothing_invents_nothing_and_dispatches_nothing_again() {
    let seed = setting("QUORATE_SEED", 1);
    let time = Duration::from_secs(setting("QUORATE_FAULT_SECONDS", 150));
    run(seed, time).await;
}

#[test]
fn the_order_of_faults_follows_from_the_seed_and_holds_every_kind() {
    let all: Vec<Kind> = Kind::ALL.iter().map(|(kind, ..)| *kind).collect();
    let deck = order(&all, &mut Dice::new(5));
    assert_eq!(deck, order(&all, &mut Dice::new(5)));
    assert_ne!(deck, order(&all, &mut Dice::new(6)));
    assert!(all.iter().all(|kind| deck.contains(kind)));
}
