//! Non-persistent messages of queues, and the form in which some of them stand in a temporary file.
//!
//! ```text
//! u32 CRC-32C of the rest, then for each message
//!   u64 after   u64 number   u32 failures   u8 redelivered   u32 length   the encoded message
//! ```
//! Integers are little-endian. A file is read by the process that wrote it and by no other.

use bytes::{Buf, BufMut, Bytes};
use crc_fast::{CrcAlgorithm, checksum};

use crate::model::Message;

/// Bytes before an encoded message.
const HEAD_BYTES: usize = 25;

/// A non-persistent message of a queue: no other node has it.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Transient {
    /// It stands behind this sequence, in the order in which such messages came (`number`).
    pub(in crate::broker) after: u64,
    pub(in crate::broker) number: u64,
    pub(in crate::broker) message: Message,
    pub(in crate::broker) redelivered: bool,
    pub(in crate::broker) failures: u32,
}

impl Transient {
    /// Where it stands among the messages of its queue that are not in the log.
    pub(in crate::broker) fn place(&self) -> (u64, u64) {
        (self.after, self.number)
    }

    pub(in crate::broker) fn bytes(&self) -> usize {
        self.message.encoded().len()
    }
}

/// Names one temporary file; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpillId(pub u64);

/// Messages on their way to a temporary file, or back.
#[derive(Clone, Debug)]
pub struct Spilled(pub(in crate::broker) Vec<Transient>);

/// What is to be done with temporary files, in the order in which it is asked for.
#[derive(Clone, Debug)]
pub enum Spill {
    /// Write a file; to be answered by `Broker::spilled`.
    Write(SpillId, Spilled),
    /// Read it; to be answered by `Broker::unspilled`.
    Read(SpillId),
    /// It is not wanted any more.
    Remove(SpillId),
    /// None is.
    RemoveAll,
}

impl Spilled {
    /// The bytes of a file.
    pub fn encode(&self) -> Vec<u8> {
        let length: usize = self.0.iter().map(|it| HEAD_BYTES + it.bytes()).sum();
        let mut out = Vec::with_capacity(4 + length);
        out.put_u32_le(0);
        for it in &self.0 {
            out.put_u64_le(it.after);
            out.put_u64_le(it.number);
            out.put_u32_le(it.failures);
            out.put_u8(u8::from(it.redelivered));
            // A message is no longer than a frame may be.
            out.put_u32_le(it.bytes() as u32);
            out.put_slice(it.message.encoded());
        }
        let sum = crc(&out[4..]);
        out[..4].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// The messages of a file, each with memory of its own; `None` if the bytes are not what was written.
    pub fn decode(bytes: &[u8]) -> Option<Spilled> {
        let (sum, mut rest) = bytes.split_at_checked(4)?;
        if sum != crc(rest).to_le_bytes() {
            return None;
        }
        let mut all = Vec::new();
        while !rest.is_empty() {
            if rest.len() < HEAD_BYTES {
                return None;
            }
            let (after, number, failures) = (rest.get_u64_le(), rest.get_u64_le(), rest.get_u32_le());
            let redelivered = match rest.get_u8() {
                0 => false,
                1 => true,
                _ => return None,
            };
            let length = rest.get_u32_le() as usize;
            let (encoded, left) = rest.split_at_checked(length)?;
            let message = Message::decode(Bytes::copy_from_slice(encoded)).ok()?;
            all.push(Transient { after, number, message, redelivered, failures });
            rest = left;
        }
        Some(Spilled(all))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, MessageBuilder};

    #[test]
    fn what_is_read_back_is_what_was_written_or_nothing() {
        let message = |body: &str| {
            let mut builder = MessageBuilder::new(Encoding::Native);
            builder.body = body.to_owned().into();
            builder.build().unwrap()
        };
        let entry = |number: u64, body: &str| Transient {
            after: 7,
            number,
            message: message(body),
            redelivered: number % 2 == 1,
            failures: 3,
        };
        let bytes = Spilled(vec![entry(1, "one"), entry(2, ""), entry(3, "three")]).encode();
        let read = Spilled::decode(&bytes).unwrap().0;
        let shown = |it: &Transient| (it.after, it.number, it.message.body(), it.redelivered, it.failures);
        assert_eq!(shown(&read[0]), (7, 1, "one".into(), true, 3));
        assert_eq!((read.len(), shown(&read[1]).3), (3, false));
        for at in 0..bytes.len() {
            assert!(Spilled::decode(&bytes[..at]).is_none(), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Spilled::decode(&flipped).is_none(), "flipped at {at}");
        }
    }
}
