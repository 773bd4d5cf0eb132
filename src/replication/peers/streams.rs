//! The streams of a node as its task uses them: a port, so that a simulation can be the network.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::model::Offset;
use crate::replication::{Ack, ConnectionId, Event, Heartbeat, Hello, StreamId, Welcome};

/// Events that wait for the node, over all streams. Full means that the streams wait, and with them their senders.
pub const PEER_EVENTS_MAX: usize = 64;
/// What happened on a stream.
#[derive(Debug)]
pub enum PeerEvent {
    /// For the replica as it is.
    Event(Event),
    /// A slave has connected; what it is to be told goes into the channel.
    Slave(ConnectionId, Box<Hello>, mpsc::Sender<ToSlave>),
    /// Bytes of the log, to be verified before they are records.
    Records {
        /// The stream that they came on.
        stream: StreamId,
        /// Offset of the first byte.
        at: Offset,
        /// Whole records, if the master is sound.
        bytes: Bytes,
        /// What the master has committed.
        commit: Offset,
    },
}

/// What a slave's sender is told.
#[derive(Debug)]
pub enum ToSlave {
    /// Answer the hello, then stream from `truncate_to` on.
    Welcome(Box<Welcome>),
    /// Show life.
    Heartbeat(Heartbeat),
    /// End the stream, saying why.
    Refuse(String),
}

/// The replication streams of a node, as its task uses them: a port, so that a simulation can be the network.
pub trait Streams: Send + Sync {
    /// Opens the replication port. The answer is the event that the replica wants to hear.
    fn bind(&mut self) -> Event;
    /// Closes the replication port and every slave's stream.
    fn unbind(&mut self);
    /// Keeps the way to a slave that has just said hello.
    fn connected(&mut self, connection: ConnectionId, way: mpsc::Sender<ToSlave>);
    /// Forgets a slave whose stream has ended.
    fn disconnected(&mut self, connection: ConnectionId);
    /// Answers a slave's hello.
    fn welcome(&mut self, connection: ConnectionId, welcome: Box<Welcome>);
    /// Ends a slave's stream.
    fn refuse(&mut self, connection: ConnectionId, reason: String);
    /// Shows life to every slave.
    fn heartbeat(&mut self, heartbeat: &Heartbeat);
    /// The log goes up to here, and so much of it is committed: senders may read on.
    fn advance(&self, end: Offset, committed: Offset);
    /// Opens a stream to the master; its end is told as [`Event::MasterGone`].
    fn dial(&mut self, stream: StreamId, address: &str, hello: &Hello);
    /// Closes the stream to the master.
    fn hang_up(&mut self, stream: StreamId);
    /// Acknowledges to the master.
    fn ack(&self, stream: StreamId, ack: Ack);
}
