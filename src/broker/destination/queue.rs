//! A queue in the master's memory: the few messages near its head, what of them has been sorted, and who consumes them.
//!
//! Each unsettled sequence of the log is in exactly one place:
//! ```text
//!   cursor and above              not looked at yet; read from the log when wanted
//!   `backlog.window`              its body is here, next to be looked at
//!   `backlog.returned`            came back after delivery; its body is read again
//!   `lanes`                       looked at, waits for a consumer that wants it
//!   `dead`                        on its way to the dead-letter queue, its body is being read
//!   `expiry`                      on its way there because it has expired, wherever it stood
//!   in flight or being settled    known to the session that holds it, or to a proposal; `outstanding` counts them
//! ```
//! As long as every consumer takes every message, and no message is of a group, there are no lanes: what is looked at goes
//! to whoever is next, and nothing is sorted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broker::figures::DestinationFigures;
use crate::broker::serving::Waiter;
use crate::broker::subscription::SubscriberId;
use crate::bugs;
use crate::model::{Message, Outcome, PRIORITY_DEFAULT, SequenceSet};
use crate::selector::Selector;
use crate::state::DestinationState;

use super::{
    Backlog, Consumer, Consumers, Entry, Expiry, Group, Key, LaneId, Lanes, Offer, Rank, Stalled, Standing,
    Tastes, Transient, Transients,
};

/// A message that leaves for the dead-letter queue.
#[derive(Debug)]
pub(in crate::broker) struct Dead {
    pub(in crate::broker) outcome: Outcome,
    pub(in crate::broker) waiter: Waiter,
}

/// What of a queue is looked at next.
#[derive(Debug)]
pub(in crate::broker) enum Next {
    /// A message of the log.
    Stored(Entry),
    /// A message in memory only.
    Transient(Transient),
}

impl Next {
    pub(in crate::broker) fn message(&self) -> &Message {
        match self {
            Next::Stored(entry) => &entry.message,
            Next::Transient(entry) => &entry.message,
        }
    }
}

/// What consumers may have seen, and what they refused.
#[derive(Debug)]
pub(in crate::broker) struct History {
    /// All that a new master finds counts as seen, because nobody can tell what the one before it delivered last.
    before: u64,
    /// What has come back since.
    seen: SequenceSet,
    /// Failure counters that are not committed yet.
    pub(in crate::broker) failures: BTreeMap<u64, u32>,
}

impl History {
    fn new(state: Option<&DestinationState>) -> History {
        let before = state.filter(|_| !bugs::on("seen_forgotten")).map_or(0, |it| it.next() - 1);
        History { before, seen: SequenceSet::new(), failures: BTreeMap::new() }
    }

    /// Whether a consumer may have seen a message.
    pub(in crate::broker) fn may_be_seen(&self, sequence: u64) -> bool {
        sequence <= self.before || self.seen.contains(sequence)
    }

    /// A message has come back.
    pub(in crate::broker) fn came_back(&mut self, sequence: u64) {
        self.seen.insert(sequence, sequence);
    }

    /// These are settled.
    pub(in crate::broker) fn left(&mut self, ranges: &[(u64, u64)]) {
        if !self.seen.is_empty() {
            ranges.iter().for_each(|(first, last)| {
                self.seen.remove(*first, *last);
            });
        }
    }

    /// How many deliveries of a message have failed.
    pub(in crate::broker) fn failures(&self, sequence: u64, state: Option<&DestinationState>) -> u32 {
        let uncommitted = self.failures.get(&sequence).copied();
        uncommitted.unwrap_or_else(|| state.map_or(0, |it| it.failures(sequence)))
    }
}

/// One queue.
#[derive(Debug)]
pub(in crate::broker) struct Queue {
    pub(in crate::broker) figures: Arc<DestinationFigures>,
    /// The sequence that the next message gets; ahead of the state by what is in the log's pipeline.
    pub(in crate::broker) assigned: u64,
    pub(in crate::broker) backlog: Backlog,
    pub(in crate::broker) lanes: Option<Box<Lanes>>,
    pub(in crate::broker) dead: BTreeMap<u64, Dead>,
    pub(in crate::broker) dead_reading: bool,
    pub(in crate::broker) outstanding: u64,
    pub(in crate::broker) history: History,
    /// When messages of the log expire, as far as that is known, and those that are leaving for it.
    pub(in crate::broker) expiry: Expiry,
    pub(in crate::broker) transient: Transients,
    pub(in crate::broker) consumers: Consumers,
    tastes: Tastes,
    standing: Standing,
    pub(in crate::broker) dirty: bool,
}

