//! One form of a message: encoded once by the adapter that received it. The log's batch takes a copy of these bytes, the
//! slaves get that, and the dispatcher the bytes themselves.
//!
//! Layout, version 2, little endian:
//! ```text
//!  0 u8  version            1 u8  flags (1 = persistent)      2 u8 priority 0..=9     3 u8 body kind
//!  4 u8  encoding           5 u8[3] zero
//!  8 i64 timestamp (ms since 1970)   16 i64 expiry (ms, 0 = never)   24 i64 due (ms, 0 = at once)
//! 32 u64 producer sequence  40 i32 group sequence             44 u32 bytes of fields  48 u32 bytes of body
//! 52 fields: { u8 tag, u32 length, bytes }*, tags ascending   then the body
//! ```
//! Unknown tags are carried along, so an older node serves messages of a newer one.

use bytes::{BufMut, Bytes, BytesMut};

use super::body::{BodyForm, BodyKind};
use super::property::{put_property, split_property};
use super::{Destination, DestinationKind, Happening, PropertyValue};

const FIXED: usize = 52;
const PERSISTENT: u8 = 1;

/// Most bytes of a message without its body that a broker takes in; the copy in the dead-letter queue may have a little more.
pub const HEAD_BYTES_MAX: usize = (1 << 20) + (32 << 10);

/// Priority of a message that says none (Jakarta Messaging 3.1, section 3.4.10); a higher one is dispatched first.
pub const PRIORITY_DEFAULT: u8 = 4;

/// Which protocol's encoding the body and the headers came in. The numbers are part of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// Made here.
    #[default]
    Native = 0,
    /// STOMP: properties are strings, in the order in which they came.
    Stomp = 1,
    /// OpenWire.
    OpenWire = 2,
    /// AMQP 1.0.
    Amqp = 3,
    /// MQTT.
    Mqtt = 4,
}

/// A variable part of a message. The numbers are part of the format; one that is missing here was never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// One destination of the set that the message was sent to; repeated for a composite send.
    Destination = 1,
    /// The message id that consumers see.
    MessageId = 2,
    /// Identity of the producer, which gives meaning to the producer sequence.
    ProducerId = 3,
    /// The authenticated user.
    UserId = 4,
    /// Message group.
    Group = 5,
    /// Where to answer.
    ReplyTo = 6,
    /// Correlation id.
    CorrelationId = 7,
    /// JMS type.
    Type = 8,
    /// Typed properties, see [`PropertyValue`].
    Properties = 9,
    /// A client's own name for this send: a repeated one is recognised.
    DuplicateId = 11,
    /// Where the message was sent before it was moved (dead letters).
    OriginalDestination = 13,
    /// How the body stands here, if not plainly: one byte, see [`BodyForm`].
    BodyForm = 14,
    /// When a broker took the message in, in ms since 1970: an i64, little endian.
    Arrival = 15,
    /// What a message of an advisory topic tells of, see [`Happening`].
    Happening = 16,
}

/// What the fixed part of a message says about when and before which others it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Priority, 0 to 9.
    pub priority: u8,
    /// When it expires, in ms since 1970; 0 = never.
    pub expiry: i64,
    /// When it may be delivered first, in ms since 1970; 0 = at once.
    pub due: i64,
}

impl Outline {
    /// Reads the front of an encoded message; none when it is shorter than any message.
    pub(super) fn of(encoded: &[u8]) -> Option<Outline> {
        let fixed = encoded.first_chunk::<FIXED>()?;
        let i64_at = |at: usize| fixed[at..].first_chunk().map(|raw| i64::from_le_bytes(*raw));
        Some(Outline { priority: fixed[2].min(9), expiry: i64_at(16)?, due: i64_at(24)? })
    }
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The bytes end before the layout does, or go on after it.
    #[error("a message of {0} bytes does not fit its own lengths")]
    Length(usize),
    /// A newer version of the layout.
    #[error("message layout version {0} is unknown here")]
    Version(u8),
    /// A part that is longer than its length field can tell.
    #[error("a part of the message is longer than 4 GiB")]
    TooLong,
}

/// One message. Cheap to clone; the layout's lengths have been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    bytes: Bytes,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({:?}, {} body bytes)", self.text(Field::MessageId), self.body().len())
    }
}

impl Message {
    /// Smallest size of a message in bytes.
    pub const BYTES_MIN: usize = FIXED;
    /// Version of the layout.
    pub const VERSION: u8 = 2;

