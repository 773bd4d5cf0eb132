//! Deliveries by message id, as clients of STOMP 1.0 and 1.1 acknowledge them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::broker::{DeliveryId, SubscriptionKey};

/// Every unsettled delivery of a connection under its message id. One message may have been delivered to several
/// subscriptions, and to one of them from several destinations.
#[derive(Debug, Default)]
pub(super) struct Messages(BTreeSet<(Arc<str>, SubscriptionKey, DeliveryId)>);

impl Messages {
    pub(super) fn insert(&mut self, message_id: Arc<str>, key: SubscriptionKey, delivery: DeliveryId) {
        self.0.insert((message_id, key, delivery));
    }

    pub(super) fn remove(&mut self, message_id: &Arc<str>, key: SubscriptionKey, delivery: DeliveryId) {
        self.0.remove(&(Arc::clone(message_id), key, delivery));
    }

    /// The deliveries of a message, to one subscription or to all, each subscription's in the order of delivery.
    pub(super) fn of<'a>(
        &'a self,
        message_id: &'a str,
        only: Option<SubscriptionKey>,
    ) -> impl Iterator<Item = (SubscriptionKey, DeliveryId)> + 'a {
        let first = (Arc::from(message_id), only.unwrap_or(SubscriptionKey(0)), DeliveryId(0));
        self.0
            .range(first..)
            .take_while(move |(id, key, _)| **id == *message_id && only.is_none_or(|only| only == *key))
            .map(|(_, key, delivery)| (*key, *delivery))
    }
}
