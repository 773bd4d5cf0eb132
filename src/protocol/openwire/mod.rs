//! OpenWire 1 to 12, ActiveMQ's own protocol: the codec (bytes <-> structures), the handshake and the adapter (structures <->
//! session).

mod acknowledge;
mod adapter;
mod codec;
mod consumer;
mod consumers;
mod convert;
mod failure;
mod handshake;
mod negotiation;
mod places;
mod producers;
mod rewriter;
mod sending;
mod subscribing;

pub(super) use convert::plain_body;
pub(super) use handshake::OpenWireHandshake;
pub use rewriter::Rewriter;

/// What a client of the protocol needs.
pub(crate) mod client {
    pub(crate) use super::codec::*;
    pub(crate) use super::convert::{destinations, write_destination};
    pub(crate) use super::negotiation::{agree, offer};

    #[cfg(test)]
    pub(crate) use super::convert::{properties, text};
}
