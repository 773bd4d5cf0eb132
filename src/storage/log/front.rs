//! The log's front: what an append changes at once, before anything is written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use bytes::Bytes;

use super::shared::Shared;
use super::writer::Command;
use crate::model::Offset;
use crate::storage::format::{Batch, Header, records};
use crate::storage::live::Live;
use crate::storage::sidecar::Sealed;

/// What an append changes at once, before anything is written.
pub(in crate::storage) struct Front {
    /// None once the log closes.
    sender: Option<Sender<Command>>,
    /// Bases of finished segments, for the thread that writes sidecars.
    sealer: Option<Sender<Offset>>,
    pub(in crate::storage) live: Live,
    /// The last batches: all that is not durable, and before it what fits into `tail_bytes`.
    tail: VecDeque<Batch>,
    tail_bytes: usize,
    /// A batch that whoever appended it is about to write.
    deferred: Option<Command>,
    /// Whether the log ends before damaged bytes.
    damaged: bool,
}

impl Front {
    /// Of a log that ends with `live`: what is appended goes to `sender`, the bases of finished segments to `sealer`.
    pub(super) fn new(sender: Sender<Command>, sealer: Sender<Offset>, live: Live, damaged: bool) -> Front {
        Front {
            sender: Some(sender),
            sealer: Some(sealer),
            live,
            tail: VecDeque::new(),
            tail_bytes: 0,
            deferred: None,
            damaged,
        }
    }

    /// Leaves a write for whoever appended it.
    pub(super) fn defer(&mut self, write: Command) {
        self.deferred = Some(write);
    }

    /// The write that was left, if nothing else has written it.
    pub(super) fn take_deferred(&mut self) -> Option<Command> {
        self.deferred.take()
    }

    /// Whether a write was left.
    pub(super) fn has_deferred(&self) -> bool {
        self.deferred.is_some()
    }

    /// Lets the log end with `live`, after its files were cut.
    pub(super) fn end_with(&mut self, live: Live) {
        self.live = live;
        self.tail.clear();
        self.tail_bytes = 0;
        self.damaged = false;
    }

    /// Hands over what is left to write, and lets the threads end after it.
    pub(super) fn close(&mut self, shared: &Shared) {
        if let Some(write) = self.deferred.take() {
            self.tell(shared, write);
        }
        (self.sender, self.sealer) = (None, None);
    }

    /// Keeps what is known of a finished segment, and has its sidecar written.
    pub(super) fn seal(&self, shared: &Shared, sealed: Arc<Sealed>) {
        let base = sealed.origin.base;
        shared.change_sealed(|all| drop(all.insert(base, sealed)));
        if let Some(sealer) = &self.sealer {
            // Without that thread the entries stay in memory.
            let _ = sealer.send(base);
        }
    }

    /// Lets the log end behind `batch` at once. Returns what is left to do, unless nothing is to be written.
    pub(super) fn take(&mut self, shared: &Shared, batch: Batch) -> Option<Command> {
        if batch.bytes.is_empty() || shared.failure.get().is_some() {
            return None;
        }
        assert!(!self.damaged, "nothing is appended to a damaged log");
        assert_eq!(batch.at, self.live.end(), "a batch begins where the log ends");
        let previous = Header::parse(&batch.bytes).map(|header| header.previous);
        assert_eq!(previous, Some(self.live.summary.last), "a batch continues the log's last record");
        let mut rolls = Vec::new();
        for record in records(batch.at, &batch.bytes) {
            if self.live.is_full(&record, shared.options.segment_bytes) {
                let sealed = Arc::new(Sealed::new(self.live.roll()));
                rolls.push(self.live.summary.origin);
                self.seal(shared, sealed);
            }
            self.live.push(&record);
        }
        assert_eq!(self.live.end(), batch.end(), "a batch is whole records");
        if let (false, Some(space)) = (rolls.is_empty(), shared.space.get()) {
            space.owe(rolls.len());
        }
        self.tail_bytes += batch.bytes.len();
        self.tail.push_back(batch.clone());
        self.trim(shared);
        Some(Command::Write { batch, rolls })
    }

    /// Tells the writer, what was left for somebody else first.
    pub(super) fn tell(&mut self, shared: &Shared, command: Command) {
        for command in self.deferred.take().into_iter().chain([command]) {
            if let Some(sender) = &self.sender {
                shared.waiting.fetch_add(1, Ordering::AcqRel);
                // Without a writer nothing is confirmed; whoever waits for an answer sees the channel close.
                let _ = sender.send(command);
            }
        }
    }

    /// Forgets the oldest durable batches that are more than the tail's share of memory.
    pub(super) fn trim(&mut self, shared: &Shared) {
        let durable = shared.durable.load(Ordering::Acquire);
        while self.tail_bytes > shared.options.tail_bytes
            && let Some(first) = self.tail.front()
            && first.end().0 <= durable
        {
            self.tail_bytes -= first.bytes.len();
            self.tail.pop_front();
        }
    }

    /// Where the tail begins; everything below is in the files.
    pub(in crate::storage) fn tail_at(&self) -> Offset {
        self.tail.front().map_or(self.live.end(), |batch| batch.at)
    }

    /// The tail's bytes from `from` on, no more batches than fill `bytes_max`; none when they are in the files.
    pub(in crate::storage) fn tail_slices(&self, from: Offset, bytes_max: usize) -> Vec<Bytes> {
        let first = self.tail.partition_point(|batch| batch.end() <= from);
        let (mut slices, mut bytes) = (Vec::new(), 0);
        for batch in self.tail.range(first..) {
            let skip = from.0.saturating_sub(batch.at.0) as usize;
            if batch.at > from && slices.is_empty() || bytes >= bytes_max && bytes > 0 {
                break;
            }
            slices.push(batch.bytes.slice(skip..));
            bytes += batch.bytes.len() - skip;
        }
        slices
    }
}
