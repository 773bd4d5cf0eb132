//! The log: what is appended goes to the writer thread; what is read comes from the bytes still in memory or from the
//! files.

mod finished;
mod front;
mod handle;
mod reads;
mod room;
mod shared;
mod writer;

use super::Shortage;
use crate::model::Offset;

pub use finished::Finished;
pub use handle::{Log, Recovered};
#[cfg(test)]
pub(super) use writer::{Command, turn, write_sidecars};

/// Sizes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes of records in one segment file; a longer record gets a segment of its own.
    pub segment_bytes: u64,
    /// Bytes at the end of the log that stay in memory for readers that keep up.
    pub tail_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { segment_bytes: 100 * 1024 * 1024, tail_bytes: 16 * 1024 * 1024 }
    }
}

/// What a log tells, from its writer's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Everything below is on the disk. Ascending between two cuts of the log.
    Durable(Offset),
    /// A write or a sync failed, for this reason: nothing more is written in this process. Told once.
    Failed(String),
    /// Why the log should take nothing but what makes room on the disk; none when it may take anything again.
    Space(Shortage),
}
