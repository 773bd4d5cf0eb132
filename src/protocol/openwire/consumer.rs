//! One consumer: what its client has been sent and not settled, and how much more it may be sent.

use std::collections::VecDeque;

use crate::broker::{DeliveryId, SubscriptionKey, TransactionKey};

/// What a client says to name a delivery: the number that it was sent with, and the message it believes that to be. One from
/// an earlier connection has a number of that, and does not name what has this number now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) delivery: DeliveryId,
    /// A hash of the message's id.
    pub(super) message: u64,
}

/// A delivery that is not settled.
#[derive(Debug)]
struct Unsettled {
    named: Reference,
    /// Settled in a transaction that is still open.
    transaction: Option<TransactionKey>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Consumer {
    /// Its subscriptions: one for each destination that it names.
    pub(super) parts: Vec<SubscriptionKey>,
    prefetch: u32,
    /// The client waits for a message that it has asked for.
    pulls: bool,
    /// The bound on unsettled deliveries that the broker knows.
    granted: u32,
    /// In the order of delivery; ids ascend. Bounded as the broker bounds them.
    unsettled: VecDeque<Unsettled>,
    /// The last delivery that the application has had: those up to it take nothing of the prefetch.
    consumed: DeliveryId,
    /// Transactions whose commit is under way: what they settled takes nothing any more, unless the commit is refused.
    committing: Vec<TransactionKey>,
}

impl Consumer {
    /// A consumer with these subscriptions, which the broker lets have `prefetch` deliveries.
    pub(super) fn new(parts: Vec<SubscriptionKey>, prefetch: u32) -> Consumer {
        Consumer {
            parts,
            prefetch,
            pulls: false,
            granted: prefetch,
            unsettled: VecDeque::new(),
            consumed: DeliveryId(0),
            committing: Vec::new(),
        }
    }

    /// A message goes to the client.
    pub(super) fn delivered(&mut self, named: Reference) {
        self.pulls = false;
        self.unsettled.push_back(Unsettled { named, transaction: None });
    }

    /// Another prefetch from now on.
    pub(super) fn set_prefetch(&mut self, prefetch: u32) {
        self.prefetch = prefetch;
    }

    /// Whether the client has to ask for each message.
    pub(super) fn is_pulled(&self) -> bool {
        self.prefetch == 0
    }

    /// The client asks for one message, or does not wait for it any more.
    pub(super) fn pull(&mut self, waits: bool) {
        self.pulls = waits;
    }

    /// Whether the client waits for a message.
    pub(super) fn pulls(&self) -> bool {
        self.pulls
    }

    /// The new bound on unsettled deliveries, if it is another one than the broker knows.
    pub(super) fn regrant(&mut self) -> Option<u32> {
        let held = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let wanted = if self.is_pulled() {
            held(self.unsettled.len() + usize::from(self.pulls))
        } else {
            let consumed = self.unsettled.partition_point(|it| it.named.delivery <= self.consumed);
            let leaving = |it: &&Unsettled| it.transaction.is_some_and(|it| self.committing.contains(&it));
            let leaving = match self.committing.is_empty() {
                true => 0,
                false => self.unsettled.range(..consumed).filter(leaving).count(),
            };
            self.prefetch.saturating_add(held(consumed - leaving))
        };
        (wanted != self.granted).then(|| {
            self.granted = wanted;
            wanted
        })
    }

    /// The application has had everything up to this delivery. False if it is unknown.
    pub(super) fn consume(&mut self, last: Reference) -> bool {
        let found = self.find(last);
        if let Some(at) = found {
            self.consumed = self.consumed.max(self.unsettled[at].named.delivery);
        }
        found.is_some()
    }

    /// The deliveries from `first`, or from the oldest one, to `last` that no transaction has; nothing if one of both is unknown.
    pub(super) fn range(&self, first: Option<Reference>, last: Reference) -> Option<Vec<DeliveryId>> {
        let to = self.find(last)?;
        let from = match first {
            Some(first) => self.find(first)?,
            None => 0,
        };
        if from > to {
            return None;
        }
        let waiting = self.unsettled.range(from..=to).filter(|it| it.transaction.is_none());
        Some(waiting.map(|it| it.named.delivery).collect())
    }

    /// These deliveries, which ascend, are settled: outside of a transaction for good, inside of one until it is rolled back.
    pub(super) fn settle(&mut self, deliveries: &[DeliveryId], transaction: Option<TransactionKey>) {
        let Some(last) = deliveries.last() else { return };
        let until = self.unsettled.partition_point(|it| it.named.delivery <= *last);
        if transaction.is_some() {
            self.consumed = self.consumed.max(*last);
            let settled = |it: &&mut Unsettled| deliveries.binary_search(&it.named.delivery).is_ok();
            self.unsettled.range_mut(..until).filter(settled).for_each(|it| it.transaction = transaction);
            return;
        }
        while let Some(front) = self.unsettled.front()
            && deliveries.binary_search(&front.named.delivery).is_ok()
        {
            self.unsettled.pop_front();
        }
        if self.unsettled.front().is_some_and(|front| front.named.delivery <= *last) {
            self.unsettled.retain(|it| deliveries.binary_search(&it.named.delivery).is_err());
        }
    }

    /// A transaction is about to be committed.
    pub(super) fn commit(&mut self, transaction: TransactionKey) {
        if self.unsettled.iter().any(|it| it.transaction == Some(transaction)) {
            self.committing.push(transaction);
        }
    }

