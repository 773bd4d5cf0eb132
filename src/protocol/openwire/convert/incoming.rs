//! Messages as OpenWire's clients send them, for the broker.

use bytes::Bytes;

use crate::model::{BodyForm, BodyKind, Destination, Encoding, Field, Message as Stored, MessageBuilder};

use super::super::codec::{Message, MessageKind, Structure};
use super::super::failure::Failure;
use super::super::places;
use super::{message_id, properties, read_destination, text};

/// The message of a send, that arrives at this time in ms since 1970.
///
/// # Errors
/// It has no destination, or properties that are none; or it asks for what this version does not do.
pub(crate) fn message(sent: Message, wall: i64) -> Result<Stored, Failure> {
    let mut builder = MessageBuilder::new(Encoding::OpenWire);
    for destination in destinations(&sent)? {
        builder.destination(Field::Destination, &destination);
    }
    if sent.reply_to.is_some() {
        let (kind, name) = read_destination(sent.reply_to.as_deref())?;
        // A list to answer to stands for its first part, as there is one place for it.
        let to = places::read(kind, name)?;
        if let Some(to) = to.first() {
            builder.destination(Field::ReplyTo, to);
        }
    }
    if let Some(marshalled) = &sent.marshalled_properties {
        properties::read(marshalled, &mut builder)
            .ok_or_else(|| Failure::general("the properties of the message are damaged"))?;
    }
    builder.persistent = sent.persistent;
    builder.priority = sent.priority.clamp(0, 9) as u8;
    builder.timestamp = if sent.timestamp == 0 { wall } else { sent.timestamp };
    builder.expiry = sent.expiration.max(0);
    builder.group_sequence = sent.group_sequence;
    if let Some(id) = &sent.message_id {
        builder.field(Field::MessageId, message_id::text(id));
        if let (Some(producer), Ok(sequence @ 1..)) =
            (&id.producer_id, u64::try_from(id.producer_sequence_id))
        {
            builder.field(Field::ProducerId, message_id::producer_text(producer));
            builder.producer_sequence = sequence;
        }
    }
    let texts = [
        (Field::CorrelationId, sent.correlation_id),
        (Field::Type, sent.r#type),
        (Field::Group, sent.group_id),
    ];
    for (field, value) in texts {
        if let Some(value) = value {
            builder.field(field, value.as_bytes().to_vec());
        }
    }
    let passed = sent.broker_path.iter().flatten();
    let passed =
        passed.filter_map(|it| if let Structure::BrokerId(id) = it { id.value.as_ref() } else { None });
    for id in passed {
        builder.field(Field::BrokerPath, id.as_bytes().to_vec());
    }
    builder.field(Field::Arrival, wall.to_le_bytes().to_vec());
    body(&mut builder, sent.kind, sent.content, sent.compressed)?;
    builder.build().map_err(|error| Failure::general(error.to_string()))
}

fn destinations(sent: &Message) -> Result<Vec<Destination>, Failure> {
    let (kind, name) = read_destination(sent.destination.as_deref())?;
    places::read(kind, name)
}

/// The body, of a message of this type of OpenWire's.
fn body(
    builder: &mut MessageBuilder,
    kind: MessageKind,
    content: Option<Bytes>,
    compressed: bool,
) -> Result<(), Failure> {
    builder.body_kind = match kind {
        MessageKind::Plain => BodyKind::None,
        MessageKind::Bytes => BodyKind::Bytes,
        MessageKind::Map => BodyKind::Map,
        MessageKind::Object => BodyKind::Object,
        MessageKind::Stream => BodyKind::Stream,
        MessageKind::Text => BodyKind::Text,
        MessageKind::Blob => {
            return Err(Failure::general("blob messages are not supported by this version"));
        }
    };
    let form = match content {
        Some(content) if compressed => {
            builder.body = content;
            BodyForm::Deflated
        }
        Some(content) if builder.body_kind == BodyKind::Text => match text::read(&content) {
            Some(text) => {
                builder.body = text;
                BodyForm::Plain
            }
            None => {
                builder.body = content;
                BodyForm::Marshalled
            }
        },
        Some(content) => {
            builder.body = content;
            BodyForm::Plain
        }
        None if builder.body_kind == BodyKind::Text => BodyForm::Absent,
        None => BodyForm::Plain,
    };
    if form != BodyForm::Plain {
        builder.field(Field::BodyForm, vec![form as u8]);
    }
    Ok(())
}
