//! Sums over all destinations: looked through a page's length at a time, while other tasks have their turn in between.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::yield_now;

use crate::broker::{DestinationCounts, Figures};
use crate::model::DestinationKind;

/// What all destinations count together, with what those had counted that are gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) queues: DestinationCounts,
    pub(super) topics: DestinationCounts,
    /// How many there are, by the number of their kind.
    counts: [u64; 5],
}

impl Sums {
    /// How many there are of a kind.
    pub(super) fn count(&self, kind: DestinationKind) -> u64 {
        self.counts[kind as usize]
    }

    /// Sums up.
    pub(super) async fn of(figures: &Figures, last: &Last) -> Sums {
        let gone = figures.of_the_gone();
        let mut sums = Sums { queues: gone.queues, topics: gone.topics, counts: [0; 5] };
        for queues in [true, false] {
            let Sums { queues: of_queues, topics: of_topics, counts } = &mut sums;
            let sum = if queues { of_queues } else { of_topics };
            let mut come_to = None;
            loop {
                come_to = figures.visit(queues, come_to.as_deref(), |destination, it| {
                    counts[destination.kind as usize] += 1;
                    sum.size = sum.size.saturating_add(it.size);
                    sum.consumers = sum.consumers.saturating_add(it.consumers);
                    sum.producers = sum.producers.saturating_add(it.producers);
                    sum.in_flight = sum.in_flight.saturating_add(it.in_flight);
                    sum.enqueued = sum.enqueued.saturating_add(it.enqueued);
                    sum.dequeued = sum.dequeued.saturating_add(it.dequeued);
                    sum.dispatched = sum.dispatched.saturating_add(it.dispatched);
                });
                if come_to.is_none() {
                    break;
                }
                yield_now().await;
            }
        }
        [sums.queues, sums.topics] = last.raised(gone.beginnings, [sums.queues, sums.topics]);
        sums
    }
}

/// What was summed up last. A destination that goes while others are looked at is missed once; a counter must not fall
/// for it, or whoever reads it takes the whole for new.
#[derive(Clone, Debug, Default)]
pub(super) struct Last(Arc<Mutex<(u64, [DestinationCounts; 2])>>);

impl Last {
    /// The sums, no counter lower than the last time since all began anew.
    fn raised(&self, beginnings: u64, mut sums: [DestinationCounts; 2]) -> [DestinationCounts; 2] {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == beginnings {
            for (sum, last) in sums.iter_mut().zip(&last.1) {
                sum.enqueued = sum.enqueued.max(last.enqueued);
                sum.dequeued = sum.dequeued.max(last.dequeued);
                sum.dispatched = sum.dispatched.max(last.dispatched);
            }
        }
        *last = (beginnings, sums);
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_that_are_read_while_a_destination_goes_do_not_fall_until_all_begins_anew() {
        let counts =
            |enqueued| DestinationCounts { enqueued, size: enqueued, ..DestinationCounts::default() };
        let last = Last::default();
        let mut told = Vec::new();
        for (beginnings, enqueued) in [(0, 5), (0, 3), (0, 6), (1, 2)] {
            let [queues, _] = last.raised(beginnings, [counts(enqueued), counts(0)]);
            told.push((queues.enqueued, queues.size));
        }
        assert_eq!(told, [(5, 5), (5, 3), (6, 6), (2, 2)]);
    }
}
