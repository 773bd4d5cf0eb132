//! Lost connections, lost sessions, lost servers, lost answers.

use std::time::{Duration, Instant};

use crate::harness::cluster::{Cluster, Options};

use super::probe::{Probe, empty, member, nodes, observer, options, server, weighing, weight};
use super::proxy::{Link, Loss, Proxy};

/// Longest that a farewell may take when nobody hears it.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_is_followed_by_a_new_member_and_told_to_both_sides() {
    let cluster = server();
    let path = "/coordination/expired";
    let proxy = Proxy::start(cluster.zookeeper(1)).await;
    let mut one = Probe::join(options(proxy.address(), path), "one").await;
    let mut two = Probe::join(options(cluster.zookeeper(1), path), "two").await;
    one.write(one.view.version, 1);
    one.until("the write is answered", |view| view.answered == 1).await;
    for _ in 0..3 {
        let old = one.mine().clone();
        proxy.expire().await;
        one.until_unreachable().await;
        one.until("a new member is there", |view| view.mine.is_some_and(|id| id != old.id)).await;
        assert_ne!(one.mine().record.guid, old.record.guid);
        let new = one.mine().id;
        two.until("the other sees it in place of the old one", |view| {
            view.members.len() == 2 && view.members.iter().any(|m| m.id == new)
        })
        .await;
        assert_eq!(one.view.group.as_ref().map(|(_, version)| *version), Some(1));
        // Writes are counted on from where they were.
        let answered = one.view.answered;
        one.write(0, 9);
        one.until("a write of the new session is answered", |view| view.answered == answered + 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_changes_nothing_and_what_was_missed_is_read_afterwards() {
    let cluster = server();
    let path = "/coordination/cut";
    let proxy = Proxy::start(cluster.zookeeper(1)).await;
    let observer = observer(&cluster).await;
    let mut one = Probe::join(options(proxy.address(), path), "one").await;
    let mut two = Probe::join(options(cluster.zookeeper(1), path), "two").await;
    let creates = proxy.creates();
    for (round, link) in [Link::Cut, Link::Silent, Link::Cut].into_iter().enumerate() {
        let round = round as i32 + 2;
        let mine = one.mine().clone();
        proxy.set(link);
        one.until_unreachable().await;
        two.set(weighing("two", round));
        two.write(two.view.version, round as u64);
        let answered = two.view.answered;
        two.until("two's write is answered", |view| view.answered > answered).await;
        proxy.set(Link::Open);
        let version = two.view.version;
        one.until("one sees what it has missed", |view| {
            weight(view, "two") == Some(round) && view.version == version
        })
        .await;
        assert_eq!((one.mine().id, one.mine().record.guid), (mine.id, mine.record.guid));
        one.set(weighing("one", round));
        two.until("two sees one's next record", |view| weight(view, "one") == Some(round)).await;
        assert_eq!(observer.list_children(path).await.unwrap().len(), 2);
    }
    assert_eq!(proxy.creates(), creates);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_write_without_a_connection_is_answered_once_and_a_farewell_ends() {
    let cluster = server();
    for (link, path) in [(Link::Cut, "/coordination/offline"), (Link::Silent, "/coordination/silent")] {
        let proxy = Proxy::start(cluster.zookeeper(1)).await;
        let mut one = Probe::join(options(proxy.address(), path), "one").await;
        one.write(one.view.version, 1);
        one.until("the write is answered", |view| view.answered == 1).await;
        proxy.set(link);
        // On the silent link these are under way when the connection is given up.
        one.write(one.view.version, 2);
        one.set(weighing("one", 2));
        one.until_unreachable().await;
        one.write(one.view.version, 3);
        proxy.set(Link::Open);
        one.until("both are answered, and the record is written", |view| {
            view.answered == 3 && weight(view, "one") == Some(2)
        })
        .await;
        let epoch = one.view.group.as_ref().unwrap().0.epoch;
        assert!(epoch.0 <= 3, "{epoch}");
        proxy.set(link);
        one.set(weighing("one", 3));
        let start = Instant::now();
        one.leave().await;
        assert!(start.elapsed() < FAREWELL_MAX, "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farewell_ends_while_no_server_can_be_reached_at_all() {
    let cluster = server();
    let proxy = Proxy::start(cluster.zookeeper(1)).await;
    proxy.set(Link::Cut);
    let options = options(proxy.address(), "/coordination/never");
    let mut one = Probe::start(|events| quorate::coordination::ZooKeeperCoordinator::start(options, events));
    one.set(member("one"));
    let reason = one.until_unreachable().await;
    assert!(reason.contains(&proxy.address()), "{reason}");
    let start = Instant::now();
    one.leave().await;
    assert!(start.elapsed() < FAREWELL_MAX, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_of_unknown_outcome_is_looked_for_before_it_is_repeated() {
    let cluster = server();
    let observer = observer(&cluster).await;
    for (loss, creates, path) in
        [(Loss::Answer, 1, "/coordination/lost/answer"), (Loss::Request, 2, "/coordination/lost/request")]
    {
        let parent = zookeeper_client::CreateMode::Persistent.with_acls(zookeeper_client::Acls::anyone_all());
        observer.mkdir(path, &parent).await.unwrap();
        let proxy = Proxy::start(cluster.zookeeper(1)).await;
        proxy.lose(loss);
        let mut one = Probe::join(options(proxy.address(), path), "one").await;
        one.set(weighing("one", 2));
        one.until("the member lives", |view| weight(view, "one") == Some(2)).await;
        assert_eq!((proxy.creates(), one.view.members.len()), (creates, 1), "{loss:?}");
        assert_eq!(observer.list_children(path).await.unwrap().len(), 1, "{loss:?}");
        assert_eq!(one.reasons.len(), one.reasons.iter().filter(|r| r.contains("127.0.0.1")).count());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_came_again_in_an_emptied_tree_is_left_to_its_new_owner() {
    let cluster = server();
    let path = "/coordination/again";
    let observer = observer(&cluster).await;
    let proxy = Proxy::start(cluster.zookeeper(1)).await;
    let mut one = Probe::join(options(proxy.address(), path), "one").await;
    let mut two = Probe::join(options(cluster.zookeeper(1), path), "two").await;
    for round in 2..5 {
        // The one that is cut off is the lowest member; in the new tree the other gets its number.
        let (number, guid) = (one.mine().id, two.mine().record.guid);
        proxy.set(Link::Cut);
        one.until_unreachable().await;
        empty(&observer, path).await;
        two.until("two is alone in a new tree", |view| {
            nodes(view) == ["two"] && view.mine.is_some_and(|id| id.0 == 0)
        })
        .await;
        if round == 2 {
            assert_eq!(number, two.mine().id);
        }
        one.set(weighing("one", round));
        proxy.set(Link::Open);
        for probe in [&mut one, &mut two] {
            probe
                .until("both are there, each once", |view| {
                    view.members.len() == 2
                        && weight(view, "one") == Some(round)
                        && nodes(view).contains(&"two")
                })
                .await;
        }
        assert_eq!((one.mine().record.node.as_str(), two.mine().record.node.as_str()), ("one", "two"));
        assert_ne!(two.mine().record.guid, guid, "a member that is created anew is another one");
        assert_eq!(observer.list_children(path).await.unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_finds_the_same_members_and_a_long_outage_new_ones() {
    let cluster = Cluster::prepare("zookeeper-restart", Options { zk_servers: 1, ..Options::default() });
    let path = "/coordination/restarted";
    let mut long = options(cluster.zookeeper(1), path);
    long.session_timeout = Duration::from_secs(30);
    let mut short = options(cluster.zookeeper(1), path);
    short.session_timeout = Duration::from_secs(1);
    let mut one = Probe::join(long, "one").await;
    let mut two = Probe::join(short, "two").await;
    one.write(one.view.version, 1);
    two.until("two sees the group", |view| view.group.is_some()).await;
    one.until("one sees two", |view| view.members.len() == 2).await;
    let (old_one, old_two) = (one.mine().clone(), two.mine().clone());
    cluster.verb(&["kill", "zk"]);
    one.until_unreachable().await;
    // The second one gives its session up by its own clock.
    while !two.reasons.iter().any(|reason| reason.contains("session") || reason.contains("cannot connect")) {
        two.until_unreachable().await;
    }
    cluster.verb(&["start", "zk"]);
    for probe in [&mut one, &mut two] {
        probe
            .until("both are there, the second one anew", |view| {
                view.members.len() == 2 && view.members.iter().all(|m| m.id != old_two.id)
            })
            .await;
        assert_eq!(probe.view.group.as_ref().map(|(group, version)| (group.epoch.0, *version)), Some((1, 1)));
    }
    assert_eq!((one.mine().id, one.mine().record.guid), (old_one.id, old_one.record.guid));
    assert_ne!(two.mine().record.guid, old_two.record.guid);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ensemble_that_loses_its_leader_keeps_every_member() {
    let cluster = Cluster::prepare("zookeeper-leader", Options::default());
    let all: Vec<String> = (1..=3).map(|server| cluster.zookeeper(server).to_string()).collect();
    let mut options = options(all.join(","), "/coordination/ensemble");
    options.session_timeout = Duration::from_secs(10);
    let mut one = Probe::join(options.clone(), "one").await;
    let mut two = Probe::join(options, "two").await;
    one.until("one sees two", |view| view.members.len() == 2).await;
    let status = cluster.verb(&["status"]);
    let leader = status.lines().find(|line| line.contains("leader")).unwrap().split(' ').next().unwrap();
    let (first, second) = (one.mine().clone(), two.mine().clone());
    cluster.verb(&["kill", leader]);
    one.set(weighing("one", 2));
    two.set(weighing("two", 2));
    for probe in [&mut one, &mut two] {
        probe
            .until("both have the other's newest record", |view| {
                weight(view, "one") == Some(2) && weight(view, "two") == Some(2)
            })
            .await;
        assert_eq!(probe.view.members.len(), 2);
    }
    assert_eq!((one.mine().id, two.mine().id), (first.id, second.id));
    one.write(one.view.version, 1);
    two.until("a group write passes", |view| view.group.is_some()).await;
}
