//! A queue in the master's memory: the few messages near its head, and who consumes them.
//!
//! Each unsettled sequence of the log is in exactly one place:
//! ```text
//!   cursor and above              not looked at yet; read from the log when wanted
//!   `window`                      its body is here, next to be delivered
//!   `returned`                    came back after delivery; its body is read again
//!   `dead`                        on its way to the dead-letter queue, its body is being read
//!   `expiry`                      on its way there because it has expired, wherever it stood
//!   in flight or being settled    known to the session that holds it, or to a proposal; `outstanding` counts them
//! ```
//! Deliveries go out in ascending order, so everything up to `seen` was delivered at least once: no flag per message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::broker::figures::DestinationFigures;
use crate::broker::output::ReadId;
use crate::broker::serving::Waiter;
use crate::broker::subscription::SubscriberId;
use crate::bugs;
use crate::model::{Destination, Message, Outcome};
use crate::state::DestinationState;

use super::{Expiry, Transient, Transients};

/// A message whose body is in memory.
#[derive(Debug)]
pub(in crate::broker) struct Entry {
    pub(in crate::broker) sequence: u64,
    pub(in crate::broker) message: Message,
}

/// A message that leaves for the dead-letter queue.
#[derive(Debug)]
pub(in crate::broker) struct Dead {
    pub(in crate::broker) outcome: Outcome,
    pub(in crate::broker) waiter: Waiter,
}

/// A subscription that competes for the queue's messages.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Consumer {
    pub(in crate::broker) subscriber: SubscriberId,
    pub(in crate::broker) priority: i8,
    pub(in crate::broker) exclusive: bool,
}

/// A read of the window that is under way.
#[derive(Debug)]
pub(in crate::broker) struct Reading {
    pub(in crate::broker) read: ReadId,
    pub(in crate::broker) ranges: Vec<(u64, u64)>,
    pub(in crate::broker) entries_max: usize,
    /// The read asks for all that is left of the backlog: messages that come meanwhile may go behind it into the window.
    /// The next such sequence.
    pub(in crate::broker) ahead: Option<u64>,
}

/// What a queue gives out next.
#[derive(Debug)]
pub(in crate::broker) enum Next {
    /// A message of the log.
    Stored(Entry),
    /// A message in memory only.
    Transient(Transient),
}

/// One queue.
#[derive(Debug)]
pub(in crate::broker) struct Queue {
    pub(in crate::broker) destination: Arc<Destination>,
    pub(in crate::broker) figures: Arc<DestinationFigures>,
    /// The sequence that the next message gets; ahead of the state by what is in the log's pipeline.
    pub(in crate::broker) assigned: u64,
    pub(in crate::broker) cursor: u64,
    pub(in crate::broker) window: VecDeque<Entry>,
    pub(in crate::broker) window_bytes: usize,
    /// Entries at the back of the window that are slices of a batch's buffer.
    pub(in crate::broker) attached: usize,
    pub(in crate::broker) returned: BTreeSet<u64>,
    pub(in crate::broker) dead: BTreeMap<u64, Dead>,
    pub(in crate::broker) dead_reading: bool,
    pub(in crate::broker) outstanding: u64,
    /// Consumers may have seen what is up to here. All that a new master finds counts, because nobody can tell what the one
    /// before it delivered last.
    pub(in crate::broker) seen: u64,
    /// When messages of the log expire, as far as that is known, and those that are leaving for it.
    pub(in crate::broker) expiry: Expiry,
    /// Failure counters that are not committed yet.
    pub(in crate::broker) failures: BTreeMap<u64, u32>,
    pub(in crate::broker) transient: Transients,
    /// Highest priority first; among equals in the order in which they came.
    pub(in crate::broker) consumers: Vec<Consumer>,
    /// Who was served last, as an index into `consumers`.
    pub(in crate::broker) turn: usize,
    pub(in crate::broker) reading: Option<Reading>,
    /// A committed message could not be read: nothing is delivered any more, so that nothing is skipped.
    pub(in crate::broker) damaged: bool,
    pub(in crate::broker) dirty: bool,
}

