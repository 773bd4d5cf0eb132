//! The replica of one node: what it promised, whom it follows or leads, what is durable and committed. `machine` is what
//! it is; `campaign`, `slave` and `master` are what it does in an election, under a master, and as one.

mod campaign;
mod explore;
mod following;
mod leading;
mod machine;
mod master;
mod quorum;
mod slave;

use std::time::Duration;

use super::History;
use crate::model::{Offset, Position};
use crate::storage::Recovered;

pub use campaign::Recovery;
pub use explore::{Ignored, Timer};
pub use machine::Replica;

/// What a node is configured to be. Equal values on all nodes of a group where noted.
#[derive(Clone, Debug)]
pub struct ReplicaSettings {
    /// Broker name; equal on all nodes.
    pub broker: String,
    /// Name of this node; unique in its group.
    pub node: String,
    /// Size of the group; equal on all nodes.
    pub replicas: usize,
    /// Preference among equal logs.
    pub weight: i32,
    /// Silence of the master after which it is suspected.
    pub suspect_after: Duration,
}

/// How often a master shows life to its slaves.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_millis(100);
/// How long a master may dispatch after it sent what a quorum of voters has answered.
pub(super) const LEASE: Duration = Duration::from_millis(500);
/// How much two monotonic clocks may drift apart during a lease.
pub(super) const LEASE_DRIFT: Duration = Duration::from_millis(50);
/// How long a master without a quorum keeps its client ports open.
pub(super) const QUORUM_SILENCE_MAX: Duration = Duration::from_secs(2);
/// How long a winner may take until it serves.
pub(super) const WINNER_TIME_MAX: Duration = Duration::from_secs(3);
/// How long something is missing before that is said: elections pass through such moments.
pub(super) const LACK_TIME: Duration = Duration::from_millis(500);
/// How long a winner that could not serve is no candidate.
pub(super) const UNFIT_TIME: Duration = Duration::from_secs(10);

/// What a replica knows of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogState {
    /// Where it begins: first offset, and epoch of the record before.
    pub base: Position,
    /// Checksum of the record before `base`.
    pub base_previous: u32,
    /// End of what was handed to the log. `base.offset <= durable <= end`.
    pub end: Offset,
    /// End of what is fsynced.
    pub durable: Offset,
    /// The epochs in it.
    pub history: History,
}

impl LogState {
    /// The state of a log that was just opened, all of it durable; `origin` is its beginning.
    pub fn recovered(recovered: &Recovered, origin: (Position, u32)) -> LogState {
        let (base, base_previous) = origin;
        let (end, durable) = (recovered.end.offset, recovered.end.offset);
        let history = History::new(recovered.history.clone()).unwrap_or_default();
        LogState { base, base_previous, end, durable, history }
    }
}
