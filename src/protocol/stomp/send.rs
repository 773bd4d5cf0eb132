//! SEND to message: ActiveMQ's headers become fields, all others become string properties in the order of their coming.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;

use crate::broker::Command;
use crate::model::{BodyKind, Encoding, Field, Message, MessageBuilder, PRIORITY_DEFAULT, PropertyValue};

use super::codec::{Frame, bare};
use super::deliver::is_reserved;
use super::names::Names;
use super::unserved;
use super::value::{flag, number};

/// From so many headers on, repeated ones are found by hashing.
const NAMES_SEARCHED_MAX: usize = 32;

/// What a SEND frame holds.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) message: Message,
    pub(super) receipt: Option<String>,
    pub(super) transaction: Option<String>,
}

/// The headers that mean something here; the first of each counts.
#[derive(Default)]
struct Known<'a> {
    destination: Option<Cow<'a, str>>,
    reply_to: Option<Cow<'a, str>>,
    receipt: Option<Cow<'a, str>>,
    transaction: Option<Cow<'a, str>>,
    persistent: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    timestamp: Option<Cow<'a, str>>,
    correlation_id: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    duplicate_id: Option<Cow<'a, str>>,
    group: Option<Cow<'a, str>>,
    group_sequence: Option<Cow<'a, str>>,
}

impl<'a> Known<'a> {
    /// The place of a header that has a meaning of its own.
    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match name {
            "destination" => &mut self.destination,
            "reply-to" => &mut self.reply_to,
            "receipt" => &mut self.receipt,
            "transaction" => &mut self.transaction,
            "persistent" => &mut self.persistent,
            "priority" => &mut self.priority,
            "expires" => &mut self.expires,
            "timestamp" => &mut self.timestamp,
            "correlation-id" => &mut self.correlation_id,
            "type" => &mut self.kind,
            "duplicate-id" => &mut self.duplicate_id,
            "JMSXGroupID" => &mut self.group,
            "JMSXGroupSeq" => &mut self.group_sequence,
            _ => return None,
        })
    }
}

/// Names of the sender's own headers, to find repeated ones.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<&'a str>,
    many: HashSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn is_new(&mut self, name: &'a str) -> bool {
        if self.few.len() < NAMES_SEARCHED_MAX {
            let new = !self.few.contains(&name);
            if new {
                self.few.push(name);
            }
            return new;
        }
        !self.few.contains(&name) && self.many.insert(name)
    }
}

/// Builds the message of a SEND frame. `message_id` is the id that consumers will see; `wall` in ms since 1970.
pub(super) fn message(
    frame: &Frame,
    names: &mut Names,
    message_id: Bytes,
    wall: i64,
    commands: &mut Vec<Command>,
) -> Result<Sent, String> {
    let mut builder = MessageBuilder::new(Encoding::Stomp);
    builder.body_kind = if frame.measured { BodyKind::Bytes } else { BodyKind::Text };
    let mut known = Known::default();
    let mut seen = Seen::default();
    for header in frame.headers() {
        let name = header.name();
        let bare = bare(&name);
        if let Some(slot) = known.slot(bare) {
            slot.get_or_insert_with(|| header.value());
            continue;
        }
        unserved::send_header(bare)?;
        // What the broker says on MESSAGE is not for producers to say.
        if is_reserved(bare) || !seen.is_new(header.raw_name()) {
            continue;
        }
        let value = header.value();
        if name == "amq-msg-type" {
            builder.body_kind = body_kind(&value)?;
        }
        builder.property(&name, PropertyValue::String(&value));
    }
    let text = known.destination.take().ok_or("SEND needs a destination header")?;
    for destination in names.parse(&text, commands)? {
        builder.destination(Field::Destination, destination);
    }
    if let Some(text) = known.reply_to.take() {
        let [destination] = names.parse(&text, commands)? else {
            return Err("header reply-to names several destinations".to_owned());
        };
        builder.destination(Field::ReplyTo, destination);
    }
    let read = |name, value: &Option<Cow<'_, str>>| value.as_ref().map(|it| number(name, it)).transpose();
    builder.persistent = match &known.persistent {
        Some(value) => flag("persistent", value)?,
        None => false,
    };
    builder.timestamp = read("timestamp", &known.timestamp)?.unwrap_or(wall);
    builder.expiry = read("expires", &known.expires)?.unwrap_or(0).max(0);
    // As ActiveMQ does, what is beyond the ends counts as the end.
    builder.priority =
        read("priority", &known.priority)?.unwrap_or(PRIORITY_DEFAULT.into()).clamp(0, 9) as u8;
    let sequence = read("JMSXGroupSeq", &known.group_sequence)?.unwrap_or(0);
    builder.group_sequence = sequence.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
    builder.body = frame.body.clone();
    builder.field(Field::MessageId, message_id);
    let fields = [
        (Field::CorrelationId, known.correlation_id),
        (Field::Type, known.kind),
        (Field::DuplicateId, known.duplicate_id),
        (Field::Group, known.group),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            builder.field(field, frame.share(value));
        }
    }
    let message = builder.build().map_err(|error| error.to_string())?;
    let owned = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned);
    Ok(Sent { message, receipt: owned(known.receipt), transaction: owned(known.transaction) })
}

/// What a producer says that its body is.
fn body_kind(text: &str) -> Result<BodyKind, String> {
    match text.trim() {
        kind if kind.eq_ignore_ascii_case("text") => Ok(BodyKind::Text),
        kind if kind.eq_ignore_ascii_case("bytes") => Ok(BodyKind::Bytes),
        _ => Err(format!("header amq-msg-type is neither text nor bytes: {text}")),
    }
}
