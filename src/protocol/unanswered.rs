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
struct Waiting<A> {
    asked: A,
    /// What it takes of the bound; commands inside of transactions take nothing, their transaction is bounded itself.
    bytes: Option<usize>,
}

/// All of them, by the number that their answer names; of each it is kept what the client asked, in its protocol's words.
#[derive(Debug)]
pub(super) struct Unanswered<A> {
    waiting: HashMap<Correlation, Waiting<A>>,
    given: u64,
    bounded: usize,
    bounded_bytes: usize,
}

impl<A> Default for Unanswered<A> {
    fn default() -> Unanswered<A> {
        Unanswered { waiting: HashMap::new(), given: 0, bounded: 0, bounded_bytes: 0 }
    }
}

impl<A> Unanswered<A> {
    /// A number for a command that wants an answer; `bytes` is what it takes of the bound.
    pub(super) fn wait(&mut self, asked: A, bytes: Option<usize>) -> Correlation {
        self.given += 1;
        let correlation = Correlation(self.given);
        if let Some(bytes) = bytes {
            self.bounded += 1;
            self.bounded_bytes += bytes;
        }
        self.waiting.insert(correlation, Waiting { asked, bytes });
        correlation
    }

    /// The answer has come; gives what was asked, or nothing if no such command waits.
    pub(super) fn answered(&mut self, correlation: Correlation) -> Option<A> {
        let Waiting { asked, bytes } = self.waiting.remove(&correlation)?;
        if let Some(bytes) = bytes {
            self.bounded -= 1;
            self.bounded_bytes -= bytes;
        }
        Some(asked)
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
