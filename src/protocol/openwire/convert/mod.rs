//! Messages of OpenWire to messages of the broker's, and back.

mod destination;
mod incoming;
mod inflate;
pub(super) mod message_id;
mod outgoing;
mod plain;
pub(in crate::protocol) mod properties;
#[cfg(test)]
mod tests;
pub(in crate::protocol) mod text;
mod told;

pub(in crate::protocol) use destination::write_destination;
pub(super) use destination::{read_destination, write_destinations};
pub(super) use incoming::message;
pub(super) use outgoing::{Heading, dispatch};
pub(in crate::protocol) use plain::plain_body;
