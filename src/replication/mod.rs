//! The replica: one log on several nodes, committed by a quorum.
//!
//! [`Replica`] decides and touches nothing: events with their time go in, actions come out, and the model checker, the
//! simulation and the node drive the same code. `peers` is its gRPC shell.

mod campaign;
mod event;
mod following;
mod history;
mod leading;
mod messages;
mod quorum;
mod replica;

pub use event::{Action, Batch, ConnectionId, Event, StreamId};
pub use history::History;
pub use messages::{Ack, Heartbeat, Hello, Welcome};
pub use replica::{LogState, Replica, ReplicaSettings};