impl Queue {
    /// A queue as a new master finds it.
    pub(in crate::broker) fn new(
        figures: Arc<DestinationFigures>,
        state: Option<&DestinationState>,
        standing: Standing,
    ) -> Queue {
        let urgent = state.map(|it| it.urgent().clone()).unwrap_or_default();
        let lanes = (!urgent.is_empty()).then(Box::default);
        Queue {
            figures,
            assigned: state.map_or(1, DestinationState::next),
            backlog: Backlog::new(state.map_or(1, |it| it.floor() + 1), urgent),
            lanes,
            dead: BTreeMap::new(),
            dead_reading: false,
            outstanding: 0,
            history: History::new(state),
            expiry: Expiry::new(state.is_some_and(|it| it.size() > 0)),
            transient: Transients::default(),
            consumers: Consumers::default(),
            tastes: Tastes::default(),
            standing,
            dirty: false,
        }
    }

    pub(in crate::broker) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(in crate::broker) fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    /// Whether non-persistent messages take so many percent of the memory that the queue may use, if that is bounded.
    pub(in crate::broker) fn fills(&self, percent: usize) -> bool {
        let limit = self.standing.policy().memory_limit;
        limit.is_some_and(|limit| self.transient.memory() as u128 * 100 >= limit as u128 * percent as u128)
    }

    /// Gives the next message its sequence.
    pub(in crate::broker) fn assign(&mut self) -> u64 {
        self.assigned += 1;
        self.assigned - 1
    }

    /// Bytes of the messages of the log that are in memory.
    pub(in crate::broker) fn loaded_bytes(&self) -> usize {
        self.backlog.bytes + self.lanes.as_ref().map_or(0, |it| it.bytes())
    }

    /// The next message in order, if its body is here.
    pub(in crate::broker) fn take(&mut self) -> Option<Next> {
        let returned = self.backlog.returned.first();
        let stored = self.backlog.front();
        if let Some((after, _)) = self.transient.first()
            && after < self.backlog.cursor
            && stored.is_none_or(|at| after < at)
            && returned.is_none_or(|at| after < at)
        {
            return self.transient.take().map(Next::Transient);
        }
        stored?;
        self.backlog.take().map(Next::Stored)
    }

    /// What of the lanes may go out before more has been looked at.
    pub(in crate::broker) fn horizon(&self, state: Option<&DestinationState>) -> Offer {
        let returned = self.backlog.returned.first().map(|at| (at, 0));
        let window = self.backlog.window.front().map(|it| (it.sequence, 0));
        // What came back, or is read again, may be urgent.
        let may_differ = self.lanes.as_ref().is_some_and(|it| it.are_ranked() && !it.are_full());
        if may_differ && (returned.is_some() || window.is_some()) {
            return Offer::default();
        }
        let first = [window, returned, self.transient.first()].into_iter().flatten().min();
        match first {
            // What is urgent has been looked at, whatever else has not.
            Some(place) => (Rank::USUAL, place),
            None if state.is_none_or(|it| self.backlog.is_looked_at(it)) => {
                (Rank::LAST, (u64::MAX, u64::MAX))
            }
            None => (Rank::USUAL, (u64::MAX, u64::MAX)),
        }
    }

    /// Whether a message is of a group or of another than the usual priority, or consumers want different messages: what waits
    /// has to be sorted.
    pub(in crate::broker) fn has_to_sort(&mut self, next: &Next) -> bool {
        let message = next.message();
        let differs = message.priority() != PRIORITY_DEFAULT || Group::of(message).is_some();
        let sorts = self.lanes.is_some() || differs;
        if sorts {
            self.lanes.get_or_insert_default();
        }
        sorts
    }

    /// Sorts what was taken. Its body stays in memory if somebody waits for it, or there is room for more.
    pub(in crate::broker) fn sort(&mut self, next: Next, state: Option<&DestinationState>, has_room: bool) {
        let failures = match &next {
            Next::Stored(entry) => self.history.failures(entry.sequence, state),
            Next::Transient(entry) => entry.failures,
        };
        let wanted = self.tastes.judge(next.message(), failures);
        let (rank, group) = (Rank::of(next.message()), Group::of(next.message()));
        let lanes = self.lanes.get_or_insert_default();
        match next {
            Next::Stored(entry) => {
                let keep = has_room || self.consumers.may_serve_any(&wanted);
                lanes.put_stored(Key { rank, group, wanted }, entry, keep);
            }
            Next::Transient(entry) => {
                lanes.put_transient(Key { rank, group, wanted }, self.transient.put_aside(entry));
            }
        }
    }

