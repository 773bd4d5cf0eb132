//! Reads of the log for the broker, beside the node's task.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::broker::{Loaded, ReadId, ReadRequest};
use crate::model::Offset;
use crate::storage::{Log, WindowRequest};

/// Reads at the same time: enough to hide a disk's latency, few enough to leave it to the writer.
const READS_MAX: usize = 4;

/// A read's answer.
pub(super) struct ReadDone {
    pub(super) read: ReadId,
    pub(super) result: Result<Vec<Loaded>, String>,
}

/// Passes reads to a small number of threads. What waits is bounded by the broker: one read for each cursor.
pub(super) struct Reads {
    log: Log,
    done: mpsc::UnboundedSender<ReadDone>,
    running: usize,
    waiting: VecDeque<(ReadId, WindowRequest)>,
}

impl Reads {
    pub(super) fn new(log: Log) -> (Reads, mpsc::UnboundedReceiver<ReadDone>) {
        let (done, answers) = mpsc::unbounded_channel();
        (Reads { log, done, running: 0, waiting: VecDeque::new() }, answers)
    }

    /// Asks for messages below `below`, which is what is applied.
    pub(super) fn ask(&mut self, read: ReadId, request: ReadRequest, below: Offset) {
        let ReadRequest { destination, ranges, entries_max, bytes_max } = request;
        self.waiting.push_back((read, WindowRequest { destination, ranges, below, entries_max, bytes_max }));
        self.start();
    }

    /// One of them was answered.
    pub(super) fn done(&mut self) {
        self.running -= 1;
        self.start();
    }

    fn start(&mut self) {
        while self.running < READS_MAX
            && let Some((read, request)) = self.waiting.pop_front()
        {
            self.running += 1;
            let (log, done) = (self.log.clone(), self.done.clone());
            tokio::task::spawn_blocking(move || {
                let loaded = |l: crate::storage::Loaded| Loaded { sequence: l.sequence, message: l.message };
                let result = log.scan(&request).map_err(|e| e.to_string());
                let result = result.map(|all| all.into_iter().map(loaded).collect());
                // The node may have ended meanwhile.
                let _ = done.send(ReadDone { read, result });
            });
        }
    }
}
