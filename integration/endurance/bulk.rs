//! Many messages in, many out, as fast as they go; with the client that benchmarks use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use quorate::client::{Load, LoadProgress, run_load};

use crate::harness::cluster::Cluster;
use crate::harness::{eventually, http, setting};

const LIMIT: Duration = Duration::from_secs(1800);
/// How often a count is looked at.
const POLL: Duration = Duration::from_millis(5);

/// What came out, and how fast.
pub(super) struct Drained {
    /// Messages.
    pub(super) count: u64,
    /// Messages each second.
    pub(super) rate: f64,
}

/// A load on all nodes that does nothing yet.
pub(super) fn load(cluster: &Cluster) -> Load {
    Load {
        addresses: cluster.stomp_all().iter().map(ToString::to_string).collect(),
        producers: 0,
        consumers: 0,
        warm_up: Duration::ZERO,
        duration: LIMIT,
        drain: Duration::from_secs(60),
        ..Load::default()
    }
}

/// Sends `count` messages, each confirmed; gives messages each second.
pub(super) async fn fill(cluster: &Cluster, queue: &str, count: u64, body_bytes: usize) -> f64 {
    const PRODUCERS: u64 = 4;
    let begun = Instant::now();
    let mut left = count;
    // A node that goes takes what was on its way with it: that is sent again.
    while left > 0 {
        let producers = PRODUCERS.min(left);
        let load = Load {
            destinations: vec![queue.to_owned()],
            producers: producers as usize,
            outstanding: 500,
            messages: Some(left / producers),
            body_bytes,
            ..load(cluster)
        };
        let report = run_load(load, Arc::default()).await.unwrap();
        assert_eq!(report.unknown_total, 0, "no connection broke");
        left -= report.confirmed_total;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Lets messages pass through a queue: all that goes in comes out.
pub(super) async fn pass(cluster: &Cluster, queue: &str, bytes: u64, body_bytes: usize) {
    let load = Load {
        destinations: vec![queue.to_owned()],
        producers: 1,
        consumers: 1,
        messages: Some(bytes / body_bytes as u64),
        body_bytes,
        ..load(cluster)
    };
    run_load(load, Arc::default()).await.unwrap();
    cluster.empty(queue.trim_start_matches("/queue/"), LIMIT).await;
}

/// Consumed messages each second with as many producers as consumers, and no backlog.
pub(super) async fn without_backlog(cluster: &Cluster, consumers: usize, body_bytes: usize) -> f64 {
    let load = Load {
        destinations: vec!["/queue/rate".to_owned()],
        producers: consumers,
        consumers,
        body_bytes,
        warm_up: Duration::from_secs(2),
        duration: Duration::from_secs(setting("QUORATE_RATE_SECONDS", 1)),
        ..load(cluster)
    };
    let report = run_load(load, Arc::default()).await.unwrap();
    cluster.empty("rate", LIMIT).await;
    report.consumed_per_second()
}

/// How many messages a queue holds, as the master tells.
fn size(cluster: &Cluster, name: &str) -> Option<u64> {
    let queues = http::entries(cluster.console(cluster.serving()?), "/api/v1/queues")?;
    queues.iter().find(|queue| queue["name"] == name)?["size"].as_u64()
}

/// How many messages a queue holds that nobody uses; what the master shows may be a moment old.
async fn steady_size(cluster: &Cluster, name: &str) -> u64 {
    const SHOWN_WITHIN: Duration = Duration::from_millis(500);
    eventually("the queue stays as it is", LIMIT, || async {
        let before = size(cluster, name)?;
        tokio::time::sleep(SHOWN_WITHIN).await;
        size(cluster, name).filter(|now| *now == before)
    })
    .await
}

/// Takes all that a queue holds.
pub(super) async fn drain(cluster: &Cluster, name: &str, consumers: usize) -> Drained {
    let count = steady_size(cluster, name).await;
    drain_some(cluster, name, consumers, count).await
}

/// Takes `count` messages of a queue, and what is on its way by then.
pub(super) async fn drain_some(cluster: &Cluster, name: &str, consumers: usize, count: u64) -> Drained {
    let before = steady_size(cluster, name).await;
    // An earlier one may have taken more than it was to take: it looks from time to time only.
    let count = count.min(before);
    let progress = Arc::new(LoadProgress::default());
    let load = Load { destinations: vec![format!("/queue/{name}")], consumers, ..load(cluster) };
    let begun = Instant::now();
    let run = run_load(load, progress.clone());
    let consumed = || progress.consumed.load(Ordering::Relaxed);
    let enough = async {
        while consumed() < count {
            tokio::time::sleep(POLL).await;
        }
        (consumed(), begun.elapsed())
    };
    let gone = async {
        let (consumed, took) = enough.await;
        // What is acknowledged on the way must arrive before the connections close.
        eventually("all acknowledgements have come", LIMIT, || async {
            (size(cluster, name)? <= before.saturating_sub(count)).then_some(())
        })
        .await;
        (consumed, took)
    };
    let (count, took) = tokio::select! {
        ended = run => panic!("the consumers end: {:?}", ended.map(|_| ())),
        done = gone => done,
    };
    Drained { count, rate: count as f64 / took.as_secs_f64() }
}

/// A bound of a long run, judged when the run is one: `scripts/long` sets the variable, `scripts/check` asserts no timings.
pub(super) fn bound(variable: &str, holds: bool, what: &str) {
    let judged = setting(variable, 0) > 0;
    assert!(holds || !judged, "not so: {what}");
    if !holds {
        println!("not so in this short run: {what}");
    }
}
