//! What clients of other protocols see of a body that came by OpenWire, as ActiveMQ shows it: text and bytes, and nothing of what
//! only Java can read.

use bytes::Bytes;

use crate::model::{BodyForm, BodyKind, Encoding, Message};

use super::{inflate, text};

/// Bytes that stand before a deflated body of bytes: how long it is.
const INFLATED_LENGTH_BYTES: usize = 4;

/// The body of a message; empty if there is none that others could read.
pub(crate) fn plain_body(message: &Message) -> Bytes {
    let body = message.body();
    if message.encoding() != Encoding::OpenWire {
        return body;
    }
    match (message.body_kind(), message.body_form()) {
        (BodyKind::Text | BodyKind::Bytes | BodyKind::None | BodyKind::Amqp, BodyForm::Plain) => body,
        (BodyKind::Text, BodyForm::Marshalled) => text::read_lossy(&body).into(),
        (BodyKind::Text, BodyForm::Deflated) => {
            let content = inflate::inflate(&body).unwrap_or_default();
            text::read(&content).unwrap_or_else(|| text::read_lossy(&content).into())
        }
        (BodyKind::Bytes, BodyForm::Deflated) => {
            // The Java client deflates the whole of its buffer; the length says how much of that is the body.
            let Some((length, deflated)) = body.split_first_chunk::<INFLATED_LENGTH_BYTES>() else {
                return Bytes::new();
            };
            let mut inflated = inflate::inflate(deflated).unwrap_or_default();
            inflated.truncate(u32::from_be_bytes(*length) as usize);
            inflated
        }
        _ => Bytes::new(),
    }
}
