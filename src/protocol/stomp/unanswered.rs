//! Commands that wait for their answer, and how many of them one connection may have.

use std::collections::HashMap;

use crate::broker::Correlation;

/// Commands that may wait for their answer before the connection stops reading; enough to keep a replicated store
/// busy, few enough to bound what one connection can pile up in the core.
const UNANSWERED_MAX: usize = 1024;
/// The same bound in bytes of frames.
const UNANSWERED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A command that waits for its answer.
#[derive(Debug)]
struct Waiting {
    receipt: Option<String>,
    /// What it takes of the bound; commands inside of transactions take nothing, their transaction is bounded itself.
    bytes: Option<usize>,
}

/// All of them, by the number that their answer names.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    waiting: HashMap<Correlation, Waiting>,
    given: u64,
    bounded: usize,
    bounded_bytes: usize,
}

impl Unanswered {
    /// A number for a command that wants an answer, and perhaps a receipt; `bytes` is what it takes of the bound.
    pub(super) fn wait(&mut self, receipt: Option<String>, bytes: Option<usize>) -> Correlation {
        self.given += 1;
        let correlation = Correlation(self.given);
        if let Some(bytes) = bytes {
            self.bounded += 1;
            self.bounded_bytes += bytes;
        }
        self.waiting.insert(correlation, Waiting { receipt, bytes });
        correlation
    }

    /// The answer has come; gives the receipt that was asked for, or nothing if no such command waits.
    pub(super) fn answered(&mut self, correlation: Correlation) -> Option<Option<String>> {
        let Waiting { receipt, bytes } = self.waiting.remove(&correlation)?;
        if let Some(bytes) = bytes {
            self.bounded -= 1;
            self.bounded_bytes -= bytes;
        }
        Some(receipt)
    }

    /// Whether no command waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether there may be another one.
    pub(super) fn has_room(&self) -> bool {
        self.bounded < UNANSWERED_MAX && self.bounded_bytes < UNANSWERED_BYTES_MAX
    }
}
