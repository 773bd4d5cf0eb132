//! What each frame does.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::SESSION_SUBMISSIONS;
use crate::env::{ConnectionLimit, SystemClock};
use crate::protocol::stomp::{Frame, Limits, Verb, Version};
use crate::protocol::{Listener, ListenerError};

use super::{Raw, connector, listen, start_answers, start_core};

fn header(frame: &Frame, name: &str) -> String {
    frame.header(name).unwrap_or_default().into_owned()
}

#[tokio::test]
async fn the_highest_common_version_is_spoken() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    for (accept, spoken) in [
        ("", "1.0"),
        ("accept-version:1.0\n", "1.0"),
        ("accept-version:1.0,1.1\n", "1.1"),
        ("accept-version:1.1,1.2,2.0\n", "1.2"),
        ("accept-version: 1.2\n", "1.2"),
    ] {
        let mut raw = Raw::open(&listener).await;
        raw.say(&format!("STOMP\n{accept}request-id:7\nreceipt:8\nheart-beat:0,500\n\n\0")).await;
        let connected = raw.hear().await;
        assert_eq!(connected.verb, Verb::Connected);
        assert_eq!(header(&connected, "version"), spoken, "{accept}");
        assert_eq!(header(&connected, "response-id"), "7");
        assert_eq!(header(&connected, "receipt-id"), "8");
        assert_eq!(header(&connected, "heart-beat"), "500,0");
        assert!(header(&connected, "server").starts_with("ActiveMQ/"), "as stomp-php wants it");
        assert!(!header(&connected, "session").is_empty());
    }
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:3.0\nreceipt:x\n\n\0").await;
    let error = raw.hear_error("1.0, 1.1 and 1.2").await;
    assert_eq!(header(&error, "receipt-id"), "x");
    listener.stop().await;
}

#[tokio::test]
async fn the_articles_script_sends_and_receives_with_1_0() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut sender, _) = Raw::connect(&listener, Version::V1_0).await;
    sender.say("SEND\ndestination:/queue/SampleQueue\n\nlen 123\0\nDISCONNECT\nreceipt:bye\n\n\0\n").await;
    sender.hear_receipt("bye").await;
    assert_eq!(sender.listen().await, None);
    let (mut receiver, _) = Raw::connect(&listener, Version::V1_0).await;
    receiver.say("SUBSCRIBE\ndestination:/queue/SampleQueue\nack:auto\n\n\0").await;
    let message = receiver.hear().await;
    assert_eq!((message.verb, &message.body[..]), (Verb::Message, &b"len 123"[..]));
    assert_eq!(header(&message, "destination"), "/queue/SampleQueue");
    assert_eq!(message.header("subscription"), None);
    assert!(!message.measured);
    listener.stop().await;
}