impl Queue {
    /// A queue as a new master finds it.
    pub(in crate::broker) fn new(
        figures: Arc<DestinationFigures>,
        state: Option<&DestinationState>,
    ) -> Queue {
        Queue {
            destination: Arc::clone(&figures.destination),
            figures,
            assigned: state.map_or(1, DestinationState::next),
            cursor: state.map_or(1, |it| it.floor() + 1),
            window: VecDeque::new(),
            window_bytes: 0,
            attached: 0,
            returned: BTreeSet::new(),
            dead: BTreeMap::new(),
            dead_reading: false,
            outstanding: 0,
            seen: state.filter(|_| !bugs::on("seen_forgotten")).map_or(0, |it| it.next() - 1),
            expiry: Expiry::new(state.is_some_and(|it| it.size() > 0)),
            failures: BTreeMap::new(),
            transient: Transients::default(),
            consumers: Vec::new(),
            turn: 0,
            reading: None,
            damaged: false,
            dirty: false,
        }
    }

    /// Gives the next message its sequence.
    pub(in crate::broker) fn assign(&mut self) -> u64 {
        self.assigned += 1;
        self.assigned - 1
    }

    /// A message of the log has been applied. Takes it into the window if nothing older waits on disk and `room` allows;
    /// returns the bytes that the window grew by.
    pub(in crate::broker) fn offer(
        &mut self,
        sequence: u64,
        message: Message,
        entries_max: usize,
        room: usize,
    ) -> usize {
        let reserved = self.reading.as_ref().map_or(0, |reading| reading.entries_max);
        let bytes = message.encoded().len();
        let fits = bytes <= room || self.window.is_empty();
        if !self.is_next(sequence) || self.window.len() + reserved >= entries_max || !fits {
            return 0;
        }
        self.pass(sequence);
        self.window.push_back(Entry { sequence, message });
        self.window_bytes += bytes;
        self.attached += 1;
        bytes
    }

    /// Whether everything below `sequence` has been looked at, or is being read.
    fn is_next(&self, sequence: u64) -> bool {
        match self.reading.as_ref().and_then(|reading| reading.ahead) {
            Some(ahead) => ahead == sequence,
            None => self.cursor == sequence,
        }
    }

    /// Nobody has to look at `sequence` any more if it is the next one.
    pub(in crate::broker) fn pass(&mut self, sequence: u64) {
        match self.reading.as_mut().and_then(|reading| reading.ahead.as_mut()) {
            Some(ahead) if *ahead == sequence => *ahead += 1,
            Some(_) => {}
            None if self.cursor == sequence => self.cursor += 1,
            None => {}
        }
    }

    /// The next message in order, if its body is here.
    pub(in crate::broker) fn take(&mut self) -> Option<Next> {
        let stored = self.window.front().map(|entry| entry.sequence).filter(|at| *at < self.cursor);
        let returned = self.returned.first().copied();
        if let Some(after) = self.transient.first()
            && after < self.cursor
            && stored.is_none_or(|at| after < at)
            && returned.is_none_or(|at| after < at)
        {
            return self.transient.take().map(Next::Transient);
        }
        if stored? > returned.unwrap_or(u64::MAX) {
            return None;
        }
        let entry = self.window.pop_front()?;
        self.window_bytes -= entry.message.encoded().len();
        self.attached = self.attached.min(self.window.len());
        Some(Next::Stored(entry))
    }

    /// Moves the cursor over settled sequences, when nothing else is left before it.
    pub(in crate::broker) fn skip_settled(&mut self, state: &DestinationState) {
        if self.reading.is_none() && self.cursor < state.next() {
            let gaps = state.unsettled(self.cursor, 1);
            self.cursor = gaps.first().map_or(state.next(), |(first, _)| *first);
        }
    }

    /// Puts a message that was read where it belongs; returns its bytes.
    pub(in crate::broker) fn put_loaded(&mut self, sequence: u64, message: Message) -> usize {
        let bytes = message.encoded().len();
        let entry = Entry { sequence, message };
        if self.window.back().is_none_or(|back| back.sequence < sequence) {
            self.window.push_back(entry);
        } else {
            let at = self.window.partition_point(|it| it.sequence < sequence);
            self.window.insert(at, entry);
        }
        self.window_bytes += bytes;
        bytes
    }

    /// Gives the window's entries buffers of their own, as a batch's buffer must not live as long as they may.
    pub(in crate::broker) fn detach(&mut self) {
        let from = self.window.len() - self.attached;
        for entry in self.window.range_mut(from..) {
            entry.message = entry.message.detached();
        }
        self.attached = 0;
    }

    /// Forgets the window of a queue of which nothing is outstanding: every unsettled sequence is read anew.
    pub(in crate::broker) fn unload(&mut self) {
        self.returned.clear();
        self.cursor = 1;
        self.reading = None;
        self.window.clear();
        self.attached = 0;
        self.window_bytes = 0;
    }

