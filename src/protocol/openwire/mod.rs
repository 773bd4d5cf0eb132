//! OpenWire, ActiveMQ's own protocol, in versions 1 to 12.

mod codec;
mod rewriter;

pub use codec::CodecError;
pub use rewriter::Rewriter;
