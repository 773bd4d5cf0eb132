//! Properties of messages as OpenWire lays them out, a map of primitive values, to typed properties and back. What comes back
//! is the same, byte for byte, for whatever the Java client writes.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use crate::model::{Message, MessageBuilder, PropertyValue};

use super::super::codec::{from_java, to_java};

/// Maps and lists inside of one another.
const DEPTH_MAX: usize = 32;
/// The Java client writes a longer text, counted in UTF-16 units, with a length of four bytes.
const SHORT_TEXT_UNITS_MAX: usize = 8191;

const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const BYTE: u8 = 2;
const CHAR: u8 = 3;
const SHORT: u8 = 4;
const INTEGER: u8 = 5;
const LONG: u8 = 6;
const DOUBLE: u8 = 7;
const FLOAT: u8 = 8;
const STRING: u8 = 9;
const BYTES: u8 = 10;
const MAP: u8 = 11;
const LIST: u8 = 12;
const LONG_STRING: u8 = 13;

/// Bytes that are taken from their front.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(i32::from_be_bytes(self.array()?)).ok()
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Text with a length of two bytes.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let length = u16::from_be_bytes(self.array()?);
        from_java(self.slice(length.into())?)
    }

    /// Goes past a value; nothing if it is none, or too deep.
    fn skip(&mut self, depth: usize) -> Option<()> {
        let length = match self.byte()? {
            NULL => 0,
            BOOLEAN | BYTE => 1,
            CHAR | SHORT => 2,
            INTEGER | FLOAT => 4,
            LONG | DOUBLE => 8,
            STRING => usize::from(u16::from_be_bytes(self.array()?)),
            BYTES | LONG_STRING => self.count()?,
            kind @ (MAP | LIST) if depth < DEPTH_MAX => {
                for _ in 0..self.count()? {
                    if kind == MAP {
                        self.text()?;
                    }
                    self.skip(depth + 1)?;
                }
                0
            }
            _ => return None,
        };
        self.slice(length).map(drop)
    }
}

/// Adds properties to a message. Nothing, and some of them added, if they are none.
pub(crate) fn read(marshalled: &[u8], builder: &mut MessageBuilder) -> Option<()> {
    let mut rest = Rest(marshalled);
    let count = i32::from_be_bytes(rest.array()?);
    for _ in 0..count {
        let name = rest.text()?;
        let whole = rest.0;
        let value = match rest.byte()? {
            NULL => PropertyValue::Null,
            BOOLEAN => PropertyValue::Bool(rest.byte()? != 0),
            BYTE => PropertyValue::Byte(i8::from_be_bytes(rest.array()?)),
            CHAR => PropertyValue::Char(u16::from_be_bytes(rest.array()?)),
            SHORT => PropertyValue::Short(i16::from_be_bytes(rest.array()?)),
            INTEGER => PropertyValue::Int(i32::from_be_bytes(rest.array()?)),
            LONG => PropertyValue::Long(i64::from_be_bytes(rest.array()?)),
            FLOAT => PropertyValue::Float(f32::from_be_bytes(rest.array()?)),
            DOUBLE => PropertyValue::Double(f64::from_be_bytes(rest.array()?)),
            BYTES => {
                let length = rest.count()?;
                PropertyValue::Bytes(rest.slice(length)?)
            }
            kind @ (STRING | LONG_STRING) => {
                let text = if kind == STRING {
                    rest.text()?
                } else {
                    let length = rest.count()?;
                    from_java(rest.slice(length)?)?
                };
                builder.property(&name, PropertyValue::String(&text));
                continue;
            }
            _ => {
                rest = Rest(whole);
                rest.skip(0)?;
                PropertyValue::Structure(&whole[..whole.len() - rest.0.len()])
            }
        };
        builder.property(&name, value);
    }
    rest.0.is_empty().then_some(())
}

/// A message's properties; nothing if it has none.
pub(crate) fn write(message: &Message) -> Option<Bytes> {
    let mut out = BytesMut::new();
    out.put_i32(0);
    let mut count = 0;
    for (name, value) in message.properties() {
        put_text(&mut out, &to_java(name));
        put(&mut out, value);
        count += 1;
    }
    out[..4].copy_from_slice(&i32::to_be_bytes(count));
    (count > 0).then(|| out.freeze())
}

/// Text with a length of two bytes; what does not fit is cut off. No client sends such a name, and longer values are written
/// in another way.
fn put_text(out: &mut BytesMut, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&text[..length.into()]);
}

