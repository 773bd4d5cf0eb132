//! What clients may rely on when a master goes: a repeated send is recognised, an open transaction is nothing, a delivery
//! that was not acknowledged comes again and says so.

use std::time::Duration;

use crate::harness::cluster::{Cluster, Options};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

const LIMIT: Duration = Duration::from_secs(30);

async fn connect(cluster: &Cluster) -> Connection {
    Connection::any(&cluster.stomp_all()).await
}

fn send(queue: &str, more: &[(&str, &str)], body: &str) -> Frame {
    let headers = [&[("destination", queue), ("persistent", "true")], more].concat();
    Frame::new("SEND", &headers).with_body(body.as_bytes())
}

/// Kills the master and waits for the next one.
async fn next_master(cluster: &Cluster) {
    let old = cluster.master(LIMIT).await;
    cluster.kill(old);
    eventually("another master", LIMIT, || async { cluster.serving().filter(|node| *node != old) }).await;
    cluster.start_node(old);
}

async fn subscribe(cluster: &Cluster, queue: &str) -> Connection {
    let mut connection = connect(cluster).await;
    let headers = [("id", "1"), ("destination", queue), ("ack", "client-individual")];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    connection
}

async fn delivery(connection: &mut Connection) -> Frame {
    tokio::time::timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap()
}

async fn acknowledge(connection: &mut Connection, delivery: &Frame) {
    let ack = Frame::new("ACK", &[("id", delivery.header("ack").unwrap())]);
    // Without a receipt: waiting for one would pass over the next delivery. The empty queue tells.
    connection.writer.send(&ack).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_master_knows_what_the_last_one_confirmed() {
    let cluster = Cluster::start("handover", Options { zk_servers: 1, ..Options::default() }).await;

    // M3: the same send twice, before and after the failover. It is confirmed each time and there once.
    let named = send("/queue/named", &[("duplicate-id", "order-17")], "once");
    connect(&cluster).await.request(named.clone(), "first").await.unwrap();
    connect(&cluster).await.request(named.clone(), "second").await.unwrap();

    // M5: one transaction is committed, another one is open when the master dies.
    let mut committed = connect(&cluster).await;
    committed.writer.send(&Frame::new("BEGIN", &[("transaction", "t1")])).await.unwrap();
    for body in ["a", "b", "c"] {
        let part = send("/queue/parts", &[("transaction", "t1")], body);
        committed.writer.send(&part).await.unwrap();
    }
    committed.request(Frame::new("COMMIT", &[("transaction", "t1")]), "committed").await.unwrap();
    let mut open = connect(&cluster).await;
    open.writer.send(&Frame::new("BEGIN", &[("transaction", "t2")])).await.unwrap();
    open.request(send("/queue/parts", &[("transaction", "t2")], "lost"), "joined").await.unwrap();

    // A delivery that nobody acknowledges.
    connect(&cluster).await.request(send("/queue/seen", &[], "seen"), "sent").await.unwrap();
    let master = cluster.master(LIMIT).await;
    eventually("the master shows the message", LIMIT, || async {
        let queues = http::entries(cluster.console(master), "/api/v1/queues")?;
        queues.iter().any(|queue| queue["name"] == "seen" && queue["size"] == 1).then_some(())
    })
    .await;
    let mut consumer = subscribe(&cluster, "/queue/seen").await;
    assert_eq!(delivery(&mut consumer).await.header("redelivered").unwrap_or("false"), "false");

    next_master(&cluster).await;

    connect(&cluster).await.request(named, "third").await.unwrap();
    let mut consumer = subscribe(&cluster, "/queue/named").await;
    let once = delivery(&mut consumer).await;
    acknowledge(&mut consumer, &once).await;
    assert_eq!(once.body, b"once");
    cluster.empty("named", LIMIT).await;

    let mut consumer = subscribe(&cluster, "/queue/parts").await;
    for body in ["a", "b", "c"] {
        let part = delivery(&mut consumer).await;
        assert_eq!(part.body, body.as_bytes());
        acknowledge(&mut consumer, &part).await;
    }
    cluster.empty("parts", LIMIT).await;

    let mut consumer = subscribe(&cluster, "/queue/seen").await;
    let again = delivery(&mut consumer).await;
    assert_eq!((again.body.as_slice(), again.header("redelivered")), (&b"seen"[..], Some("true")));
}
