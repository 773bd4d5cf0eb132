//! One subscription: what its client has been sent and not acknowledged yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::{DeliveryId, SubscriptionKey, TransactionKey};

use super::messages::Messages;

/// When a delivery counts as consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckMode {
    /// Once it has been written to the socket.
    Auto,
    /// By an ACK for it or for a later one.
    Client,
    /// By an ACK for it.
    Individual,
}

impl AckMode {
    pub(super) fn from_text(text: &str) -> Option<AckMode> {
        match text {
            "auto" => Some(AckMode::Auto),
            "client" => Some(AckMode::Client),
            "client-individual" => Some(AckMode::Individual),
            _ => None,
        }
    }
}

/// A delivery that waits for its ACK.
#[derive(Debug)]
struct Unsettled {
    delivery: DeliveryId,
    /// Only kept where the client acknowledges by message id.
    message_id: Option<Arc<str>>,
    /// Acknowledged in a transaction that is still open.
    transaction: Option<TransactionKey>,
}

/// One subscription of a connection.
#[derive(Debug)]
pub(super) struct Subscription {
    key: SubscriptionKey,
    /// As the client gave it.
    pub(super) id: Option<String>,
    /// The destination as the client wrote it.
    pub(super) destination: String,
    pub(super) mode: AckMode,
    /// In the order of delivery; ids ascend. No longer than the prefetch.
    unsettled: VecDeque<Unsettled>,
}

impl Subscription {
    pub(super) fn new(
        key: SubscriptionKey,
        id: Option<String>,
        destination: String,
        mode: AckMode,
    ) -> Subscription {
        Subscription { key, id, destination, mode, unsettled: VecDeque::new() }
    }

    /// Remembers a delivery until it is acknowledged; by its message id too, if it is given.
    pub(super) fn delivered(
        &mut self,
        delivery: DeliveryId,
        message_id: Option<&str>,
        messages: &mut Messages,
    ) {
        let message_id = message_id.map(Arc::from);
        if let Some(message_id) = &message_id {
            messages.insert(Arc::clone(message_id), self.key, delivery);
        }
        self.unsettled.push_back(Unsettled { delivery, message_id, transaction: None });
    }

    /// Whether an acknowledgement of this delivery would count.
    pub(super) fn waits_for(&self, delivery: DeliveryId) -> bool {
        self.position(delivery).is_some_and(|at| self.unsettled[at].transaction.is_none())
    }

    /// The deliveries that an ACK or NACK of `delivery` settles; `None` if it waits for none. Outside of a
    /// transaction they are forgotten, inside of one they are kept for the case that it is aborted.
    pub(super) fn settle(
        &mut self,
        delivery: DeliveryId,
        transaction: Option<TransactionKey>,
        messages: &mut Messages,
    ) -> Option<Vec<DeliveryId>> {
        let at = self.position(delivery)?;
        if self.unsettled[at].transaction.is_some() {
            return None;
        }
        let first = if self.mode == AckMode::Client { 0 } else { at };
        let waiting = self.unsettled.range(first..=at).filter(|entry| entry.transaction.is_none());
        let settled = waiting.map(|entry| entry.delivery).collect();
        if transaction.is_some() {
            self.unsettled.range_mut(first..=at).for_each(|entry| {
                entry.transaction = entry.transaction.or(transaction);
            });
        } else if first == at {
            let gone = self.unsettled.remove(at);
            gone.iter().for_each(|entry| forget(entry, self.key, messages));
        } else {
            let (gone, kept): (Vec<_>, Vec<_>) =
                self.unsettled.drain(..=at).partition(|entry| entry.transaction.is_none());
            kept.into_iter().rev().for_each(|entry| self.unsettled.push_front(entry));
            gone.iter().for_each(|entry| forget(entry, self.key, messages));
        }
        Some(settled)
    }

    /// What the transaction settled is settled for good, or waits again.
    pub(super) fn finish(&mut self, transaction: TransactionKey, commit: bool, messages: &mut Messages) {
        if commit {
            let key = self.key;
            self.unsettled.retain(|entry| {
                let stays = entry.transaction != Some(transaction);
                if !stays {
                    forget(entry, key, messages);
                }
                stays
            });
            return;
        }
        for entry in self.unsettled.iter_mut().filter(|entry| entry.transaction == Some(transaction)) {
            entry.transaction = None;
        }
    }

