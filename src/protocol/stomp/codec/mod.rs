//! Bytes to frames and frames to bytes, without I/O.

mod decoder;
mod encoder;
mod frame;
#[cfg(test)]
mod tests;

pub use decoder::{CodecError, Decoder, Limits};
pub use encoder::{FrameWriter, heart_beat};
pub(super) use frame::bare;
pub use frame::{Frame, Header, Verb, Version};
