//! Typed properties of a message: their values, and how a row of them is laid out.

use bytes::{BufMut, BytesMut};

/// A property's value with its exact type (Jakarta Messaging 3.1, section 3.5.4, and what ActiveMQ allows beside: a
/// character and no value). The type numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PropertyValue<'a> {
    /// Absent value.
    Null,
    /// boolean
    Bool(bool),
    /// byte
    Byte(i8),
    /// short
    Short(i16),
    /// int
    Int(i32),
    /// long
    Long(i64),
    /// float
    Float(f32),
    /// double
    Double(f64),
    /// char, a UTF-16 code unit
    Char(u16),
    /// String
    String(&'a str),
    /// Opaque bytes, or a value of a type that a later version has written.
    Bytes(&'a [u8]),
    /// A map or a list as OpenWire writes it, its type number first.
    Structure(&'a [u8]),
}

const BYTES: u8 = 10;
const STRUCTURE: u8 = 11;

impl<'a> PropertyValue<'a> {
    fn code(self) -> u8 {
        match self {
            PropertyValue::Null => 0,
            PropertyValue::Bool(_) => 1,
            PropertyValue::Byte(_) => 2,
            PropertyValue::Short(_) => 3,
            PropertyValue::Int(_) => 4,
            PropertyValue::Long(_) => 5,
            PropertyValue::Float(_) => 6,
            PropertyValue::Double(_) => 7,
            PropertyValue::Char(_) => 8,
            PropertyValue::String(_) => 9,
            PropertyValue::Bytes(_) => BYTES,
            PropertyValue::Structure(_) => STRUCTURE,
        }
    }

    fn put(self, out: &mut BytesMut) {
        match self {
            PropertyValue::Null => {}
            PropertyValue::Bool(it) => out.put_u8(u8::from(it)),
            PropertyValue::Byte(it) => out.put_i8(it),
            PropertyValue::Short(it) => out.put_i16_le(it),
            PropertyValue::Int(it) => out.put_i32_le(it),
            PropertyValue::Long(it) => out.put_i64_le(it),
            PropertyValue::Float(it) => out.put_f32_le(it),
            PropertyValue::Double(it) => out.put_f64_le(it),
            PropertyValue::Char(it) => out.put_u16_le(it),
            PropertyValue::String(it) => out.put_slice(it.as_bytes()),
            PropertyValue::Bytes(it) | PropertyValue::Structure(it) => out.put_slice(it),
        }
    }

    fn decode(code: u8, raw: &'a [u8]) -> Option<PropertyValue<'a>> {
        Some(match code {
            0 => PropertyValue::Null,
            1 => PropertyValue::Bool(*raw.first()? != 0),
            2 => PropertyValue::Byte(i8::from_le_bytes(raw.try_into().ok()?)),
            3 => PropertyValue::Short(i16::from_le_bytes(raw.try_into().ok()?)),
            4 => PropertyValue::Int(i32::from_le_bytes(raw.try_into().ok()?)),
            5 => PropertyValue::Long(i64::from_le_bytes(raw.try_into().ok()?)),
            6 => PropertyValue::Float(f32::from_le_bytes(raw.try_into().ok()?)),
            7 => PropertyValue::Double(f64::from_le_bytes(raw.try_into().ok()?)),
            8 => PropertyValue::Char(u16::from_le_bytes(raw.try_into().ok()?)),
            9 => PropertyValue::String(std::str::from_utf8(raw).ok()?),
            STRUCTURE => PropertyValue::Structure(raw),
            _ => PropertyValue::Bytes(raw),
        })
    }
}

/// Appends `{ u16 length, name, u8 type, u32 length, value }`, little endian. A name of more than 65,535 bytes or a value of
/// more than 4 GiB is left out (no protocol sends one).
pub(super) fn put_property(out: &mut BytesMut, name: &str, value: PropertyValue<'_>) {
    let Ok(length) = u16::try_from(name.len()) else { return };
    let before = out.len();
    out.put_u16_le(length);
    out.put_slice(name.as_bytes());
    out.put_u8(value.code());
    let at = out.len();
    out.put_u32_le(0);
    value.put(out);
    match u32::try_from(out.len() - at - 4) {
        Ok(length) => out[at..at + 4].copy_from_slice(&length.to_le_bytes()),
        Err(_) => out.truncate(before),
    }
}

/// Splits a property off the front; none when what is left is no row of properties.
pub(super) fn split_property(rest: &[u8]) -> Option<(&str, PropertyValue<'_>, &[u8])> {
    let (head, rest) = rest.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*head)))?;
    let (code, rest) = rest.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((std::str::from_utf8(name).ok()?, PropertyValue::decode(*code, value)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_property_reads_back_as_it_was_written() {
        let values = [
            PropertyValue::Null,
            PropertyValue::Bool(true),
            PropertyValue::Byte(-3),
            PropertyValue::Short(i16::MIN),
            PropertyValue::Int(i32::MAX),
            PropertyValue::Long(i64::MIN),
            PropertyValue::Float(0.1),
            PropertyValue::Double(-0.1),
            PropertyValue::Char(0xd83d),
            PropertyValue::String("ä"),
            PropertyValue::Bytes(b"\0\xff"),
            PropertyValue::Structure(b"\x0c\0\0\0\0"),
        ];
        let mut row = BytesMut::new();
        values.iter().for_each(|value| put_property(&mut row, "name", *value));
        let mut rest = &row[..];
        for wanted in values {
            let (name, value, after) = split_property(rest).unwrap();
            assert_eq!((name, value), ("name", wanted));
            rest = after;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn a_type_that_is_not_known_yet_reads_as_bytes_and_a_wrong_length_ends_the_row() {
        let mut row = BytesMut::new();
        put_property(&mut row, "n", PropertyValue::Int(7));
        row[3] = 99;
        assert_eq!(split_property(&row).unwrap().1, PropertyValue::Bytes(&[7, 0, 0, 0]));
        row[3] = 5;
        assert_eq!(split_property(&row), None);
        put_property(&mut row, &"n".repeat(65_536), PropertyValue::Null);
        assert_eq!(row.len(), 12, "a name that does not fit is left out");
    }
}
