//! The row of STOMP, as a client of 1.2 that acknowledges each message.

use std::collections::VecDeque;

use crate::config::Scheme;
use crate::model::Destination;
use crate::protocol::stomp::{Frame, Verb, Version};
use crate::protocol::tests::Raw;

use super::client::{Client, Outgoing, Received};
use super::world::World;

pub(super) struct StompClient {
    raw: Raw,
    heard: VecDeque<Received>,
    asked: u64,
}

fn text(destination: &Destination) -> String {
    format!("/{}/{}", destination.kind.scheme(), destination.name)
}

fn header(frame: &Frame, name: &str) -> String {
    frame.header(name).unwrap_or_default().into_owned()
}

fn inside(transaction: Option<&str>) -> String {
    transaction.map_or(String::new(), |name| format!("transaction:{name}\n"))
}

impl StompClient {
    fn keep(&mut self, frame: &Frame) {
        assert_eq!(frame.verb, Verb::Message, "{frame:?}");
        self.heard.push_back(Received {
            body: String::from_utf8(frame.body.to_vec()).unwrap(),
            redelivered: header(frame, "redelivered") == "true",
            name: header(frame, "ack"),
        });
    }

    /// Writes a frame and waits for its receipt.
    async fn ask(&mut self, verb: &str, headers: &str, body: &str) -> Result<(), String> {
        self.asked += 1;
        let receipt = self.asked.to_string();
        self.raw.say(&format!("{verb}\nreceipt:{receipt}\n{headers}\n{body}\0")).await;
        loop {
            let frame = self.raw.hear().await;
            match frame.verb {
                Verb::Receipt if header(&frame, "receipt-id") == receipt => return Ok(()),
                Verb::Error => return Err(header(&frame, "message")),
                _ => self.keep(&frame),
            }
        }
    }

    async fn settle(&mut self, verb: &str, message: &Received, transaction: Option<&str>) {
        let headers = format!("id:{}\n{}", message.name, inside(transaction));
        self.ask(verb, &headers, "").await.unwrap();
    }
}

impl Client for StompClient {
    const SCHEME: Scheme = Scheme::Stomp;

    async fn connect(world: &World, client_id: &str) -> Result<StompClient, String> {
        let mut raw = Raw::at(world.address()).await;
        let named = if client_id.is_empty() { String::new() } else { format!("client-id:{client_id}\n") };
        raw.say(&format!("CONNECT\naccept-version:1.2\nhost:h\n{named}\n\0")).await;
        let answer = raw.hear().await;
        if answer.verb != Verb::Connected {
            return Err(header(&answer, "message"));
        }
        raw.settle(Version::V1_2);
        Ok(StompClient { raw, heard: VecDeque::new(), asked: 0 })
    }

    async fn send(&mut self, to: &Destination, message: Outgoing, transaction: Option<&str>) {
        let Outgoing { body, persistent, priority, group, kind, expires } = message;
        let (to, inside) = (text(to), inside(transaction));
        let mut headers = format!("destination:{to}\npersistent:{persistent}\nexpires:{expires}\n{inside}");
        headers.push_str(&format!("priority:{priority}\nkind:{kind}\n"));
        if !group.is_empty() {
            headers.push_str(&format!("JMSXGroupID:{group}\n"));
        }
        self.ask("SEND", &headers, &body).await.unwrap();
    }

    async fn send_nowhere(&mut self) -> String {
        self.ask("SEND", "destination:/nowhere/a\n", "x").await.unwrap_err()
    }

    async fn select(&mut self, from: &Destination, prefetch: u32, selector: &str) {
        let id = text(from);
        let wanted = format!("activemq.prefetchSize:{prefetch}\nselector:{selector}\n");
        let headers = format!("id:{id}\ndestination:{id}\nack:client-individual\n{wanted}");
        self.ask("SUBSCRIBE", &headers, "").await.unwrap();
    }

    async fn subscribe_durably(
        &mut self,
        to: &Destination,
        name: &str,
        selector: &str,
    ) -> Result<(), String> {
        let wanted = format!("activemq.subscriptionName:{name}\nselector:{selector}\n");
        let (id, to) = (self.asked, text(to));
        let headers = format!("id:durable-{id}\ndestination:{to}\nack:client-individual\n{wanted}");
        self.ask("SUBSCRIBE", &headers, "").await
    }

    async fn end_durable(&mut self, name: &str) -> Result<(), String> {
        self.ask("UNSUBSCRIBE", &format!("id:none\nactivemq.subscriptionName:{name}\n"), "").await
    }

    async fn browse(&mut self, from: &Destination) -> Vec<String> {
        let from = text(from);
        self.raw.say(&format!("SUBSCRIBE\nid:browser\ndestination:{from}\nbrowser:true\n\n\0")).await;
        let mut seen = Vec::new();
        loop {
            let frame = self.raw.hear().await;
            assert_eq!(header(&frame, "subscription"), "browser", "{frame:?}");
            if header(&frame, "browser") == "end" {
                break;
            }
            seen.push(String::from_utf8(frame.body.to_vec()).unwrap());
        }
        self.ask("UNSUBSCRIBE", "id:browser\n", "").await.unwrap();
        seen
    }

    async fn receive(&mut self) -> Received {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            let frame = self.raw.hear().await;
            self.keep(&frame);
        }
    }

    fn has_more(&self) -> bool {
        !self.heard.is_empty()
    }

    async fn acknowledge(&mut self, message: &Received, transaction: Option<&str>) {
        self.settle("ACK", message, transaction).await;
    }

    async fn refuse(&mut self, message: &Received) {
        self.settle("NACK", message, None).await;
    }

    async fn begin(&mut self, transaction: &str) {
        self.ask("BEGIN", &inside(Some(transaction)), "").await.unwrap();
    }

    async fn commit(&mut self, transaction: &str) {
        self.ask("COMMIT", &inside(Some(transaction)), "").await.unwrap();
    }

    async fn abort(&mut self, transaction: &str) {
        self.ask("ABORT", &inside(Some(transaction)), "").await.unwrap();
    }

    async fn disconnect(mut self) {
        self.ask("DISCONNECT", "", "").await.unwrap();
    }
}
