//! What tests of networks share: connectors, producers, consumers, and what bridges show.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Lines of a connector to these brokers.
pub(super) fn connector(name: &str, brokers: &[SocketAddr], more: &str) -> String {
    let brokers: Vec<String> = brokers.iter().map(|address| format!("tcp://{address}")).collect();
    format!(
        "[[network_connector]]\nname = \"{name}\"\n\
         uri = \"static:({})?initialReconnectDelay=100&maxReconnectDelay=500\"\nbridge_temp_destinations = false\n{more}\n",
        brokers.join(",")
    )
}

/// Sends persistent messages with these bodies and waits for their receipts.
pub(super) async fn send(address: SocketAddr, to: &str, bodies: Range<u32>) {
    let mut connection = Connection::open(address).await.unwrap();
    for body in bodies.clone() {
        let receipt = body.to_string();
        let headers = [("destination", to), ("persistent", "true"), ("receipt", &receipt)];
        let frame = Frame::new("SEND", &headers).with_body(body.to_string().as_bytes());
        connection.writer.send(&frame).await.unwrap();
    }
    for _ in bodies {
        let frame = timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap();
        assert_eq!(frame.command, "RECEIPT", "{frame:?}");
    }
}

/// A consumer that acknowledges each message.
pub(super) struct Consumer(Connection);

impl Consumer {
    pub(super) async fn of(address: SocketAddr, from: &str) -> Consumer {
        let mut connection = Connection::open(address).await.unwrap();
        let headers = [
            ("id", "1"),
            ("destination", from),
            ("ack", "client-individual"),
            ("activemq.prefetchSize", "10"),
        ];
        connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
        Consumer(connection)
    }

    /// The body of the next message; nothing if none comes in this time.
    pub(super) async fn next(&mut self, patience: Duration) -> Option<u32> {
        let frame = timeout(patience, self.0.reader.frame()).await.ok()?.unwrap();
        assert_eq!(frame.command, "MESSAGE", "{frame:?}");
        let ack = Frame::new("ACK", &[("id", frame.header("ack").unwrap())]);
        self.0.writer.send(&ack).await.unwrap();
        Some(String::from_utf8(frame.body).unwrap().parse().unwrap())
    }

    /// The bodies of so many messages.
    pub(super) async fn take(&mut self, count: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let next = self.next(LIMIT).await;
            taken.push(next.unwrap_or_else(|| panic!("{} of {count} have come", taken.len())));
        }
        taken
    }

    /// Says goodbye, so that all acknowledgements count.
    pub(super) async fn leave(mut self) {
        self.0.writer.send(&Frame::new("DISCONNECT", &[("receipt", "bye")])).await.unwrap();
        while timeout(LIMIT, self.0.reader.frame()).await.unwrap().unwrap().command != "RECEIPT" {}
    }
}

/// The bridges of a broker, once they look like this.
pub(super) async fn bridges(
    console: SocketAddr,
    what: &str,
    wanted: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    eventually(what, LIMIT, || async {
        http::entries(console, "/api/v1/bridges").filter(|bridges| wanted(bridges))
    })
    .await
}

pub(super) async fn stands(broker: &Lone) {
    bridges(broker.console(), "the bridges stand", |all| {
        !all.is_empty() && all.iter().all(|it| it["state"] == "bridging")
    })
    .await;
}

pub(super) async fn waiting_in(broker: &Lone, queue: &str) -> u64 {
    let found = http::get(broker.console(), &format!("/api/v1/queues/{queue}"));
    found.map_or(0, |it| it["size"].as_u64().unwrap())
}
