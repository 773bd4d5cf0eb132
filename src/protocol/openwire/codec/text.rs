//! Text as Java writes it: the "modified UTF-8" of the Java virtual machine specification, section 4.4.7, in which NUL takes
//! two bytes and what is beyond the basic plane two surrogates of three.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};

/// Text of a field: a copy costs nothing, as ids have it in them and are handed out for each message.
pub(crate) type Text = Arc<str>;

/// The first byte of what UTF-8 writes in four bytes, and this encoding in six.
const FOUR_BYTES_FIRST: u8 = 0xf0;

/// The UTF-8 of text without a length; nothing if it is none, or has half a pair of surrogates.
pub(crate) fn from_java(text: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(text) {
        Ok(same) if is_alike(text) => Some(Cow::Borrowed(same)),
        _ => decode(text).map(Cow::Owned),
    }
}

/// The same in Java's encoding, without a length.
pub(crate) fn to_java(text: &str) -> Cow<'_, [u8]> {
    if is_alike(text.as_bytes()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = BytesMut::with_capacity(text.len() + 8);
    text.encode_utf16().for_each(|unit| put_unit(&mut out, unit));
    Cow::Owned(out.into())
}

/// Whether both encodings are the same for this text.
pub(crate) fn is_alike(text: &[u8]) -> bool {
    !text.iter().any(|byte| *byte == 0 || *byte >= FOUR_BYTES_FIRST)
}

pub(crate) fn put_unit(content: &mut BytesMut, unit: u16) {
    match unit {
        0x01..=0x7f => content.put_u8(unit as u8),
        0 | 0x80..=0x7ff => content.put_slice(&[0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]),
        _ => content.put_slice(&[
            0xe0 | (unit >> 12) as u8,
            0x80 | (unit >> 6 & 0x3f) as u8,
            0x80 | (unit & 0x3f) as u8,
        ]),
    }
}

/// Text of modified UTF-8; nothing if it is none, or has half a pair of surrogates.
pub(crate) fn decode(mut rest: &[u8]) -> Option<String> {
    let mut units = Vec::with_capacity(rest.len());
    let low = |byte: u8| (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f));
    while let [first, after @ ..] = rest {
        let (unit, after) = match (first >> 4, after) {
            (0..=7, _) => (u16::from(*first), after),
            (12 | 13, [second, after @ ..]) => (u16::from(first & 0x1f) << 6 | low(*second)?, after),
            (14, [second, third, after @ ..]) => {
                (u16::from(first & 0x0f) << 12 | low(*second)? << 6 | low(*third)?, after)
            }
            _ => return None,
        };
        units.push(unit);
        rest = after;
    }
    String::from_utf16(&units).ok()
}
