//! A node that was away comes back behind the base: it begins anew there while the master serves, goes on where it was
//! after a break, and costs the others little.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quorate::client::{Load, LoadProgress, run_load};

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::{eventually, publish, setting};

use super::bulk;

const LIMIT: Duration = Duration::from_secs(120);
/// Messages of 4 KiB that the node has to fetch.
const BACKLOG: u64 = 8192;

/// What the log of a node says about where it began to follow, one entry for each stream.
fn beginnings(cluster: &Cluster, node: usize) -> Vec<u64> {
    let log = cluster.log(node);
    let lines = log.lines().filter(|line| line.contains("Slave started: attached to the master"));
    let from = |line: &str| {
        let (_, rest) = line.split_once("from=")?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    lines.filter_map(from).collect()
}

fn resets(cluster: &Cluster, node: usize) -> usize {
    cluster.log(node).matches("it starts anew").count()
}

/// Traffic that stays as it is: producers and consumers of one queue, until dropped.
struct Traffic {
    progress: Arc<LoadProgress>,
    task: tokio::task::JoinHandle<()>,
}

impl Traffic {
    fn start(cluster: &Cluster, producers: usize, outstanding: usize) -> Traffic {
        let progress = Arc::new(LoadProgress::default());
        let load = Load {
            destinations: vec!["/queue/traffic".to_owned()],
            producers,
            consumers: producers,
            outstanding,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(3600),
            ..bulk::load(cluster)
        };
        let counts = progress.clone();
        let task = tokio::spawn(async move {
            run_load(load, counts).await.unwrap();
        });
        Traffic { progress, task }
    }

    fn confirmed(&self) -> u64 {
        self.progress.confirmed.load(Ordering::Relaxed)
    }

    /// Confirmed sends each second until `end` is ready.
    async fn rate(&self, end: impl Future<Output = ()>) -> f64 {
        let (from, begun) = (self.confirmed(), Instant::now());
        end.await;
        (self.confirmed() - from) as f64 / begun.elapsed().as_secs_f64()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until a node's log ends less than a mebibyte before the master's.
async fn close_to_the_end(cluster: &Cluster, node: usize) {
    eventually("the node that was away has caught up", LIMIT, || async {
        let master = cluster.serving()?;
        let end = |node| cluster.status(node)?.get("end")?.get("offset")?.as_u64();
        let durable = cluster.number(node, "durable")?;
        (cluster.role(node)? == "slave" && durable + (1 << 20) >= end(master)?).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_the_base_begins_anew_and_goes_on_where_it_was_after_a_break() {
    let options = Options { zk_servers: 1, log_size: "4MiB", ..Options::default() };
    let cluster = Cluster::start("catching-up", options).await;
    bulk::pass(&cluster, "/queue/passing", 8 << 20, 4096).await;
    let away = 1 + cluster.master(LIMIT).await % NODES;
    let reached = cluster.number(away, "applied").unwrap();
    cluster.stop(away);
    bulk::fill(&cluster, "/queue/backlog", BACKLOG, 4096).await;
    eventually("the log was cleaned beyond where the node is", LIMIT, || async {
        bulk::pass(&cluster, "/queue/passing", 8 << 20, 4096).await;
        (cluster.number(cluster.serving()?, "base")? > reached).then_some(())
    })
    .await;

    // Broken off in both ways, again and again, while a little traffic keeps the master from sending all at once.
    let traffic = Traffic::start(&cluster, 1, 1);
    let (mut had, mut breaks) = (reached, 0);
    while breaks < 4 {
        cluster.start_node(away);
        let master = cluster.master(LIMIT).await;
        had = eventually("the node fetches more", LIMIT, || async {
            cluster.number(away, "durable").filter(|durable| *durable > had)
        })
        .await;
        if had + (4 << 20) > cluster.number(master, "durable").unwrap() {
            break;
        }
        breaks += 1;
        if breaks % 2 == 0 { cluster.kill(away) } else { cluster.stop(away) }
    }
    if !cluster.runs(away) {
        cluster.start_node(away);
    }
    drop(traffic);
    let beginnings = || beginnings(&cluster, away);
    cluster.agreement(LIMIT).await;
    let (all, resets) = (beginnings(), resets(&cluster, away));
    assert!(breaks >= 2, "it was too fast to be broken off: {all:?}");
    assert!(all.is_sorted() && *all.last().unwrap() > reached, "it went back: {all:?}");
    assert!((1..all.len()).contains(&resets), "it began anew {resets} times: {all:?}");
    publish(&format!(
        "a node behind the base, broken off {breaks} times, followed from {all:?}, {resets} of these anew"
    ));

    // It is as good as any other.
    cluster.kill(cluster.master(LIMIT).await);
    eventually("another master", LIMIT, || async { cluster.serving() }).await;
    let count = bulk::drain(&cluster, "backlog", 1).await.count;
    assert_eq!(count, BACKLOG);
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_goes_on_while_a_node_fetches_what_it_missed() {
    let mebibytes = setting("QUORATE_CATCH_UP_MIB", 64);
    let seconds = setting("QUORATE_CATCH_UP_SECONDS", 2);
    let log_size = if mebibytes >= 1024 { "100MiB" } else { "4MiB" };
    let cluster =
        Cluster::start("catching-up-traffic", Options { zk_servers: 1, log_size, ..Options::default() })
            .await;
    let away = 1 + cluster.master(LIMIT).await % NODES;
    cluster.stop(away);
    bulk::fill(&cluster, "/queue/backlog", (mebibytes << 20) / 1024, 1024).await;
    cluster.start_node(away);
    cluster.agreement(LIMIT).await;
    cluster.stop(away);
    cluster.verb(&["wipe", &away.to_string()]);

    // A fraction of what the group can do: all three nodes share one disk here, and where traffic takes all of it nobody
    // can catch up.
    let traffic = Traffic::start(&cluster, 4, 8);
    let pause = || tokio::time::sleep(Duration::from_secs(seconds));
    traffic.rate(pause()).await;
    let two = traffic.rate(pause()).await;
    cluster.start_node(away);
    let begun = Instant::now();
    let during = traffic.rate(close_to_the_end(&cluster, away)).await;
    let took = begun.elapsed().as_secs_f64();
    let after = traffic.rate(pause()).await;
    drop(traffic);
    publish(&format!(
        "confirmed sends of 1 KiB each second with two nodes {two:.0}, while the third fetched {mebibytes} MiB in {took:.1} s \
         {during:.0}, with three nodes {after:.0}: {:.0} % of before, {:.0} % of after",
        100.0 * during / two,
        100.0 * during / after
    ));
    cluster.agreement(LIMIT).await;
    bulk::bound("QUORATE_BOUNDS", during / after >= 0.8, "catching up costs live traffic less than 20 %");
}
