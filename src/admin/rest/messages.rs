//! What waits in a queue, message by message, as a browser sees it: nothing is taken, and no more is kept than is shown.

use std::fmt::Write;

use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use crate::admin::door::{Refusal, Visitor};
use crate::admin::operator::{OPERATION_TIME_MAX, Operator, refused};
use crate::admin::paging::Paging;
use crate::admin::shared::Shared;
use crate::broker::{Command, Correlation, SessionEvent, SubscribeOptions, SubscriptionKey, Verdict};
use crate::model::{
    BodyForm, BodyKind, Destination, DestinationKind, Encoding, Field, Message, PropertyValue,
};

/// How far into a queue one can page; beyond that a selector leads.
pub(in crate::admin) const BEHIND_MAX: usize = 10_000;
/// Messages in one answer.
const LISTED_MAX: usize = 200;
/// Deliveries on their way at once.
const WINDOW: u32 = 200;
const SUBSCRIPTION: SubscriptionKey = SubscriptionKey(1);

/// How much is shown of one message.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Bytes of its body.
    body: usize,
    /// Properties, and bytes of a value.
    properties: (usize, usize),
}

impl Extent {
    /// Of one among others.
    const LISTED: Extent = Extent { body: 256, properties: (32, 256) };
    /// Of one by itself.
    const WHOLE: Extent = Extent { body: 64 << 10, properties: (1000, 8 << 10) };
}

/// Which messages are asked for.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Browse {
    /// The queue.
    queue: String,
    /// What they have to fulfil; empty for nothing.
    pub(in crate::admin) selector: String,
    /// How many of them stand before those that are asked for.
    pub(in crate::admin) behind: usize,
    /// How many at most.
    pub(in crate::admin) limit: usize,
    /// How much of each.
    extent: Extent,
    /// Whether it is worth a search if there are more behind them.
    further: bool,
}

impl Browse {
    /// Reads a query: `after` is how many stand before, `selector` what they fulfil.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::admin) fn of(queue: String, query: &str) -> Result<(Browse, Paging), String> {
        let mut selector = String::new();
        let paging = Paging::among(query, |name, value| match name {
            "selector" => {
                selector = value.to_owned();
                Ok(())
            }
            name => Err(format!("there is no parameter {name}, but after, limit and selector")),
        })?;
        let behind = paging.after.as_deref().map(str::parse).transpose();
        let behind = behind.map_err(|_| "after is how many messages stand before")?.unwrap_or(0);
        let limit = paging.limit.min(LISTED_MAX);
        Ok((Browse { queue, selector, behind, limit, extent: Extent::LISTED, further: true }, paging))
    }

    /// The message of that id alone.
    pub(in crate::admin) fn one(queue: String, id: &str) -> Browse {
        let selector = format!("JMSMessageID = '{}'", id.replace('\'', "''"));
        Browse { queue, selector, behind: 0, limit: 1, extent: Extent::WHOLE, further: false }
    }
}

/// A message as it is shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::admin) struct MessageStatus {
    /// Its id.
    pub(in crate::admin) id: String,
    /// Where it was sent.
    pub(in crate::admin) destination: String,
    /// Whether it survives a restart.
    pub(in crate::admin) persistent: bool,
    /// 0 to 9.
    pub(in crate::admin) priority: u8,
    /// When it was sent, in ms since 1970.
    pub(in crate::admin) sent_ms: i64,
    /// When it expires, in ms since 1970; 0 for never.
    pub(in crate::admin) expires_ms: i64,
    /// Deliveries of it that failed.
    pub(in crate::admin) failures: u32,
    /// Whether a consumer may have seen it.
    pub(in crate::admin) redelivered: bool,
    /// Who sent it, if that is known.
    pub(in crate::admin) user: Option<String>,
    /// Correlation id.
    pub(in crate::admin) correlation_id: Option<String>,
    /// Where to answer.
    pub(in crate::admin) reply_to: Option<String>,
    /// JMS type.
    #[serde(rename = "type")]
    pub(in crate::admin) kind: Option<String>,
    /// Message group.
    pub(in crate::admin) group: Option<String>,
    /// Where it was before it was moved.
    pub(in crate::admin) original_destination: Option<String>,
    /// The protocol that it came by.
    pub(in crate::admin) protocol: &'static str,
    /// Its properties, in their order.
    pub(in crate::admin) properties: Vec<PropertyStatus>,
    /// Whether there are more.
    pub(in crate::admin) properties_cut: bool,
    /// What the body is.
    pub(in crate::admin) body_kind: &'static str,
    /// Its length in bytes, as it is stored.
    pub(in crate::admin) body_bytes: usize,
    /// The body, or its beginning, as text, if it is text.
    pub(in crate::admin) text: Option<String>,
    /// The same in hexadecimal digits, if it is no text.
    pub(in crate::admin) hex: Option<String>,
    /// Whether the body goes on.
    pub(in crate::admin) body_cut: bool,
}

