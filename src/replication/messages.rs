//! What the two ends of a replication stream say, in our own types. `peers` turns them into gRPC frames.

use crate::model::{Epoch, GroupId, Offset, Promise, StoreId, Voter};

use super::History;

/// A slave's first word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// Its group; `None` for a blank store.
    pub group_id: Option<GroupId>,
    /// Broker name.
    pub broker: String,
    /// Name of its node.
    pub node: String,
    /// Its store.
    pub store: StoreId,
    /// Its highest durable promise.
    pub promised: Promise,
    /// First offset of its log.
    pub base: Offset,
    /// The epochs in its log.
    pub history: History,
    /// Its durable voter list.
    pub config: u64,
    /// Size of the group as it is configured there.
    pub replicas: usize,
    /// Highest record format that it reads.
    pub format: u32,
}

/// A master's first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The mastership.
    pub promise: Promise,
    /// The group.
    pub group_id: GroupId,
    /// Count of voter changes.
    pub config: u64,
    /// The voters.
    pub voters: Vec<Voter>,
    /// Where the slave's log must end before records follow.
    pub truncate_to: Offset,
    /// The slave begins anew at `truncate_to`; epoch and checksum of the record before.
    pub reset: Option<(Epoch, u32)>,
    /// Everything below is committed.
    pub commit: Offset,
}

/// A sign of life of the master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Heartbeat {
    /// The master's monotonic clock in ns when it was sent.
    pub sent: u64,
    /// Everything below is committed.
    pub commit: Offset,
    /// Count of voter changes.
    pub config: u64,
    /// The voters.
    pub voters: Vec<Voter>,
}

/// A slave's answer; each speaks for all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ack {
    /// Everything below is fsynced there.
    pub durable: Offset,
    /// Highest `sent` received.
    pub heard: u64,
    /// Its durable voter list.
    pub config: u64,
    /// Its disk should take nothing but what makes room.
    pub short: bool,
}
