//! Each way to make a broker hold more than its configuration says, with a control group that kills whoever does.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::control_group::{Bound, ControlGroup, confined};
use super::is_served;
use crate::harness::lone::Lone;
use crate::harness::publish;
use crate::harness::stomp::{Connection, Frame};

/// What the broker may take.
const GROUP_BYTES: u64 = 200 << 20;
/// What its configuration lets messages take; three quarters as much again for all else that clients make wait.
const USAGE: &str = "[system_usage]\nmemory = \"48 MiB\"\ntemp = \"1 GiB\"\n";
const DESCRIPTORS: u64 = 1024;
/// How long a write may make no headway before it is taken for held.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one way is tried.
const TIME_MAX: Duration = Duration::from_secs(6);
/// How long somebody who behaves may wait afterwards.
const LIMIT: Duration = Duration::from_secs(30);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What stays open until the broker is looked at.
type Held = Vec<Connection>;

fn send(to: &str, persistent: bool, body: usize, more: &[(&str, &str)]) -> Frame {
    let persistent = if persistent { "true" } else { "false" };
    let mut headers = vec![("destination", to), ("persistent", persistent)];
    headers.extend(more);
    Frame::new("SEND", &headers).with_body(&vec![b'w'; body])
}

fn subscribe(id: &str, to: &str, ack: &str, more: &[(&str, &str)]) -> Frame {
    let mut headers = vec![("id", id), ("destination", to), ("ack", ack)];
    headers.extend(more);
    Frame::new("SUBSCRIBE", &headers)
}

async fn open(to: SocketAddr) -> Connection {
    Connection::any(&[to]).await
}

