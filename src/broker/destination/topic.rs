//! A topic in the master's memory.

use std::sync::Arc;

use crate::broker::figures::DestinationFigures;
use crate::broker::subscription::SubscriberId;
use crate::config::Policy;

/// Who wants a topic's messages.
#[derive(Debug)]
pub(in crate::broker) struct Topic {
    pub(in crate::broker) figures: Arc<DestinationFigures>,
    pub(in crate::broker) subscribers: Vec<SubscriberId>,
    policy: Arc<Policy>,
}

impl Topic {
    pub(in crate::broker) fn new(figures: Arc<DestinationFigures>, policy: Arc<Policy>) -> Topic {
        Topic { figures, subscribers: Vec::new(), policy }
    }

    pub(in crate::broker) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(in crate::broker) fn add_subscriber(&mut self, subscriber: SubscriberId) {
        self.subscribers.push(subscriber);
        self.figures.consumers.set(self.subscribers.len() as u64);
    }

    /// Removes a subscriber, if it is one.
    pub(in crate::broker) fn remove_subscriber(&mut self, subscriber: SubscriberId) {
        self.subscribers.retain(|it| *it != subscriber);
        self.figures.consumers.set(self.subscribers.len() as u64);
    }
}
