//! What goes into a replica and what comes out of it.

use crate::coordination::{GroupRecord, MemberRecord, View};
use crate::model::{Epoch, Identity, Offset, Position};

use super::{Ack, Heartbeat, Hello, Welcome};

/// A slave's stream as its master sees it; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A stream to a master as the slave sees it; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The coordinator shows the tree.
    View(Box<View>),
    /// The replication port is open at this address.
    Bound(String),
    /// The replication port cannot be opened.
    BindFailed(String),
    /// A slave has connected.
    Hello(ConnectionId, Box<Hello>),
    /// A slave has acknowledged.
    Ack(ConnectionId, Ack),
    /// A slave's stream ended.
    SlaveGone(ConnectionId),
    /// The master has answered the hello.
    Welcome(StreamId, Box<Welcome>),
    /// Verified records of the master: whole, chained to the log's last record.
    Records(StreamId, Box<BatchExtent>),
    /// The master lives.
    Heartbeat(StreamId, Heartbeat),
    /// The stream to the master ended, or could not be opened.
    MasterGone(StreamId, String),
    /// The log is fsynced up to here.
    Durable(Offset),
    /// The master's own records have been handed to the log up to here.
    Appended(Offset),
    /// The log begins here now, after a record with this checksum.
    Rebased(Position, u32),
    /// Why this node's disk should take nothing but what makes room; none when it may take anything again.
    Space(Option<String>),
    /// This node gives up its stream to begin another: no reason to suspect the master.
    Redial(StreamId),
    /// An operator wants another master, or the process is about to stop.
    StepDown(String),
    /// An operator gives up the voters that are not in sight; done if [`Replica::recovery`](super::Replica::recovery) allows it.
    Recover,
    /// Time has passed.
    Tick,
}

/// What a replica needs to know of a batch of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchExtent {
    /// Offset of its first byte.
    pub at: Offset,
    /// The epochs in it, ascending, each with the offset after its last record.
    pub ends: Vec<(Epoch, Offset)>,
    /// What the master had committed when it sent it.
    pub commit: Offset,
}

/// What the shell must do, in this order. An action that makes something durable has done so before the next begins;
/// if it fails, the process leaves.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make everything in the log durable.
    SyncLog,
    /// Make this identity durable.
    SaveIdentity(Box<Identity>),
    /// Cut the log, durably.
    Truncate(Offset),
    /// Empty the log, durably; it begins anew here, after a record with this checksum.
    Reset(Position, u32),
    /// Hand the records of the event at hand to the log.
    Append,
    /// Append the record that starts this epoch, and tell [`Event::Appended`] of it.
    AppendEpochStart(Epoch),
    /// Everything below is committed: apply it.
    Commit(Offset),
    /// Open a stream to the master at this address.
    Dial(StreamId, String, Box<Hello>),
    /// Close the stream to the master.
    HangUp(StreamId),
    /// Acknowledge to the master.
    Ack(StreamId, Ack),
    /// Open the replication port; [`Event::Bound`] or [`Event::BindFailed`] follows.
    Bind,
    /// Close the replication port and every slave's stream.
    Unbind,
    /// Answer a slave's hello, and stream to it from `truncate_to` on.
    Welcome(ConnectionId, Box<Welcome>),
    /// Tell a slave why it cannot follow, and close its stream.
    Refuse(ConnectionId, String),
    /// Send this to every slave.
    Heartbeat(Heartbeat),
    /// The member record that the tree should show.
    SetMember(Box<MemberRecord>),
    /// Try to replace the group record.
    WriteGroup(i32, Box<GroupRecord>),
    /// Everything below this offset is applied and this node is master: open the client ports.
    Serve,
    /// Close the client ports and connections.
    Suspend(String),
    /// Whether messages may be dispatched (the lease).
    AllowDispatch(bool),
    /// Stop the process: nothing here can be mended by going on.
    Fatal(String),
}
