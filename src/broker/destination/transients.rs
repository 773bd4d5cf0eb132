//! A queue's non-persistent messages: all of them in memory, or the middle of a long row in temporary files.
//!
//! ```text
//!   head      in memory, next to be delivered; what came back is put here
//!   chunks    spilled, each to a file of its own; read back whole when the head runs low
//!   tail      in memory, behind the chunks; nothing as long as there are none
//! ```

use std::collections::VecDeque;

use crate::broker::transient::{SpillId, Transient};
use crate::model::Message;

/// Bytes at the head that are not spilled: what consumers take next.
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
    head: VecDeque<Transient>,
    head_bytes: usize,
    /// Of these, what was delivered before. It is never spilled: what is still with consumers may have to go behind it.
    returned_bytes: usize,
    chunks: VecDeque<Chunk>,
    tail: VecDeque<Transient>,
    tail_bytes: usize,
    /// The place of the last message that came.
    last: (u64, u64),
    /// Messages that ever came, and that went.
    pub(in crate::broker) enqueued: u64,
    pub(in crate::broker) dequeued: u64,
}

impl Transients {
    /// A message comes, behind the sequence `after` and behind all that came before.
    pub(in crate::broker) fn enter(&mut self, after: u64, message: Message) {
        self.last = (self.last.0.max(after), self.last.1 + 1);
        self.enqueued += 1;
        let (after, number) = self.last;
        let entry = Transient { after, number, message, redelivered: false, failures: 0 };
        let (end, bytes) = match self.chunks.is_empty() {
            true => (&mut self.head, &mut self.head_bytes),
            false => (&mut self.tail, &mut self.tail_bytes),
        };
        *bytes += entry.bytes();
        end.push_back(entry);
    }

    /// A message that was delivered comes back to its old place.
    pub(in crate::broker) fn put_back(&mut self, entry: Transient) {
        let entry = Transient { redelivered: true, ..entry };
        let place = (entry.after, entry.number);
        let at = self.head.partition_point(|it| (it.after, it.number) < place);
        self.head_bytes += entry.bytes();
        self.returned_bytes += entry.bytes();
        self.head.insert(at, entry);
    }

    /// The place of the first message, wherever that is.
    pub(in crate::broker) fn first(&self) -> Option<u64> {
        self.head.front().map(|it| it.after).or_else(|| self.chunks.front().map(|it| it.after))
    }

    /// The first message; `None` also when it has to be read back first.
    pub(in crate::broker) fn take(&mut self) -> Option<Transient> {
        if self.head.is_empty()
            && let Some(chunk) = self.chunks.pop_front_if(|it| !it.in_memory().is_empty())
            && let Place::Writing(messages) | Place::Kept(messages) = chunk.place
        {
            self.join(messages);
        }
        let entry = self.head.pop_front()?;
        self.head_bytes -= entry.bytes();
        if entry.redelivered {
            self.returned_bytes -= entry.bytes();
        }
        Some(entry)
    }

    /// Messages at the head, which a browser looks at.
    pub(in crate::broker) fn head(&self) -> &VecDeque<Transient> {
        &self.head
    }

    /// Drops the messages in memory that `gone` is true for; returns the bytes of each.
    pub(in crate::broker) fn drop_if(&mut self, gone: impl Fn(&Message) -> bool) -> Vec<usize> {
        let mut dropped = Vec::new();
        for (messages, bytes) in
            [(&mut self.head, &mut self.head_bytes), (&mut self.tail, &mut self.tail_bytes)]
        {
            messages.retain(|it| {
                let goes = gone(&it.message);
                if goes {
                    *bytes -= it.bytes();
                    self.returned_bytes -= if it.redelivered { it.bytes() } else { 0 };
                    dropped.push(it.bytes());
                }
                !goes
            });
        }
        dropped
    }

    /// Bytes of all that is in memory.
    pub(in crate::broker) fn memory(&self) -> usize {
        let chunks = self.chunks.iter().filter(|it| !it.in_memory().is_empty());
        self.head_bytes + self.tail_bytes + chunks.map(|it| it.bytes).sum::<usize>()
    }

    /// Bytes that can be spilled.
    pub(in crate::broker) fn spillable(&self) -> usize {
        match self.chunks.is_empty() {
            true => self.head_bytes - self.returned_bytes.max(HEAD_BYTES).min(self.head_bytes),
            false => self.tail_bytes,
        }
    }

    /// Makes a chunk of the next messages that can be spilled, about so many bytes and one message at least; gives them,
    /// and their bytes.
    pub(in crate::broker) fn spill(&mut self, spill: SpillId, bytes_max: usize) -> (Vec<Transient>, usize) {
        if self.chunks.is_empty() {
            let (mut kept, mut bytes) = (0, 0);
            while kept < self.head.len() && (bytes < HEAD_BYTES || self.head[kept].redelivered) {
                bytes += self.head[kept].bytes();
                kept += 1;
            }
            self.tail = self.head.split_off(kept);
            (self.tail_bytes, self.head_bytes) = (self.head_bytes - bytes, bytes);
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

    /// The first chunk was read, or is lost. Returns the bytes that are in memory now; `None` if it is not this one.
    pub(in crate::broker) fn read(
        &mut self,
        spill: SpillId,
        messages: Option<Vec<Transient>>,
    ) -> Option<usize> {
        let chunk = self.chunks.pop_front_if(|it| it.spill == spill)?;
        let found = messages.is_some();
        if !found {
            self.dequeued += chunk.count;
        }
        self.join(messages.unwrap_or_default());
        Some(if found { chunk.bytes } else { 0 })
    }

    /// Puts messages at the head's end, and the tail behind them if nothing is spilled between.
    fn join(&mut self, messages: Vec<Transient>) {
        self.head_bytes += messages.iter().map(Transient::bytes).sum::<usize>();
        self.head.extend(messages);
        if self.chunks.is_empty() {
            self.head.append(&mut self.tail);
            self.head_bytes += std::mem::take(&mut self.tail_bytes);
        }
    }

    /// The files that nobody is writing or reading, and the bytes of each.
    pub(in crate::broker) fn files(&self) -> impl Iterator<Item = (SpillId, usize)> {
        self.chunks.iter().filter(|it| matches!(it.place, Place::File)).map(|it| (it.spill, it.bytes))
    }

    /// Panics when an order or a sum is wrong.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self) {
        let bytes = |it: &VecDeque<Transient>| it.iter().map(Transient::bytes).sum::<usize>();
        assert_eq!((self.head_bytes, self.tail_bytes), (bytes(&self.head), bytes(&self.tail)));
        assert!(!self.chunks.is_empty() || self.tail.is_empty(), "a tail behind nothing");
        let chunks = self.chunks.iter().flat_map(Chunk::in_memory);
        let places = self.head.iter().chain(chunks).chain(&self.tail).map(|it| (it.after, it.number));
        assert!(places.is_sorted(), "the order of non-persistent messages");
        let returned: usize = self.head.iter().filter(|it| it.redelivered).map(Transient::bytes).sum();
        assert_eq!(self.returned_bytes, returned);
    }
}
