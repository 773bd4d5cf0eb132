//! What must hold between any two calls; for tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::deliveries::Held;
use crate::broker::destination::Queue;
use crate::broker::subscription::Source;
use crate::state::{DestinationState, State};

use super::Serving;

impl Serving {
    /// Panics when a bound or a count is wrong, or a message is in two places.
    pub(in crate::broker) fn check(&self, state: &State) {
        let mut in_flight: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
        let (mut counts, mut outstanding, mut memory) = (BTreeMap::new(), BTreeMap::new(), 0);
        let mut transient: BTreeMap<_, u64> = BTreeMap::new();
        for (_, client) in self.clients.iter() {
            for delivery in client.deliveries.iter() {
                *outstanding.entry(delivery.subscriber).or_insert(0) += 1;
                match &delivery.held {
                    Held::Stored { queue, sequence, .. } => {
                        *counts.entry(*queue).or_insert(0) += 1;
                        assert!(in_flight.entry(*queue).or_default().insert(*sequence), "in flight twice");
                    }
                    Held::Transient { queue, entry } => {
                        *counts.entry(*queue).or_insert(0) += 1;
                        *transient.entry(*queue).or_insert(0) += 1;
                        memory += entry.message.encoded().len();
                    }
                    Held::Copy => {}
                }
            }
        }
        let (mut joins, mut selector_bytes) = (0, 0);
        for (id, subscription) in &self.subscriptions {
            joins += match &subscription.source {
                Source::Queues(ids) | Source::Topics(ids, _) => ids.len(),
                Source::Browse(_) => 0,
            };
            selector_bytes += subscription.selection.as_ref().map_or(0, |it| it.bytes);
            assert_eq!(subscription.outstanding, outstanding.get(id).copied().unwrap_or(0), "credit");
            if let Source::Topics(_, backlog) = &subscription.source {
                let bytes: usize = backlog.messages.iter().map(|(_, it)| it.encoded().len()).sum();
                assert_eq!(backlog.bytes, bytes);
                memory += bytes;
            }
        }
        let mut window_bytes = 0;
        for (id, queue) in &self.queues {
            let mut places = in_flight.remove(id).unwrap_or_default();
            let held = places.len() as u64;
            let in_flight = queue.figures.in_flight.get();
            assert_eq!(in_flight, counts.get(id).copied().unwrap_or(0), "deliveries in flight");
            assert!(queue.outstanding >= held + queue.dead.len() as u64, "outstanding");
            self.check_window(queue, &mut places);
            window_bytes += queue.loaded_bytes();
            queue.transient.check();
            let stored = state.destination(*id).map_or(0, DestinationState::size);
            queue.check_figures(stored + transient.get(id).copied().unwrap_or(0));
            memory += queue.transient.memory();
            if let Some(found) = state.destination(*id) {
                assert!(queue.backlog.cursor <= found.next() && found.next() <= queue.assigned, "the cursor");
                let lost = found.unsettled(1, usize::MAX).into_iter().flat_map(|(a, b)| a..=b);
                let lost =
                    lost.filter(|at| *at < queue.backlog.cursor && !places.contains(at)).count() as u64;
                assert!(
                    lost + held + queue.dead.len() as u64 <= queue.outstanding,
                    "{lost} messages are nowhere"
                );
            }
        }
        assert_eq!(self.window_bytes, window_bytes, "bytes of all windows");
        self.census.check(joins, selector_bytes + self.router.selector_bytes());
        assert_eq!(self.memory, memory, "bytes in memory");
    }

    /// What of a queue is in the log and on this node stands in one place each.
    fn check_window(&self, queue: &Queue, places: &mut BTreeSet<u64>) {
        let mut put = |at: u64, place| assert!(places.insert(at), "{at} is in two places, one is {place}");
        let window = &queue.backlog.window;
        window.iter().for_each(|it| put(it.sequence, "the window"));
        let returned = queue.backlog.returned.iter().flat_map(|(first, last)| first..=last);
        returned.for_each(|at| put(at, "returned"));
        if let Some(lanes) = &queue.lanes {
            lanes.check();
            lanes.waiting().flat_map(|(first, last)| first..=last).for_each(|at| put(at, "a lane"));
        }
        queue.dead.keys().for_each(|at| put(*at, "dead"));
        assert!(window.iter().map(|it| it.sequence).is_sorted(), "the window's order");
        assert!(window.len() <= self.options.window_entries_max.max(1), "the window's length");
        let bytes: usize = window.iter().map(|it| it.message.encoded().len()).sum();
        assert_eq!(queue.backlog.bytes, bytes);
        assert!(bytes <= self.options.window_bytes_max || window.len() == 1, "the window's bytes");
    }
}
