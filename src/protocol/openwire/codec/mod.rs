//! OpenWire's structures, in loose encoding.

mod structures;
mod wire;
mod negotiation;

pub(in crate::protocol) use negotiation::{agree, offer};
pub(in crate::protocol) use structures::*;
pub(in crate::protocol) use wire::Codec;
