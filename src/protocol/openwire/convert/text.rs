//! Text as Java's clients write it: a length of four bytes, then the "modified UTF-8" of the Java virtual machine
//! specification, section 4.4.7, in which NUL takes two bytes and what is beyond the basic plane two surrogates of three.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

const LENGTH_BYTES: usize = 4;
/// The first byte of what UTF-8 writes in four bytes, and this encoding in six.
const FOUR_BYTES_FIRST: u8 = 0xf0;

/// The UTF-8 of a text message's content; nothing unless [`write`] would make the same content of it again. Almost always a
/// part of it, without a copy.
pub(in crate::protocol) fn read(content: &Bytes) -> Option<Bytes> {
    let (length, text) = content.split_first_chunk::<LENGTH_BYTES>()?;
    if usize::try_from(i32::from_be_bytes(*length)).ok()? != text.len() {
        return None;
    }
    if is_alike(text) && std::str::from_utf8(text).is_ok() {
        return Some(content.slice(LENGTH_BYTES..));
    }
    let text = Bytes::from(decode(text)?);
    (write(&text) == *content).then_some(text)
}

/// The content of a text message that says this; what is no UTF-8 is written as it is.
pub(in crate::protocol) fn write(text: &[u8]) -> Bytes {
    let mut content = BytesMut::with_capacity(LENGTH_BYTES + text.len());
    content.put_i32(0);
    match std::str::from_utf8(text) {
        Ok(chars) if !is_alike(text) => chars.encode_utf16().for_each(|unit| put_unit(&mut content, unit)),
        _ => content.put_slice(text),
    }
    let length = i32::try_from(content.len() - LENGTH_BYTES).unwrap_or(i32::MAX);
    content[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    content.freeze()
}

/// The UTF-8 of text without a length; nothing if it is none, or has half a pair of surrogates.
pub(in crate::protocol) fn from_java(text: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(text) {
        Ok(same) if is_alike(text) => Some(Cow::Borrowed(same)),
        _ => decode(text).map(Cow::Owned),
    }
}

/// The same in Java's encoding, without a length.
pub(in crate::protocol) fn to_java(text: &str) -> Cow<'_, [u8]> {
    if is_alike(text.as_bytes()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = BytesMut::with_capacity(text.len() + 8);
    text.encode_utf16().for_each(|unit| put_unit(&mut out, unit));
    Cow::Owned(out.into())
}

/// What can be shown of content that [`read`] gives nothing for.
pub(in crate::protocol) fn read_lossy(content: &[u8]) -> String {
    String::from_utf8_lossy(content.get(LENGTH_BYTES..).unwrap_or_default()).into_owned()
}

/// Whether both encodings are the same for this text.
fn is_alike(text: &[u8]) -> bool {
    !text.iter().any(|byte| *byte == 0 || *byte >= FOUR_BYTES_FIRST)
}

fn put_unit(content: &mut BytesMut, unit: u16) {
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
fn decode(mut rest: &[u8]) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &[u8]) -> Bytes {
        let length = i32::try_from(text.len()).unwrap().to_be_bytes();
        [&length[..], text].concat().into()
    }

    #[test]
    fn plain_text_is_a_part_of_its_content() {
        let content = content("grün".as_bytes());
        let text = read(&content).unwrap();
        assert_eq!((&text[..], write(&text)), ("grün".as_bytes(), content.clone()));
        assert_eq!(text.as_ptr(), content[LENGTH_BYTES..].as_ptr());
        assert_eq!(write(b""), Bytes::from_static(&[0; 4]));
    }

    #[test]
    fn what_java_writes_in_its_own_way_is_utf8_here_and_the_same_again_there() {
        let java = content(b"a\xc0\x80\xed\xa0\xbd\xed\xb8\x80");
        let text = read(&java).unwrap();
        assert_eq!((&text[..], write(&text)), ("a\0😀".as_bytes(), java));
    }

    #[test]
    fn what_would_not_come_back_as_it_was_is_not_read() {
        for text in [&b"\xed\xa0\xbd"[..], b"a\0", "😀".as_bytes(), b"\xff", b"\xc3", b"\xc1\x81"] {
            assert_eq!(read(&content(text)), None, "{text:?}");
        }
        assert_eq!(read(&Bytes::from_static(b"\0\0\0\x02a")), None, "the length is another one");
        assert_eq!(read(&Bytes::from_static(b"\xff\xff\xff\xff")), None);
        assert_eq!(read(&Bytes::from_static(b"\0\0")), None);
        assert_eq!(read_lossy(b"\0\0\0\x02a\xff"), "a\u{fffd}");
    }
}
