//! Message to MESSAGE, in ActiveMQ's words. One walk over the message's fields, no allocation.

use crate::model::{BodyKind, DestinationKind, Field, Message, PropertyValue};

use super::encoder::{FrameWriter, Output};
use super::frame::{Verb, Version};
use super::names::Names;

/// What a MESSAGE frame says about the delivery, beside the message.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    pub(super) version: Version,
    /// The subscription's id, if the client has given it one.
    pub(super) subscription: Option<&'a str>,
    /// What the client has to name in ACK (1.2), if it has to.
    pub(super) ack: Option<&'a str>,
    pub(super) redelivered: bool,
}

/// Writes a message to its consumer.
pub(super) fn message(output: &mut Output, names: &Names, heading: &Heading<'_>, message: &Message) {
    let mut frame = output.frame(Verb::Message, heading.version);
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
    let mut destinations = 0;
    for (tag, value) in message.fields() {
        if tag == Field::Destination as u8 {
            destinations += 1;
            if destinations > 1 {
                continue;
            }
        }
        field(&mut frame, names, message, tag, value);
    }
    properties(&mut frame, message);
    let body = message.body();
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
    const STRING: u8 = 4;
    // A second content-length would let a message pass for several frames.
    let allowed = |name: &str| name.trim() != "content-length";
    let strings = message.encoded_properties().all(|(_, kind, _)| kind == STRING);
    if strings {
        for (name, _, value) in message.encoded_properties() {
            if let (true, Ok(value)) = (allowed(name), std::str::from_utf8(value)) {
                frame.header(name, value);
            }
        }
        return;
    }
    for (name, value) in message.properties().filter(|(name, _)| allowed(name)) {
        match value {
            PropertyValue::Null => frame.header(name, ""),
            PropertyValue::Bool(flag) => frame.header(name, if flag { "true" } else { "false" }),
            PropertyValue::Integer(number) => frame.header(name, &number.to_string()),
            PropertyValue::Double(number) => frame.header(name, &number.to_string()),
            PropertyValue::String(text) => frame.header(name, &text),
            PropertyValue::Bytes(bytes) => frame.header(name, &String::from_utf8_lossy(&bytes)),
        };
    }
}
