//! What the log says about one destination: ranges and counts, never an entry per message.

use std::sync::Arc;

use crate::bugs;
use crate::model::{
    Destination, DestinationKind, DurableSubscription, Message, PRIORITY_DEFAULT, Sequence, SequenceSet,
};

use super::applied::Applied;
use super::counters::Counters;
use super::due::{Due, DueTimes};

/// One destination of the catalogue. Sequences begin at 1; each one below `next` is settled or still wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationState {
    pub(super) destination: Destination,
    /// What a durable subscription keeps here; none of any other destination.
    pub(super) subscription: Option<Arc<DurableSubscription>>,
    pub(super) next: u64,
    pub(super) settled: SequenceSet,
    pub(super) failures: Counters,
    /// Of what holds messages, the unsettled messages of more than the usual priority: a new master gives them out first.
    pub(super) urgent: SequenceSet,
    /// Of the schedule, when its unsettled messages are sent.
    pub(super) due: DueTimes,
    /// Whether what waits here is not dispatched; of what holds messages only.
    pub(super) paused: bool,
    pub(super) dispatched: u64,
    pub(super) enqueued: u64,
    pub(super) dequeued: u64,
    /// The part of the state's digest that stands for this destination, and whether it has changed since.
    pub(super) digest: u64,
    pub(super) touched: bool,
}

impl DestinationState {
    /// A destination that nothing was sent to.
    pub fn new(destination: Destination) -> DestinationState {
        DestinationState {
            destination,
            subscription: None,
            next: 1,
            settled: SequenceSet::new(),
            failures: Counters::default(),
            urgent: SequenceSet::new(),
            due: DueTimes::default(),
            paused: false,
            dispatched: 0,
            enqueued: 0,
            dequeued: 0,
            digest: 0,
            touched: false,
        }
    }

    /// Its kind and name.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The durable subscription whose messages wait here.
    pub fn subscription(&self) -> Option<&Arc<DurableSubscription>> {
        self.subscription.as_ref()
    }

    /// The sequence that the next message gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many messages ever entered.
    pub fn enqueued(&self) -> u64 {
        self.enqueued
    }

    /// How many messages left, for whatever reason; never more than [`DestinationState::enqueued`].
    pub fn dequeued(&self) -> u64 {
        self.dequeued
    }

    /// How many messages are in it.
    pub fn size(&self) -> u64 {
        self.enqueued - self.dequeued
    }

    /// Up to which sequence consumers may have seen messages under earlier masters.
    pub fn dispatched(&self) -> u64 {
        self.dispatched
    }

    /// Whether the message left, or never was.
    pub fn is_settled(&self, sequence: u64) -> bool {
        self.settled.contains(sequence)
    }

    /// The ranges of unsettled sequences from `from` on, at most `limit` of them.
    pub fn unsettled(&self, from: u64, limit: usize) -> Vec<(u64, u64)> {
        self.settled.gaps(from.max(1), self.next - 1, limit)
    }

    /// The ranges of unsettled sequences of `from..=to`, at most `limit` of them.
    pub fn unsettled_between(&self, from: u64, to: u64, limit: usize) -> Vec<(u64, u64)> {
        self.settled.gaps(from.max(1), to.min(self.next - 1), limit)
    }

    /// How many of `first..=last` are unsettled.
    pub fn live_between(&self, first: u64, last: u64) -> u64 {
        let last = last.min(self.next - 1);
        (last + 1).saturating_sub(first).saturating_sub(self.settled.count(first, last))
    }

    /// Every sequence up to this one is settled.
    pub fn floor(&self) -> u64 {
        self.settled.iter().next().map_or(0, |(first, last)| if first == 1 { last } else { 0 })
    }

    /// Deliveries of this message that count as failed.
    pub fn failures(&self, sequence: u64) -> u32 {
        self.failures.get(sequence)
    }

    /// Where messages wait, those unsettled that have more than the usual priority.
    pub fn urgent(&self) -> &SequenceSet {
        &self.urgent
    }

    /// Of the schedule, when its messages are sent.
    pub fn due(&self) -> &DueTimes {
        &self.due
    }

    /// Whether what waits here is not dispatched, until an operator says so.
    pub fn paused(&self) -> bool {
        self.paused
    }

    pub(super) fn pause(&mut self, paused: bool) -> Applied {
        if !self.destination.kind.holds() {
            return Applied::Dropped;
        }
        self.paused = paused;
        Applied::Done
    }

    pub(super) fn enter(&mut self, sequence: Sequence, message: &Message) {
        self.skip_to(sequence.0);
        let is_urgent = message.priority() > PRIORITY_DEFAULT && !bugs::on("urgent_not_folded");
        if is_urgent && self.destination.kind.holds() {
            self.urgent.insert(sequence.0, sequence.0);
        }
        if self.destination.kind == DestinationKind::Schedule {
            self.due.insert(sequence.0, Due { at: message.due(), sent: 0 });
        }
        self.next = sequence.0 + 1;
        self.enqueued += 1;
    }

    pub(super) fn enter_settled(&mut self, sequence: Sequence) {
        self.skip_to(sequence.0 + 1);
        self.next = sequence.0 + 1;
    }

    /// Sequences that no message will ever have count as settled, so that nobody looks for them.
    fn skip_to(&mut self, sequence: u64) {
        if self.next < sequence {
            self.settled.insert(self.next, sequence - 1);
        }
    }

    pub(super) fn settle(&mut self, ranges: &[(u64, u64)]) -> u64 {
        let mut count = 0;
        for (first, last) in ranges {
            let (first, last) = ((*first).max(1), (*last).min(self.next - 1));
            count += self.settled.insert(first, last);
            self.failures.remove(first, last);
            if !self.urgent.is_empty() {
                self.urgent.remove(first, last);
            }
            if !self.due.is_empty() && first <= last {
                self.due.remove(first, last);
            }
        }
        self.dequeued += count;
        count
    }

    pub(super) fn count(&mut self, counters: &[(u64, u64, u32)]) -> Applied {
        for (first, last, count) in counters {
            let last = (*last).min(self.next - 1);
            for (first, last) in self.settled.gaps((*first).max(1), last, usize::MAX) {
                self.failures.set(first, last, *count);
            }
        }
        Applied::Done
    }

    pub(super) fn reschedule(&mut self, sequence: Sequence, due: Due) -> Applied {
        if self.due.get(sequence.0).is_none() {
            return Applied::Dropped;
        }
        self.due.insert(sequence.0, due);
        Applied::Done
    }

    pub(super) fn dispatch(&mut self, sequence: Sequence) -> Applied {
        self.dispatched = self.dispatched.max(sequence.0.min(self.next - 1));
        Applied::Done
    }
}
