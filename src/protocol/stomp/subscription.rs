//! What a connection has been sent and not acknowledged yet.

use std::collections::VecDeque;

use crate::broker::{DeliveryId, TransactionKey};

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
    message_id: Option<Box<str>>,
    /// Acknowledged in a transaction that is still open.
    transaction: Option<TransactionKey>,
}

/// One subscription of a connection.
#[derive(Debug)]
pub(super) struct Subscription {
    /// As the client gave it.
    pub(super) id: Option<String>,
    /// The destination as the client wrote it.
    pub(super) destination: String,
    pub(super) mode: AckMode,
    /// In the order of delivery; ids ascend. No longer than the prefetch.
    unsettled: VecDeque<Unsettled>,
}

impl Subscription {
    pub(super) fn new(id: Option<String>, destination: String, mode: AckMode) -> Subscription {
        Subscription { id, destination, mode, unsettled: VecDeque::new() }
    }

    /// Remembers a delivery until it is acknowledged.
    pub(super) fn delivered(&mut self, delivery: DeliveryId, message_id: Option<Box<str>>) {
        self.unsettled.push_back(Unsettled { delivery, message_id, transaction: None });
    }

    /// The deliveries that an ACK or NACK of `delivery` settles; `None` if it waits for none. Outside of a
    /// transaction they are forgotten, inside of one they are kept for the case that it is aborted.
    pub(super) fn settle(
        &mut self,
        delivery: DeliveryId,
        transaction: Option<TransactionKey>,
    ) -> Option<Vec<DeliveryId>> {
        let at = self.unsettled.binary_search_by_key(&delivery, |entry| entry.delivery).ok()?;
        self.settle_at(at, transaction)
    }

    /// The same by message id: the oldest delivery of that message.
    pub(super) fn settle_message(
        &mut self,
        message_id: &str,
        transaction: Option<TransactionKey>,
    ) -> Option<Vec<DeliveryId>> {
        let waits = |entry: &Unsettled| {
            entry.transaction.is_none() && entry.message_id.as_deref() == Some(message_id)
        };
        let at = self.unsettled.iter().position(waits)?;
        self.settle_at(at, transaction)
    }

    fn settle_at(&mut self, at: usize, transaction: Option<TransactionKey>) -> Option<Vec<DeliveryId>> {
        if self.unsettled[at].transaction.is_some() {
            return None;
        }
        let first = if self.mode == AckMode::Client { 0 } else { at };
        let waiting = self.unsettled.range(first..=at).filter(|entry| entry.transaction.is_none());
        let settled = waiting.map(|entry| entry.delivery).collect();
        match transaction {
            Some(_) => self.unsettled.range_mut(first..=at).for_each(|entry| {
                entry.transaction = entry.transaction.or(transaction);
            }),
            None if first == at => {
                self.unsettled.remove(at);
            }
            None => {
                let mut index = 0;
                self.unsettled.retain(|entry| {
                    index += 1;
                    index - 1 > at || entry.transaction.is_some()
                });
            }
        }
        Some(settled)
    }

    /// What the transaction settled is settled for good, or waits again.
    pub(super) fn finish(&mut self, transaction: TransactionKey, commit: bool) {
        if commit {
            self.unsettled.retain(|entry| entry.transaction != Some(transaction));
            return;
        }
        for entry in self.unsettled.iter_mut().filter(|entry| entry.transaction == Some(transaction)) {
            entry.transaction = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(mode: AckMode) -> Subscription {
        let mut subscription = Subscription::new(None, "/queue/a".into(), mode);
        for number in [1, 2, 5, 6] {
            subscription.delivered(DeliveryId(number), Some(format!("ID:{number}").into()));
        }
        subscription
    }

    fn ids(settled: Option<Vec<DeliveryId>>) -> Vec<u64> {
        settled.unwrap_or_default().into_iter().map(|delivery| delivery.0).collect()
    }

    #[test]
    fn in_client_mode_an_ack_settles_all_before_it() {
        let mut subscription = subscription(AckMode::Client);
        assert_eq!(ids(subscription.settle(DeliveryId(5), None)), [1, 2, 5]);
        assert_eq!(subscription.settle(DeliveryId(2), None), None);
        assert_eq!(ids(subscription.settle_message("ID:6", None)), [6]);
    }

    #[test]
    fn in_client_individual_mode_an_ack_settles_one() {
        let mut subscription = subscription(AckMode::Individual);
        assert_eq!(ids(subscription.settle(DeliveryId(5), None)), [5]);
        assert_eq!(subscription.settle(DeliveryId(5), None), None);
        assert_eq!(subscription.settle(DeliveryId(3), None), None);
        assert_eq!(ids(subscription.settle_message("ID:1", None)), [1]);
    }

    #[test]
    fn what_an_aborted_transaction_settled_can_be_settled_again() {
        let transaction = TransactionKey(1);
        let mut subscription = subscription(AckMode::Client);
        assert_eq!(ids(subscription.settle(DeliveryId(2), Some(transaction))), [1, 2]);
        assert_eq!(subscription.settle(DeliveryId(1), None), None);
        assert_eq!(ids(subscription.settle(DeliveryId(5), None)), [5]);
        subscription.finish(transaction, false);
        assert_eq!(ids(subscription.settle(DeliveryId(2), Some(transaction))), [1, 2]);
        subscription.finish(transaction, true);
        assert_eq!(subscription.settle(DeliveryId(1), None), None);
        assert_eq!(ids(subscription.settle(DeliveryId(6), None)), [6]);
    }
}
