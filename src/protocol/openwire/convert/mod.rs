//! Messages of OpenWire to messages of the broker's, and back.

mod destination;
mod incoming;
mod inflate;
pub(super) mod message_id;
mod outgoing;
mod plain;
pub(crate) mod properties;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(super) mod told;

pub(crate) use destination::{destinations, write_destination};
pub(super) use destination::{read_destination, write_destinations};
pub(super) use incoming::message;
pub(super) use outgoing::{Heading, dispatch};
pub(crate) use plain::plain_body;
