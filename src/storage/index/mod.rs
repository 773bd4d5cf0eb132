//! The index: the state at some position, so that a start need not fold the whole log. A cache that takes no part in
//! anything: it is believed only when all of it is as it was written, and wiped on any doubt.

mod handle;
mod sled;

use crate::model::Position;

pub use handle::IndexHandle;
pub use sled::SledIndex;

/// The state at a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything below is in it.
    pub applied: Position,
    /// Digest of the state.
    pub digest: u64,
    /// The state as keys and values; read back in ascending order of the keys.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why a checkpoint was not kept. The index has been wiped, or will be.
#[derive(Debug, thiserror::Error)]
#[error("the index cannot be used: {0}")]
pub struct IndexError(String);

/// Keeps the last checkpoint. All calls block.
pub trait Index: Send {
    /// The checkpoint that was stored last; none, and an empty index, on any doubt. A damaged disk may bring back an
    /// earlier one, whole: the caller checks that the log reaches back to its position and has its epoch.
    fn load(&mut self) -> Option<Checkpoint>;
    /// Durably takes a checkpoint in place of the one before.
    ///
    /// # Errors
    /// [`IndexError`]: it is not kept, and neither is the one before.
    fn store(&mut self, checkpoint: &Checkpoint) -> Result<(), IndexError>;
    /// Forgets everything.
    fn wipe(&mut self);
}

/// One that differs from those of other numbers.
#[cfg(test)]
fn checkpoint(n: u64, entries: usize) -> Checkpoint {
    let applied = Position { epoch: crate::model::Epoch(n), offset: crate::model::Offset(n * 1000) };
    let entry = |e: usize| (format!("key {e:05}").into_bytes(), vec![(n as usize + e) as u8; 50 + e % 100]);
    Checkpoint { applied, digest: n * 77, entries: (0..entries).map(entry).collect() }
}