    /// Takes bytes for a message after checking version and lengths. No copy.
    ///
    /// # Errors
    /// [`MessageError`]: the bytes are damaged, or written by a newer version.
    pub fn decode(bytes: Bytes) -> Result<Message, MessageError> {
        let wrong = || MessageError::Length(bytes.len());
        if bytes.len() < FIXED {
            return Err(wrong());
        }
        if bytes[0] != Message::VERSION {
            return Err(MessageError::Version(bytes[0]));
        }
        let message = Message { bytes: bytes.clone() };
        let (fields, body) = (message.u32_at(44), message.u32_at(48));
        if FIXED as u64 + u64::from(fields) + u64::from(body) != bytes.len() as u64 {
            return Err(wrong());
        }
        let mut rest = &bytes[FIXED..FIXED + fields as usize];
        while !rest.is_empty() {
            let (_, _, after) = split_field(rest).ok_or_else(wrong)?;
            rest = after;
        }
        Ok(message)
    }

    /// The encoded form.
    pub fn encoded(&self) -> &Bytes {
        &self.bytes
    }

    /// A copy that shares no memory with the buffer that this message is a slice of.
    pub fn detached(&self) -> Message {
        Message { bytes: Bytes::copy_from_slice(&self.bytes) }
    }

    /// Whether the message survives a restart.
    pub fn persistent(&self) -> bool {
        self.bytes[1] & PERSISTENT != 0
    }

    /// Priority, 0 to 9; 4 is normal.
    pub fn priority(&self) -> u8 {
        self.bytes[2].min(9)
    }

    /// What the body is; an unknown kind reads as bytes.
    pub fn body_kind(&self) -> BodyKind {
        BodyKind::from_code(self.bytes[3])
    }

    /// How the body stands here.
    pub fn body_form(&self) -> BodyForm {
        self.field(Field::BodyForm).map_or(BodyForm::Plain, BodyForm::read)
    }

    /// When a broker took the message in, in ms since 1970; 0 = not told.
    pub fn arrival(&self) -> i64 {
        let field = self.field(Field::Arrival).and_then(|raw| raw.try_into().ok());
        field.map_or(0, i64::from_le_bytes)
    }

    /// Which protocol encoded it; an unknown one reads as native.
    pub fn encoding(&self) -> Encoding {
        match self.bytes[4] {
            1 => Encoding::Stomp,
            2 => Encoding::OpenWire,
            3 => Encoding::Amqp,
            4 => Encoding::Mqtt,
            _ => Encoding::Native,
        }
    }

    /// When it was sent, in ms since 1970.
    pub fn timestamp(&self) -> i64 {
        self.i64_at(8)
    }

    /// When it expires, in ms since 1970; 0 = never.
    pub fn expiry(&self) -> i64 {
        self.i64_at(16)
    }

    /// When it may be delivered first, in ms since 1970; 0 = at once.
    pub fn due(&self) -> i64 {
        self.i64_at(24)
    }

    /// The producer's own number of this message; 0 = none.
    pub fn producer_sequence(&self) -> u64 {
        self.i64_at(32) as u64
    }

    /// Number within the message group; negative closes the group.
    pub fn group_sequence(&self) -> i32 {
        self.u32_at(40) as i32
    }

