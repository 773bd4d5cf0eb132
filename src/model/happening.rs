//! What a message of ActiveMQ's advisory topics tells of.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Destination, DestinationKind};

/// What has happened to a destination. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Happening {
    /// It has come into being.
    Made = 1,
    /// It is gone.
    Removed = 2,
}

impl Happening {
    /// The value of the field that tells of it.
    pub fn to(self, destination: &Destination) -> Bytes {
        let mut value = BytesMut::with_capacity(2 + destination.name.len());
        value.put_slice(&[self as u8, destination.kind as u8]);
        value.put_slice(destination.name.as_bytes());
        value.freeze()
    }

    /// Reads the field.
    pub(super) fn read(field: &[u8]) -> Option<(Happening, Destination)> {
        let (happening, rest) = field.split_first()?;
        let (kind, name) = rest.split_first()?;
        let happening = match happening {
            1 => Happening::Made,
            2 => Happening::Removed,
            _ => return None,
        };
        let name = std::str::from_utf8(name).ok()?;
        Some((happening, Destination::new(DestinationKind::from_code(*kind)?, name).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again_and_nothing_else() {
        let destination = Destination::new(DestinationKind::TemporaryQueue, "ID:1").unwrap();
        for happening in [Happening::Made, Happening::Removed] {
            let field = happening.to(&destination);
            assert_eq!(Happening::read(&field), Some((happening, destination.clone())));
        }
        for wrong in [&b""[..], b"\x01", b"\x01\x03", b"\x09\x03a", b"\x01\x09a", b"\x01\x03\xff"] {
            assert_eq!(Happening::read(wrong), None, "{wrong:?}");
        }
    }
}
