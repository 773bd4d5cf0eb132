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

/// What a client in a test needs.
#[cfg(test)]
pub(super) mod client {
    pub(in crate::protocol) use super::codec::*;
    pub(in crate::protocol) use super::convert::{properties, text, write_destination};
    pub(in crate::protocol) use super::negotiation::{agree, offer};
}

pub(super) use convert::plain_body;
pub(super) use handshake::OpenWireHandshake;
pub use rewriter::Rewriter;
