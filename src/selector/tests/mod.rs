//! Selectors: what ActiveMQ says, what the specification says, and what is refused where.

mod classic;
mod logic;
mod refusals;

use super::Selector;
use crate::model::{Destination, DestinationKind, Encoding, Field, Message, MessageBuilder, PropertyValue};

/// A message and how many of its deliveries have failed. Each property is NAME:TYPE=VALUE, with the types l, d, s and b;
/// h is for fields of the header.
fn message(properties: &[&str]) -> (Message, u32) {
    let mut builder = MessageBuilder::new(Encoding::Native);
    let mut failures = 0;
    for property in properties {
        let (name, typed) = property.split_once(':').unwrap();
        let (kind, value) = typed.split_once('=').unwrap();
        match kind {
            "l" => builder.property(name, PropertyValue::Long(value.parse().unwrap())),
            "d" => builder.property(name, PropertyValue::Double(value.parse().unwrap())),
            "s" => builder.property(name, PropertyValue::String(value)),
            "b" => builder.property(name, PropertyValue::Bool(value.parse().unwrap())),
            _ if name == "JMSXDeliveryCount" => {
                failures = value.parse::<u32>().unwrap() - 1;
                &mut builder
            }
            _ => header(&mut builder, name, value),
        };
    }
    (builder.build().unwrap(), failures)
}

fn header<'a>(builder: &'a mut MessageBuilder, name: &str, value: &str) -> &'a mut MessageBuilder {
    match name {
        "JMSCorrelationID" => builder.field(Field::CorrelationId, value.to_owned()),
        "JMSMessageID" => builder.field(Field::MessageId, value.to_owned()),
        "JMSType" => builder.field(Field::Type, value.to_owned()),
        "JMSXGroupID" => builder.field(Field::Group, value.to_owned()),
        "JMSXUserID" => builder.field(Field::UserId, value.to_owned()),
        "JMSDestination" => destinations(builder, Field::Destination, value),
        "JMSReplyTo" => destinations(builder, Field::ReplyTo, value),
        _ => {
            match name {
                "JMSDeliveryMode" => builder.persistent = value == "PERSISTENT",
                "JMSExpiration" => builder.expiry = value.parse().unwrap(),
                "JMSPriority" => builder.priority = value.parse().unwrap(),
                "JMSTimestamp" => builder.timestamp = value.parse().unwrap(),
                "JMSXGroupSeq" => builder.group_sequence = value.parse().unwrap(),
                other => panic!("{other}"),
            }
            builder
        }
    }
}

fn destinations<'a>(builder: &'a mut MessageBuilder, field: Field, text: &str) -> &'a mut MessageBuilder {
    for part in text.split(',') {
        let (scheme, name) = part.split_once("://").unwrap();
        let kinds = (1..=4).filter_map(DestinationKind::from_code);
        let kind = kinds.into_iter().find(|kind| kind.scheme() == scheme).unwrap();
        builder.destination(field, &Destination::new(kind, name).unwrap());
    }
    builder
}

fn selects(text: &str, properties: &[&str]) -> bool {
    let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (message, failures) = message(properties);
    selector.matches(&message, failures)
}
