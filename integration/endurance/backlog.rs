//! A queue longer than anybody reads: it costs no memory, restarts stay short, and all of it comes out in order.

use std::time::{Duration, Instant};

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::stores::log_directory;
use crate::harness::usage::Usage;
use crate::harness::{eventually, publish, setting};

use super::{bulk, sifting};

const LIMIT: Duration = Duration::from_secs(180);
const BODY_BYTES: usize = 256;
/// Sends between two receipts.
const BATCH: u64 = 1000;

fn body(number: u64) -> Vec<u8> {
    format!("{number:0width$}", width = BODY_BYTES).into_bytes()
}

async fn fill(cluster: &Cluster, queue: &str, count: u64) {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    for number in 1..=count {
        let frame =
            Frame::new("SEND", &[("destination", queue), ("persistent", "true")]).with_body(&body(number));
        if number % BATCH == 0 || number == count {
            connection.request(frame, "so far").await.unwrap();
        } else {
            connection.writer.send(&frame).await.unwrap();
        }
    }
}

async fn drain(cluster: &Cluster, queue: &str, count: u64) {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    let subscribe = Frame::new(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", queue), ("ack", "client"), ("activemq.prefetchSize", "5000")],
    );
    connection.writer.send(&subscribe).await.unwrap();
    for number in 1..=count {
        let frame = tokio::time::timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap();
        assert_eq!(frame.body, body(number), "number {number} of {count}");
        if number % BATCH == 0 || number == count {
            let ack = Frame::new("ACK", &[("id", frame.header("ack").unwrap())]);
            connection.writer.send(&ack).await.unwrap();
        }
    }
    connection.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_survives_restarts_and_drains_in_order() {
    // Programs without optimisation get a tenth.
    let count = setting("QUORATE_LONG_QUEUE", if cfg!(debug_assertions) { 10_000 } else { 100_000 });
    let cluster = Cluster::start("backlog", Options { zk_servers: 1, ..Options::default() }).await;
    let begun = Instant::now();
    fill(&cluster, "/queue/backlog", count).await;
    publish(&format!("{count} messages of {BODY_BYTES} B stored in {:.1} s", begun.elapsed().as_secs_f64()));

    let master = cluster.master(LIMIT).await;
    let slave = 1 + master % NODES;
    cluster.stop(slave);
    let begun = Instant::now();
    cluster.start_node(slave);
    cluster.agreement(LIMIT).await;
    publish(&format!("a slave restarted: caught up after {:.2} s", begun.elapsed().as_secs_f64()));

    for node in 1..=NODES {
        cluster.kill(node);
    }
    let begun = Instant::now();
    cluster.verb(&["start", "1", "2", "3"]);
    cluster.master(LIMIT).await;
    publish(&format!("all nodes killed and restarted: serving after {:.2} s", begun.elapsed().as_secs_f64()));

    let begun = Instant::now();
    drain(&cluster, "/queue/backlog", count).await;
    publish(&format!("drained in order in {:.1} s", begun.elapsed().as_secs_f64()));
    cluster.agreement(LIMIT).await;
}

/// Resident memory of each node in MiB, the highest of some looks.
async fn resident(cluster: &Cluster) -> [u64; NODES] {
    let mut highest = [0; NODES];
    for _ in 0..10 {
        for (at, highest) in highest.iter_mut().enumerate() {
            *highest = (*highest).max(Usage::of(cluster, at + 1).unwrap().resident_kib / 1024);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    highest
}

/// Median time from the death of the master to the first send that another one confirms.
async fn promotion(cluster: &Cluster, rounds: u64) -> Duration {
    let mut times = Vec::new();
    for _ in 0..rounds {
        cluster.agreement(LIMIT).await;
        let master = cluster.master(LIMIT).await;
        cluster.kill(master);
        let begun = Instant::now();
        let mut connection = Connection::any(&cluster.stomp_all()).await;
        let send = Frame::new("SEND", &[("destination", "/queue/promotion"), ("persistent", "true")]);
        connection.request(send, "confirmed").await.unwrap();
        times.push(begun.elapsed());
        cluster.start_node(master);
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// Time of a slave's restart until it has applied all that is committed.
async fn restart(cluster: &Cluster, prepare: impl FnOnce(usize)) -> Duration {
    let slave = 1 + cluster.master(LIMIT).await % NODES;
    cluster.stop(slave);
    prepare(slave);
    let begun = Instant::now();
    cluster.start_node(slave);
    eventually("the slave is where the others are", LIMIT, || async {
        let status = cluster.status(slave)?;
        let committed = cluster.number(cluster.serving()?, "committed")?;
        (status["role"] == "slave" && status["applied"].as_u64()? >= committed).then_some(())
    })
    .await;
    begun.elapsed()
}

/// Has the kernel forget what it knows of the nodes' logs.
fn forget_pages(cluster: &Cluster) {
    for node in 1..=NODES {
        for entry in std::fs::read_dir(log_directory(cluster, node).unwrap()).unwrap().flatten() {
            let Ok(file) = std::fs::File::open(entry.path()) else { continue };
            file.sync_all().unwrap();
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
    }
}

/// Bytes that a node has had from the disk itself.
fn disk_bytes(cluster: &Cluster, node: usize) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/io", cluster.pid(node))).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("read_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// Has the kernel know all of the nodes' logs.
fn learn_pages(cluster: &Cluster) {
    for node in 1..=NODES {
        for entry in std::fs::read_dir(log_directory(cluster, node).unwrap()).unwrap().flatten() {
            if let Ok(mut file) = std::fs::File::open(entry.path()) {
                std::io::copy(&mut file, &mut std::io::sink()).unwrap();
            }
        }
    }
}

/// The figures of a long queue beside those of a short one; they count in `scripts/long` only, where there are millions.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_millions_costs_neither_memory_nor_time() {
    let count = setting("QUORATE_BACKLOG_MESSAGES", 50_000);
    let few = (count / 50).min(100_000);
    let rounds = setting("QUORATE_PROMOTIONS", 1);
    let bound = |holds, what: &str| bulk::bound("QUORATE_BOUNDS", holds, what);
    let cluster = Cluster::start("backlog-millions", Options { zk_servers: 1, ..Options::default() }).await;

    let usual = bulk::without_backlog(&cluster, 8, BODY_BYTES).await;
    let promoted_empty = promotion(&cluster, rounds).await;
    cluster.agreement(LIMIT).await;
    bulk::fill(&cluster, "/queue/backlog", few, BODY_BYTES).await;
    cluster.agreement(LIMIT).await;
    let with_few = resident(&cluster).await;
    let rate = bulk::fill(&cluster, "/queue/backlog", count - few, BODY_BYTES).await;
    cluster.agreement(LIMIT).await;
    let with_many = resident(&cluster).await;
    publish(&format!("{count} messages of {BODY_BYTES} B stored, {rate:.0} each second, all confirmed"));
    publish(&format!("resident memory in MiB with {few} messages {with_few:?}, with {count} {with_many:?}"));
    let holds = with_many.iter().zip(with_few).all(|(many, few)| *many <= few + 64);
    bound(holds, "memory with the long queue is within 64 MiB of that with the short one");

    let promoted_full = promotion(&cluster, rounds).await;
    let ratio = promoted_full.as_secs_f64() / promoted_empty.as_secs_f64();
    publish(&format!(
        "promotion, median of {rounds}: {} ms with no message, {} ms with {count}: {ratio:.2} times",
        promoted_empty.as_millis(),
        promoted_full.as_millis()
    ));
    bound(ratio <= 1.2, "promotion with the long queue takes at most 20 % longer");
    cluster.agreement(LIMIT).await;

    let with_index = restart(&cluster, |_| ()).await;
    let without =
        restart(&cluster, |node| assert!(sifting::remove_caches(&cluster, node) > 0 || count < 1_000_000))
            .await;
    cluster.agreement(LIMIT).await;
    let (indexed, bare) = (with_index.as_secs_f64(), without.as_secs_f64());
    publish(&format!(
        "a slave's restart until all is applied: {indexed:.2} s, without index and sidecars {bare:.2} s; states are equal"
    ));
    bound(indexed < 3.0, "a restart with the index takes less than 3 s");
    bound(bare < 30.0, "a restart without index and sidecars takes less than 30 s");

    let part = (count / 3).min(1_000_000);
    forget_pages(&cluster);
    let master = cluster.master(LIMIT).await;
    let from_disk = || disk_bytes(&cluster, master) >> 20;
    let before = from_disk();
    let cold = bulk::drain_some(&cluster, "backlog", 8, part).await;
    let fetched = from_disk() - before;
    learn_pages(&cluster);
    let warm = bulk::drain_some(&cluster, "backlog", 8, part).await;
    publish(&format!(
        "consumed each second: {usual:.0} without a backlog; {:.0} of {} from a cold disk ({:.0} %, {fetched} MiB read), \
         {:.0} of {} from a warm one ({:.0} %)",
        cold.rate,
        cold.count,
        100.0 * cold.rate / usual,
        warm.rate,
        warm.count,
        100.0 * warm.rate / usual
    ));
    bound(cold.rate >= 0.6 * usual, "a drain from a cold disk reaches 60 % of the rate without a backlog");
    bound(warm.rate >= 0.8 * usual, "a drain from a warm disk reaches 80 % of the rate without a backlog");
    let rest = bulk::drain(&cluster, "backlog", 8).await;
    publish(&format!("the rest of {} drained, {:.0} each second", rest.count, rest.rate));
    cluster.agreement(LIMIT).await;
}
