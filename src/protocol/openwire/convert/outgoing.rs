//! Messages of the broker's for clients of OpenWire.

use bytes::Bytes;

use crate::broker::DeliveryId;
use crate::model::{BodyForm, BodyKind, Destination, Field, Message as Stored};

use super::super::codec::{ConsumerId, Message, MessageDispatch, MessageId, MessageKind, Structure, Text};
use super::{message_id, properties, text, told, write_destination, write_destinations};

/// What a dispatch says beside the message.
#[derive(Debug)]
pub(in crate::protocol) struct Heading<'a> {
    pub(in crate::protocol) consumer: &'a ConsumerId,
    pub(in crate::protocol) delivery: DeliveryId,
    /// Where it comes from, if the message names several destinations.
    pub(in crate::protocol) destination: Option<&'a Destination>,
    /// Deliveries before this one that count.
    pub(in crate::protocol) redeliveries: u32,
    pub(in crate::protocol) first_of_group: bool,
    /// The time, in ms since 1970.
    pub(in crate::protocol) wall: i64,
}

/// A message on its way to a consumer, and its id.
pub(in crate::protocol) fn dispatch(heading: &Heading<'_>, stored: &Stored) -> (MessageDispatch, MessageId) {
    let all: Vec<Destination> = stored.destinations(Field::Destination).collect();
    let destination = match heading.destination {
        Some(from) => Some(write_destination(from)),
        None => all.first().map(write_destination),
    };
    let original: Vec<Destination> = stored.destinations(Field::OriginalDestination).collect();
    let original = match heading.destination {
        Some(_) if original.is_empty() => write_destinations(&all),
        _ => write_destinations(&original),
    };
    let owned = |field| stored.text(field).map(Text::from);
    let id = message_id::of(stored, heading.delivery);
    let redelivery_counter = i32::try_from(heading.redeliveries).unwrap_or(i32::MAX);
    let (kind, content, compressed) = content(stored);
    let message = Message {
        kind,
        producer_id: id.producer_id.clone(),
        destination: destination.clone().map(Box::new),
        original_destination: original.map(Box::new),
        message_id: Some(id.clone()),
        group_id: owned(Field::Group),
        group_sequence: stored.group_sequence(),
        correlation_id: owned(Field::CorrelationId),
        persistent: stored.persistent(),
        expiration: stored.expiry(),
        priority: stored.priority() as i8,
        reply_to: stored.destinations(Field::ReplyTo).next().map(|to| Box::new(write_destination(&to))),
        timestamp: stored.timestamp(),
        r#type: owned(Field::Type),
        content,
        marshalled_properties: marshalled(stored),
        data_structure: stored.happening().and_then(told::write).map(Box::new),
        compressed,
        redelivery_counter,
        arrival: stored.arrival(),
        user_id: owned(Field::UserId),
        broker_in_time: stored.arrival(),
        broker_out_time: heading.wall,
        jmsx_group_first_for_consumer: heading.first_of_group,
        ..Message::default()
    };
    let dispatch = MessageDispatch {
        consumer_id: Some(heading.consumer.clone()),
        destination: destination.map(Box::new),
        message: Some(Box::new(Structure::Message(Box::new(message)))),
        redelivery_counter,
        ..MessageDispatch::default()
    };
    (dispatch, id)
}

/// The properties.
fn marshalled(stored: &Stored) -> Option<Bytes> {
    properties::write(stored)
}

/// Type, content and whether that is deflated.
fn content(stored: &Stored) -> (MessageKind, Option<Bytes>, bool) {
    let (kind, body, form) = (stored.body_kind(), stored.body(), stored.body_form());
    let number = match kind {
        BodyKind::None => MessageKind::Plain,
        BodyKind::Bytes | BodyKind::Amqp => MessageKind::Bytes,
        BodyKind::Map => MessageKind::Map,
        BodyKind::Object => MessageKind::Object,
        BodyKind::Stream => MessageKind::Stream,
        BodyKind::Text => MessageKind::Text,
        BodyKind::Blob => MessageKind::Blob,
    };
    match form {
        BodyForm::Absent => (number, None, false),
        BodyForm::Deflated => (number, Some(body), true),
        BodyForm::Plain if kind == BodyKind::Text => (number, Some(text::write(&body)), false),
        BodyForm::Plain | BodyForm::Marshalled => (number, Some(body).filter(|it| !it.is_empty()), false),
    }
}