/// Writes these frames until one is held back or the broker hangs up.
async fn pour(connection: &mut Connection, frames: impl IntoIterator<Item = Frame>) {
    for frame in frames {
        if !matches!(timeout(PATIENCE, connection.writer.send(&frame)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Waits until the broker has dealt with what was written, or does not answer.
async fn done(connection: &mut Connection) {
    let frame = Frame::new("SEND", &[("destination", "/topic/nobody")]);
    timeout(PATIENCE, connection.request(frame, "done")).await.ok();
}

fn names(count: usize) -> String {
    (0..count).map(|number| format!("/queue/c{number:03}")).collect::<Vec<_>>().join(",")
}

async fn one_body_for_many_queues(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for (queues, times) in [(840, 1), (60, 8), (5, 8)] {
        let mut connection = open(to).await;
        pour(&mut connection, (0..times).map(|_| send(&names(queues), true, MIB, &[]))).await;
        done(&mut connection).await;
        all.push(connection);
    }
    all
}

async fn a_transaction_for_many_queues(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut connection = open(to).await;
        let begin = Frame::new("BEGIN", &[("transaction", "t")]);
        let sends = (0..20).map(|_| send(&names(200), true, 300 * KIB, &[("transaction", "t")]));
        let commit = Frame::new("COMMIT", &[("transaction", "t")]);
        pour(&mut connection, [begin].into_iter().chain(sends).chain([commit])).await;
        done(&mut connection).await;
        all.push(connection);
    }
    all
}

/// Fills a queue with what is not stored, opens a browser that never acknowledges, empties the queue, and so on.
async fn browsers_over_queues_that_are_filled_again(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for _ in 0..8 {
        let mut producer = open(to).await;
        pour(&mut producer, (0..30).map(|_| send("/queue/browsed", false, MIB, &[]))).await;
        let mut browser = open(to).await;
        let prefetch = ("activemq.prefetchSize", "1");
        pour(&mut browser, [subscribe("1", "/queue/browsed", "client", &[("browser", "true"), prefetch])])
            .await;
        done(&mut browser).await;
        let mut consumer = open(to).await;
        pour(&mut consumer, [subscribe("1", "/queue/browsed", "auto", &[])]).await;
        while let Ok(Ok(_)) = timeout(PATIENCE / 4, consumer.reader.frame()).await {}
        all.push(browser);
    }
    all
}

async fn large_messages_for_subscriptions_that_want_many(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for number in 0..40 {
        let mut connection = open(to).await;
        let queue = format!("/queue/large{}", number % 4);
        pour(&mut connection, [subscribe("1", &queue, "client", &[("activemq.prefetchSize", "65535")])])
            .await;
        pour(&mut connection, (0..10).map(|_| send(&queue, true, MIB, &[]))).await;
        all.push(connection);
    }
    all
}

async fn large_messages_of_connections_that_rest(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for _ in 0..60 {
        let mut connection = open(to).await;
        pour(&mut connection, (0..4).map(|_| send("/queue/rest", true, MIB, &[]))).await;
        all.push(connection);
    }
    all
}

async fn headers_of_ten_thousand_bytes(to: SocketAddr) -> Held {
    let long = "h".repeat(10_000);
    let texts: Vec<String> = (0..90).map(|number| format!("h{number}")).collect();
    let headers: Vec<(&str, &str)> = texts.iter().map(|name| (name.as_str(), long.as_str())).collect();
    let mut all = Vec::new();
    for persistent in [false, true, false, true] {
        let mut connection = open(to).await;
        pour(&mut connection, (0..80).map(|_| send("/queue/headers", persistent, 1, &headers))).await;
        all.push(connection);
    }
    all
}

async fn frames_that_have_begun(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for number in 0..60 {
        let mut connection = open(to).await;
        let begun = format!("SEND\ndestination:/queue/begun\ncontent-length:{}\n\n", 50 * MIB);
        connection.writer.raw(begun.as_bytes()).await.ok();
        let part = vec![b'b'; if number % 2 == 0 { 20 * MIB } else { 60 * KIB }];
        timeout(PATIENCE / 10, connection.writer.raw(&part)).await.ok();
        all.push(connection);
    }
    all
}

async fn deliveries_that_nobody_reads(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for _ in 0..60 {
        let mut connection = open(to).await;
        pour(&mut connection, [subscribe("1", "/topic/unread", "auto", &[])]).await;
        pour(&mut connection, [subscribe("2", "/queue/unread", "client", &[])]).await;
        all.push(connection);
    }
    let mut producer = open(to).await;
    pour(
        &mut producer,
        (0..200).map(|n| send(["/topic/unread", "/queue/unread"][n % 2], n % 4 == 1, MIB, &[])),
    )
    .await;
    all.push(producer);
    all
}

/// Each subscription of a topic keeps what it has no credit for.
async fn topics_with_subscriptions_that_are_slow(to: SocketAddr) -> Held {
    let mut connection = open(to).await;
    for number in 0..500u32 {
        let frame =
            subscribe(&number.to_string(), "/topic/slow", "client", &[("activemq.prefetchSize", "1")]);
        pour(&mut connection, [frame]).await;
    }
    let mut all = vec![connection];
    for _ in 0..4 {
        let mut producer = open(to).await;
        pour(&mut producer, (0..50).map(|_| send("/topic/slow", false, MIB, &[]))).await;
        all.push(producer);
    }
    all
}

/// Large messages go from one consumer that vanishes to the next.
async fn large_messages_that_come_again(to: SocketAddr) -> Held {
    let mut producer = open(to).await;
    pour(&mut producer, (0..60).map(|n| send("/queue/again", n % 2 == 0, 2 * MIB, &[]))).await;
    for _ in 0..30 {
        let mut consumer = open(to).await;
        pour(&mut consumer, [subscribe("1", "/queue/again", "client", &[("activemq.prefetchSize", "1000")])])
            .await;
        for _ in 0..3 {
            timeout(PATIENCE, consumer.reader.frame()).await.ok();
        }
    }
    vec![producer]
}

async fn transactions_that_never_end(to: SocketAddr) -> Held {
    let mut all = Vec::new();
    for _ in 0..40 {
        let mut connection = open(to).await;
        let begins = (0..20).map(|n: u32| Frame::new("BEGIN", &[("transaction", &n.to_string())]));
        pour(&mut connection, begins).await;
        let sends = (0..20).map(|n: u32| send("/queue/open", true, MIB, &[("transaction", &n.to_string())]));
        pour(&mut connection, sends).await;
        all.push(connection);
    }
    all
}

/// Tries one way on a broker of its own and gives what it took, or what went wrong.
async fn survives(what: &str, way: impl AsyncFnOnce(SocketAddr) -> Held) -> Result<(), String> {
    let group = ControlGroup::new("ways", Bound::Memory(GROUP_BYTES));
    let directory = tempfile::tempdir().unwrap();
    let groups = [group];
    let lone = Lone::run_by(confined(directory.path(), &groups, DESCRIPTORS), "", USAGE).await;
    let held = timeout(TIME_MAX, way(lone.stomp())).await;
    let served = if lone.lives() { is_served(lone.stomp(), LIMIT).await } else { Ok(()) };
    let (lives, kills) = (lone.lives(), groups[0].kills());
    let peak = if lives { lone.memory_kib("VmHWM:") / 1024 } else { 0 };
    drop(held);
    let log = lone.log();
    drop(lone);
    if !lives || kills > 0 {
        let last = log.lines().last().unwrap_or_default();
        return Err(format!("{what}: the broker ended, {kills} killed by the kernel; it said last: {last}"));
    }
    served.map_err(|error| format!("{what}: nobody is served afterwards: {error}; {peak} MiB at most"))?;
    publish(&format!("{what}: {peak} MiB resident at most, of {} MiB", GROUP_BYTES >> 20));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_to_ask_for_more_memory_than_there_is_ends_the_broker() {
    let outcomes = [
        survives("one body for many queues", one_body_for_many_queues).await,
        survives("a transaction for many queues", a_transaction_for_many_queues).await,
        survives("browsers over queues that are filled again", browsers_over_queues_that_are_filled_again)
            .await,
        survives("large messages for many subscriptions", large_messages_for_subscriptions_that_want_many)
            .await,
        survives("large messages of connections that rest", large_messages_of_connections_that_rest).await,
        survives("headers of 10 kB", headers_of_ten_thousand_bytes).await,
        survives("frames that have begun", frames_that_have_begun).await,
        survives("deliveries that nobody reads", deliveries_that_nobody_reads).await,
        survives("topics with slow subscriptions", topics_with_subscriptions_that_are_slow).await,
        survives("large messages that come again", large_messages_that_come_again).await,
        survives("transactions that never end", transactions_that_never_end).await,
    ];
    let faults: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
