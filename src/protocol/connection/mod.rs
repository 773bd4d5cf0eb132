//! One connection for all protocols: the loop over a transport, with its memory, heart-beats and farewells. What a
//! protocol adds is in `adapter`.

mod adapter;
mod end;
mod input;
mod intake;
mod serve;
mod tls;
mod transport;
mod turns;
#[cfg(test)]
mod tests;

pub(super) use adapter::{Adapter, Fault, Handshake, Rhythm};
pub(super) use serve::{Shared, serve};
pub(super) use tls::accept;
pub(super) use transport::Transport;
