//! What the log says about one durable subscription.

use crate::model::{DestinationId, Sequence, SequenceSet};

use super::counters::Counters;

/// A durable subscription: a topic's messages from `from` on are its own until it settles them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    pub(super) destination: DestinationId,
    pub(super) client_id: String,
    pub(super) name: String,
    pub(super) selector: String,
    pub(super) from: u64,
    pub(super) settled: SequenceSet,
    pub(super) failures: Counters,
}

impl SubscriptionState {
    pub(super) fn new(
        destination: DestinationId,
        client_id: &str,
        name: &str,
        selector: &str,
        from: Sequence,
    ) -> SubscriptionState {
        SubscriptionState {
            destination,
            client_id: client_id.to_owned(),
            name: name.to_owned(),
            selector: selector.to_owned(),
            from: from.0.max(1),
            settled: SequenceSet::new(),
            failures: Counters::default(),
        }
    }

    /// Its topic.
    pub fn destination(&self) -> DestinationId {
        self.destination
    }

    pub(super) fn settle(&mut self, ranges: &[(u64, u64)], next: u64) -> u64 {
        let mut count = 0;
        for (first, last) in ranges {
            let (first, last) = ((*first).max(self.from), (*last).min(next - 1));
            count += self.settled.insert(first, last);
            self.failures.remove(first, last);
        }
        count
    }

    pub(super) fn count(&mut self, counters: &[(u64, u64, u32)], next: u64) {
        for (first, last, count) in counters {
            let (first, last) = ((*first).max(self.from), (*last).min(next - 1));
            for (first, last) in self.settled.gaps(first, last, usize::MAX) {
                self.failures.set(first, last, *count);
            }
        }
    }
}
