//! Reads of the log, beside the node's task.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::broker::{ReadId, SpillId, Spilled};
use crate::model::Offset;
use crate::storage::{Damage, Expired, Loaded, Log, StorageError, WeightRequest, WindowRequest};

/// Reads at the same time: enough to hide a disk's latency, few enough to leave it to the writer.
const READS_MAX: usize = 4;
/// How often a read is repeated whose messages were moved away under it.
const TRIES_MAX: usize = 3;

/// Bytes of a look at what a slave is to be sent: no less than the first part of it.
const LOOK_BYTES: usize = 1 << 20;

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    Broker(ReadId),
    Cleaner,
}

/// A read's answer.
pub(super) enum ReadDone {
    /// The messages of a window.
    Window(Reader, Result<Vec<Loaded>, StorageError>),
    /// What has expired.
    Expired(ReadId, Result<Expired, StorageError>),
    /// What is alive in the stretch that begins here, in bytes.
    Weight(Offset, Result<u64, StorageError>),
    /// The damage at a place that was looked at.
    Look(Option<Damage>),
    /// A temporary file was written, or could not be.
    Spilled(SpillId, bool),
    /// The messages of a temporary file; nothing if they are lost.
    Unspilled(SpillId, Option<Spilled>),
}

/// What waits for a thread.
enum Work {
    Window(Reader, WindowRequest),
    Expired(ReadId, WindowRequest, i64),
    Weight(WeightRequest),
    Look(Offset),
}

/// Blocking work.
pub(super) type Job = Box<dyn FnOnce() + Send>;
/// Has it done, on another thread or later.
pub(super) type Jobs = Arc<dyn Fn(Job) + Send + Sync>;

/// Passes reads to a small number of threads. What waits is bounded by who asks: one read for each cursor, and one for each
/// slave that connects.
pub(super) struct Reads {
    log: Log,
    done: mpsc::UnboundedSender<ReadDone>,
    running: usize,
    waiting: VecDeque<Work>,
    jobs: Jobs,
}

impl Reads {
    pub(super) fn new(log: Log, jobs: Jobs, done: mpsc::UnboundedSender<ReadDone>) -> Reads {
        Reads { log, done, running: 0, waiting: VecDeque::new(), jobs }
    }

    /// Asks for messages.
    pub(super) fn ask(&mut self, reader: Reader, request: WindowRequest) {
        self.waiting.push_back(Work::Window(reader, request));
        self.start();
    }

    /// Asks for messages that have expired at `wall`.
    pub(super) fn ask_expired(&mut self, read: ReadId, request: WindowRequest, wall: i64) {
        self.waiting.push_back(Work::Expired(read, request, wall));
        self.start();
    }

    /// Asks how much of a stretch is alive.
    pub(super) fn weigh(&mut self, request: WeightRequest) {
        self.waiting.push_back(Work::Weight(request));
        self.start();
    }

    /// Asks whether what stands from `at` on can be read.
    pub(super) fn look(&mut self, at: Offset) {
        self.waiting.push_back(Work::Look(at));
        self.start();
    }

    /// One of them was answered.
    pub(super) fn done(&mut self) {
        self.running -= 1;
        self.start();
    }

    fn start(&mut self) {
        while self.running < READS_MAX
            && let Some(work) = self.waiting.pop_front()
        {
            self.running += 1;
            let (log, done) = (self.log.clone(), self.done.clone());
            (self.jobs)(Box::new(move || {
                let answer = match work {
                    Work::Window(reader @ Reader::Cleaner, request) => {
                        ReadDone::Window(reader, log.scan(&request))
                    }
                    Work::Window(reader, request) => {
                        ReadDone::Window(reader, read(&log, request, |request| log.scan(request)))
                    }
                    Work::Expired(id, request, wall) => {
                        let expired = |request: &WindowRequest| log.expired(request, wall);
                        ReadDone::Expired(id, read(&log, request, expired))
                    }
                    Work::Weight(request) => ReadDone::Weight(request.base, log.weigh(&request)),
                    Work::Look(at) => ReadDone::Look(damage_at(&log, at)),
                };
                // The node may have ended meanwhile.
                let _ = done.send(answer);
            }));
        }
    }
}

/// What is cut while it is read looks like damage, but not twice.
fn damage_at(log: &Log, at: Offset) -> Option<Damage> {
    let read = || match log.read(at.max(log.base()), LOOK_BYTES) {
        Err(StorageError::Corrupt { at, reason }) => Some(Damage { at, reason }),
        _ => None,
    };
    read().and_then(|_| read())
}

/// Reads a window. A stretch of the log that was cleaned meanwhile is gone, and its messages stand further on.
fn read<T>(
    log: &Log,
    mut request: WindowRequest,
    scan: impl Fn(&WindowRequest) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    let mut tries = 1;
    loop {
        let base = log.base();
        let result = scan(&request);
        if result.is_ok() || tries == TRIES_MAX || log.base() == base {
            return result;
        }
        // The copies stand somewhere above; what is asked for is applied, so any copy of it is right.
        request.below = log.end();
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::env::SimDisk;
    use crate::model::{Epoch, Record};
    use crate::storage::{BatchBuilder, LogOptions};

    #[test]
    fn damage_is_found_where_a_slave_would_be_sent_it() {
        let disk = SimDisk::new();
        let options = LogOptions { segment_bytes: 1000, tail_bytes: 0 };
        let open =
            || Log::open(Arc::new(disk.clone()), Path::new("log"), options, Box::new(|_| ())).unwrap().0;
        let log = open();
        let (mut at, mut last) = (Offset(0), 0);
        for _ in 0..40 {
            let mut builder = BatchBuilder::new(at, last, Epoch(1));
            builder.push(&Record::EpochStart { epoch: Epoch(1), master: "n".repeat(100), time: 0 }, false);
            let batch = builder.finish();
            (at, last) = (batch.end(), batch.last);
            log.append(batch);
        }
        log.sync().unwrap();
        let finished = log.finished();
        drop(log);
        let (whole, hurt) = (finished[0].base, finished[1].base);
        disk.flip(&format!("{:020}.log", hurt.0), 4200 << 8).unwrap();
        // A start trusts it.
        let log = open();
        assert!(damage_at(&log, whole).is_none());
        assert_eq!(damage_at(&log, hurt).map(|damage| damage.at), Some(hurt));
        assert!(damage_at(&log, log.end()).is_none() && damage_at(&log, log.end().plus(1)).is_none());
    }
}
