//! What of a queue waits in the order of the log: the few messages near its head that are in memory, and where the next ones
//! are to be read.

use std::collections::VecDeque;

use crate::broker::output::ReadId;
use crate::model::{Message, SequenceSet};
use crate::state::DestinationState;

use super::LaneId;

/// A message whose body is in memory.
#[derive(Debug)]
pub(in crate::broker) struct Entry {
    pub(in crate::broker) sequence: u64,
    pub(in crate::broker) message: Message,
}

/// A read of a queue's next messages that is under way.
#[derive(Debug)]
pub(in crate::broker) struct Reading {
    pub(in crate::broker) read: ReadId,
    pub(in crate::broker) ranges: Vec<(u64, u64)>,
    pub(in crate::broker) entries_max: usize,
    /// The read asks for all that is left of the backlog: messages that come meanwhile may go behind it into the window.
    /// The next such sequence.
    pub(in crate::broker) ahead: Option<u64>,
    /// The lane whose messages these are; none: they are to be looked at.
    pub(in crate::broker) lane: Option<LaneId>,
}

/// See the module.
#[derive(Debug)]
pub(in crate::broker) struct Backlog {
    /// From here on nothing has been looked at.
    pub(in crate::broker) cursor: u64,
    /// Messages whose bodies are here, ascending.
    pub(in crate::broker) window: VecDeque<Entry>,
    pub(in crate::broker) bytes: usize,
    /// Entries at the back of the window that are slices of a batch's buffer.
    attached: usize,
    /// Messages that came back, or are to be looked at again; their bodies are read.
    pub(in crate::broker) returned: SequenceSet,
    /// From the cursor on, what has been looked at before its turn, because it is urgent.
    early: SequenceSet,
    pub(in crate::broker) reading: Option<Reading>,
}

impl Backlog {
    /// A backlog of which nothing has been looked at. The urgent ones are looked at first.
    pub(in crate::broker) fn new(cursor: u64, urgent: SequenceSet) -> Backlog {
        Backlog {
            cursor,
            window: VecDeque::new(),
            bytes: 0,
            attached: 0,
            returned: urgent.clone(),
            early: urgent,
            reading: None,
        }
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
        self.bytes += bytes;
        self.attached += 1;
        bytes
    }