/// A property as it is shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::admin) struct PropertyStatus {
    /// Its name.
    pub(in crate::admin) name: String,
    /// Its type, as Java calls it.
    #[serde(rename = "type")]
    pub(in crate::admin) kind: &'static str,
    /// Its value as text, or its beginning.
    pub(in crate::admin) value: String,
}

/// Looks through a queue; returns what was asked for and whether there is more behind it.
///
/// # Errors
/// 404 without such a queue, 403 without the right to read, 400 for a selector that is none, 504 if it takes too long.
pub(in crate::admin) async fn browse(
    shared: &Shared,
    visitor: &Visitor,
    browse: Browse,
) -> Result<(Vec<MessageStatus>, bool), Refusal> {
    let wrong = |error: String| (StatusCode::BAD_REQUEST, error);
    if browse.behind > BEHIND_MAX {
        return Err(wrong(format!("after is at most {BEHIND_MAX}: a selector leads further")));
    }
    let queue = Destination::new(DestinationKind::Queue, browse.queue.clone());
    let queue = queue.map_err(|error| wrong(error.to_string()))?;
    // Nobody makes a queue by looking for one.
    if shared.shown.figures.counts(&queue).is_none() {
        return Err((StatusCode::NOT_FOUND, "there is no such queue".to_owned()));
    }
    let looked = timeout(OPERATION_TIME_MAX, look_through(shared, visitor, queue, &browse)).await;
    looked.unwrap_or_else(|_| {
        let error = "it was not come to within the time that an answer may take; narrow it with a selector";
        Err((StatusCode::GATEWAY_TIMEOUT, error.to_owned()))
    })
}

async fn look_through(
    shared: &Shared,
    visitor: &Visitor,
    queue: Destination,
    browse: &Browse,
) -> Result<(Vec<MessageStatus>, bool), Refusal> {
    let mut operator = Operator::open(shared, visitor)?;
    let wanted = browse.behind + browse.limit + usize::from(browse.further);
    let options = SubscribeOptions {
        prefetch: u32::try_from(wanted).unwrap_or(WINDOW).min(WINDOW),
        selector: browse.selector.clone(),
        browse: true,
        ..SubscribeOptions::default()
    };
    let correlation = Some(Correlation(1));
    operator
        .submit(vec![Command::Subscribe {
            subscription: SUBSCRIPTION,
            destination: queue,
            options,
            correlation,
        }])
        .await?;
    let (mut seen, mut found) = (0, Vec::new());
    loop {
        let mut deliveries = Vec::new();
        for event in operator.events().await? {
            match event {
                SessionEvent::Delivery { delivery, message, redelivered, failures, .. } => {
                    deliveries.push(delivery);
                    seen += 1;
                    if seen > browse.behind && found.len() < browse.limit {
                        found.push(MessageStatus { redelivered, failures, ..shown(&message, browse.extent) });
                    }
                    if seen >= wanted {
                        return Ok((found, browse.further));
                    }
                }
                SessionEvent::BrowseEnd { .. } => return Ok((found, false)),
                SessionEvent::Done { result: Err(refusal), .. } => {
                    let (code, error) = refused(&refusal);
                    let code = if code == StatusCode::CONFLICT { StatusCode::BAD_REQUEST } else { code };
                    return Err((code, error));
                }
                SessionEvent::Done { .. } | SessionEvent::Affected { .. } | SessionEvent::Closed { .. } => {}
            }
        }
        if !deliveries.is_empty() {
            let verdict = Verdict::Consumed;
            let settle = Command::Settle { deliveries, verdict, transaction: None, correlation: None };
            operator.submit(vec![settle]).await?;
        }
    }
}

fn shown(message: &Message, extent: Extent) -> MessageStatus {
    let text = |field| message.text(field).map(|text| beginning(text, extent.properties.1).to_owned());
    let place = |field| message.destinations(field).next().map(|destination| destination.to_string());
    let (properties_max, value_max) = extent.properties;
    let mut properties = message.properties();
    let shown: Vec<_> = properties
        .by_ref()
        .take(properties_max)
        .map(|(name, value)| property(name, value, value_max))
        .collect();
    let properties_cut = properties.next().is_some();
    let body = message.body();
    let (text_of_body, hex, body_cut) = body_of(message, &body, extent.body);
    MessageStatus {
        id: text(Field::MessageId).unwrap_or_default(),
        destination: place(Field::Destination).unwrap_or_default(),
        persistent: message.persistent(),
        priority: message.priority(),
        sent_ms: message.timestamp(),
        expires_ms: message.expiry(),
        failures: 0,
        redelivered: false,
        user: text(Field::UserId),
        correlation_id: text(Field::CorrelationId),
        reply_to: place(Field::ReplyTo),
        kind: text(Field::Type),
        group: text(Field::Group),
        original_destination: place(Field::OriginalDestination),
        protocol: match message.encoding() {
            Encoding::Native => "quorate",
            Encoding::Stomp => "STOMP",
            Encoding::OpenWire => "OpenWire",
            Encoding::Amqp => "AMQP",
            Encoding::Mqtt => "MQTT",
        },
        properties: shown,
        properties_cut,
        body_kind: match (message.body_form(), message.body_kind()) {
            (BodyForm::Deflated, _) => "deflated",
            (_, BodyKind::None) => "none",
            (_, BodyKind::Bytes) => "bytes",
            (_, BodyKind::Text) => "text",
            (_, BodyKind::Map) => "map",
            (_, BodyKind::Stream) => "stream",
            (_, BodyKind::Object) => "object",
            (_, BodyKind::Blob) => "blob",
            (_, BodyKind::Amqp) => "AMQP sections",
        },
        body_bytes: body.len(),
        text: text_of_body,
        hex,
        body_cut,
    }
}

