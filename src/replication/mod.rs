//! The replica: one log on several nodes, committed by a quorum.
//!
//! [`Replica`] decides and touches nothing: events with their time go in, actions come out, and the model checker, the
//! simulation and the node drive the same code. `peers` is its gRPC shell.

mod access;
mod campaign;
mod dialling;
mod event;
mod following;
mod frame;
mod history;
mod leading;
mod messages;
mod peers;
mod quorum;
mod replica;
mod serving;
mod wire;

pub use access::{Access, TlsError, TlsFiles};
pub use campaign::Recovery;
pub use event::{Action, Batch, ConnectionId, Event, StreamId};
pub use frame::{Frame, decode_master, decode_slave};
pub use history::History;
pub use messages::{Ack, Heartbeat, Hello, Welcome};
pub use peers::{PEER_EVENTS_MAX, PeerEvent, PeerOptions, Peers, Streams, ToSlave};
pub use replica::{Ignored, LogState, Replica, ReplicaSettings, Timer};

#[cfg(test)]
mod tests;