    /// The body. No copy.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(FIXED + self.u32_at(44) as usize..)
    }

    /// Bytes of the encoded form without the body.
    pub fn head_bytes(&self) -> usize {
        FIXED + self.u32_at(44) as usize
    }

    /// How many destinations the message was sent to, repetitions counted; they come first, as tags ascend.
    pub fn destination_count(&self) -> usize {
        self.fields().take_while(|(tag, _)| *tag == Field::Destination as u8).count()
    }

    /// Every variable part in the order of the encoding, unknown tags included.
    pub fn fields(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &self.bytes[FIXED..FIXED + self.u32_at(44) as usize];
        std::iter::from_fn(move || {
            let (tag, value, after) = split_field(rest)?;
            rest = after;
            Some((tag, value))
        })
    }

    /// The first field with this tag.
    pub fn field(&self, tag: Field) -> Option<&[u8]> {
        self.fields().find(|(t, _)| *t == tag as u8).map(|(_, value)| value)
    }

    /// The first field with this tag as text; `None` too when it is not UTF-8.
    pub fn text(&self, tag: Field) -> Option<&str> {
        std::str::from_utf8(self.field(tag)?).ok()
    }

    /// The destinations in a field of that tag (`Destination`, `ReplyTo`, `OriginalDestination`).
    pub fn destinations(&self, tag: Field) -> impl Iterator<Item = Destination> {
        self.fields().filter(move |(t, _)| *t == tag as u8).filter_map(|(_, value)| {
            let (kind, name) = value.split_first()?;
            let name = std::str::from_utf8(name).ok()?;
            Destination::new(DestinationKind::from_code(*kind)?, name).ok()
        })
    }

    /// What it tells of, if it is of an advisory topic.
    pub fn happening(&self) -> Option<Happening> {
        self.field(Field::Happening).and_then(Happening::read)
    }

    /// The typed properties in the order in which they were sent. Parsed on each call, no copy; a damaged rest is left out.
    pub fn properties(&self) -> impl Iterator<Item = (&str, PropertyValue<'_>)> {
        let mut rest = self.field(Field::Properties).unwrap_or_default();
        std::iter::from_fn(move || {
            let (name, value, after) = split_property(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]])
    }

    fn i64_at(&self, at: usize) -> i64 {
        let mut raw = [0; 8];
        raw.copy_from_slice(&self.bytes[at..at + 8]);
        i64::from_le_bytes(raw)
    }
}

/// Splits `{ u8 tag, u32 length, bytes }` off the front.
fn split_field(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, after) = rest.split_at_checked(5)?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let (value, after) = after.split_at_checked(length)?;
    Some((head[0], value, after))
}

/// Puts a message together. Fields may be set in any order.
#[derive(Clone, Debug, Default)]
pub struct MessageBuilder {
    /// Whether the message survives a restart.
    pub persistent: bool,
    /// Priority, 0 to 9.
    pub priority: u8,
    /// What the body is.
    pub body_kind: BodyKind,
    /// Which protocol encoded it.
    pub encoding: Encoding,
    /// When it was sent, in ms since 1970.
    pub timestamp: i64,
    /// When it expires, in ms since 1970; 0 = never.
    pub expiry: i64,
    /// When it may be delivered first, in ms since 1970; 0 = at once.
    pub due: i64,
    /// The producer's own number of this message; 0 = none.
    pub producer_sequence: u64,
    /// Number within the message group.
    pub group_sequence: i32,
    /// The body.
    pub body: Bytes,
    fields: Vec<(u8, Bytes)>,
    properties: BytesMut,
}

impl MessageBuilder {
    /// An empty, non-persistent message of priority 4.
    pub fn new(encoding: Encoding) -> MessageBuilder {
        MessageBuilder { priority: PRIORITY_DEFAULT, encoding, ..MessageBuilder::default() }
    }

    /// A builder that would encode to `message` again, to change a part of it.
    pub fn from_message(message: &Message) -> MessageBuilder {
        let of = |(tag, value): (u8, &[u8])| (tag, message.bytes.slice_ref(value));
        let is_properties = |tag: u8| tag == Field::Properties as u8;
        MessageBuilder {
            persistent: message.persistent(),
            priority: message.priority(),
            body_kind: message.body_kind(),
            encoding: message.encoding(),
            timestamp: message.timestamp(),
            expiry: message.expiry(),
            due: message.due(),
            producer_sequence: message.producer_sequence(),
            group_sequence: message.group_sequence(),
            body: message.body(),
            fields: message.fields().map(of).filter(|(tag, _)| !is_properties(*tag)).collect(),
            properties: BytesMut::from(message.field(Field::Properties).unwrap_or_default()),
        }
    }

    /// Adds a variable part.
    pub fn field(&mut self, tag: Field, value: impl Into<Bytes>) -> &mut Self {
        self.fields.push((tag as u8, value.into()));
        self
    }

    /// Removes every variable part with this tag.
    pub fn remove(&mut self, tag: Field) -> &mut Self {
        self.fields.retain(|(t, _)| *t != tag as u8);
        self
    }

    /// Adds a destination under `tag` (`Destination`, `ReplyTo`, `OriginalDestination`).
    pub fn destination(&mut self, tag: Field, destination: &Destination) -> &mut Self {
        let mut value = BytesMut::with_capacity(1 + destination.name.len());
        value.put_u8(destination.kind as u8);
        value.put_slice(destination.name.as_bytes());
        self.field(tag, value.freeze())
    }

