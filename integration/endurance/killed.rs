//! Nodes are killed while the log is cleaned: nothing is lost, and nothing comes back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::history::{MessageName, What};
use crate::harness::load::{Load, Plan, name_in};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, publish, setting};

use super::bulk;

const LIMIT: Duration = Duration::from_secs(60);
/// Messages of 4 KiB that stand in the way: each stretch has some to move.
const STANDING: u64 = 4096;
/// What the cleaner logs when it begins, and when the new base is written.
const BEGINS: &str = "cleaning the oldest end of the log";
const ENDS: &str = "the new base is written";

/// How often a node has begun to clean, and how often it has ended.
fn cleanings(cluster: &Cluster, node: usize) -> (usize, usize) {
    let log = cluster.log(node);
    (log.matches(BEGINS).count(), log.matches(ENDS).count())
}

/// Waits for the master to begin a cleaning, which takes some hundredths of a second; gives the node.
async fn cleaning_begins(cluster: &Cluster) -> usize {
    let master = cluster.master(LIMIT).await;
    let (before, _) = cleanings(cluster, master);
    let begun = Instant::now();
    while cleanings(cluster, master).0 == before {
        assert!(begun.elapsed() < LIMIT && cluster.runs(master), "node {master} does not begin to clean");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    master
}

/// Mostly the cleaner itself; sometimes a slave, which drops segments at that moment, and sometimes all.
fn victims(round: u64, master: usize) -> Vec<usize> {
    match round % 5 {
        2 => vec![1 + master % NODES],
        4 => (1..=NODES).collect(),
        _ => vec![master],
    }
}

/// kill -9 at this moment, without the time that a script takes.
fn kill_now(cluster: &Cluster, nodes: &[usize]) {
    for node in nodes {
        let pid = Pid::from_raw(cluster.pid(*node) as i32).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

/// Takes all messages of a queue that nobody took from so far.
async fn take_all(cluster: &Cluster, queue: &str, count: usize) -> Vec<Option<MessageName>> {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    let headers =
        [("id", "1"), ("destination", queue), ("ack", "client"), ("activemq.prefetchSize", "60000")];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    let (mut names, mut last) = (Vec::new(), String::new());
    while names.len() < count {
        let frame = timeout(LIMIT, connection.reader.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("{} of {count} came", names.len())).unwrap();
        names.push(name_in(&frame.body));
        last = frame.header("ack").unwrap().to_owned();
    }
    connection.request(Frame::new("ACK", &[("id", &last)]), "taken").await.unwrap();
    connection.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_comes_back_when_nodes_are_killed_in_the_middle_of_cleaning() {
    let rounds = setting("QUORATE_CLEANING_KILLS", 5);
    let options = Options {
        zk_servers: 1,
        log_size: "2MiB",
        log_filter: "info,quorate::node=debug",
        ..Options::default()
    };
    let cluster = Cluster::start("cleaning-killed", options).await;
    let plan =
        Plan { pace: Duration::ZERO, body_bytes: 4096, ..Plan::new(cluster.stomp_all(), "/queue/passing") };
    bulk::fill(&cluster, "/queue/standing", STANDING, 4096).await;
    let passing = Load::start(plan);
    let plan = Plan {
        producers: 1,
        consumers: 0,
        pace: Duration::from_millis(5),
        body_bytes: 2048,
        ..Plan::new(cluster.stomp_all(), "/queue/kept")
    };
    let kept = Load::start(plan);
    let (mut round, mut within) = (0, 0);
    // A kill that comes when the cleaner has just ended does not count.
    while within < rounds {
        round += 1;
        assert!(round <= 2 * rounds, "{within} kills of {round} were in the middle of a cleaning");
        passing.progress(200, 200, LIMIT).await;
        let master = cleaning_begins(&cluster).await;
        let victims = victims(round, master);
        // Not always at the same place.
        tokio::time::sleep(Duration::from_millis(round % 7 * 3)).await;
        let (begun, ended) = cleanings(&cluster, master);
        kill_now(&cluster, &victims);
        within += u64::from(begun > ended);
        for node in &victims {
            eventually("the node is dead", LIMIT, || async { (!cluster.runs(*node)).then_some(()) }).await;
            cluster.start_node(*node);
        }
    }
    passing.progress(200, 200, LIMIT).await;
    let verdict = judge(&passing.finish(Duration::from_secs(5)).await.events());
    publish(&format!(
        "{round} times kill -9 while the log was cleaned, {within} in the middle; {}",
        verdict.summary()
    ));
    assert!(verdict.is_clean(), "{verdict:?}");

    let history = kept.finish(Duration::ZERO).await;
    let confirmed: BTreeSet<MessageName> = history
        .events()
        .iter()
        .filter_map(|event| if let What::Confirmed(name) = event.what { Some(name) } else { None })
        .collect();
    cluster.agreement(LIMIT).await;
    let taken = take_all(&cluster, "/queue/kept", confirmed.len()).await;
    let distinct: BTreeSet<Option<MessageName>> = taken.iter().copied().collect();
    assert_eq!(distinct.len(), taken.len(), "nothing comes twice");
    assert_eq!(
        distinct,
        confirmed.into_iter().map(Some).collect(),
        "what was kept is there, and nothing else"
    );
    // A resend that was taken for a new message would be left.
    cluster.empty("kept", LIMIT).await;
    assert_eq!(bulk::drain(&cluster, "standing", 4).await.count, STANDING);
    cluster.agreement(LIMIT).await;
}