    /// An urgent message of the log has come: it is looked at before what came earlier.
    pub(in crate::broker) fn hurry(&mut self, entry: Entry, has_room: bool) {
        self.backlog.hurry(entry.sequence);
        self.sort(Next::Stored(entry), None, has_room);
    }

    /// A message that is in no log has come, behind the sequence `after`.
    pub(in crate::broker) fn enter(&mut self, after: u64, message: Message) {
        let entry = self.transient.number(after, message);
        if entry.message.priority() > PRIORITY_DEFAULT {
            self.sort(Next::Transient(entry), None, true);
        } else {
            self.transient.enter(entry);
        }
    }

    /// What was sorted is looked at anew: a consumer has come that wants what nobody wanted before, or sequences have left.
    pub(in crate::broker) fn unsort(&mut self) {
        let Some(lanes) = &mut self.lanes else { return };
        let (waiting, heads) = lanes.unsort();
        for (first, last) in waiting.iter().filter(|_| !bugs::on("sorted_forgotten")) {
            self.backlog.returned.insert(first, last);
        }
        for head in heads.into_iter().filter(|it| !self.backlog.is_early(it.sequence)).collect::<Vec<_>>() {
            self.backlog.returned.remove(head.sequence, head.sequence);
            self.backlog.put_loaded(head);
        }
        self.transient.take_all_aside().into_iter().for_each(|entry| self.put_back(entry));
        self.backlog.reading.take_if(|it| it.lane.is_some());
    }

    /// A message that is in no log, and was looked at, waits again.
    pub(in crate::broker) fn put_back(&mut self, entry: Transient) {
        if entry.message.priority() > PRIORITY_DEFAULT {
            self.sort(Next::Transient(entry), None, true);
        } else {
            self.transient.put_back(entry);
        }
    }

    /// Lanes are given up when every consumer takes every message again and no group is known. What is with consumers, or
    /// has come back, may be urgent.
    pub(in crate::broker) fn rest(&mut self) {
        if !self.tastes.any() {
            let backlog = &self.backlog;
            let comes_back = self.figures.in_flight.get() > 0 || !backlog.returned.is_empty();
            let may_differ = comes_back || !backlog.window.is_empty();
            self.lanes.take_if(|it| it.are_idle() && !(it.are_ranked() && may_differ));
        }
    }

    /// Forgets what is in memory of a queue of which nothing is outstanding: every unsettled sequence is read anew.
    pub(in crate::broker) fn unload(&mut self) {
        self.unsort();
        self.backlog.unload();
    }

    /// Whether a consumer has credit.
    pub(in crate::broker) fn is_hungry(&mut self, has_credit: impl Fn(SubscriberId) -> bool) -> bool {
        self.consumers.next((None, &Stalled::default()), has_credit).is_some()
    }

    /// Whether more is to be read: the window is half empty, or somebody waits for what is not here.
    pub(in crate::broker) fn runs_low(
        &mut self,
        entries_max: usize,
        has_credit: impl Fn(SubscriberId) -> bool,
    ) -> bool {
        let window = self.backlog.window.len();
        self.backlog.is_blocked()
            || match &self.lanes {
                None => window <= entries_max / 2,
                Some(lanes) if lanes.is_wanted() => true,
                Some(lanes) => {
                    let few = lanes.loaded() < entries_max / 2;
                    window == 0 && (few || self.is_hungry(has_credit))
                }
            }
    }

    /// Whether there are messages that only the log has, to be looked at or wanted.
    pub(in crate::broker) fn has_unread(&self, state: &DestinationState) -> bool {
        self.backlog.has_unread(state) || self.lanes.as_ref().is_some_and(|it| it.is_wanted())
    }

    /// Whether a message that is being read has left its place meanwhile.
    pub(in crate::broker) fn is_leaving(&self, sequence: u64, lane: Option<LaneId>) -> bool {
        let has_left = || self.lanes.as_ref().is_none_or(|lanes| !lanes.has(sequence));
        self.expiry.is_leaving(sequence) || lane.is_some() && has_left()
    }

