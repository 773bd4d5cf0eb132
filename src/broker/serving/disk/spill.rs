//! Temporary files: when non-persistent messages take most of their memory, the ends of long queues leave it.
//!
//! The limit of memory stands above that: where nothing can be spilled, or the files have reached their own limit, senders
//! wait. A file that cannot be written loses nothing; one that cannot be read loses its messages, which are allowed to be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::broker::{Spill, SpillId, Spilled};
use crate::model::DestinationId;

use crate::broker::serving::Serving;

/// Bytes of a file, at most and (near the limit) at least.
const FILE_BYTES_MAX: usize = 1 << 20;
const FILE_BYTES_MIN: usize = 64 << 10;
/// How often the longest queues are looked for, of which a part may leave memory.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Nothing is spilled for so long after a file could not be written.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of temporary files.
#[derive(Debug, Default)]
pub(in crate::broker::serving) struct Spills {
    /// Bytes of messages in all files, those included that are being written.
    bytes: u64,
    /// Of those, what is being written and still in memory, and what is being read and will be.
    writing: usize,
    reading: usize,
    /// Whose files are being written or read, and the bytes of each.
    open: BTreeMap<SpillId, Open>,
    made: u64,
    /// Nothing is spilled before this time.
    paused_until: Duration,
    /// Queues that wait for memory to read a file into.
    starved: BTreeSet<DestinationId>,
    asked: Vec<Spill>,
    looked_at: Duration,
}

#[derive(Debug)]
struct Open {
    queue: DestinationId,
    bytes: usize,
}

impl Spills {
    pub(in crate::broker::serving) fn new(made: u64) -> Spills {
        Spills { made, ..Spills::default() }
    }

    pub(in crate::broker::serving) fn made(&self) -> u64 {
        self.made
    }

    /// Whether the longest queues are to be looked for now.
    pub(in crate::broker::serving) fn are_due(&mut self, now: Duration) -> bool {
        let due = now.saturating_sub(self.looked_at) >= LOOK_EVERY;
        if due {
            self.looked_at = now;
        }
        due
    }

    pub(in crate::broker::serving) fn take_asked(&mut self) -> Vec<Spill> {
        std::mem::take(&mut self.asked)
    }

    fn remove(&mut self, spill: SpillId, bytes: usize) {
        self.bytes -= bytes as u64;
        self.asked.push(Spill::Remove(spill));
    }
}

impl Serving {
    /// A queue has grown: spills its end if memory is short.
    pub(in crate::broker::serving) fn spill(&mut self, id: DestinationId) {
        let (limit, temp_limit) = (self.options.memory_limit, self.options.temp_limit);
        // What is being written leaves by itself.
        let resting = self.memory.saturating_sub(self.spills.writing);
        let is_bounded = self.options.policies.bound_memory();
        let least = match resting {
            _ if is_bounded && self.queues.get(&id).is_some_and(|it| it.fills(70)) => FILE_BYTES_MIN,
            _ if resting < limit / 100 * 70 => return,
            _ if resting < limit / 100 * 85 => FILE_BYTES_MAX,
            _ => FILE_BYTES_MIN,
        };
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let spillable = queue.transient.spillable();
        let fits = self.spills.bytes + spillable.min(FILE_BYTES_MAX) as u64 <= temp_limit;
        if spillable < least || !fits || self.now < self.spills.paused_until {
            return;
        }
        let spill = SpillId(self.spills.made + 1);
        let (messages, bytes) = queue.transient.spill(spill, FILE_BYTES_MAX);
        if messages.is_empty() {
            return;
        }
        self.spills.made += 1;
        self.spills.writing += bytes;
        self.spills.bytes += bytes as u64;
        self.spills.open.insert(spill, Open { queue: id, bytes });
        self.spills.asked.push(Spill::Write(spill, Spilled(messages)));
    }

    /// Spills the end of the longest queue if memory is short: its own senders may all be held, or gone.
    pub(in crate::broker::serving) fn spill_longest(&mut self) {
        if self.memory < self.options.memory_limit / 100 * 70 {
            return;
        }
        let longest = self.queues.iter().max_by_key(|(_, queue)| queue.transient.spillable());
        if let Some((id, _)) = longest {
            self.spill(*id);
        }
    }

    /// A file was written, or could not be.
    pub(in crate::broker) fn spilled(&mut self, spill: SpillId, written: bool) {
        let Some(Open { queue, bytes }) = self.spills.open.remove(&spill) else { return };
        self.spills.writing -= bytes;
        let queue = self.queues.get_mut(&queue);
        if queue.is_some_and(|it| it.transient.written(spill, written)) {
            self.memory -= bytes;
            self.freed = true;
        } else {
            self.spills.remove(spill, bytes);
        }
        if !written {
            self.spills.paused_until = self.now + PAUSE;
        }
    }

    /// Sees that a queue's next messages are read back before its consumers wait for them.
    pub(in crate::broker::serving) fn unspill(&mut self, id: DestinationId) {
        if self.allowed && self.queues.get(&id).is_some_and(|queue| !queue.consumers.is_empty()) {
            self.read_back(id);
        }
    }

    /// Asks for a queue's next messages, if they are in a file.
    pub(in crate::broker::serving) fn read_back(&mut self, id: DestinationId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let Some((spill, bytes)) = queue.transient.wanted() else { return };
        // Above the limit one at a time, so that a queue with consumers is never stuck behind others without.
        let full = self.memory + self.spills.reading + bytes > self.options.memory_limit;
        if full && self.spills.reading > 0 {
            self.spills.starved.insert(id);
            return;
        }
        queue.transient.reading();
        self.spills.reading += bytes;
        self.spills.open.insert(spill, Open { queue: id, bytes });
        self.spills.asked.push(Spill::Read(spill));
    }

    /// A file was read; nothing if it is lost.
    pub(in crate::broker) fn unspilled(&mut self, spill: SpillId, found: Option<Spilled>) {
        let Some(Open { queue: id, bytes }) = self.spills.open.remove(&spill) else { return };
        self.spills.reading -= bytes;
        self.spills.remove(spill, bytes);
        if let Some(queue) = self.queues.get_mut(&id) {
            match queue.transient.read(spill, found.map(|it| it.0)) {
                Some(Ok(bytes)) => self.memory += bytes,
                Some(Err(lost)) => queue.figures.dequeued.add(lost),
                None => {}
            }
        }
        self.touch(id);
        for starved in std::mem::take(&mut self.spills.starved) {
            self.touch(starved);
        }
    }

    /// A queue is gone: so are its files.
    pub(in crate::broker::serving) fn forget_files(&mut self, files: Vec<(SpillId, usize)>) {
        for (spill, bytes) in files {
            self.spills.remove(spill, bytes);
        }
    }
}