    /// The subscription is over: nothing of it can be acknowledged any more.
    pub(super) fn end(self, messages: &mut Messages) {
        self.unsettled.iter().for_each(|entry| forget(entry, self.key, messages));
    }

    /// Deliveries of a lone subscription are numbered without gaps, so that most are found where their number says.
    fn position(&self, delivery: DeliveryId) -> Option<usize> {
        let first = self.unsettled.front()?.delivery;
        let guess = delivery.0.checked_sub(first.0)? as usize;
        match self.unsettled.get(guess) {
            Some(entry) if entry.delivery == delivery => Some(guess),
            _ => self.unsettled.binary_search_by_key(&delivery, |entry| entry.delivery).ok(),
        }
    }
}

fn forget(entry: &Unsettled, key: SubscriptionKey, messages: &mut Messages) {
    if let Some(message_id) = &entry.message_id {
        messages.remove(message_id, key, entry.delivery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SubscriptionKey = SubscriptionKey(1);

    fn subscription(mode: AckMode) -> (Subscription, Messages) {
        let mut subscription = Subscription::new(KEY, None, "/queue/a".into(), mode);
        let mut messages = Messages::default();
        for number in [1, 2, 5, 6] {
            subscription.delivered(DeliveryId(number), Some(&format!("ID:{number}")), &mut messages);
        }
        (subscription, messages)
    }

    fn ids(settled: Option<Vec<DeliveryId>>) -> Vec<u64> {
        settled.unwrap_or_default().into_iter().map(|delivery| delivery.0).collect()
    }

    fn known(messages: &Messages) -> Vec<u64> {
        (1..=6).filter(|n| messages.of(&format!("ID:{n}"), None).next().is_some()).collect()
    }

    #[test]
    fn in_client_mode_an_ack_settles_all_before_it() {
        let (mut subscription, mut messages) = subscription(AckMode::Client);
        assert_eq!(ids(subscription.settle(DeliveryId(5), None, &mut messages)), [1, 2, 5]);
        assert_eq!(subscription.settle(DeliveryId(2), None, &mut messages), None);
        assert_eq!(known(&messages), [6]);
        assert_eq!(ids(subscription.settle(DeliveryId(6), None, &mut messages)), [6]);
        assert!(known(&messages).is_empty());
    }

    #[test]
    fn in_client_individual_mode_an_ack_settles_one() {
        let (mut subscription, mut messages) = subscription(AckMode::Individual);
        assert_eq!(ids(subscription.settle(DeliveryId(5), None, &mut messages)), [5]);
        assert_eq!(subscription.settle(DeliveryId(5), None, &mut messages), None);
        assert_eq!(subscription.settle(DeliveryId(3), None, &mut messages), None);
        assert_eq!(known(&messages), [1, 2, 6]);
        subscription.end(&mut messages);
        assert!(known(&messages).is_empty());
    }

    #[test]
    fn what_an_aborted_transaction_settled_can_be_settled_again() {
        let transaction = TransactionKey(1);
        let (mut subscription, mut messages) = subscription(AckMode::Client);
        assert_eq!(ids(subscription.settle(DeliveryId(2), Some(transaction), &mut messages)), [1, 2]);
        assert_eq!(subscription.settle(DeliveryId(1), None, &mut messages), None);
        assert!(!subscription.waits_for(DeliveryId(1)) && subscription.waits_for(DeliveryId(5)));
        assert_eq!(ids(subscription.settle(DeliveryId(5), None, &mut messages)), [5]);
        subscription.finish(transaction, false, &mut messages);
        assert_eq!(known(&messages), [1, 2, 6]);
        assert_eq!(ids(subscription.settle(DeliveryId(2), Some(transaction), &mut messages)), [1, 2]);
        subscription.finish(transaction, true, &mut messages);
        assert_eq!(known(&messages), [6]);
        assert_eq!(subscription.settle(DeliveryId(1), None, &mut messages), None);
        assert_eq!(ids(subscription.settle(DeliveryId(6), None, &mut messages)), [6]);
    }
}