/// The body or its beginning, as text or in digits, and whether it goes on.
fn body_of(message: &Message, body: &[u8], most: usize) -> (Option<String>, Option<String>, bool) {
    let (form, kind) = (message.body_form(), message.body_kind());
    let textual = form == BodyForm::Plain && matches!(kind, BodyKind::Text | BodyKind::Bytes);
    let cut = body.len() > most;
    let begin = &body[..body.len().min(most)];
    let text = match std::str::from_utf8(begin) {
        Ok(text) => Some(text),
        // The bound may stand within a character.
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&begin[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let printable =
        |text: &&str| kind == BodyKind::Text || text.chars().all(|c| !c.is_control() || "\t\r\n".contains(c));
    match text.filter(|_| textual).filter(printable) {
        Some(text) => (Some(text.to_owned()), None, cut),
        None => (None, Some(hex(begin)), cut),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn property(name: &str, value: PropertyValue<'_>, most: usize) -> PropertyStatus {
    let cut = |bytes: &[u8]| hex(&bytes[..bytes.len().min(most / 2)]);
    let (kind, value) = match value {
        PropertyValue::Null => ("null", String::new()),
        PropertyValue::Bool(it) => ("boolean", it.to_string()),
        PropertyValue::Byte(it) => ("byte", it.to_string()),
        PropertyValue::Short(it) => ("short", it.to_string()),
        PropertyValue::Int(it) => ("int", it.to_string()),
        PropertyValue::Long(it) => ("long", it.to_string()),
        PropertyValue::Float(it) => ("float", it.to_string()),
        PropertyValue::Double(it) => ("double", it.to_string()),
        PropertyValue::Char(it) => ("char", String::from_utf16_lossy(&[it])),
        PropertyValue::String(it) => ("String", beginning(it, most).to_owned()),
        PropertyValue::Bytes(it) => ("bytes", cut(it)),
        PropertyValue::Structure(it) => ("structure", cut(it)),
    };
    PropertyStatus { name: beginning(name, most).to_owned(), kind, value }
}

/// At most so many bytes of a text.
fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::MessageBuilder;

    const SMALL: Extent = Extent { body: 5, properties: (2, 4) };

    fn of(kind: BodyKind, body: &'static [u8]) -> MessageStatus {
        let mut builder = MessageBuilder::new(Encoding::Stomp);
        (builder.body_kind, builder.body) = (kind, Bytes::from_static(body));
        shown(&builder.build().unwrap(), SMALL)
    }

    #[test]
    fn a_body_is_text_where_it_is_and_digits_elsewhere_and_never_longer_than_its_bound() {
        for (kind, body, text, hex, cut) in [
            (BodyKind::Text, &b"ab\0"[..], Some("ab\0"), None, false),
            (BodyKind::Bytes, b"ab\n", Some("ab\n"), None, false),
            (BodyKind::Bytes, b"ab\0", None, Some("616200"), false),
            (BodyKind::Bytes, b"\xff\xfe", None, Some("fffe"), false),
            (BodyKind::Map, b"ab", None, Some("6162"), false),
            (BodyKind::Text, b"abcdef", Some("abcde"), None, true),
            (BodyKind::Text, "abcdä".as_bytes(), Some("abcd"), None, true),
            (BodyKind::Bytes, b"\xff23456", None, Some("ff32333435"), true),
        ] {
            let shown = of(kind, body);
            assert_eq!((shown.text.as_deref(), shown.hex.as_deref()), (text, hex), "{body:?}");
            assert_eq!((shown.body_cut, shown.body_bytes), (cut, body.len()), "{body:?}");
        }
    }

    #[test]
    fn properties_keep_their_types_and_have_bounds() {
        let mut builder = MessageBuilder::new(Encoding::OpenWire);
        builder.property("long", PropertyValue::Long(-7)).property("text", PropertyValue::String("abcäf"));
        builder.property("third", PropertyValue::Null);
        let shown = shown(&builder.build().unwrap(), SMALL);
        let properties: Vec<_> =
            shown.properties.iter().map(|it| (it.name.as_str(), it.kind, it.value.as_str())).collect();
        assert_eq!(properties, [("long", "long", "-7"), ("text", "String", "abc")]);
        assert!(shown.properties_cut);
    }

    #[test]
    fn an_id_cannot_leave_its_selector() {
        let one = Browse::one("Q".to_owned(), "a' OR '1'='1");
        assert_eq!(one.selector, "JMSMessageID = 'a'' OR ''1''=''1'");
    }
}
