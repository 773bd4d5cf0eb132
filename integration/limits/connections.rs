//! Many connections, silent ones and ones that fail: little memory each, none afterwards, and everyone else is served.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::crowd::{CONNECT, come_and_go, open, raise_file_limit};
use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{publish, setting};

const LIMIT: Duration = Duration::from_secs(20);
/// Room for the crowd beside everyone else.
const CROWD_OPTIONS: &str = "?maximumConnections=15000";
const MEMORY_KIB_MAX: u64 = 400 << 10;
/// How much memory may grow while the same happens again and again: freed pages go back late.
const GROWTH_KIB_MAX: u64 = 24 << 10;

/// What a stranger says that is no STOMP.
const GARBAGE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\0",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\n",
    b"\xff\xff\xff\xff\n\n\0",
    b"SEND\ndestination:/queue/a\ncontent-length:99999999999\n\n",
    b"SEND\ndestination:/queue/a\n\nbefore CONNECT\0",
];

/// What a client asks that cannot be done; each ends in an ERROR.
const FAILURES: &[&[u8]] = &[
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0ACK\nid:unknown\n\n\0",
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0SEND\n\nno destination\0",
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0COMMIT\ntransaction:none\n\n\0",
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0SUBSCRIBE\nid:1\n\n\0",
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0UNSUBSCRIBE\nid:none\n\n\0",
    b"CONNECT\naccept-version:1.2\nhost:x\n\n\0BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:t\n\n\0",
];

/// Somebody connects, sends a persistent message and gets it back; gives how long that took.
async fn is_served(lone: &Lone) -> Duration {
    let began = Instant::now();
    let mut connection = Connection::open(lone.stomp()).await.expect("others get in");
    let frame = Frame::new("SEND", &[("destination", "/queue/served"), ("persistent", "true")]);
    connection.request(frame.with_body(b"served"), "sent").await.unwrap();
    let headers = [("id", "1"), ("destination", "/queue/served"), ("ack", "client-individual")];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
    let message = timeout(LIMIT, connection.reader.frame()).await.expect("a message in time").unwrap();
    assert_eq!(message.body, b"served");
    let ack = Frame::new("ACK", &[("id", message.header("ack").unwrap())]);
    connection.request(ack, "taken").await.unwrap();
    connection.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
    began.elapsed()
}

async fn crowd(what: &str, say: &'static [u8], answered: bool) {
    raise_file_limit();
    let count = setting("QUORATE_CONNECTIONS", 10_000) as usize;
    let lone = Lone::with(CROWD_OPTIONS).await;
    is_served(&lone).await;
    let before = lone.memory_kib("VmRSS:");
    let began = Instant::now();
    let sockets = open(lone.stomp(), count, say, answered).await;
    let opened = began.elapsed();
    let served = is_served(&lone).await;
    let after = lone.memory_kib("VmRSS:");
    publish(&format!(
        "{count} {what}: {} MiB resident, {:.1} KiB each; opened in {:.1} s; a message went through beside them in {} ms",
        after / 1024,
        after.saturating_sub(before) as f64 / count as f64,
        opened.as_secs_f64(),
        served.as_millis()
    ));
    assert!(after < MEMORY_KIB_MAX, "{after} KiB");
    drop(sockets);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_at_rest_take_little_memory() {
    crowd("idle connections", CONNECT, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_before_their_connect_take_little_memory_and_others_are_served() {
    crowd("half-open connections", &CONNECT[..CONNECT.len() - 3], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_never_say_who_they_are_keep_nobody_out() {
    let lone = Lone::with("?maximumConnections=20").await;
    let known = open(lone.stomp(), 10, CONNECT, true).await;
    let _silent = open(lone.stomp(), 100, b"CONN", false).await;
    for _ in 0..5 {
        is_served(&lone).await;
    }
    // Clients that are known stay, and more of them than may be are refused.
    for stream in &known {
        assert!(stream.try_read(&mut [0; 8]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));
    }
    let mut more = Vec::new();
    while let Ok(connection) = Connection::open(lone.stomp()).await {
        more.push(connection);
        assert!(known.len() + more.len() <= 20, "maximumConnections holds for clients that are known");
    }
    assert!(more.len() > 5, "the silent ones give way to {} clients only", more.len());
}

/// The same `count` times, and memory as after the first tenth.
async fn flat(what: &str, count: usize, says: &'static [&'static [u8]]) {
    raise_file_limit();
    let lone = Lone::with(CROWD_OPTIONS).await;
    is_served(&lone).await;
    come_and_go(lone.stomp(), count / 10, says).await;
    let (before, began) = (lone.memory_kib("VmRSS:"), Instant::now());
    come_and_go(lone.stomp(), count - count / 10, says).await;
    let took = began.elapsed();
    is_served(&lone).await;
    let after = lone.memory_kib("VmRSS:");
    publish(&format!(
        "{count} {what}: {} MiB resident after a tenth, {} MiB at the end; {:.0} a second",
        before / 1024,
        after / 1024,
        (count - count / 10) as f64 / took.as_secs_f64()
    ));
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB, then {after} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_leaves_no_memory_behind() {
    flat("garbage connections", setting("QUORATE_GARBAGE", 20_000) as usize, GARBAGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_fail_leave_no_memory_behind() {
    flat("failed operations", setting("QUORATE_FAILURES", 20_000) as usize, FAILURES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_not_read_takes_little_memory_and_others_go_on() {
    const BODY_BYTES: usize = 256 << 10;
    // Three times what may stay: the log's tail, a window, what is unread, and what the allocator keeps of the way there.
    const MESSAGES: usize = 1000;
    let lone = Lone::start().await;
    is_served(&lone).await;
    let subscribe = |prefetch: &str| {
        let headers = [("id", "1"), ("destination", "/queue/slow"), ("ack", "client-individual")];
        let mut frame = Frame::new("SUBSCRIBE", &headers);
        frame.headers.push(("activemq.prefetchSize".to_owned(), prefetch.to_owned()));
        frame
    };
    let mut slow = Connection::open(lone.stomp()).await.unwrap();
    slow.request(subscribe("1000"), "subscribed").await.unwrap();
    let before = lone.memory_kib("VmRSS:");
    let mut producer = Connection::open(lone.stomp()).await.unwrap();
    for number in 0..MESSAGES {
        let frame = Frame::new("SEND", &[("destination", "/queue/slow"), ("persistent", "true")]);
        let frame = frame.with_body(&vec![b'x'; BODY_BYTES]);
        producer.request(frame, &number.to_string()).await.unwrap();
    }
    let mut other = Connection::open(lone.stomp()).await.unwrap();
    other.writer.send(&subscribe("10")).await.unwrap();
    for _ in 0..MESSAGES / 2 {
        let message = timeout(LIMIT, other.reader.frame()).await.expect("a message in time").unwrap();
        let ack = Frame::new("ACK", &[("id", message.header("ack").unwrap())]);
        other.writer.send(&ack).await.unwrap();
    }
    let after = lone.memory_kib("VmRSS:");
    let sent = (MESSAGES * BODY_BYTES) >> 20;
    publish(&format!(
        "a consumer that does not read, {sent} MiB sent: {} MiB resident before, {} MiB after",
        before / 1024,
        after / 1024
    ));
    assert!(after < before + (80 << 10), "{before} KiB, then {after} KiB");
}
