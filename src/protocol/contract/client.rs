//! A row of the contract: a client of some protocol, in a few verbs. Everything that it asks is confirmed when it returns.

use crate::config::Scheme;
use crate::model::{Destination, DestinationKind};

use super::world::World;

/// A message to be sent.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) body: String,
    pub(super) persistent: bool,
    pub(super) priority: u8,
    /// Its group, and the property `kind`; blank for none.
    pub(super) group: String,
    pub(super) kind: String,
    /// In ms since 1970; 0 for never.
    pub(super) expires: i64,
}

/// A persistent message that lives for ever.
pub(super) fn stored(body: impl ToString) -> Outgoing {
    let (group, kind) = (String::new(), String::new());
    Outgoing { body: body.to_string(), persistent: true, priority: 4, group, kind, expires: 0 }
}

/// A message that is not stored.
pub(super) fn passing(body: impl ToString) -> Outgoing {
    Outgoing { persistent: false, ..stored(body) }
}

/// A message that has come.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) body: String,
    pub(super) redelivered: bool,
    /// What the protocol names it by.
    pub(super) name: String,
}

pub(super) fn queue(name: &str) -> Destination {
    Destination::new(DestinationKind::Queue, name).unwrap()
}

pub(super) fn topic(name: &str) -> Destination {
    Destination::new(DestinationKind::Topic, name).unwrap()
}

/// A client; to drop it is to hang up without a word.
pub(super) trait Client: Sized {
    const SCHEME: Scheme;

    /// Connects, under a client id unless that is empty; or says why it was refused.
    async fn connect(world: &World, client_id: &str) -> Result<Self, String>;

    /// Sends a message, in a transaction if one is named.
    async fn send(&mut self, to: &Destination, message: Outgoing, transaction: Option<&str>);

    /// Sends a message to a place that cannot be; says why it was refused.
    async fn send_nowhere(&mut self) -> String;

    /// Begins to consume what a selector selects; each message is to be acknowledged, and at most `prefetch` wait for that.
    async fn select(&mut self, from: &Destination, prefetch: u32, selector: &str);

    /// Begins to consume from the durable subscription of this name; or says why it was refused. Each message is to be
    /// acknowledged.
    async fn subscribe_durably(&mut self, to: &Destination, name: &str, selector: &str)
    -> Result<(), String>;

    /// Ends a durable subscription; or says why that was refused.
    async fn end_durable(&mut self, name: &str) -> Result<(), String>;

    /// Looks at all that is in a queue.
    async fn browse(&mut self, from: &Destination) -> Vec<String>;

    /// The next message, which is waited for.
    async fn receive(&mut self) -> Received;

    /// Whether a message has come that was not asked for yet.
    fn has_more(&self) -> bool;

    /// Acknowledges a message, in a transaction if one is named.
    async fn acknowledge(&mut self, message: &Received, transaction: Option<&str>);

    /// Refuses a message for good.
    async fn refuse(&mut self, message: &Received);

    async fn begin(&mut self, transaction: &str);

    async fn commit(&mut self, transaction: &str);

    async fn abort(&mut self, transaction: &str);

    /// Says goodbye.
    async fn disconnect(self);

    /// Begins to consume everything.
    async fn subscribe(&mut self, from: &Destination, prefetch: u32) {
        self.select(from, prefetch, "").await;
    }

    /// Connects; nobody minds.
    async fn new(world: &World) -> Self {
        match Self::connect(world, "").await {
            Ok(client) => client,
            Err(reason) => panic!("not connected: {reason}"),
        }
    }

    /// Receives messages with these bodies, in this order.
    async fn receive_all(&mut self, bodies: &[&str]) -> Vec<Received> {
        let mut all = Vec::new();
        for body in bodies {
            let message = self.receive().await;
            assert_eq!(message.body, *body);
            all.push(message);
        }
        all
    }

    /// Nothing comes until the broker has carried out some other commands.
    async fn receive_nothing(&mut self) {
        for _ in 0..3 {
            self.send(&queue("elsewhere"), stored("x"), None).await;
        }
        assert!(!self.has_more(), "something came");
    }
}
