//! What a node does when disks fill up. The master holds its producers while its own disk, or those of too many voters,
//! should take nothing but what makes room; consumers and the cleaner go on out of the reserve. A slave that has no room
//! at all takes no records, keeps its stream, and asks again for what it missed when it has room.

use crate::replication::{Event, StreamId};
use crate::storage::Shortage;

use super::core::Core;

/// Without so much guaranteed room nobody is let in any more, and a slave takes no records: what is left is for the
/// records of a mastership and for the cleaner.
const ROOM_BYTES_MIN: u64 = 2 << 20;
/// A slave that had no room takes records again with so much.
const ROOM_BYTES_AGAIN: u64 = 8 << 20;
/// Bytes that may wait for this node's own disk. A quorum may be had without it, so the commit offset does not bound them.
const UNWRITTEN_BYTES_MAX: u64 = 64 << 20;
/// A slave whose disk was too slow takes records again when no more than this waits.
const UNWRITTEN_BYTES_AGAIN: u64 = 8 << 20;
/// A slave without room that is so far behind does not keep the base from moving.
const FAR_BEHIND_BYTES: u64 = 64 << 20;

/// What is known of room.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Why this node's disk should take nothing but what makes room.
    pub(super) short: Shortage,
    /// Why producers are held.
    pub(super) held: Option<String>,
    /// The stream whose records are not taken.
    skipped: Option<StreamId>,
}

impl Core {
    /// The log has looked at its disk.
    pub(super) async fn take_space(&mut self, short: Shortage) {
        match &short {
            Some(reason) => tracing::warn!(reason, "only what makes room is stored"),
            None => tracing::info!("there is room on the disk again"),
        }
        self.space.short.clone_from(&short);
        self.step(Event::Space(short)).await;
    }

    /// Whether anything may be appended here at all.
    pub(super) fn disk_has_room(&self) -> bool {
        self.unwritten() < UNWRITTEN_BYTES_MAX
            && (self.space.short.is_none() || self.log.guaranteed() >= ROOM_BYTES_MIN)
    }

    /// Bytes that were appended and are not on the disk.
    fn unwritten(&self) -> u64 {
        self.log.end().0.saturating_sub(self.log.durable().0)
    }

    /// Whether so many bytes of the master's records cannot be taken now. Until they can, nothing else of their stream
    /// is taken, as it would not continue the log.
    pub(super) fn skips(&mut self, stream: StreamId, bytes: usize) -> bool {
        if self.space.skipped == Some(stream) {
            return true;
        }
        let bytes = bytes as u64;
        let full = self.space.short.is_some() && self.log.guaranteed() < ROOM_BYTES_MIN + bytes;
        let slow = self.unwritten() + bytes > UNWRITTEN_BYTES_MAX;
        self.space.skipped = (full || slow).then_some(stream);
        if full || slow {
            let reason = if full { "the disk is full" } else { "the disk is too slow" };
            tracing::warn!(reason, at = %self.log.end(), "no records are taken from the master for now");
        }
        full || slow
    }

    /// Holds producers or lets them go on, and asks the master again for what was not taken.
    pub(super) async fn mind_space(&mut self) {
        if let Some(stream) = self.space.skipped {
            let room = self.space.short.is_none() || self.log.guaranteed() >= ROOM_BYTES_AGAIN;
            if room && self.unwritten() <= UNWRITTEN_BYTES_AGAIN {
                tracing::info!(at = %self.log.end(), "records are taken from the master again");
                self.space.skipped = None;
                self.step(Event::Redial(stream)).await;
            }
        }
        let lacks = self.replica.lacks_room();
        if lacks == self.space.held.is_some() {
            return;
        }
        self.space.held = lacks.then(|| match &self.space.short {
            Some(reason) => reason.clone(),
            None => format!("no room on the disks of {}", self.replica.nodes_short().join(", ")),
        });
        match &self.space.held {
            Some(reason) => tracing::warn!(
                reason,
                "Persistent store is Full: producers of persistent messages wait; consumers go on"
            ),
            None => tracing::info!("Producers go on"),
        }
        self.broker.hold_stores(lacks);
    }

    /// Below which offset the log may be cleaned, as far as slaves go.
    pub(super) fn read_by_slaves(&self) -> Option<crate::model::Offset> {
        self.replica.read_by_slaves(self.segment_bytes.max(FAR_BEHIND_BYTES), FAR_BEHIND_BYTES)
    }
}