    /// Gives what is in memory back to be read again.
    pub(in crate::broker) fn shrink(&mut self, entries: usize, bytes: usize) {
        if let Some(lanes) = &mut self.lanes {
            lanes.unload();
        }
        self.backlog.shrink(entries, bytes);
    }

    /// Whether an unsettled message waits, so that [`Queue::pull`] would take it.
    pub(in crate::broker) fn waits(&self, sequence: u64) -> bool {
        let sorted = || self.lanes.as_ref().is_some_and(|it| it.has(sequence));
        !self.dead.contains_key(&sequence)
            && !self.expiry.is_leaving(sequence)
            && (sorted() || self.backlog.has(sequence))
    }

    /// Takes an unsettled message out of its place, on its way out of the queue. Not if it is with a consumer, or on its way
    /// already.
    pub(in crate::broker) fn pull(&mut self, sequence: u64) -> bool {
        if self.dead.contains_key(&sequence) || self.expiry.is_leaving(sequence) {
            return false;
        }
        let sorted = self.lanes.as_mut().is_some_and(|it| it.pull(sequence));
        let pulled = sorted || self.backlog.pull(sequence);
        self.outstanding += u64::from(pulled);
        pulled
    }

    /// Takes all sequences of the log that wait, on their way out of the queue.
    pub(in crate::broker) fn take_waiting(&mut self, state: Option<&DestinationState>) -> SequenceSet {
        self.unsort();
        let Some(state) = state else { return SequenceSet::new() };
        let mut waiting = self.backlog.take_all(state);
        for at in self.expiry.all_leaving() {
            waiting.remove(at, at);
        }
        self.outstanding += waiting.len();
        waiting
    }

    /// Panics when the queue counts wrongly; `elsewhere` is how many of its messages are in the log, or with consumers and in
    /// no log.
    #[cfg(test)]
    pub(in crate::broker) fn check_figures(&self, elsewhere: u64) {
        assert_eq!(self.figures.size(), self.transient.count() + elsewhere, "messages in the queue");
        assert_eq!(self.figures.consumers.get(), self.consumers.len() as u64, "consumers");
        self.consumers.check();
    }

    /// Whether one more selector is more than a queue has room for.
    pub(in crate::broker) fn has_no_room_for(&self, selector: &Selector) -> bool {
        self.tastes.are_too_many_with(selector)
    }

    /// Adds a consumer.
    pub(in crate::broker) fn add_consumer(
        &mut self,
        (subscriber, priority, exclusive): (SubscriberId, i8, bool),
        selector: Option<&Arc<Selector>>,
    ) {
        let (taste, is_new) = self.tastes.join(selector);
        if is_new {
            self.lanes.get_or_insert_default();
            self.unsort();
        }
        self.consumers.add(Consumer { subscriber, priority, exclusive, taste });
        self.figures.consumers.set(self.consumers.len() as u64);
    }

    /// Removes a consumer, if it is one.
    pub(in crate::broker) fn remove_consumer(&mut self, subscriber: SubscriberId) {
        let Some(gone) = self.consumers.remove(subscriber) else { return };
        self.tastes.part(gone.taste);
        if let Some(lanes) = &mut self.lanes {
            lanes.disown(subscriber);
        }
        self.figures.consumers.set(self.consumers.len() as u64);
        if self.consumers.is_empty() {
            self.standing.end_gathering();
        }
    }

    /// A consumer is given a message; its group is its own from now on, unless the message is the group's last. Returns whether
    /// it is the first one of the group that it is given.
    pub(in crate::broker) fn hand_to(
        &mut self,
        subscriber: SubscriberId,
        group: Option<Group>,
        message: &Message,
    ) -> bool {
        self.consumers.served(subscriber);
        self.figures.in_flight.add(1);
        self.figures.dispatched.add(1);
        if let Some(group) = group
            && let Some(lanes) = &mut self.lanes
            && let Some(taste) = self.consumers.taste(subscriber)
        {
            return lanes.hand_out(group, (subscriber, taste), message.group_sequence() < 0);
        }
        false
    }

    /// A delivery is with no consumer any more.
    pub(in crate::broker) fn landed(&mut self, group: Option<Group>) {
        self.figures.in_flight.sub(1);
        if let Some(group) = group
            && let Some(lanes) = &mut self.lanes
        {
            lanes.landed(group);
        }
    }
}
