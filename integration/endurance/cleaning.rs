//! The log is cleaned while traffic passes: what is kept stays, what is gone stays gone, on every node.

use std::time::Duration;

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::eventually;
use crate::harness::stomp::{Connection, Frame};

const LIMIT: Duration = Duration::from_secs(30);
const SEGMENT_BYTES: u64 = 2 << 20;
const BODY_BYTES: usize = 4096;
/// Messages that pass in one round, and rounds until the test gives up.
const PASSING: usize = 500;
const ROUNDS_MAX: usize = 60;

/// Sends messages through a queue and takes them out again.
async fn pass(cluster: &Cluster) {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    let send = Frame::new("SEND", &[("destination", "/queue/passing"), ("persistent", "true")]);
    let send = send.with_body(&[b'p'; BODY_BYTES]);
    for _ in 1..PASSING {
        connection.writer.send(&send).await.unwrap();
    }
    connection.request(send, "sent").await.unwrap();
    let prefetch = PASSING.to_string();
    let headers = [
        ("id", "1"),
        ("destination", "/queue/passing"),
        ("ack", "client"),
        ("activemq.prefetchSize", prefetch.as_str()),
    ];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    let mut last = None;
    for _ in 0..PASSING {
        last = Some(tokio::time::timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap());
    }
    let ack = last.and_then(|frame| frame.header("ack").map(str::to_owned)).unwrap();
    connection.request(Frame::new("ACK", &[("id", &ack)]), "taken").await.unwrap();
    connection.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
}

/// Lets messages pass, keeping one for each round, until the log of every running node begins at or above `base`.
async fn pass_until(cluster: &Cluster, base: u64, kept: &mut u64) {
    for _ in 0..ROUNDS_MAX {
        let mut connection = Connection::any(&cluster.stomp_all()).await;
        let keep = Frame::new("SEND", &[("destination", "/queue/kept"), ("persistent", "true")]);
        *kept += 1;
        connection.request(keep.with_body(format!("kept {kept}").as_bytes()), "kept").await.unwrap();
        pass(cluster).await;
        let begins = |node| cluster.number(node, "base").is_some_and(|it| it >= base);
        if (1..=NODES).filter(|node| cluster.runs(*node)).all(begins) {
            return;
        }
    }
    panic!("the log was not cleaned up to {base}");
}

async fn take_kept(cluster: &Cluster, count: u64) {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    let headers = [("id", "1"), ("destination", "/queue/kept"), ("ack", "client")];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    for number in 1..=count {
        let frame = tokio::time::timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap();
        assert_eq!(frame.body, format!("kept {number}").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_and_a_node_that_was_away_begins_anew_behind_its_base() {
    let options = Options { zk_servers: 1, log_size: "2MiB", ..Options::default() };
    let cluster = Cluster::start("cleaning", options).await;
    let mut kept = 0;
    pass_until(&cluster, 2 * SEGMENT_BYTES, &mut kept).await;

    let away = 1 + cluster.master(LIMIT).await % NODES;
    let reached = cluster.status(away).unwrap()["end"]["offset"].as_u64().unwrap();
    cluster.stop(away);
    pass_until(&cluster, reached + SEGMENT_BYTES, &mut kept).await;
    cluster.start_node(away);
    cluster.agreement(LIMIT).await;
    assert!(cluster.number(away, "base").unwrap() > reached, "the node begins behind the base");

    // It is as good as any other: the master goes, and one of the two others must take over with it.
    cluster.kill(cluster.master(LIMIT).await);
    eventually("another master", LIMIT, || async { cluster.serving() }).await;
    take_kept(&cluster, kept).await;
}
