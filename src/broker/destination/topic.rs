//! A topic in the master's memory.

use crate::broker::subscription::SubscriberId;
use crate::model::Destination;

/// Who wants a topic's messages.
#[derive(Debug)]
pub(in crate::broker) struct Topic {
    pub(in crate::broker) destination: Destination,
    pub(in crate::broker) subscribers: Vec<SubscriberId>,
    pub(in crate::broker) enqueued: u64,
    pub(in crate::broker) dispatched: u64,
}

impl Topic {
    pub(in crate::broker) fn new(destination: Destination) -> Topic {
        Topic { destination, subscribers: Vec::new(), enqueued: 0, dispatched: 0 }
    }
}
