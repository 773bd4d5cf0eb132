//! Processes that say that they are one node, or have one store.

use std::path::Path;
use std::time::Duration;

use quorate::coordination::{MemberRecord, Process, ZooKeeperCoordinator, ZooKeeperOptions};
use quorate::model::StoreId;

use super::probe::{Probe, member, nodes, options, server};
use crate::harness::cluster::Cluster;

fn at(cluster: &Cluster, path: &str, directory: &str) -> ZooKeeperOptions {
    let process = Process::here(Path::new(directory));
    ZooKeeperOptions {
        process,
        session_timeout: Duration::from_secs(2),
        ..options(cluster.zookeeper(1), path)
    }
}

fn of_store(node: &str, store: u128) -> MemberRecord {
    MemberRecord { store: StoreId(store), ..member(node) }
}

fn start(options: ZooKeeperOptions, record: MemberRecord) -> Probe {
    let probe = Probe::start(|events| ZooKeeperCoordinator::start(options, events));
    probe.set(record);
    probe
}

async fn refused(probe: &mut Probe) -> String {
    probe.until_told("it is refused", |probe| probe.refused.is_some()).await;
    probe.refused.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_the_name_or_the_store_is_never_seen_and_refused_after_a_while() {
    let cluster = server();
    let path = "/coordination/twins";
    let mut first = start(at(&cluster, path, "/usr"), of_store("one", 1));
    first.until("the first is a member", |view| nodes(view) == ["one"]).await;
    let mine = first.mine().clone();
    let twins = [of_store("one", 1), of_store("one", 2), of_store("two", 1)];
    let mut twins: Vec<Probe> =
        twins.into_iter().map(|twin| start(at(&cluster, path, "/etc"), twin)).collect();
    for twin in &mut twins {
        let text = refused(twin).await;
        assert!(text.contains("store in /usr") && text.contains("store in /etc"), "{text}");
        assert_eq!(nodes(&twin.view), ["one"]);
    }
    first.until_told("the first tells of them", |probe| probe.twin.is_some()).await;
    for twin in &mut twins {
        twin.leave().await;
    }
    first.until_told("and of their end", |probe| probe.twin.is_none()).await;
    assert_eq!((&first.view.members[..], first.refused.as_ref()), (&[mine][..], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_start_at_once_one_is_a_member_and_the_other_follows_when_it_has_gone() {
    let cluster = server();
    for round in 0..5 {
        let path = format!("/coordination/at-once-{round}");
        let mut both = ["/usr", "/etc"].map(|place| start(at(&cluster, &path, place), of_store("one", 1)));
        for probe in &mut both {
            probe.until("somebody is the node", |view| nodes(view) == ["one"]).await;
        }
        let [one, two] = &mut both;
        let is_member = |probe: &Probe| probe.view.members.iter().any(|m| Some(m.id) == probe.view.mine);
        assert_ne!(is_member(one), is_member(two));
        let (member, other) = if is_member(one) { (one, two) } else { (two, one) };
        member.leave().await;
        other
            .until("the other one takes its place", |view| {
                view.members.iter().any(|m| Some(m.id) == view.mine)
            })
            .await;
        other.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_the_place_of_one_that_was_killed_is_a_member_at_once() {
    let cluster = server();
    let path = "/coordination/again";
    let mut lingering = start(at(&cluster, path, "/usr"), of_store("one", 1));
    lingering.until("the first is a member", |view| nodes(view) == ["one"]).await;
    let mut next = start(at(&cluster, path, "/usr"), of_store("one", 1));
    next.until("the next one is a member beside what is left of it", |view| nodes(view) == ["one", "one"])
        .await;
    assert_eq!((next.twin, next.refused), (None, None));
}
