//! Sends a message for an operator.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::admin::door::{Refusal, Visitor};
use crate::admin::operator::carry_out;
use crate::admin::shared::Shared;
use crate::broker::Command;
use crate::env::{Clock, SystemClock, random_u128};
use crate::model::{
    BodyKind, Destination, DestinationKind, Encoding, Field, MessageBuilder, PRIORITY_DEFAULT, Pattern,
    PropertyValue,
};

/// Bytes of a request that sends.
pub(super) const SEND_BYTES_MAX: usize = 256 << 10;
/// Properties of one message.
const PROPERTIES_MAX: usize = 1000;

/// What is sent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Sending {
    /// The body, a text.
    pub(in crate::admin) body: String,
    /// Whether it survives a restart.
    pub(in crate::admin) persistent: bool,
    /// 0 to 9.
    pub(in crate::admin) priority: u8,
    /// After how many ms it expires; 0 for never.
    pub(in crate::admin) expires_in_ms: u32,
    /// Correlation id; empty for none, as with what follows.
    pub(in crate::admin) correlation_id: String,
    /// A queue for the answer.
    pub(in crate::admin) reply_to: String,
    /// JMS type.
    #[serde(rename = "type")]
    pub(in crate::admin) kind: String,
    /// Message group.
    pub(in crate::admin) group: String,
    /// Properties: texts, numbers, booleans.
    pub(in crate::admin) properties: BTreeMap<String, Value>,
}

impl Default for Sending {
    fn default() -> Sending {
        Sending {
            body: String::new(),
            persistent: true,
            priority: PRIORITY_DEFAULT,
            expires_in_ms: 0,
            correlation_id: String::new(),
            reply_to: String::new(),
            kind: String::new(),
            group: String::new(),
            properties: BTreeMap::new(),
        }
    }
}

/// Sends; returns the message's id when the broker has confirmed it.
///
/// # Errors
/// 400 for what is no message, else as [`carry_out`].
pub(in crate::admin) async fn send(
    shared: &Shared,
    visitor: &Visitor,
    kind: DestinationKind,
    name: &str,
    sending: &Sending,
) -> Result<String, Refusal> {
    let wrong = |error: String| (StatusCode::BAD_REQUEST, error);
    let id = format!("ID:console-{:032x}", random_u128());
    let to = place(kind, name).map_err(wrong)?;
    let message = sending.message(&to, &id, visitor.name().unwrap_or_default()).map_err(wrong)?;
    let send = |correlation| Command::Send { message, transaction: None, correlation: Some(correlation) };
    carry_out(shared, visitor, send).await?;
    Ok(id)
}

/// One destination: a message from here goes to one place.
fn place(kind: DestinationKind, name: &str) -> Result<Destination, String> {
    if name.contains(',') || Pattern::parse(name).is_some() {
        return Err(format!("{name:?} stands for several destinations"));
    }
    Destination::new(kind, name).map_err(|error| error.to_string())
}

impl Sending {
    fn message(&self, to: &Destination, id: &str, user: &str) -> Result<crate::model::Message, String> {
        if self.priority > 9 {
            return Err("priority is 0 to 9".to_owned());
        }
        if self.properties.len() > PROPERTIES_MAX {
            return Err(format!("a message from here has at most {PROPERTIES_MAX} properties"));
        }
        let now = SystemClock::new().wall_ms();
        let mut builder = MessageBuilder::new(Encoding::Native);
        builder.body_kind = BodyKind::Text;
        builder.body = Bytes::copy_from_slice(self.body.as_bytes());
        (builder.persistent, builder.priority, builder.timestamp) = (self.persistent, self.priority, now);
        if self.expires_in_ms > 0 {
            builder.expiry = now.saturating_add(self.expires_in_ms.into());
        }
        builder.destination(Field::Destination, to);
        for (field, text) in [
            (Field::MessageId, id),
            (Field::UserId, user),
            (Field::CorrelationId, &self.correlation_id),
            (Field::Type, &self.kind),
            (Field::Group, &self.group),
        ] {
            if !text.is_empty() {
                builder.field(field, text.to_owned());
            }
        }
        if !self.reply_to.is_empty() {
            builder.destination(Field::ReplyTo, &place(DestinationKind::Queue, &self.reply_to)?);
        }
        for (name, value) in &self.properties {
            let value = match value {
                Value::String(text) => PropertyValue::String(text),
                Value::Bool(value) => PropertyValue::Bool(*value),
                Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => PropertyValue::Long(whole),
                    (_, Some(broken)) => PropertyValue::Double(broken),
                    _ => return Err(format!("property {name:?} is no number that a message can have")),
                },
                _ => return Err(format!("property {name:?}: expected a text, a number or a boolean")),
            };
            if !is_name(name) {
                return Err(format!(
                    "{name:?} is no name of a property: letters, digits, _ and $, as in Java"
                ));
            }
            builder.property(name, value);
        }
        builder.build().map_err(|error| error.to_string())
    }
}

/// Whether JMS clients may have a property of this name; those beginning with JMS are the broker's.
fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || "_$".contains(c);
    name.len() <= 256
        && name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_numeric() || ".-".contains(c))
        && !name.starts_with("JMS")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<crate::model::Message, String> {
        let sending: Sending = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let to = place(DestinationKind::Queue, "Q")?;
        sending.message(&to, "ID:1", "alice")
    }

    #[test]
    fn what_is_said_of_a_message_is_in_it() {
        let message = read(
            r#"{"body": "ä", "priority": 9, "persistent": false, "correlation_id": "c", "reply_to": "R",
                "properties": {"n": 7, "d": 1.5, "b": true, "s": "x"}}"#,
        )
        .unwrap();
        assert_eq!(
            (message.priority(), message.persistent(), message.body_kind()),
            (9, false, BodyKind::Text)
        );
        assert_eq!((&message.body()[..], message.expiry()), ("ä".as_bytes(), 0));
        assert_eq!(message.text(Field::UserId), Some("alice"));
        assert_eq!(message.destinations(Field::ReplyTo).next().unwrap().to_string(), "queue://R");
        let properties: Vec<_> = message.properties().collect();
        let wanted = [
            ("b", PropertyValue::Bool(true)),
            ("d", PropertyValue::Double(1.5)),
            ("n", PropertyValue::Long(7)),
            ("s", PropertyValue::String("x")),
        ];
        assert_eq!(properties, wanted);
        assert!(read("{}").unwrap().persistent());
    }

    #[test]
    fn what_makes_no_message_is_refused() {
        for json in [
            r#"{"priority": 10}"#,
            r#"{"priority": -1}"#,
            r#"{"text": "x"}"#,
            r#"{"properties": {"a": []}}"#,
            r#"{"properties": {"a\r\nb": 1}}"#,
            r#"{"properties": {"JMSXUserID": "root"}}"#,
            r#"{"reply_to": "A,B"}"#,
            r#"{"reply_to": "A\u0000"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        for name in ["", "A.>", "A.*", "A,B", "a\nb"] {
            assert!(place(DestinationKind::Queue, name).is_err(), "{name:?}");
        }
    }
}
