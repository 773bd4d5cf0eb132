//! Wire protocols: listeners, one connection for all of them, and for each a codec and an adapter to sessions.
//!
//! To add a protocol: a folder with a codec, a `Handshake` and an `Adapter` (`connection/adapter.rs` says what they do), a
//! line in `registry`, a row in `contract`.

mod connection;
#[cfg(test)]
mod contract;
mod half_open;
mod listener;
pub mod openwire;
mod output;
mod registry;
pub mod stomp;
#[cfg(test)]
pub(crate) mod tests;
mod unanswered;

pub use listener::{Listener, ListenerError};
pub use output::Output;
pub use registry::{connect_inside, serve};
