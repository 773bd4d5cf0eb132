//! The replica: one log on several nodes, committed by a quorum.
//!
//! [`Replica`] decides and touches nothing: events with their time go in, actions come out, and the model checker, the
//! simulation and the node drive the same code. `peers` is its gRPC shell.

mod access;
mod event;
mod history;
mod messages;
mod peers;
mod replica;

pub use access::{Access, TlsError, TlsFiles};
pub use event::{Action, BatchExtent, ConnectionId, Event, StreamId};
pub use history::History;
pub use messages::{Ack, Heartbeat, Hello, Welcome};
pub use peers::{
    PEER_EVENTS_MAX, PeerEvent, PeerOptions, Peers, StreamFrame, Streams, ToSlave, decode_master,
    decode_slave,
};
pub use replica::{Ignored, LogState, Recovery, Replica, ReplicaSettings, Timer};

#[cfg(test)]
mod tests;
