//! What a selector can name: fields of a message's header, and properties.

use std::borrow::Cow;

use crate::model::{Field, Message, PropertyValue};

use super::value::Value;

/// A name in a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Header(Header),
    /// The sender's own.
    Own(Box<str>),
}

/// A field of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    CorrelationId,
    DeliveryCount,
    DeliveryMode,
    Destination,
    Expiration,
    GroupId,
    GroupSequence,
    MessageId,
    Priority,
    Redelivered,
    ReplyTo,
    Timestamp,
    Type,
    UserId,
}

const HEADERS: [(&str, Header); 14] = [
    ("JMSCorrelationID", Header::CorrelationId),
    ("JMSDeliveryMode", Header::DeliveryMode),
    ("JMSDestination", Header::Destination),
    ("JMSExpiration", Header::Expiration),
    ("JMSMessageID", Header::MessageId),
    ("JMSPriority", Header::Priority),
    ("JMSRedelivered", Header::Redelivered),
    ("JMSReplyTo", Header::ReplyTo),
    ("JMSTimestamp", Header::Timestamp),
    ("JMSType", Header::Type),
    ("JMSXDeliveryCount", Header::DeliveryCount),
    ("JMSXGroupID", Header::GroupId),
    ("JMSXGroupSeq", Header::GroupSequence),
    ("JMSXUserID", Header::UserId),
];
/// Fields of ActiveMQ that no message has here.
const UNSERVED: [&str; 5] = [
    "JMSActiveMQBrokerInTime",
    "JMSActiveMQBrokerOutTime",
    "JMSActiveMQBrokerPath",
    "JMSXGroupFirstForConsumer",
    "JMSXProducerTXID",
];

impl Property {
    /// The property of this name; an error if messages of ActiveMQ have it and ours have not.
    pub(super) fn of_name(name: &str) -> Result<Property, String> {
        if UNSERVED.contains(&name) {
            return Err(format!("{name} is not supported by this version"));
        }
        let known = HEADERS.iter().find(|(header, _)| *header == name);
        Ok(known.map_or_else(|| Property::Own(name.into()), |(_, header)| Property::Header(*header)))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Property::Own(name) => name,
            Property::Header(header) => {
                HEADERS.iter().find(|(_, known)| known == header).map_or("", |(name, _)| name)
            }
        }
    }

    /// Its value in a message of which so many deliveries have failed.
    pub(super) fn of<'a>(&self, message: &'a Message, failures: u32) -> Value<'a> {
        match self {
            Property::Header(header) => header.of(message, failures),
            Property::Own(wanted) => message
                .properties()
                .find(|(name, _)| *name == &**wanted)
                .map_or(Value::Null, |(_, it)| own(it)),
        }
    }
}

/// A property's value as selectors see it: what they have no type for is of none.
fn own(value: PropertyValue<'_>) -> Value<'_> {
    match value {
        PropertyValue::Null => Value::Null,
        PropertyValue::Bool(it) => Value::Bool(it),
        PropertyValue::Byte(it) => Value::Int(it.into()),
        PropertyValue::Short(it) => Value::Int(it.into()),
        PropertyValue::Int(it) => Value::Int(it),
        PropertyValue::Long(it) => Value::Long(it),
        PropertyValue::Float(it) => Value::Double(it.into()),
        PropertyValue::Double(it) => Value::Double(it),
        PropertyValue::String(it) => Value::Text(it.into()),
        PropertyValue::Char(_) | PropertyValue::Bytes(_) | PropertyValue::Structure(_) => Value::Other,
    }
}

impl Header {
    fn of(self, message: &Message, failures: u32) -> Value<'_> {
        let text = |field| message.text(field).map_or(Value::Null, |text| Value::Text(Cow::Borrowed(text)));
        match self {
            Header::CorrelationId => text(Field::CorrelationId),
            Header::DeliveryCount => {
                Value::Int(i32::try_from(failures).unwrap_or(i32::MAX).saturating_add(1))
            }
            Header::DeliveryMode if message.persistent() => Value::Text("PERSISTENT".into()),
            Header::DeliveryMode => Value::Text("NON_PERSISTENT".into()),
            Header::Destination => match destinations(message, Field::OriginalDestination) {
                Value::Null => destinations(message, Field::Destination),
                original => original,
            },
            Header::Expiration => Value::Long(message.expiry()),
            Header::GroupId => text(Field::Group),
            Header::GroupSequence => Value::Int(message.group_sequence()),
            Header::MessageId => text(Field::MessageId),
            Header::Priority => Value::Int(message.priority().into()),
            Header::Redelivered => Value::Bool(failures > 0),
            Header::ReplyTo => destinations(message, Field::ReplyTo),
            Header::Timestamp => Value::Long(message.timestamp()),
            Header::Type => text(Field::Type),
            Header::UserId => text(Field::UserId),
        }
    }
}

/// Destinations as ActiveMQ writes one: `queue://A`; of several each has its kind.
fn destinations(message: &Message, field: Field) -> Value<'static> {
    let mut all = message.destinations(field);
    let Some(first) = all.next() else { return Value::Null };
    let mut text = first.to_string();
    for next in all {
        text += &format!(",{next}");
    }
    Value::Text(text.into())
}