    /// A transaction is over: what it settled is settled for good, or waits again.
    pub(super) fn finish(&mut self, transaction: TransactionKey, commit: bool) {
        self.committing.retain(|it| *it != transaction);
        if commit {
            self.unsettled.retain(|it| it.transaction != Some(transaction));
        } else {
            let settled = self.unsettled.iter_mut().filter(|it| it.transaction == Some(transaction));
            settled.for_each(|it| it.transaction = None);
        }
    }

    /// What becomes of the deliveries when the consumer ends, of which the application has had those up to `last`: those that
    /// it had, and those that it did not.
    pub(super) fn end(&self, last: Option<DeliveryId>) -> (Vec<DeliveryId>, Vec<DeliveryId>) {
        let waiting = self.unsettled.iter().filter(|it| it.transaction.is_none());
        waiting.map(|it| it.named.delivery).partition(|it| last.is_some_and(|last| *it <= last))
    }

    fn find(&self, wanted: Reference) -> Option<usize> {
        let found = self.unsettled.binary_search_by_key(&wanted.delivery, |it| it.named.delivery).ok();
        let found = found.filter(|at| self.unsettled[*at].named.message == wanted.message);
        // A client that does not send the number back knows the message's id, as does one that had it from another broker.
        found.or_else(|| self.unsettled.iter().position(|it| it.named.message == wanted.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: u64) -> Reference {
        Reference { delivery: DeliveryId(number), message: number * 100 }
    }

    fn consumer(prefetch: u32) -> Consumer {
        let mut consumer = Consumer::new(vec![SubscriptionKey(1)], prefetch);
        [1, 2, 5, 6].into_iter().for_each(|number| consumer.delivered(named(number)));
        consumer
    }

    fn ids(numbers: &[u64]) -> Vec<DeliveryId> {
        numbers.iter().map(|number| DeliveryId(*number)).collect()
    }

    #[test]
    fn a_range_goes_from_its_first_or_the_oldest_delivery_to_its_last() {
        let consumer = consumer(10);
        assert_eq!(consumer.range(None, named(5)), Some(ids(&[1, 2, 5])));
        assert_eq!(consumer.range(Some(named(2)), named(5)), Some(ids(&[2, 5])));
        assert_eq!(consumer.range(Some(named(5)), named(5)), Some(ids(&[5])));
        assert_eq!(consumer.range(Some(named(5)), named(2)), None);
        assert_eq!(consumer.range(None, named(3)), None);
    }

    #[test]
    fn a_number_of_another_connection_names_nothing_and_a_message_is_known_by_its_id() {
        let consumer = consumer(10);
        assert_eq!(consumer.range(None, Reference { delivery: DeliveryId(2), message: 7 }), None);
        let unnumbered = Reference { delivery: DeliveryId(0), message: 500 };
        assert_eq!(consumer.range(Some(unnumbered), unnumbered), Some(ids(&[5])));
    }

    #[test]
    fn what_is_settled_is_forgotten_or_held_by_its_transaction() {
        let mut consumer = consumer(10);
        let transaction = TransactionKey(1);
        consumer.settle(&ids(&[1, 2]), Some(transaction));
        assert_eq!(consumer.range(None, named(5)), Some(ids(&[5])));
        consumer.settle(&ids(&[5]), None);
        assert_eq!(consumer.range(None, named(5)), None);
        consumer.finish(transaction, false);
        assert_eq!(consumer.range(None, named(6)), Some(ids(&[1, 2, 6])));
        consumer.settle(&ids(&[1, 2]), Some(transaction));
        consumer.finish(transaction, true);
        assert_eq!(consumer.range(None, named(6)), Some(ids(&[6])));
        assert_eq!(consumer.range(None, named(1)), None);
    }

    #[test]
    fn what_the_application_has_had_takes_nothing_of_the_prefetch() {
        let mut consumer = consumer(4);
        assert_eq!(consumer.regrant(), None);
        assert!(consumer.consume(named(2)) && !consumer.consume(named(3)));
        assert_eq!((consumer.regrant(), consumer.regrant()), (Some(6), None));
        consumer.settle(&ids(&[1]), None);
        assert_eq!(consumer.regrant(), Some(5));
        consumer.settle(&ids(&[2, 5]), Some(TransactionKey(1)));
        assert_eq!(consumer.regrant(), Some(6));
        consumer.commit(TransactionKey(1));
        assert_eq!(consumer.regrant(), Some(4));
        consumer.finish(TransactionKey(1), true);
        assert_eq!(consumer.regrant(), None);
        consumer.set_prefetch(1);
        assert_eq!(consumer.regrant(), Some(1));
    }

    #[test]
    fn without_a_prefetch_each_message_is_asked_for() {
        let mut consumer = Consumer::new(vec![SubscriptionKey(1)], 0);
        assert!(consumer.is_pulled() && consumer.regrant().is_none());
        consumer.pull(true);
        assert_eq!((consumer.regrant(), consumer.pulls()), (Some(1), true));
        consumer.delivered(named(1));
        assert_eq!((consumer.regrant(), consumer.pulls()), (None, false));
        consumer.pull(true);
        assert_eq!(consumer.regrant(), Some(2));
        consumer.pull(false);
        consumer.settle(&ids(&[1]), None);
        assert_eq!(consumer.regrant(), Some(0));
    }

    #[test]
    fn at_the_end_it_counts_what_the_application_has_had() {
        let consumer = consumer(10);
        assert_eq!(consumer.end(Some(DeliveryId(2))), (ids(&[1, 2]), ids(&[5, 6])));
        assert_eq!(consumer.end(None), (ids(&[]), ids(&[1, 2, 5, 6])));
        assert_eq!(consumer.end(Some(DeliveryId(u64::MAX))).0.len(), 4);
    }
}
