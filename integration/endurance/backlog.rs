//! A queue longer than anybody reads: restarts stay short, and all of it comes out in order.

use std::time::{Duration, Instant};

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{publish, setting};

const LIMIT: Duration = Duration::from_secs(120);
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
    let count = setting("QUORATE_BACKLOG_MESSAGES", if cfg!(debug_assertions) { 100_000 } else { 1_000_000 });
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
    let master = cluster.master(LIMIT).await;
    publish(&format!("resident memory of the master: {} MiB", cluster.resident_kib(master) / 1024));
    cluster.agreement(LIMIT).await;
}
