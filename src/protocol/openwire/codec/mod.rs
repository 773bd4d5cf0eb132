//! OpenWire's frames and structures, in versions 1 to 12. What there is, `table` says; how it is written, `wire`, and below it
//! `reader` and `writer`, which know the two encodings.

mod bits;
mod cache;
#[cfg(test)]
mod chance;
mod coded;
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

pub(crate) use error::FrameError;
pub(crate) use frame::Codec;
pub(crate) use settings::{Settings, VERSION_MAX};
pub(crate) use table::*;
pub(crate) use text::{Text, decode, from_java, is_alike, put_unit, to_java};
pub(crate) use throwable::Throwable;
