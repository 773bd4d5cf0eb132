//! The master is lost under load, in every way, and nothing else is.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::checker::{Verdict, judge};
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::gaps::{Gaps, longest, thirst};
use crate::harness::load::{Load, Plan};
use crate::harness::{eventually, publish, setting, stores};

/// Confirmed sends, and confirmed acknowledgements, before each fault: it hits a group that takes and gives.
const CONFIRMATIONS: usize = 200;
/// How long a service may take to come back before the test gives up.
const LIMIT: Duration = Duration::from_secs(60);

/// What a round does to the master, and undoes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    StepDown,
    Pause,
    Cut,
}

impl Fault {
    fn strike(self, cluster: &Cluster, master: usize) {
        let node = master.to_string();
        match self {
            Fault::Kill => cluster.kill(master),
            Fault::StepDown => cluster.step_down(master),
            Fault::Pause => drop(cluster.verb(&["pause", &node])),
            Fault::Cut => drop(cluster.verb(&["partition", &node, "--from", "all"])),
        }
    }

    fn mend(self, cluster: &Cluster, master: usize) {
        let node = master.to_string();
        match self {
            Fault::Kill => cluster.start_node(master),
            Fault::StepDown => {}
            Fault::Pause => drop(cluster.verb(&["resume", &node])),
            Fault::Cut => drop(cluster.verb(&["heal"])),
        }
    }
}

/// All nodes follow one master and have applied what it committed.
async fn whole(cluster: &Cluster) {
    eventually("every node is master or slave again", LIMIT, || async {
        let roles: Vec<String> = (1..=NODES).filter_map(|node| cluster.role(node)).collect();
        let masters = roles.iter().filter(|role| *role == "master").count();
        let slaves = roles.iter().filter(|role| *role == "slave").count();
        (masters == 1 && slaves == NODES - 1).then_some(())
    })
    .await;
}

/// Runs the rounds; gives the verdict and the gap of each.
async fn rounds(cluster: &Cluster, fault: Fault, count: u64) -> (Verdict, Vec<Duration>) {
    let load = Load::start(Plan::new(cluster.stomp_all(), "/queue/failover"));
    let (mut gaps, mut thirsts) = (Vec::new(), Vec::new());
    for round in 1..=count {
        let master = cluster.master(LIMIT).await;
        load.progress(CONFIRMATIONS, CONFIRMATIONS, LIMIT).await;
        let epoch = cluster.number(master, "epoch");
        let place = load.history().len();
        load.confirmations(1, LIMIT).await;
        let from = load.history().now();
        fault.strike(cluster, master);
        // What was on its way may still be confirmed; what comes after this was confirmed by a later master.
        eventually("a later master serves", LIMIT, || async { (cluster.epoch()? > epoch?).then_some(()) })
            .await;
        load.confirmations(1, LIMIT).await;
        let gap = longest(&load.history().events_from(place), from, load.history().now());
        load.progress(1, 1, LIMIT).await;
        let thirst = thirst(&load.history().events_from(place), from, load.history().now());
        println!(
            "round {round}: node {master} was master, {} ms without a confirmed send, {} ms without a confirmed acknowledgement",
            gap.as_millis(),
            thirst.as_millis()
        );
        gaps.push(gap);
        thirsts.push(thirst);
        fault.mend(cluster, master);
        whole(cluster).await;
    }
    // Acknowledgements whose receipt died with a master are never confirmed: the queue says whether they count.
    let history = load.finish(Duration::from_secs(3)).await;
    let kept = std::env::var_os("QUORATE_HISTORY").map(PathBuf::from);
    history.save(&kept.unwrap_or_else(|| cluster.directory(1).with_file_name("history")));
    publish(&Gaps::new(thirsts).report("without a confirmed acknowledgement"));
    (judge(&history.events()), gaps)
}

/// The logs agree byte for byte and the states by their digests; ends the nodes.
async fn nodes_agree(cluster: &Cluster) {
    let (applied, digest) = cluster.agreement(LIMIT).await;
    let committed = (1..=NODES).filter_map(|node| cluster.number(node, "committed")).min().unwrap();
    for node in 1..=NODES {
        cluster.stop(node);
    }
    let logs: Vec<_> = (1..=NODES).map(|node| stores::fingerprint(cluster, node, committed)).collect();
    println!("applied {applied}, digest {digest}, logs {:?}", logs[0]);
    assert!(logs.windows(2).all(|pair| pair[0] == pair[1]), "the logs differ below {committed}: {logs:?}");
}

async fn survives(name: &str, fault: Fault, count: u64, session_timeout: &'static str) -> Gaps {
    let cluster = Cluster::start(name, Options { session_timeout, ..Options::default() }).await;
    let (verdict, gaps) = rounds(&cluster, fault, count).await;
    publish(&format!("{name}: {}", verdict.summary()));
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(verdict.unknown, 0, "{}", verdict.summary());
    // Nobody consumes any more: acknowledgements of unknown outcome took effect, or their messages would be there.
    cluster.empty("failover", Duration::from_secs(5)).await;
    nodes_agree(&cluster).await;
    Gaps::new(gaps)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_killed_under_load_loses_nothing_round_after_round() {
    let count = setting("QUORATE_FAILOVER_ROUNDS", 20);
    let gaps = survives("kill", Fault::Kill, count, "10s").await;
    publish(&gaps.report("kill -9 of the master"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_steps_down_under_load_loses_nothing() {
    let count = setting("QUORATE_STEP_DOWN_ROUNDS", 5);
    let gaps = survives("step-down", Fault::StepDown, count, "10s").await;
    publish(&gaps.report("group step-down"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_stopped_for_a_while_loses_nothing_and_comes_back_as_a_slave() {
    let count = setting("QUORATE_PAUSE_ROUNDS", 3);
    let gaps = survives("pause", Fault::Pause, count, "10s").await;
    publish(&gaps.report("SIGSTOP of the master"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_whose_links_are_cut_loses_nothing_and_comes_back_as_a_slave() {
    let count = setting("QUORATE_CUT_ROUNDS", 3);
    let gaps = survives("cut", Fault::Cut, count, "10s").await;
    publish(&gaps.report("links of the master cut"));
}