#[tokio::test]
async fn headers_leave_as_activemq_would_write_them_and_the_senders_own_as_they_came() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say(
        "SEND\ndestination:/queue/a\nz:1\na\\cb:x\\ny\nz:2\npersistent:true\npriority:7\nexpires:99999999999999\n\
         correlation-id:c\nreply-to:/temp-queue/r\ntype:t\nduplicate-id:d\n\
         timestamp:5\nmessage-id:mine\nredelivered:true\nsubscription:9\nJMSXUserID:root\nack:no\n\
         content-length:3\nreceipt:r\ncontent-type:text/plain\n\na\0b\0",
    )
    .await;
    raw.hear_receipt("r").await;
    raw.say("SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\n\n\0").await;
    let message = raw.hear().await;
    let mut headers: Vec<(String, String)> =
        message.headers().map(|h| (h.name().into_owned(), h.value().into_owned())).collect();
    let own: Vec<_> = headers.iter().filter(|(n, _)| ["z", "a:b", "content-type"].contains(&&**n)).collect();
    let expected = [("z", "1"), ("a:b", "x\ny"), ("content-type", "text/plain")];
    assert_eq!(own.iter().map(|(n, v)| (&**n, &**v)).collect::<Vec<_>>(), expected);
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| &**name).collect();
    let expected = [
        "a:b",
        "ack",
        "content-length",
        "content-type",
        "correlation-id",
        "destination",
        "duplicate-id",
        "expires",
        "message-id",
        "persistent",
        "priority",
        "reply-to",
        "subscription",
        "timestamp",
        "type",
        "z",
    ];
    assert_eq!(names, expected);
    assert_eq!(header(&message, "reply-to"), "/temp-queue/r");
    assert_eq!((header(&message, "priority"), header(&message, "timestamp")), ("7".into(), "5".into()));
    assert!(header(&message, "message-id").starts_with("ID:"));
    assert_ne!(header(&message, "ack"), "no");
    assert_eq!(&message.body[..], b"a\0b");
    // Whoever has not made the temporary queue names it in full.
    raw.say("UNSUBSCRIBE\nid:0\nreceipt:u\n\n\0").await;
    raw.hear_receipt("u").await;
    let (mut other, _) = Raw::connect(&listener, Version::V1_1).await;
    other.say("SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client\n\n\0").await;
    let message = other.hear().await;
    assert_eq!(header(&message, "redelivered"), "true");
    let reply_to = header(&message, "reply-to");
    assert!(reply_to.starts_with("/remote-temp-queue/ID:"), "{reply_to}");
    raw.say("SUBSCRIBE\nid:1\ndestination:/temp-queue/r\nreceipt:s\n\n\0").await;
    raw.hear_receipt("s").await;
    other.say(&format!("SEND\ndestination:{}\n\nanswer\0", reply_to.replace(':', "\\c"))).await;
    let answer = raw.hear().await;
    assert_eq!((&answer.body[..], header(&answer, "destination")), (&b"answer"[..], "/temp-queue/r".into()));
    listener.stop().await;
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again_in_every_version_and_mode() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        for (mode, left) in [("client", 1), ("client-individual", 2)] {
            let queue = format!("/queue/{mode}-{}", version.text());
            let (mut raw, _) = Raw::connect(&listener, version).await;
            for number in 0..3 {
                raw.say(&format!("SEND\ndestination:{queue}\nreceipt:{number}\n\n{number}\0")).await;
                raw.hear_receipt(&number.to_string()).await;
            }
            raw.say(&format!("SUBSCRIBE\nid:s\ndestination:{queue}\nack:{mode}\n\n\0")).await;
            let mut messages = Vec::new();
            for _ in 0..3 {
                messages.push(raw.hear().await);
            }
            let id = |frame: &Frame| match version {
                Version::V1_0 => format!("message-id:{}", header(frame, "message-id")),
                Version::V1_1 => {
                    format!("subscription:s\nmessage-id:{}", header(frame, "message-id").replace(':', "\\c"))
                }
                Version::V1_2 => format!("id:{}", header(frame, "ack")),
            };
            raw.say(&format!("ACK\n{}\nreceipt:a\n\n\0", id(&messages[1]))).await;
            raw.hear_receipt("a").await;
            raw.say("DISCONNECT\nreceipt:b\n\n\0").await;
            raw.hear_receipt("b").await;
            let (mut raw, _) = Raw::connect(&listener, version).await;
            raw.say(&format!("SUBSCRIBE\nid:s\ndestination:{queue}\nack:{mode}\n\n\0")).await;
            let mut again = Vec::new();
            for _ in 0..left {
                let message = raw.hear().await;
                assert_eq!(header(&message, "redelivered"), "true");
                again.push(message.body);
            }
            let expected: &[&str] = if left == 1 { &["2"] } else { &["0", "2"] };
            assert_eq!(again, expected, "{version:?} {mode}");
            // An ack header of the lost connection never fits.
            raw.say(&format!("ACK\n{}x\nreceipt:c\n\n\0", id(&messages[2]))).await;
            let error = raw.hear_error("Unexpected ACK").await;
            assert_eq!(header(&error, "receipt-id"), "c");
        }
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_transaction_that_is_over_and_a_nack_in_1_0_are_unknown() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("BEGIN\ntransaction:d\n\n\0COMMIT\ntransaction:d\nreceipt:5\n\n\0").await;
    raw.hear_receipt("5").await;
    raw.say("COMMIT\ntransaction:d\nreceipt:6\n\n\0").await;
    let error = raw.hear_error("Invalid transaction id: d").await;
    assert_eq!(header(&error, "receipt-id"), "6");
    let (mut old, _) = Raw::connect(&listener, Version::V1_0).await;
    old.say("NACK\nmessage-id:1\n\n\0").await;
    old.hear_error("Unknown STOMP action: NACK").await;
    listener.stop().await;
}

