//! A queue's non-persistent messages: all of them in memory, or the middle of a long row in temporary files.
//!
//! ```text
//!   aside     in memory, looked at: waits for a consumer that wants it
//!   head      in memory, next to be looked at: what came back, and what was read back
//!   chunks    spilled, each to a file of its own; read back whole when the head runs low
//!   tail      in memory, what came last; most of the time all that there is
//! ```
//! Messages are looked at in this order, so that what is with consumers or aside stands before all that never was. Only that
//! is spilled, and what comes back belongs into the head.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::model::Message;

use super::{SpillId, Transient};

/// Bytes that are not spilled, because consumers take them next.
const HEAD_BYTES: usize = 256 << 10;

/// Where a chunk's messages are.
#[derive(Debug)]
enum Place {
    /// Still in memory, while they are being written.
    Writing(Vec<Transient>),
    /// In memory for good: they could not be written.
    Kept(Vec<Transient>),
    /// In the file.
    File,
    /// In the file, which is being read.
    Reading,
}

#[derive(Debug)]
struct Chunk {
    spill: SpillId,
    /// The place of its first message.
    after: u64,
    count: u64,
    bytes: usize,
    place: Place,
}

impl Chunk {
    fn in_memory(&self) -> &[Transient] {
        match &self.place {
            Place::Writing(messages) | Place::Kept(messages) => messages,
            Place::File | Place::Reading => &[],
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Transients {
    aside: BTreeMap<(u64, u64), Transient>,
    aside_bytes: usize,
    head: VecDeque<Transient>,
    head_bytes: usize,
    chunks: VecDeque<Chunk>,
    tail: VecDeque<Transient>,
    tail_bytes: usize,
    /// The place of the last message that came.
    last: (u64, u64),
    /// No message in memory expires before this, in ms since 1970; 0: none does.
    expires: i64,
}

impl Transients {
    /// Gives a message its place, behind the sequence `after` and behind all that came before.
    pub(in crate::broker) fn number(&mut self, after: u64, message: Message) -> Transient {
        self.last = (self.last.0.max(after), self.last.1 + 1);
        let (after, number) = self.last;
        Transient { after, number, message, redelivered: false, failures: 0 }
    }

    /// A message comes.
    pub(in crate::broker) fn enter(&mut self, entry: Transient) {
        self.tail_bytes += entry.bytes();
        self.expect(&entry);
        self.tail.push_back(entry);
    }

    fn expect(&mut self, entry: &Transient) {
        let expiry = entry.message.expiry();
        if expiry != 0 && (self.expires == 0 || expiry < self.expires) {
            self.expires = expiry;
        }
    }

    /// A message that was looked at in its turn comes back to its old place.
    pub(in crate::broker) fn put_back(&mut self, entry: Transient) {
        let at = self.head.partition_point(|it| it.place() < entry.place());
        self.head_bytes += entry.bytes();
        self.expect(&entry);
        self.head.insert(at, entry);
    }

    /// The place of the first message that was not put aside, wherever that is. Of one in a file it is the least that it can be.
    pub(in crate::broker) fn first(&self) -> Option<(u64, u64)> {
        let head = self.head.front().map(Transient::place);
        head.or_else(|| self.chunks.front().map(|it| (it.after, 1)))
            .or_else(|| self.tail.front().map(Transient::place))
    }

    /// The first message; `None` also when it has to be read back first.
    pub(in crate::broker) fn take(&mut self) -> Option<Transient> {
        self.advance();
        let (from, bytes) = match self.head.is_empty() && self.chunks.is_empty() {
            true => (&mut self.tail, &mut self.tail_bytes),
            false => (&mut self.head, &mut self.head_bytes),
        };
        let entry = from.pop_front()?;
        *bytes -= entry.bytes();
        Some(entry)
    }

    /// What is next is in the head, if it is in memory and not in the tail.
    fn advance(&mut self) {
        if self.head.is_empty()
            && let Some(chunk) = self.chunks.pop_front_if(|it| !it.in_memory().is_empty())
            && let Place::Writing(messages) | Place::Kept(messages) = chunk.place
        {
            self.join(messages);
        }
    }

    /// Puts a message aside that was taken and is for nobody now; returns its place.
    pub(in crate::broker) fn put_aside(&mut self, entry: Transient) -> (u64, u64) {
        let place = entry.place();
        self.aside_bytes += entry.bytes();
        self.expect(&entry);
        self.aside.insert(place, entry);
        place
    }

    /// Takes a message that was put aside; `None` if it has expired.
    pub(in crate::broker) fn take_aside(&mut self, place: (u64, u64)) -> Option<Transient> {
        let entry = self.aside.remove(&place)?;
        self.aside_bytes -= entry.bytes();
        Some(entry)
    }

    /// Takes a message in memory out of its place.
    pub(in crate::broker) fn pull(&mut self, place: (u64, u64)) -> Option<Transient> {
        if self.aside.contains_key(&place) {
            return self.take_aside(place);
        }
        let rows = [(&mut self.head, &mut self.head_bytes), (&mut self.tail, &mut self.tail_bytes)];
        for (row, bytes) in rows {
            if let Ok(at) = row.binary_search_by_key(&place, Transient::place) {
                let entry = row.remove(at)?;
                *bytes -= entry.bytes();
                return Some(entry);
            }
        }
        None
    }

    /// Whether what is next has to be read back from a file.
    pub(in crate::broker) fn is_in_file(&mut self) -> bool {
        self.advance();
        self.head.is_empty() && self.aside.is_empty() && !self.chunks.is_empty()
    }

    /// Takes all that was put aside.
    pub(in crate::broker) fn take_all_aside(&mut self) -> Vec<Transient> {
        self.aside_bytes = 0;
        std::mem::take(&mut self.aside).into_values().collect()
    }

    /// Forgets all messages; returns how many there were.
    pub(in crate::broker) fn clear(&mut self) -> u64 {
        let count = self.count();
        *self = Transients { last: self.last, ..Transients::default() };
        count
    }

    /// The place of the last message that came.
    pub(in crate::broker) fn last(&self) -> (u64, u64) {
        self.last
    }

    /// The first message behind a place, which a browser looks at; those behind a temporary file are not looked for.
    pub(in crate::broker) fn behind(&self, place: (u64, u64)) -> Option<&Transient> {
        let next = |row: &'_ VecDeque<Transient>| row.partition_point(|it| it.place() <= place);
        let tail = || self.tail.get(next(&self.tail)).filter(|_| self.chunks.is_empty());
        let aside = self.aside.range((Bound::Excluded(place), Bound::Unbounded)).next().map(|(_, it)| it);
        let row = self.head.get(next(&self.head)).or_else(tail);
        aside.into_iter().chain(row).min_by_key(|it| it.place())
    }

    /// Drops the messages in memory that have expired at `wall`; returns them. Looks at none while none can
    /// have expired.
    pub(in crate::broker) fn drop_expired(&mut self, wall: i64) -> Vec<Message> {
        let mut dropped = Vec::new();
        if self.expires == 0 || self.expires > wall {
            return dropped;
        }
        let mut next = 0;
        let mut stays = |it: &Transient| {
            let expiry = it.message.expiry();
            let goes = expiry != 0 && expiry <= wall;
            if goes {
                dropped.push(it.message.clone());
            } else if expiry != 0 && (next == 0 || expiry < next) {
                next = expiry;
            }
            !goes
        };
        let bytes = |it: &Transient| it.bytes();
        self.aside.retain(|_, it| stays(it));
        self.aside_bytes = self.aside.values().map(bytes).sum();
        self.head.retain(&mut stays);
        self.head_bytes = self.head.iter().map(bytes).sum();
        self.tail.retain(&mut stays);
        self.tail_bytes = self.tail.iter().map(bytes).sum();
        self.expires = next;
        dropped
    }

    /// Bytes of all that is in memory.
    pub(in crate::broker) fn memory(&self) -> usize {
        let chunks = self.chunks.iter().filter(|it| !it.in_memory().is_empty());
        self.aside_bytes + self.head_bytes + self.tail_bytes + chunks.map(|it| it.bytes).sum::<usize>()
    }

    /// Bytes that can be spilled.
    pub(in crate::broker) fn spillable(&self) -> usize {
        let next = if self.chunks.is_empty() { HEAD_BYTES } else { 0 };
        self.tail_bytes.saturating_sub(next)
    }

    /// Makes a chunk of the next messages that can be spilled, about so many bytes; gives them, and their bytes. None if
    /// there is but one large message.
    pub(in crate::broker) fn spill(&mut self, spill: SpillId, bytes_max: usize) -> (Vec<Transient>, usize) {
        let mut kept = if self.chunks.is_empty() { 0 } else { HEAD_BYTES };
        while kept < HEAD_BYTES
            && let Some(entry) = self.tail.pop_front()
        {
            kept += entry.bytes();
            self.tail_bytes -= entry.bytes();
            self.head_bytes += entry.bytes();
            self.head.push_back(entry);
        }
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max
            && let Some(entry) = self.tail.pop_front()
        {
            bytes += entry.bytes();
            messages.push(entry);
        }
        self.tail_bytes -= bytes;
        if let Some(first) = messages.first() {
            let (after, count) = (first.after, messages.len() as u64);
            self.chunks.push_back(Chunk {
                spill,
                after,
                count,
                bytes,
                place: Place::Writing(messages.clone()),
            });
        }
        (messages, bytes)
    }

    /// A chunk was written, or could not be. Returns whether its messages are in the file only now; they are not if they
    /// were wanted before, or could not be written.
    pub(in crate::broker) fn written(&mut self, spill: SpillId, written: bool) -> bool {
        let Some(chunk) = self.chunks.iter_mut().find(|it| it.spill == spill) else { return false };
        chunk.place = match std::mem::replace(&mut chunk.place, Place::File) {
            Place::Writing(messages) if !written => Place::Kept(messages),
            _ => return true,
        };
        false
    }

    /// When the head runs low, the file that is to be read next and its bytes.
    pub(in crate::broker) fn wanted(&self) -> Option<(SpillId, usize)> {
        let next = self.chunks.front().filter(|_| self.head_bytes < HEAD_BYTES / 2)?;
        matches!(next.place, Place::File).then_some((next.spill, next.bytes))
    }

    /// The first chunk is being read.
    pub(in crate::broker) fn reading(&mut self) {
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.place = Place::Reading;
        }
    }

    /// The first chunk was read, or is lost. Returns the bytes that are in memory now, or how many messages are lost; `None` if
    /// it is not this one.
    pub(in crate::broker) fn read(
        &mut self,
        spill: SpillId,
        messages: Option<Vec<Transient>>,
    ) -> Option<Result<usize, u64>> {
        let chunk = self.chunks.pop_front_if(|it| it.spill == spill)?;
        let Some(messages) = messages else { return Some(Err(chunk.count)) };
        self.join(messages);
        Some(Ok(chunk.bytes))
    }

    /// Puts messages at the head's end.
    fn join(&mut self, messages: Vec<Transient>) {
        messages.iter().for_each(|it| self.expect(it));
        self.head_bytes += messages.iter().map(Transient::bytes).sum::<usize>();
        self.head.extend(messages);
    }

    /// The files that nobody is writing or reading, and the bytes of each.
    pub(in crate::broker) fn files(&self) -> impl Iterator<Item = (SpillId, usize)> {
        self.chunks.iter().filter(|it| matches!(it.place, Place::File)).map(|it| (it.spill, it.bytes))
    }

    /// How many messages there are, in memory and in files.
    pub(in crate::broker) fn count(&self) -> u64 {
        (self.aside.len() + self.head.len() + self.tail.len()) as u64
            + self.chunks.iter().map(|it| it.count).sum::<u64>()
    }

    /// Panics when an order or a sum is wrong.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self) {
        let bytes = |it: &VecDeque<Transient>| it.iter().map(Transient::bytes).sum::<usize>();
        assert_eq!((self.head_bytes, self.tail_bytes), (bytes(&self.head), bytes(&self.tail)));
        assert_eq!(self.aside_bytes, self.aside.values().map(Transient::bytes).sum::<usize>());
        let chunks = self.chunks.iter().flat_map(Chunk::in_memory);
        let places = self.head.iter().chain(chunks).chain(&self.tail).map(Transient::place);
        assert!(places.is_sorted(), "the order of non-persistent messages");
    }
}
