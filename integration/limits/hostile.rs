//! Bad input gets an answer where the protocol has one, a closed connection and little memory; nobody else notices.

use std::time::Duration;

use tokio::time::timeout;

use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};

/// How long the broker may take to close a connection that misbehaved.
const LIMIT: Duration = Duration::from_secs(15);
/// How much all bad input together may add to the peak of resident memory.
const GROWTH_KIB: u64 = 64 * 1024;

/// What a client does wrong.
struct Case {
    name: &'static str,
    /// Whether it is CONNECTED before.
    connected: bool,
    /// What it writes.
    start: Vec<u8>,
    /// What it writes then, so many times, until the broker closes.
    rest: (&'static [u8], usize),
    /// Whether an ERROR frame has to come before the end.
    error: bool,
}

fn case(name: &'static str, connected: bool, start: &str, error: bool) -> Case {
    Case { name, connected, start: start.as_bytes().to_vec(), rest: (b"", 0), error }
}

fn cases() -> Vec<Case> {
    let send = "SEND\ndestination:/queue/hostile\n";
    let mut cases = vec![
        case("another protocol", false, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n\0", false),
        case("a frame before CONNECT", false, &format!("{send}\nx\0"), true),
        case("an unknown command before CONNECT", false, "HELLO\n\n\0", true),
        case("no common version", false, "CONNECT\naccept-version:9.9\nhost:x\n\n\0", true),
        case("an unknown command", true, "HELLO\n\n\0", true),
        case("a second CONNECT", true, "CONNECT\naccept-version:1.2\nhost:x\n\n\0", true),
        case("a header without a colon", true, "SEND\ndestination\n\nx\0", true),
        case("an undefined escape", true, "SEND\ndestination:/queue/a\\tb\n\nx\0", true),
        case("a negative content-length", true, &format!("{send}content-length:-1\n\nx\0"), true),
        case("a content-length in words", true, &format!("{send}content-length:two\n\nx\0"), true),
        case(
            "a content-length of 1 EB",
            true,
            &format!("{send}content-length:1000000000000000000\n\n"),
            true,
        ),
        case(
            "a content-length beyond 64 bits",
            true,
            &format!("{send}content-length:99999999999999999999999\n\n"),
            true,
        ),
        case(
            "a content-length just over the limit",
            true,
            &format!("{send}content-length:104857601\n\n"),
            true,
        ),
        case("no NUL after a counted body", true, &format!("{send}content-length:3\n\nabcdef\0"), true),
        case("a SEND without a destination", true, "SEND\n\nx\0", true),
        case("a SUBSCRIBE without a destination", true, "SUBSCRIBE\nid:1\n\n\0", true),
        case("a SUBSCRIBE without an id", true, "SUBSCRIBE\ndestination:/queue/a\n\n\0", true),
        case("a COMMIT of no transaction", true, "COMMIT\ntransaction:none\n\n\0", true),
    ];
    let flood =
        |name, connected, start: &str, rest, error| Case { rest, ..case(name, connected, start, error) };
    cases.push(flood("a million headers", true, "SEND\n", (b"a:b\n", 1_000_000), false));
    cases.push(flood("a million headers before CONNECT", false, "CONNECT\n", (b"a:b\n", 1_000_000), false));
    let connect = "CONNECT\naccept-version:1.2\ncontent-length:104857600\n\n";
    cases.push(flood("a body of 100 MiB before CONNECT", false, connect, (&[b'x'; 65536], 1600), false));
    cases.push(flood("an endless header", true, "SEND\ndestination:", (&[b'x'; 65536], 4096), false));
    cases.push(flood("an endless command", false, "", (&[b'X'; 65536], 4096), false));
    cases.push(flood("bytes that are no text", false, "", (&[0xff; 4096], 1), false));
    cases
}

/// Does what the case says; gives the ERROR frame that came, if one came, once the broker has closed.
async fn misbehave(lone: &Lone, case: &Case) -> Option<Frame> {
    let mut connection = if case.connected {
        Connection::open(lone.stomp()).await.unwrap()
    } else {
        Connection::silent(lone.stomp()).await.unwrap()
    };
    let Connection { reader, writer } = &mut connection;
    let write = async {
        // The broker may close before all is written, which ends the writing.
        let mut going = writer.raw(&case.start).await.is_ok();
        for _ in 0..case.rest.1 {
            going = going && writer.raw(case.rest.0).await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    let read = async {
        let mut error = None;
        while let Ok(frame) = reader.frame().await {
            if frame.command == "ERROR" {
                error = Some(frame);
            }
        }
        error
    };
    let talk = async {
        tokio::select! {
            error = read => error,
            () = write => None,
        }
    };
    timeout(LIMIT, talk).await.unwrap_or_else(|_| panic!("{}: the connection stays open", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_ends_its_own_connection_and_nothing_else() {
    let lone = Lone::start().await;
    let mut bystander = Connection::open(lone.stomp()).await.unwrap();
    let subscribe =
        Frame::new("SUBSCRIBE", &[("id", "1"), ("destination", "/queue/bystander"), ("ack", "auto")]);
    bystander.request(subscribe, "subscribed").await.unwrap();
    let before = lone.memory_kib("VmHWM:");
    for case in cases() {
        let error = misbehave(&lone, &case).await;
        if case.error {
            let error = error.unwrap_or_else(|| panic!("{}: no ERROR frame", case.name));
            assert!(error.header("message").is_some_and(|text| !text.is_empty()), "{}: {error:?}", case.name);
        }
        let frame = Frame::new("SEND", &[("destination", "/queue/bystander"), ("persistent", "true")]);
        bystander.writer.send(&frame.with_body(case.name.as_bytes())).await.unwrap();
        let heard = timeout(LIMIT, bystander.reader.frame()).await.unwrap().unwrap();
        assert_eq!(heard.body, case.name.as_bytes(), "after {}", case.name);
    }
    let growth = lone.memory_kib("VmHWM:").saturating_sub(before);
    println!("peak memory grew by {growth} KiB");
    assert!(growth < GROWTH_KIB, "peak memory grew by {growth} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_that_say_nothing_cost_little() {
    let lone = Lone::start().await;
    let before = lone.memory_kib("VmRSS:");
    let mut silent = Vec::new();
    for _ in 0..900 {
        silent.push(Connection::silent(lone.stomp()).await.unwrap());
    }
    Connection::open(lone.stomp()).await.expect("others still get in");
    let growth = lone.memory_kib("VmRSS:").saturating_sub(before);
    println!("900 silent connections: {growth} KiB");
    assert!(growth < 900 * 32, "{growth} KiB");
}
