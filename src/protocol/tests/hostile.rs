//! Frames that nobody should send.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::protocol::stomp::{Verb, Version};

use super::core::start_bounded;
use super::{Raw, listen, start_core};

/// Sends as much as the broker takes; it may close before the end.
async fn pour(raw: &mut Raw, bytes: &[u8]) {
    for part in bytes.chunks(64 * 1024) {
        if raw.stream.write_all(part).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn hostile_frames_before_connect_end_in_an_error_and_a_closed_connection() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"SEND\ndestination:/queue/a\n\n\0".to_vec(), "first frame must be CONNECT"),
        (b"MESSAGE\n\n\0".to_vec(), "first frame must be CONNECT"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "Unknown STOMP action"),
        (vec![b'x'; 2000], "command length"),
        (b"CONNECT\nlogin:\xff\n\n\0".to_vec(), "not UTF-8"),
        (b"SEND\ncontent-length:-1\n\n\0".to_vec(), "content-length"),
        (b"SEND\ncontent-length:2147483647\n\n".to_vec(), "data length"),
        (b"SEND\ncontent-length:99999999999999999999\n\n".to_vec(), "data length"),
        ([&b"CONNECT\n"[..], &b"a:b\n".repeat(1_000_000)].concat(), "number of headers"),
        ([&b"CONNECT\nlogin:"[..], &vec![b'x'; 4 << 20]].concat(), "header length"),
        ([&b"CONNECT\n\n"[..], &vec![b'x'; 4 << 20]].concat(), "data length"),
        (b"CONNECT\nheart-beat:-1,0\n\n\0".to_vec(), "heart-beat"),
    ];
    for (bytes, part) in table {
        let mut raw = Raw::open(&listener).await;
        pour(&mut raw, &bytes).await;
        // A flood may be cut off before its ERROR is read.
        match raw.listen().await {
            Some(frame) => {
                assert_eq!(frame.verb, Verb::Error);
                assert!(frame.header("message").unwrap().contains(part), "{part}: {frame:?}");
                assert_eq!(raw.listen().await, None);
            }
            None => assert!(bytes.len() > 1 << 20, "{part}"),
        }
    }
    listener.stop().await;
}

#[tokio::test]
async fn hostile_frames_after_connect_end_in_an_error_and_a_closed_connection() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"CONNECT\n\n\0".to_vec(), "already connected"),
        (b"MESSAGE\n\n\0".to_vec(), "Unknown STOMP action"),
        (b"FLY\n\n\0".to_vec(), "Unknown STOMP action"),
        (b"SEND\n\n\0".to_vec(), "destination"),
        (b"SEND\ndestination:/nowhere/a\n\n\0".to_vec(), "Illegal destination name"),
        (b"SEND\ndestination:/queue/a\npriority:high\n\n\0".to_vec(), "priority"),
        (b"SEND\ndestination:/queue/a\ntransaction:t\n\n\0".to_vec(), "Invalid transaction id"),
        (b"SUBSCRIBE\ndestination:/queue/a\n\n\0".to_vec(), "id header"),
        (b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:maybe\n\n\0".to_vec(), "ack mode"),
        (b"SUBSCRIBE\nid:1\ndestination:/queue/a,/queue/b\n\n\0".to_vec(), "several destinations"),
        (b"UNSUBSCRIBE\nid:1\n\n\0".to_vec(), "No subscription matched"),
        (b"ACK\nid:1\n\n\0".to_vec(), "Unexpected ACK"),
        (b"ACK\n\n\0".to_vec(), "id header"),
        (b"SEND\ncontent-length:104857601\n\n".to_vec(), "data length"),
        (b"SEND\ncontent-length:1\n\nxx\0".to_vec(), "trailing null"),
        (b"SEND\na:\\t\n\n\0".to_vec(), "escape"),
        ([&b"SEND\n"[..], &b"a:b\n".repeat(1001), b"\n\0"].concat(), "number of headers"),
        ([&b"SEND\na:"[..], &vec![b'x'; 11_000]].concat(), "header length"),
    ];
    for (bytes, part) in table {
        let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
        pour(&mut raw, &bytes).await;
        raw.hear_error(part).await;
    }
    listener.stop().await;
}

#[tokio::test]
async fn frames_before_a_wrong_one_count() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("SEND\ndestination:/queue/a\n\nkept\0FLY\n\n\0").await;
    raw.hear_error("Unknown STOMP action").await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0").await;
    assert_eq!(&raw.hear().await.body[..], b"kept");
    listener.stop().await;
}

#[tokio::test]
async fn large_frames_that_do_not_go_on_make_way_for_others() {
    // Room for one of them.
    let (gate, _core) = start_bounded(2 << 20).await;
    let listener = listen(gate).await;
    let body = "x".repeat(700 << 10);
    let frame = |receipt| {
        format!("SEND\ndestination:/queue/a\nreceipt:{receipt}\ncontent-length:{}\n\n{body}\0", body.len())
    };
    let (mut slow, _) = Raw::connect(&listener, Version::V1_2).await;
    let (mut quick, _) = Raw::connect(&listener, Version::V1_2).await;
    let whole = frame("slow");
    let (first, rest) = whole.split_at(300 << 10);
    slow.say(first).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waits = frame("quick");
    let sent = tokio::spawn(async move {
        quick.say(&waits).await;
        quick.hear_receipt("quick").await;
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sent.is_finished(), "there is no room for it yet");
    slow.say(rest).await;
    slow.hear_receipt("slow").await;
    sent.await.unwrap();
    // Who begins and stops keeps others up for a while only.
    slow.say(first).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut quick, _) = Raw::connect(&listener, Version::V1_2).await;
    quick.say(&frame("again")).await;
    quick.hear_receipt("again").await;
    slow.hear_error("did not go on").await;
    listener.stop().await;
}
