//! OpenWire's structures, in loose encoding.

mod structures;
mod wire;
mod negotiation;

pub(super) use negotiation::{agree, offer};
pub(super) use structures::*;
pub(super) use wire::Codec;
