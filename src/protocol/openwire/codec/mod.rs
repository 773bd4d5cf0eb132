//! OpenWire's frames and structures, in versions 1 to 12. What there is, `table` says; how it is written, `wire`, and below it
//! `reader` and `writer`, which know the two encodings.

mod bits;
mod cache;
#[cfg(test)]
mod chance;
mod error;
mod frame;
mod reader;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod throwable;
#[cfg(test)]
mod vectors;
mod wire;
mod writer;

pub use error::CodecError;
pub(super) use frame::Codec;
pub(super) use settings::{Settings, VERSION_MAX};
pub(super) use table::*;
pub(super) use text::Text;
pub(super) use throwable::Throwable;
