//! Applies what is committed to the state, on every node in the same order, and keeps the index a little behind.

use bytes::Bytes;

use crate::model::{Epoch, Offset, Position, Record, RecordKind};
use crate::state::State;
use crate::storage::{Batch, Checkpoint, Recovered, records};

use super::NodeError;
use super::core::{Core, blank_state};

/// How much is applied in one round, so that heartbeats never wait long behind a replay.
const ROUND_BYTES: usize = 4 << 20;
/// How much of the log is read at once when it is not in memory any more.
const READ_BYTES: usize = 1 << 20;
/// The index is written after so many bytes of log: replaying them takes well below a second.
const CHECKPOINT_BYTES: u64 = 64 << 20;

/// The state that the index holds, if it fits the log; else the state of an empty log.
pub(super) fn restore(checkpoint: Option<Checkpoint>, recovered: &Recovered) -> (State, Position) {
    let Some(checkpoint) = checkpoint else { return blank_or_base(recovered) };
    let at = checkpoint.applied;
    // The epoch that a position names must be the one that the log holds there, or the index is of another log.
    let fits = at.offset <= recovered.end.offset
        && at.offset >= recovered.base
        && recovered
            .history
            .iter()
            .find(|(_, end)| *end >= at.offset)
            .is_some_and(|(epoch, _)| *epoch == at.epoch);
    match State::restore(checkpoint.entries) {
        Ok(state) if fits && state.digest() == checkpoint.digest => (state, at),
        _ => {
            tracing::warn!("the index does not fit the log; it is made anew from the log");
            blank_or_base(recovered)
        }
    }
}

fn blank_or_base(recovered: &Recovered) -> (State, Position) {
    let (state, mut applied) = blank_state();
    applied.offset = recovered.base;
    (state, applied)
}

/// The epochs of a batch with the ends of their last records.
pub(super) fn epoch_ends(batch: &Batch) -> Vec<(Epoch, Offset)> {
    let mut ends: Vec<(Epoch, Offset)> = Vec::with_capacity(1);
    for record in records(batch.at, &batch.bytes) {
        match ends.last_mut() {
            Some(last) if last.0 == record.epoch => last.1 = record.end,
            _ => ends.push((record.epoch, record.end)),
        }
    }
    ends
}

impl Core {
    /// Applies what is committed, at most a round's worth, and serves when that was waited for.
    pub(super) fn fold_committed(&mut self) {
        let committed = self.replica.committed();
        let mut budget = ROUND_BYTES;
        while self.applied.offset < committed && budget > 0 && self.failure.is_none() {
            let bytes = match self.committed_bytes(committed) {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) => {
                    return self.fail(NodeError::Store("committed records are missing from the log".into()));
                }
                Err(error) => return self.store_failed(error),
            };
            budget = budget.saturating_sub(bytes.len());
            self.fold(&bytes);
        }
        self.serve_if_ready();
    }

    /// The next bytes to apply, whole records, none of them above `committed`.
    fn committed_bytes(&mut self, committed: Offset) -> Result<Bytes, crate::storage::StorageError> {
        let at = self.applied.offset;
        while self.unapplied.front().is_some_and(|(from, bytes)| from.plus(bytes.len()) <= at) {
            self.unapplied.pop_front();
        }
        let bytes = match self.unapplied.front() {
            Some((from, bytes)) if *from <= at => bytes.slice((at.0 - from.0) as usize..),
            _ => self.log.read(at, READ_BYTES)?,
        };
        // A commit offset is always the end of a record.
        let upto = (committed.0 - at.0).min(bytes.len() as u64) as usize;
        Ok(bytes.slice(..upto))
    }

    fn fold(&mut self, bytes: &Bytes) {
        let (now, wall) = self.time();
        for view in records(self.applied.offset, bytes) {
            if view.kind == RecordKind::EpochStart as u8 {
                // The master before this one left a group unfinished: none of it counts.
                self.open_group.clear();
            }
            let (offset, more) = (view.offset, view.more);
            let applied = Position { epoch: view.epoch, offset: view.end };
            match Record::decode(view.kind, view.payload) {
                Ok(record) => self.open_group.push((offset, record)),
                Err(error) => {
                    return self.fail(NodeError::Store(format!(
                        "the record at {offset} is not understood: {error}"
                    )));
                }
            }
            if !more {
                self.broker.apply(now, wall, &self.open_group);
                if let [(_, Record::Base(base))] = self.open_group[..] {
                    self.base_waiting = Some((base, view.end));
                }
                self.open_group.clear();
            }
            self.applied = applied;
        }
    }

    /// Writes the index when enough has been applied since.
    pub(super) fn checkpoint(&mut self) {
        if self.applied.offset.0 - self.indexed.0.min(self.applied.offset.0) >= CHECKPOINT_BYTES {
            self.checkpoint_now();
        }
    }

    /// Writes the index for what is applied, unless a group is half seen, the log is behind on the disk, or the fold has
    /// not met the checkpoint that it rests on.
    pub(super) fn checkpoint_now(&mut self) {
        let durable = self.replica.log().durable >= self.applied.offset;
        // The index can be made again from the log; what makes room cannot.
        if self.space.short.is_some()
            || !durable
            || !self.open_group.is_empty()
            || self.indexed == self.applied.offset
        {
            return;
        }
        if !self.broker.state().is_whole() {
            return;
        }
        let digest = self.broker.renew_digest();
        let checkpoint =
            Checkpoint { applied: self.applied, digest, entries: self.broker.state().snapshot() };
        self.indexed = self.applied.offset;
        self.index.store(checkpoint);
    }

    /// The log was emptied and begins anew: so does the state. The index may stay: equal positions mean equal logs.
    pub(super) fn forget_everything(&mut self, base: Position) {
        let (state, _) = blank_state();
        self.broker.replace_state(state);
        self.unapplied.clear();
        self.open_group.clear();
        self.applied = base;
        self.indexed = base.offset;
    }
}
