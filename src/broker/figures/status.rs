//! What is shown of destinations and sessions.

use serde::{Deserialize, Serialize};

use crate::model::{Destination, DurableSubscription};

/// A part of a list in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// How many entries all pages have together, when this one was read.
    pub total: usize,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<String>,
    /// The entries.
    pub items: Vec<T>,
}

/// A queue or topic. A slave knows of it what the log says: no consumers, no deliveries, no non-persistent messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// `queue`, `topic`, `temp-queue` or `temp-topic`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Messages that it holds, those in flight among them.
    pub size: u64,
    /// Subscriptions.
    pub consumers: u64,
    /// Producers, of protocols that have them.
    pub producers: u64,
    /// Messages that came in: stored ones since the destination exists, others since the start of this mastership.
    pub enqueued: u64,
    /// Messages that left: consumed, expired, moved or purged. Counted as those that came in.
    pub dequeued: u64,
    /// Messages that were sent to consumers, each time counted.
    pub dispatched: u64,
    /// Messages sent and not yet settled.
    pub in_flight: u64,
    /// Messages of a topic that were dropped because a subscription was too slow for them.
    pub discarded: u64,
    /// Whether nothing is dispatched until an operator says so.
    pub paused: bool,
}

impl DestinationStatus {
    /// What is shown of a destination with these counts.
    pub fn of(destination: &Destination, counts: DestinationCounts) -> DestinationStatus {
        DestinationStatus {
            kind: destination.kind.scheme().to_owned(),
            name: destination.name.clone(),
            size: counts.size,
            consumers: counts.consumers,
            producers: counts.producers,
            enqueued: counts.enqueued,
            dequeued: counts.dequeued,
            dispatched: counts.dispatched,
            in_flight: counts.in_flight,
            discarded: counts.discarded,
            paused: counts.paused,
        }
    }
}

/// A durable subscription, and what it keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionStatus {
    /// The client that it belongs to; empty if any client may take part in it.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// A topic's name, or a pattern of such names.
    pub topics: String,
    /// Selector text; empty for all messages.
    pub selector: String,
    /// Whether what its own client sends is left out.
    pub no_local: bool,
    /// Whether it may have several consumers at once.
    pub shared: bool,
    /// Messages that it keeps, those in flight among them.
    pub size: u64,
    /// Consumers; none while it is offline.
    pub consumers: u64,
    /// See [`DestinationStatus::enqueued`].
    pub enqueued: u64,
    /// See [`DestinationStatus::dequeued`].
    pub dequeued: u64,
    /// See [`DestinationStatus::dispatched`].
    pub dispatched: u64,
    /// See [`DestinationStatus::in_flight`].
    pub in_flight: u64,
    /// See [`DestinationStatus::paused`].
    pub paused: bool,
}

impl SubscriptionStatus {
    /// What is shown of a durable subscription with these counts.
    pub(super) fn of(subscription: DurableSubscription, counts: DestinationCounts) -> SubscriptionStatus {
        let DurableSubscription { client_id, name, topics, selector, no_local, shared } = subscription;
        let DestinationCounts { size, consumers, enqueued, dequeued, dispatched, in_flight, paused, .. } =
            counts;
        SubscriptionStatus {
            client_id,
            name,
            topics,
            selector,
            no_local,
            shared,
            size,
            consumers,
            enqueued,
            dequeued,
            dispatched,
            in_flight,
            paused,
        }
    }
}

/// The numbers of a [`DestinationStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationCounts {
    /// See [`DestinationStatus::size`].
    pub size: u64,
    /// See [`DestinationStatus::consumers`].
    pub consumers: u64,
    /// See [`DestinationStatus::producers`].
    pub producers: u64,
    /// See [`DestinationStatus::enqueued`].
    pub enqueued: u64,
    /// See [`DestinationStatus::dequeued`].
    pub dequeued: u64,
    /// See [`DestinationStatus::dispatched`].
    pub dispatched: u64,
    /// See [`DestinationStatus::in_flight`].
    pub in_flight: u64,
    /// See [`DestinationStatus::discarded`].
    pub discarded: u64,
    /// See [`DestinationStatus::paused`].
    pub paused: bool,
}

/// A client connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Number of its session.
    pub session: u64,
    /// Client id, if it gave one.
    pub client_id: Option<String>,
    /// User, if it gave one.
    pub user: Option<String>,
    /// Address of the client.
    pub remote: String,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Deliveries not yet settled.
    pub in_flight: u64,
}