    /// Forgets entries from `sequence` on: they stay in the log, above the cursor.
    pub(in crate::broker) fn drop_from(&mut self, sequence: u64) {
        while let Some(entry) = self.window.pop_back_if(|it| it.sequence >= sequence) {
            self.window_bytes -= entry.message.encoded().len();
        }
        self.attached = self.attached.min(self.window.len());
    }

    /// Whether a message whose body has to be read stands before the window.
    pub(in crate::broker) fn is_blocked(&self) -> bool {
        let front = self.window.front().map_or(u64::MAX, |it| it.sequence);
        self.returned.first().is_some_and(|at| *at < front) && !self.window.is_empty()
    }

    /// Gives entries at the window's end back to be read again, until it is no larger than this.
    pub(in crate::broker) fn shrink(&mut self, entries: usize, bytes: usize) {
        let over = |it: &Queue| it.window.len() > entries || it.window_bytes > bytes;
        while over(self)
            && let Some(entry) = self.window.pop_back()
        {
            self.window_bytes -= entry.message.encoded().len();
            self.returned.insert(entry.sequence);
            self.attached = self.attached.saturating_sub(1);
        }
    }

    /// Takes an unsettled message out of its place, on its way out of the queue. Not if it is with a consumer, or on its way
    /// already.
    pub(in crate::broker) fn pull(&mut self, sequence: u64) -> bool {
        if self.dead.contains_key(&sequence) || self.expiry.is_leaving(sequence) {
            return false;
        }
        if self.window.binary_search_by_key(&sequence, |it| it.sequence).is_ok() {
            self.detach();
            self.window.retain(|it| it.sequence != sequence);
            self.window_bytes = self.window.iter().map(|it| it.message.encoded().len()).sum();
        } else if !self.returned.remove(&sequence) && sequence < self.cursor {
            return false;
        }
        self.outstanding += 1;
        true
    }

    /// Drops from the window, and from what came back, what is settled.
    pub(in crate::broker) fn forget_settled(&mut self, state: &DestinationState) {
        self.detach();
        self.window.retain(|it| !state.is_settled(it.sequence));
        self.window_bytes = self.window.iter().map(|it| it.message.encoded().len()).sum();
        self.returned.retain(|it| !state.is_settled(*it));
    }

    /// Whether there are messages that only the log has.
    pub(in crate::broker) fn has_unloaded(&self, state: &DestinationState) -> bool {
        !self.returned.is_empty() || self.cursor < state.next()
    }

    /// Panics when the queue counts wrongly; `elsewhere` is how many of its messages are in the log, or with consumers and in
    /// no log.
    #[cfg(test)]
    pub(in crate::broker) fn check_figures(&self, elsewhere: u64) {
        assert_eq!(self.figures.size(), self.transient.count() + elsewhere, "messages in the queue");
        assert_eq!(self.figures.consumers.get(), self.consumers.len() as u64, "consumers");
    }

    /// Adds a consumer behind those of its priority.
    pub(in crate::broker) fn add_consumer(&mut self, consumer: Consumer) {
        let at = self.consumers.partition_point(|it| it.priority >= consumer.priority);
        self.consumers.insert(at, consumer);
        self.figures.consumers.set(self.consumers.len() as u64);
    }

    /// Removes a consumer, if it is one.
    pub(in crate::broker) fn remove_consumer(&mut self, subscriber: SubscriberId) {
        self.consumers.retain(|it| it.subscriber != subscriber);
        self.figures.consumers.set(self.consumers.len() as u64);
    }

    /// Who is served next, as an index: an exclusive consumer alone, else the highest priority that has credit, in turn.
    pub(in crate::broker) fn choose(&self, has_credit: impl Fn(SubscriberId) -> bool) -> Option<usize> {
        if let Some(owner) = self.consumers.iter().position(|it| it.exclusive) {
            return has_credit(self.consumers[owner].subscriber).then_some(owner);
        }
        let mut from = 0;
        while from < self.consumers.len() {
            let priority = self.consumers[from].priority;
            let equals = self.consumers[from..].partition_point(|it| it.priority >= priority);
            let first = if (from..from + equals).contains(&self.turn) { self.turn + 1 - from } else { 0 };
            let in_turn = (0..equals).map(|n| from + (first + n) % equals);
            if let Some(at) = in_turn.into_iter().find(|at| has_credit(self.consumers[*at].subscriber)) {
                return Some(at);
            }
            from += equals;
        }
        None
    }
}
