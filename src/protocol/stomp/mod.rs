//! STOMP 1.0, 1.1 and 1.2: the codec (bytes <-> frames), the handshake and the adapter (frames <-> session).

mod codec;
mod value;
mod names;
mod unserved;
mod send;
mod deliver;
mod error_frame;
mod messages;
mod subscription;
mod subscriptions;
mod subscribe;
mod adapter;
mod handshake;

pub use codec::{CodecError, Decoder, Frame, FrameWriter, Header, Limits, Verb, Version, heart_beat};
pub(super) use handshake::StompHandshake;
