//! Replication streams over gRPC: the shell around what the replica decides. Slaves dial, the master serves.
//!
//! A slave's sender pulls: it reads the log from where the slave is, so a slow slave costs no memory and no other slave
//! waits for it. HTTP/2 flow control bounds what is under way.

mod dialling;
mod frame;
mod grpc;
mod serving;
mod streams;
pub(super) mod wire;

pub use frame::{StreamFrame, decode_master, decode_slave};
pub use grpc::{PeerOptions, Peers};
pub use streams::{PEER_EVENTS_MAX, PeerEvent, Streams, ToSlave};

/// HTTP/2 windows towards a slave: large enough to keep a 10 Gbit/s link with 1 ms round trips busy, small enough to bound a slow peer.
pub(super) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Longest frame taken from the wire: a chunk of the log and some room.
pub(super) const FRAME_BYTES_MAX: usize = 4 << 20;
/// Longest list of headers taken from the wire: ours fit many times over.
pub(super) const HEADER_BYTES_MAX: u32 = 8 << 10;
