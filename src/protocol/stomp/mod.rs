//! STOMP 1.0, 1.1 and 1.2: the codec (bytes <-> frames) and the adapter (frames <-> session).

mod frame;
mod decoder;
mod encoder;
#[cfg(test)]
mod codec_tests;

pub use decoder::{CodecError, Decoder, Limits};
pub use encoder::{FrameWriter, Output};
pub use frame::{Frame, Header, Verb, Version};
