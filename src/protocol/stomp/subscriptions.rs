//! The subscriptions of a connection, by the broker's keys and by the client's names.

use std::collections::{BTreeMap, HashMap};

use crate::broker::{DeliveryId, SubscriptionKey, TransactionKey};

use super::messages::Messages;
use super::subscription::Subscription;

/// What a client calls a subscription: its id, or in 1.0 its destination if it has no id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Id(String),
    Destination(String),
}

impl Name {
    fn new(id: Option<&str>, destination: &str) -> Name {
        id.map_or_else(|| Name::Destination(destination.to_owned()), |id| Name::Id(id.to_owned()))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// Looked up for each delivery; most connections have one.
    by_key: BTreeMap<SubscriptionKey, Subscription>,
    by_name: HashMap<Name, SubscriptionKey>,
    messages: Messages,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn get(&self, key: SubscriptionKey) -> Option<&Subscription> {
        self.by_key.get(&key)
    }

    /// The subscription with this id, or in 1.0 the one without an id at this destination.
    pub(super) fn find(&self, id: Option<&str>, destination: &str) -> Option<SubscriptionKey> {
        self.by_name.get(&Name::new(id, destination)).copied()
    }

    pub(super) fn insert(&mut self, key: SubscriptionKey, subscription: Subscription) {
        let name = Name::new(subscription.id.as_deref(), &subscription.destination);
        self.by_name.insert(name, key);
        self.by_key.insert(key, subscription);
    }

    pub(super) fn remove(&mut self, key: SubscriptionKey) {
        if let Some(gone) = self.by_key.remove(&key) {
            self.by_name.remove(&Name::new(gone.id.as_deref(), &gone.destination));
            gone.end(&mut self.messages);
        }
    }

    /// Remembers a delivery until it is acknowledged.
    pub(super) fn delivered(&mut self, key: SubscriptionKey, delivery: DeliveryId, message_id: Option<&str>) {
        if let Some(subscription) = self.by_key.get_mut(&key) {
            subscription.delivered(delivery, message_id, &mut self.messages);
        }
    }

    /// The deliveries that an ACK or NACK of one delivery settles; see [`Subscription::settle`].
    pub(super) fn settle(
        &mut self,
        key: SubscriptionKey,
        delivery: DeliveryId,
        transaction: Option<TransactionKey>,
    ) -> Option<Vec<DeliveryId>> {
        self.by_key.get_mut(&key)?.settle(delivery, transaction, &mut self.messages)
    }

    /// The same by message id, for the subscription with this id or for any: the oldest delivery that is waited for.
    pub(super) fn settle_message(
        &mut self,
        message_id: &str,
        subscription: Option<&str>,
        transaction: Option<TransactionKey>,
    ) -> Option<Vec<DeliveryId>> {
        let only = match subscription {
            Some(id) => Some(self.find(Some(id), "")?),
            None => None,
        };
        let waits = |(key, delivery): &(SubscriptionKey, DeliveryId)| {
            self.by_key.get(key).is_some_and(|subscription| subscription.waits_for(*delivery))
        };
        let (key, delivery) = self.messages.of(message_id, only).find(waits)?;
        self.settle(key, delivery, transaction)
    }

    /// What the transaction settled is settled for good, or waits again.
    pub(super) fn finish(&mut self, transaction: TransactionKey, commit: bool) {
        for subscription in self.by_key.values_mut() {
            subscription.finish(transaction, commit, &mut self.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::subscription::AckMode;
    use super::*;

    fn subscriptions() -> Subscriptions {
        let mut all = Subscriptions::default();
        for (key, id) in [(1, Some("a")), (2, Some("b")), (3, None)] {
            let key = SubscriptionKey(key);
            let id = id.map(str::to_owned);
            all.insert(key, Subscription::new(key, id, "/topic/t".into(), AckMode::Individual));
            all.delivered(key, DeliveryId(key.0 * 10), Some("ID:1"));
        }
        all
    }

    #[test]
    fn a_message_is_acknowledged_for_the_subscription_that_is_named_or_for_any() {
        let mut all = subscriptions();
        assert_eq!(all.settle_message("ID:1", Some("b"), None), Some(vec![DeliveryId(20)]));
        assert_eq!(all.settle_message("ID:1", Some("b"), None), None);
        let transaction = Some(TransactionKey(1));
        assert_eq!(all.settle_message("ID:1", None, transaction), Some(vec![DeliveryId(10)]));
        assert_eq!(all.settle_message("ID:1", None, None), Some(vec![DeliveryId(30)]));
        assert_eq!(all.settle_message("ID:1", None, None), None);
        all.finish(TransactionKey(1), false);
        assert_eq!(all.settle_message("ID:1", None, None), Some(vec![DeliveryId(10)]));
        assert_eq!(all.settle_message("ID:2", None, None), None);
    }

    #[test]
    fn a_name_is_free_again_when_its_subscription_is_over() {
        let mut all = subscriptions();
        assert_eq!(all.find(Some("a"), ""), Some(SubscriptionKey(1)));
        assert_eq!(all.find(None, "/topic/t"), Some(SubscriptionKey(3)));
        all.remove(SubscriptionKey(1));
        all.remove(SubscriptionKey(3));
        assert_eq!((all.find(Some("a"), ""), all.find(None, "/topic/t"), all.len()), (None, None, 1));
        assert_eq!(
            all.settle_message("ID:1", None, None),
            Some(vec![DeliveryId(20)]),
            "the others' are forgotten"
        );
    }
}
