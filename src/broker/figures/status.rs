//! What is shown of destinations and sessions.

use serde::{Deserialize, Serialize};

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
    /// Messages that came in: stored ones since the destination exists, others since the start of this mastership.
    pub enqueued: u64,
    /// Messages that left: consumed, expired, moved or purged. Counted as those that came in.
    pub dequeued: u64,
    /// Messages that were sent to consumers, each time counted.
    pub dispatched: u64,
    /// Messages sent and not yet settled.
    pub in_flight: u64,
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