    /// Adds a typed property. A name of more than 65,535 bytes is cut off the set (no protocol sends one).
    pub fn property(&mut self, name: &str, value: PropertyValue<'_>) -> &mut Self {
        put_property(&mut self.properties, name, value);
        self
    }

    /// Removes all properties.
    pub fn clear_properties(&mut self) -> &mut Self {
        self.properties.clear();
        self
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// [`MessageError::TooLong`] when a part does not fit its length field.
    pub fn build(mut self) -> Result<Message, MessageError> {
        if !self.properties.is_empty() {
            self.fields.push((Field::Properties as u8, self.properties.freeze()));
        }
        self.fields.sort_by_key(|(tag, _)| *tag);
        let fields_bytes: usize = self.fields.iter().map(|(_, value)| 5 + value.len()).sum();
        let too_long = |_| MessageError::TooLong;
        let fields_length = u32::try_from(fields_bytes).map_err(too_long)?;
        let body_length = u32::try_from(self.body.len()).map_err(too_long)?;
        let mut out = BytesMut::with_capacity(FIXED + fields_bytes + self.body.len());
        out.put_slice(&[Message::VERSION, if self.persistent { PERSISTENT } else { 0 }]);
        out.put_slice(&[self.priority.min(9), self.body_kind as u8, self.encoding as u8, 0, 0, 0]);
        out.put_i64_le(self.timestamp);
        out.put_i64_le(self.expiry);
        out.put_i64_le(self.due);
        out.put_u64_le(self.producer_sequence);
        out.put_i32_le(self.group_sequence);
        out.put_u32_le(fields_length);
        out.put_u32_le(body_length);
        for (tag, value) in &self.fields {
            out.put_u8(*tag);
            out.put_u32_le(value.len() as u32);
            out.put_slice(value);
        }
        out.put_slice(&self.body);
        Ok(Message { bytes: out.freeze() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Message {
        let mut builder = MessageBuilder::new(Encoding::Stomp);
        builder.persistent = true;
        builder.expiry = 99;
        builder.producer_sequence = 7;
        builder.group_sequence = -1;
        builder.body = Bytes::from_static(b"a\0b");
        let queue = Destination::new(DestinationKind::Queue, "A.B").unwrap();
        builder.destination(Field::Destination, &queue);
        builder.field(Field::MessageId, "ID:1").field(Field::CorrelationId, &b"c"[..]);
        builder.property("n", PropertyValue::Int(-3)).property("s", PropertyValue::String("x"));
        builder.build().unwrap()
    }

    #[test]
    fn a_message_reads_back_as_it_was_built() {
        let message = Message::decode(sample().encoded().clone()).unwrap();
        assert!(message.persistent());
        assert_eq!((message.priority(), message.expiry(), message.producer_sequence()), (4, 99, 7));
        assert_eq!(message.group_sequence(), -1);
        assert_eq!(message.text(Field::MessageId), Some("ID:1"));
        assert_eq!(message.body(), Bytes::from_static(b"a\0b"));
        let names: Vec<_> = message.destinations(Field::Destination).map(|d| d.to_string()).collect();
        assert_eq!(names, ["queue://A.B"]);
        let properties: Vec<_> = message.properties().collect();
        assert_eq!(properties, [("n", PropertyValue::Int(-3)), ("s", PropertyValue::String("x"))]);
        assert_eq!(MessageBuilder::from_message(&message).build().unwrap(), message);
    }

    #[test]
    fn an_unknown_field_survives_a_change_of_another() {
        let mut builder = MessageBuilder::from_message(&sample());
        builder.fields.push((200, Bytes::from_static(b"later")));
        let mut again = MessageBuilder::from_message(&builder.build().unwrap());
        again.remove(Field::CorrelationId);
        let message = again.build().unwrap();
        assert_eq!(message.fields().find(|(tag, _)| *tag == 200).map(|(_, v)| v), Some(&b"later"[..]));
        assert_eq!(message.field(Field::CorrelationId), None);
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_panic() {
        let good = sample().encoded().to_vec();
        for cut in 0..good.len() {
            assert!(Message::decode(Bytes::copy_from_slice(&good[..cut])).is_err(), "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            if let Ok(message) = Message::decode(bad.into()) {
                message.properties().count();
                message.destinations(Field::Destination).count();
            }
        }
    }
}