    /// A message is looked at before its turn.
    pub(in crate::broker) fn hurry(&mut self, sequence: u64) {
        if self.is_next(sequence) {
            self.pass(sequence);
        } else {
            self.early.insert(sequence, sequence);
        }
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

    /// The first message in the window, unless one that came back stands before it.
    pub(in crate::broker) fn front(&self) -> Option<u64> {
        let front = self.window.front().map(|entry| entry.sequence).filter(|at| *at < self.cursor)?;
        self.returned.first().is_none_or(|at| front < at).then_some(front)
    }

    /// Takes the first message of the window.
    pub(in crate::broker) fn take(&mut self) -> Option<Entry> {
        let entry = self.window.pop_front()?;
        self.bytes -= entry.message.encoded().len();
        self.attached = self.attached.min(self.window.len());
        Some(entry)
    }

    /// Moves the cursor over what nobody has to look at, when nothing else is left before it.
    pub(in crate::broker) fn skip_settled(&mut self, state: &DestinationState) {
        if self.reading.is_none() && self.cursor < state.next() {
            self.cursor = self.fresh(state, 1).first().map_or(state.next(), |(first, _)| *first);
            if !self.early.is_empty() {
                self.early.remove(0, self.cursor - 1);
            }
        }
    }

    /// Ranges from the cursor on that nobody has looked at, at most so many.
    fn fresh(&self, state: &DestinationState, ranges_max: usize) -> Vec<(u64, u64)> {
        if self.early.is_empty() {
            return state.unsettled(self.cursor, ranges_max);
        }
        let (mut fresh, mut from) = (Vec::new(), self.cursor);
        while fresh.len() < ranges_max {
            let ranges = state.unsettled(from, ranges_max);
            let Some((_, last)) = ranges.last().copied() else { break };
            for (first, last) in ranges {
                fresh.extend(self.early.gaps(first, last, ranges_max - fresh.len()));
            }
            from = last + 1;
        }
        fresh
    }

    /// Whether all that there is has been looked at.
    pub(in crate::broker) fn is_looked_at(&self, state: &DestinationState) -> bool {
        self.window.is_empty() && self.returned.is_empty() && self.cursor >= state.next()
    }

    /// Whether a message has been looked at, or is to be, before its turn.
    pub(in crate::broker) fn is_early(&self, sequence: u64) -> bool {
        sequence >= self.cursor && self.early.contains(sequence)
    }

    /// Messages up to `reached` were read, and with `ahead` all that was left before it. None of the messages is early.
    pub(in crate::broker) fn take_in(&mut self, ahead: Option<u64>, reached: u64, fresh: Vec<Entry>) {
        if self.is_early(reached) {
            return;
        }
        let cursor = self.cursor.max(reached + 1);
        self.cursor = match ahead {
            Some(ahead) => ahead.max(cursor),
            None => {
                self.drop_from(cursor);
                cursor
            }
        };
        for entry in fresh {
            self.returned.remove(entry.sequence, entry.sequence);
            self.put_loaded(entry);
        }
    }

    /// Puts a message that was read where it belongs.
    pub(in crate::broker) fn put_loaded(&mut self, entry: Entry) {
        self.bytes += entry.message.encoded().len();
        if self.window.back().is_none_or(|back| back.sequence < entry.sequence) {
            self.window.push_back(entry);
        } else {
            let at = self.window.partition_point(|it| it.sequence < entry.sequence);
            self.window.insert(at, entry);
        }
    }

    /// Gives the window's entries buffers of their own, as a batch's buffer must not live as long as they may.
    pub(in crate::broker) fn detach(&mut self) {
        let from = self.window.len() - self.attached;
        for entry in self.window.range_mut(from..) {
            entry.message = entry.message.detached();
        }
        self.attached = 0;
    }

    /// Takes nothing as looked at: every unsettled sequence is read anew.
    pub(in crate::broker) fn unload(&mut self) {
        *self = Backlog::new(1, SequenceSet::new());
    }

    /// Forgets entries from `sequence` on: they stay in the log, above the cursor.
    fn drop_from(&mut self, sequence: u64) {
        while let Some(entry) = self.window.pop_back_if(|it| it.sequence >= sequence) {
            self.bytes -= entry.message.encoded().len();
        }
        self.attached = self.attached.min(self.window.len());
    }

    /// Whether a message whose body has to be read stands before the window.
    pub(in crate::broker) fn is_blocked(&self) -> bool {
        let Some(front) = self.window.front() else { return false };
        self.returned.first().is_some_and(|at| at < front.sequence)
    }

    /// Gives entries at the window's end back to be read again, until it is no larger than this.
    pub(in crate::broker) fn shrink(&mut self, entries: usize, bytes: usize) {
        while (self.window.len() > entries || self.bytes > bytes)
            && let Some(entry) = self.window.pop_back()
        {
            self.bytes -= entry.message.encoded().len();
            self.returned.insert(entry.sequence, entry.sequence);
            self.attached = self.attached.saturating_sub(1);
        }
    }

    /// Whether an unsettled message waits here, looked at or not.
    pub(in crate::broker) fn has(&self, sequence: u64) -> bool {
        self.window.binary_search_by_key(&sequence, |it| it.sequence).is_ok()
            || self.returned.contains(sequence)
            || sequence >= self.cursor && !self.early.contains(sequence)
    }

    /// Takes a message out that was looked at or not; returns whether it waited here.
    pub(in crate::broker) fn pull(&mut self, sequence: u64) -> bool {
        if let Ok(at) = self.window.binary_search_by_key(&sequence, |it| it.sequence) {
            self.detach();
            if let Some(entry) = self.window.remove(at) {
                self.bytes -= entry.message.encoded().len();
            }
            return true;
        }
        self.returned.remove(sequence, sequence) > 0
            || sequence >= self.cursor && !self.early.contains(sequence)
    }

    /// Takes all that waits; nothing is left to be looked at but what has not been applied.
    pub(in crate::broker) fn take_all(&mut self, state: &DestinationState) -> SequenceSet {
        let mut all = std::mem::take(&mut self.returned);
        for (first, last) in self.fresh(state, usize::MAX) {
            all.insert(first, last);
        }
        for entry in &self.window {
            all.insert(entry.sequence, entry.sequence);
        }
        *self = Backlog::new(state.next(), SequenceSet::new());
        all
    }

    /// Whether there are messages that only the log has.
    pub(in crate::broker) fn has_unread(&self, state: &DestinationState) -> bool {
        !self.returned.is_empty() || self.cursor < state.next()
    }

    /// The ranges that only the log has, lowest first, at most so many, and whether these are all.
    pub(in crate::broker) fn unread(
        &self,
        state: &DestinationState,
        ranges_max: usize,
    ) -> (Vec<(u64, u64)>, bool) {
        let mut ranges: Vec<_> = self.returned.iter().take(ranges_max + 1).collect();
        if ranges.len() > ranges_max {
            ranges.pop();
            return (ranges, false);
        }
        // What is early stands behind the cursor.
        if ranges.last().is_some_and(|(_, last)| *last >= self.cursor) {
            return (ranges, false);
        }
        let fresh = self.fresh(state, ranges_max);
        let complete = fresh.len() < ranges_max;
        ranges.extend(fresh);
        (ranges, complete)
    }
}
