//! Message to MESSAGE, in ActiveMQ's words. One walk over the message's fields, no allocation.

use crate::model::{BodyKind, Destination, DestinationKind, Field, Message, PropertyValue};

use crate::protocol::Output;
use crate::protocol::openwire::plain_body;

use super::codec::{FrameWriter, Verb, Version, bare};
use super::names::Names;

/// Whether a header of this name is the broker's to say on MESSAGE. A sender's own header of that name could make a
/// message pass for another user's, or with a second content-length for several frames.
pub(super) fn is_reserved(name: &str) -> bool {
    const RESERVED: [&str; 20] = [
        "JMSXGroupFirstForConsumer",
        "JMSXGroupID",
        "JMSXGroupSeq",
        "JMSXUserID",
        "ack",
        "browser",
        "content-length",
        "correlation-id",
        "destination",
        "duplicate-id",
        "expires",
        "message-id",
        "original-destination",
        "persistent",
        "priority",
        "redelivered",
        "reply-to",
        "subscription",
        "timestamp",
        "type",
    ];
    RESERVED.binary_search(&name).is_ok()
}

/// What a MESSAGE frame says about the delivery, beside the message.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    pub(super) version: Version,
    /// The subscription's id, if the client has given it one.
    pub(super) subscription: Option<&'a str>,
    /// What the client has to name in ACK (1.2), if it has to.
    pub(super) ack: Option<&'a str>,
    /// Where it comes from, if the message names several destinations.
    pub(super) destination: Option<&'a Destination>,
    pub(super) redelivered: bool,
    /// Whether it is the first one of its group that this consumer gets.
    pub(super) first_of_group: bool,
}

/// Writes a message to its consumer.
pub(super) fn message(output: &mut Output, names: &Names, heading: &Heading<'_>, message: &Message) {
    let mut frame = FrameWriter::new(output, Verb::Message, heading.version);
    if let Some(subscription) = heading.subscription {
        frame.header("subscription", subscription);
    }
    if let Some(ack) = heading.ack {
        frame.plain("ack", ack);
    }
    frame.number("timestamp", message.timestamp());
    frame.number("expires", message.expiry());
    frame.number("priority", i64::from(message.priority()));
    if heading.redelivered {
        frame.plain("redelivered", "true");
    }
    if message.persistent() {
        frame.plain("persistent", "true");
    }
    if heading.first_of_group {
        frame.plain("JMSXGroupFirstForConsumer", "true");
    }
    if let Some(destination) = heading.destination {
        let (prefix, name) = names.show(destination.kind, &destination.name);
        frame.prefixed("destination", prefix, name);
        if message.field(Field::OriginalDestination).is_none() {
            let all = names.show_all(message.destinations(Field::Destination));
            frame.header("original-destination", &all);
        }
    }
    for (tag, value) in message.fields() {
        if tag != Field::Destination as u8 || heading.destination.is_none() {
            field(&mut frame, names, message, tag, value);
        }
    }
    properties(&mut frame, message);
    let body = plain_body(message);
    frame.end(&body, !matches!(message.body_kind(), BodyKind::Text | BodyKind::None));
}

/// Writes the header that a field becomes, if it becomes one.
fn field(frame: &mut FrameWriter<'_>, names: &Names, message: &Message, tag: u8, value: &[u8]) {
    let named = [
        (Field::MessageId, "message-id"),
        (Field::UserId, "JMSXUserID"),
        (Field::CorrelationId, "correlation-id"),
        (Field::Type, "type"),
        (Field::DuplicateId, "duplicate-id"),
        (Field::Group, "JMSXGroupID"),
    ];
    let placed = [
        (Field::Destination, "destination"),
        (Field::ReplyTo, "reply-to"),
        (Field::OriginalDestination, "original-destination"),
    ];
    if let Some((_, name)) = placed.iter().find(|(field, _)| *field as u8 == tag) {
        let Some((kind, rest)) = value.split_first() else { return };
        let (Some(kind), Ok(rest)) = (DestinationKind::from_code(*kind), std::str::from_utf8(rest)) else {
            return;
        };
        let (prefix, rest) = names.show(kind, rest);
        frame.prefixed(name, prefix, rest);
        return;
    }
    let Some((_, name)) = named.iter().find(|(field, _)| *field as u8 == tag) else { return };
    let Ok(text) = std::str::from_utf8(value) else { return };
    frame.header(name, text);
    if tag == Field::Group as u8 && message.group_sequence() != 0 {
        frame.number("JMSXGroupSeq", i64::from(message.group_sequence()));
    }
}

/// Writes the properties: strings as they came, other types as text.
fn properties(frame: &mut FrameWriter<'_>, message: &Message) {
    for (name, value) in message.properties().filter(|(name, _)| !is_reserved(bare(name))) {
        match value {
            PropertyValue::String(text) => frame.header(name, text),
            PropertyValue::Null => frame.header(name, ""),
            PropertyValue::Bool(flag) => frame.header(name, if flag { "true" } else { "false" }),
            PropertyValue::Byte(number) => frame.header(name, &number.to_string()),
            PropertyValue::Short(number) => frame.header(name, &number.to_string()),
            PropertyValue::Int(number) => frame.header(name, &number.to_string()),
            PropertyValue::Long(number) => frame.header(name, &number.to_string()),
            PropertyValue::Float(number) => frame.header(name, &number.to_string()),
            PropertyValue::Double(number) => frame.header(name, &number.to_string()),
            PropertyValue::Char(unit) => frame.header(name, &String::from_utf16_lossy(&[unit])),
            PropertyValue::Bytes(bytes) => frame.header(name, &String::from_utf8_lossy(bytes)),
            // It has no text that a client could read.
            PropertyValue::Structure(_) => continue,
        };
    }
}
