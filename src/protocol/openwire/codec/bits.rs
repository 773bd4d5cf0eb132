//! The booleans of a tight frame: all of them stand before the values, eight in a byte, the first one lowest.

use bytes::{BufMut, Bytes};

use super::error::FrameError;

/// More bytes than this are counted by one more byte, or by two, behind a mark.
const PLAIN_MAX: usize = 63;
const BYTE_MARK: u8 = 0xc0;
const SHORT_MARK: u8 = 0x80;

/// Booleans in the order in which they were written.
#[derive(Debug)]
pub(super) struct BitReader {
    bytes: Bytes,
    next: usize,
}

impl BitReader {
    /// Takes the booleans off the front of a frame.
    pub(super) fn take(frame: &mut Bytes) -> Result<BitReader, FrameError> {
        let (mark, rest) = frame.split_first().ok_or(FrameError::Short)?;
        let (head, length) = match (*mark, rest) {
            (BYTE_MARK, [length, ..]) => (2, usize::from(*length)),
            (SHORT_MARK, [high, low, ..]) => (3, usize::from(u16::from_be_bytes([*high, *low]))),
            (BYTE_MARK | SHORT_MARK, _) => return Err(FrameError::Short),
            (length, _) => (1, usize::from(length)),
        };
        if frame.len() < head + length {
            return Err(FrameError::Short);
        }
        let mut taken = frame.split_to(head + length);
        Ok(BitReader { bytes: taken.split_off(head), next: 0 })
    }

    pub(super) fn read(&mut self) -> Result<bool, FrameError> {
        let byte = self.bytes.get(self.next / 8).ok_or(FrameError::Short)?;
        let bit = byte >> (self.next % 8) & 1 == 1;
        self.next += 1;
        Ok(bit)
    }
}

/// Booleans to be written.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl BitWriter {
    pub(super) fn write(&mut self, bit: bool) {
        if self.count.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.count % 8);
        }
        self.count += 1;
    }

    /// Bytes that [`BitWriter::put`] adds.
    pub(super) fn len(&self) -> usize {
        let head = match self.bytes.len() {
            0..=PLAIN_MAX => 1,
            64..=255 => 2,
            _ => 3,
        };
        head + self.bytes.len()
    }

    /// Adds them to a frame; they are forgotten.
    pub(super) fn put(&mut self, out: &mut impl BufMut) {
        match self.bytes.len() {
            length @ 0..=PLAIN_MAX => out.put_u8(length as u8),
            length @ 64..=255 => {
                out.put_u8(BYTE_MARK);
                out.put_u8(length as u8);
            }
            length => {
                out.put_u8(SHORT_MARK);
                out.put_u16(length as u16);
            }
        }
        out.put_slice(&self.bytes);
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn any_number_of_booleans_is_read_as_it_was_written() {
        for count in [0, 1, 8, 9, 63 * 8, 63 * 8 + 1, 255 * 8, 255 * 8 + 1, 3000 * 8] {
            let bit = |n: usize| n.is_multiple_of(3) || n % 7 == 1;
            let mut writer = BitWriter::default();
            (0..count).for_each(|n| writer.write(bit(n)));
            let (length, mut out) = (writer.len(), BytesMut::new());
            writer.put(&mut out);
            assert_eq!(out.len(), length);
            out.put_slice(b"rest");
            let mut frame = out.freeze();
            let mut reader = BitReader::take(&mut frame).unwrap();
            assert_eq!(&frame[..], b"rest");
            (0..count).for_each(|n| assert_eq!(reader.read(), Ok(bit(n)), "{n} of {count}"));
            (0..8).take_while(|_| reader.read().is_ok()).for_each(drop);
            assert_eq!(reader.read(), Err(FrameError::Short));
        }
        for cut in [&[][..], &[1], &[BYTE_MARK], &[BYTE_MARK, 64], &[SHORT_MARK, 1], &[SHORT_MARK, 1, 0]] {
            assert!(BitReader::take(&mut Bytes::copy_from_slice(cut)).is_err());
        }
    }
}
