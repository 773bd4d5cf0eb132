//! Messages of OpenWire to messages of the broker's, and back.

mod destination;
mod incoming;
mod inflate;
pub(super) mod message_id;
mod outgoing;
mod plain;
pub(super) mod properties;
pub(super) mod text;

pub(super) use destination::{read_destination, write_destination, write_destinations};
pub(super) use incoming::message;
pub(super) use outgoing::{Heading, dispatch};
pub(in crate::protocol) use plain::plain_body;
