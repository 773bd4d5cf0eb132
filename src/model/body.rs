//! What the body of a message is, and how it stands in the message.

/// What the body is, in JMS terms or as AMQP sections. The numbers are part of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyKind {
    /// No body.
    None = 0,
    /// Opaque bytes.
    #[default]
    Bytes = 1,
    /// UTF-8 text.
    Text = 2,
    /// A JMS map.
    Map = 3,
    /// A JMS stream.
    Stream = 4,
    /// A serialized object, never opened here.
    Object = 5,
    /// A reference to an upload.
    Blob = 6,
    /// AMQP body sections as they came.
    Amqp = 7,
}

impl BodyKind {
    /// The kind with this number in the format; an unknown one reads as bytes.
    pub(super) fn from_code(code: u8) -> BodyKind {
        match code {
            0 => BodyKind::None,
            2 => BodyKind::Text,
            3 => BodyKind::Map,
            4 => BodyKind::Stream,
            5 => BodyKind::Object,
            6 => BodyKind::Blob,
            7 => BodyKind::Amqp,
            _ => BodyKind::Bytes,
        }
    }
}

/// How a body stands in its message. The numbers are part of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyForm {
    /// As its kind says: text is UTF-8, bytes are bytes.
    #[default]
    Plain = 0,
    /// Deflated by the client, in OpenWire's way; whoever needs it inflates it.
    Deflated = 1,
    /// Text in OpenWire's encoding that is no UTF-8.
    Marshalled = 2,
    /// A text that is none, which is not the same as an empty one.
    Absent = 3,
}

impl BodyForm {
    /// Reads the field; a form that is not known yet reads as marshalled, so that nobody takes it for plain.
    pub(super) fn read(field: &[u8]) -> BodyForm {
        match field {
            [] | [0] => BodyForm::Plain,
            [1] => BodyForm::Deflated,
            [3] => BodyForm::Absent,
            _ => BodyForm::Marshalled,
        }
    }
}