fn put(out: &mut BytesMut, value: PropertyValue<'_>) {
    match value {
        PropertyValue::Null => out.put_u8(NULL),
        PropertyValue::Bool(it) => out.put_slice(&[BOOLEAN, it.into()]),
        PropertyValue::Byte(it) => out.put_slice(&[BYTE, it as u8]),
        PropertyValue::Char(it) => {
            out.put_u8(CHAR);
            out.put_u16(it);
        }
        PropertyValue::Short(it) => {
            out.put_u8(SHORT);
            out.put_i16(it);
        }
        PropertyValue::Int(it) => {
            out.put_u8(INTEGER);
            out.put_i32(it);
        }
        PropertyValue::Long(it) => {
            out.put_u8(LONG);
            out.put_i64(it);
        }
        PropertyValue::Float(it) => {
            out.put_u8(FLOAT);
            out.put_f32(it);
        }
        PropertyValue::Double(it) => {
            out.put_u8(DOUBLE);
            out.put_f64(it);
        }
        PropertyValue::String(it) => put_string(out, it),
        PropertyValue::Bytes(it) => {
            out.put_u8(BYTES);
            out.put_u32(it.len() as u32);
            out.put_slice(it);
        }
        PropertyValue::Structure(it) => out.put_slice(it),
    }
}

fn put_string(out: &mut BytesMut, text: &str) {
    let java = to_java(text);
    if text.len() > SHORT_TEXT_UNITS_MAX && text.encode_utf16().count() > SHORT_TEXT_UNITS_MAX {
        out.put_u8(LONG_STRING);
        out.put_u32(java.len() as u32);
        out.put_slice(&java);
    } else {
        out.put_u8(STRING);
        put_text(out, &java);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Encoding;

    fn crossed(marshalled: &[u8]) -> Option<Message> {
        let mut builder = MessageBuilder::new(Encoding::OpenWire);
        read(marshalled, &mut builder)?;
        builder.build().ok()
    }

    fn entry(kind: u8, value: &[u8]) -> Vec<u8> {
        [b"\0\0\0\x01\0\x01n", &[kind][..], value].concat()
    }

    #[test]
    fn every_type_comes_back_byte_for_byte() {
        let long = "x".repeat(SHORT_TEXT_UNITS_MAX + 1);
        let long = [&(long.len() as u32).to_be_bytes()[..], long.as_bytes()].concat();
        let values: [(u8, &[u8]); 14] = [
            (NULL, b""),
            (BOOLEAN, b"\x01"),
            (BYTE, b"\xff"),
            (CHAR, b"\xd8\x3d"),
            (SHORT, b"\x80\0"),
            (INTEGER, b"\0\0\0\x07"),
            (LONG, b"\x80\0\0\0\0\0\0\x01"),
            (FLOAT, b"\x3d\xcc\xcc\xcd"),
            (DOUBLE, b"\x3f\xb9\x99\x99\x99\x99\x99\x9a"),
            (STRING, b"\0\x05a\xc0\x80\xc3\xa4"),
            (BYTES, b"\0\0\0\x02\0\xff"),
            (MAP, b"\0\0\0\x01\0\x01k\x0c\0\0\0\x02\0\x01\x01"),
            (LIST, b"\0\0\0\0"),
            (LONG_STRING, &long),
        ];
        for (kind, value) in values {
            let marshalled = entry(kind, value);
            let message = crossed(&marshalled).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!(write(&message).as_deref(), Some(&marshalled[..]), "{kind}");
        }
        assert_eq!(write(&crossed(b"\0\0\0\0").unwrap()), None);
        assert_eq!(crossed(&entry(STRING, b"\0\x02a\0")).map(drop), Some(()), "NUL in one byte is read");
    }

    #[test]
    fn what_is_no_map_is_refused_and_never_followed_down_without_end() {
        let deep = [entry(LIST, b"\0\0\0\x01"), b"\x0c\0\0\0\x01".repeat(100_000)].concat();
        let marshalled = [
            b"".to_vec(),
            b"\0\0\0\x01".to_vec(),
            b"\x7f\xff\xff\xff".to_vec(),
            entry(14, b""),
            entry(STRING, b"\0\x09a"),
            entry(BYTES, b"\xff\xff\xff\xff"),
            entry(MAP, b"\x7f\xff\xff\xff"),
            entry(NULL, b"more"),
            deep,
        ];
        for wrong in marshalled {
            assert_eq!(crossed(&wrong), None, "{:?}", &wrong[..wrong.len().min(20)]);
        }
    }
}