#[tokio::test]
async fn a_refused_send_is_answered_with_error_and_one_of_unknown_outcome_with_silence() {
    let (gate, _core) = start_answers();
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("SEND\ndestination:/queue/a\ntype:refuse\nreceipt:r\n\n\0").await;
    let error = raw.hear_error("not for you").await;
    assert_eq!(header(&error, "receipt-id"), "r");
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("SEND\ndestination:/queue/a\ntype:lose\nreceipt:r\n\n\0").await;
    assert_eq!(raw.listen().await, None);
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:1.2\nlogin:closed\n\n\0").await;
    while let Some(frame) = raw.listen().await {
        assert_eq!(frame.verb, Verb::Connected);
    }
    listener.stop().await;
}

#[tokio::test]
async fn the_broker_beats_and_notices_a_client_that_does_not() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:1.2\nheart-beat:100,100\n\n\0").await;
    assert_eq!(header(&raw.hear().await, "heart-beat"), "100,100");
    let mut beats = 0;
    let ended = async {
        let mut byte = [0];
        while tokio::io::AsyncReadExt::read(&mut raw.stream, &mut byte).await.unwrap_or(0) > 0 {
            assert_eq!(byte[0], b'\n');
            beats += 1;
        }
    };
    tokio::time::timeout(super::PATIENCE, ended).await.unwrap();
    assert!(beats >= 3, "{beats}");
    listener.stop().await;
}

#[tokio::test]
async fn more_sends_than_may_be_unanswered_are_all_answered() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    let mut text = String::new();
    for number in 0..5000 {
        text += &format!("SEND\ndestination:/queue/many\nreceipt:{number}\n\n\0\n");
    }
    raw.say(&text).await;
    for number in 0..5000 {
        raw.hear_receipt(&number.to_string()).await;
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_large_body_arrives_as_it_was_sent() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    let body: String = (0..900_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    raw.say(&format!(
        "SUBSCRIBE\nid:1\ndestination:/queue/large\n\n\0SEND\ndestination:/queue/large\n\n{body}\0"
    ))
    .await;
    assert_eq!(raw.hear().await.body, body.as_bytes());
    listener.stop().await;
}

#[tokio::test]
async fn a_stopped_listener_has_closed_its_port_and_its_connections() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate.clone()).await;
    let address = listener.address();
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    let mut again = connector(1);
    again.port = address.port();
    let clock = Arc::new(SystemClock::new());
    let taken = Listener::start(&again, gate.clone(), ConnectionLimit::new(1000), usize::MAX, clock.clone())
        .await
        .unwrap_err();
    assert!(
        matches!(&taken, ListenerError::Bind { address: shown, .. } if *shown == address.to_string()),
        "{taken}"
    );
    listener.stop().await;
    assert_eq!(raw.listen().await, None);
    let listener =
        Listener::start(&again, gate, ConnectionLimit::new(1000), usize::MAX, clock).await.unwrap();
    // The second connection is one too many.
    let (_first, _) = Raw::connect(&listener, Version::V1_2).await;
    let mut second = Raw::open(&listener).await;
    assert_eq!(second.listen().await, None);
    listener.stop().await;
}

#[tokio::test]
async fn a_port_is_waited_for_while_its_owner_ends() {
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wanted = connector(1);
    wanted.port = owner.local_addr().unwrap().port();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(owner);
    };
    let (found, ()) = tokio::join!(Listener::probe(&wanted), ends);
    found.unwrap();
}

#[tokio::test]
async fn a_producer_that_waits_for_room_is_not_taken_for_dead() {
    let (gate, _core) = start_answers();
    let listener = listen(gate).await;
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:1.2\nheart-beat:100,0\n\n\0").await;
    raw.hear().await;
    raw.decoder.settle(Version::V1_2, Limits::connected(1 << 20));
    // Some may arrive together.
    for _ in 0..4 * SESSION_SUBMISSIONS {
        raw.say("SEND\ndestination:/queue/a\ntype:hold\n\n\0").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It beats all the time, and nobody reads that.
    for _ in 0..40 {
        raw.say("\n").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (mut other, _) = Raw::connect(&listener, Version::V1_2).await;
    other.say("SEND\ndestination:/queue/b\ntype:let go\nreceipt:gone\n\n\0").await;
    other.hear_receipt("gone").await;
    raw.say("SEND\ndestination:/queue/a\nreceipt:after\n\n\0").await;
    raw.hear_receipt("after").await;
    listener.stop().await;
}
