//! The record on disk and on the wire, version 2, little endian:
//! ```text
//!  0 u32 crc    4 u32 payload bytes    8 u8 kind    9 u8 flags (1 = MORE)   10 u16 version
//! 12 u64 epoch 20 u32 crc of the record before (0 for the very first)       24 payload
//! ```
//! The crc is CRC-32C over the record's own offset (u64), then bytes 4 to 24, then the payload: a record is valid only
//! where it was written and after the record that it was written after.
//! MORE: the next record belongs to the same group. A group is visible whole or not at all; an epoch start discards an
//! open group before it.

use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};

use crate::bugs;
use crate::model::{Epoch, Message, MessageBuilder, Offset, PLACE_BYTES, PLACES_MAX, Record};

/// Bytes of a record before its payload.
pub const RECORD_HEADER_BYTES: usize = 24;
/// Longest payload: one message without its body, or one chunk, with room to spare. A longer length is damage.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024 + 64 * 1024;
/// A longer body is cut into chunks of this size, so that other traffic interleaves.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// A message that is longer than this as a whole is cut too, however short its body: what is left without the body is at
/// most [`HEAD_BYTES_MAX`](crate::model::HEAD_BYTES_MAX), and the record has room for its places.
const WHOLE_BYTES_MAX: usize = RECORD_BYTES_MAX - 2 - PLACES_MAX * PLACE_BYTES;

const _: () =
    assert!(crate::model::HEAD_BYTES_MAX <= WHOLE_BYTES_MAX, "a message without its body fits a record");

/// Version of the record's layout.
pub const RECORD_VERSION: u16 = 2;
const MORE: u8 = 1;

/// Why bytes are no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no record at all.
    #[error("no record")]
    Empty,
    /// The bytes end inside of the record that begins here.
    #[error("the record at {0} is cut off")]
    Short(Offset),
    /// A header that nobody wrote: unknown version or impossible length.
    #[error("no record begins at {0}")]
    Header(Offset),
    /// The checksum does not fit the bytes and the place.
    #[error("the record at {0} has a wrong checksum")]
    Checksum(Offset),
    /// A valid record, written after another one than stands before it here.
    #[error("the record at {0} does not continue the one before")]
    Chain(Offset),
    /// A lower epoch after a higher one.
    #[error("the record at {0} is of a lower epoch than the one before")]
    Epoch(Offset),
}

/// Whole records one after the other, ready to be written and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first record.
    pub at: Offset,
    /// The records as they stand on disk.
    pub bytes: Bytes,
    /// Checksum of the last record.
    pub last: u32,
    /// Epoch of the last record.
    pub epoch: Epoch,
}

impl Batch {
    /// Offset after the last record.
    pub fn end(&self) -> Offset {
        self.at.plus(self.bytes.len())
    }
}

/// One record as a slice of the bytes that it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// Its first byte.
    pub offset: Offset,
    /// After its last byte.
    pub end: Offset,
    /// Kind byte, known here or not.
    pub kind: u8,
    /// Whether the next record belongs to the same group.
    pub more: bool,
    /// Epoch in which it was written.
    pub epoch: Epoch,
    /// Its checksum.
    pub crc: u32,
    /// Checksum of the record before.
    pub previous: u32,
    /// Payload, see [`Record::decode`].
    pub payload: Bytes,
}

/// Stamps records with offset, epoch and checksum.
#[derive(Debug)]
pub struct BatchBuilder {
    at: Offset,
    last: u32,
    epoch: Epoch,
    bytes: BytesMut,
}

impl BatchBuilder {
    /// Begins a batch at the log's end, `previous` being the checksum of the record before.
    pub fn new(at: Offset, previous: u32, epoch: Epoch) -> BatchBuilder {
        BatchBuilder { at, last: previous, epoch, bytes: BytesMut::new() }
    }

    /// Adds a record and returns its offset; `more` when the next one belongs to the same group.
    ///
    /// # Panics
    /// When the payload is longer than [`RECORD_BYTES_MAX`]: no node could read it back (see [`cut_body`]).
    pub fn push(&mut self, record: &Record, more: bool) -> Offset {
        self.stamp(record.kind() as u8, more, |out| record.encode(out))
    }

    /// Adds a record whose payload is encoded already. As [`BatchBuilder::push`].
    ///
    /// # Panics
    /// When the payload is longer than [`RECORD_BYTES_MAX`].
    pub fn push_encoded(&mut self, kind: u8, payload: &[u8], more: bool) -> Offset {
        self.stamp(kind, more, |out| out.put_slice(payload))
    }

    fn stamp(&mut self, kind: u8, more: bool, payload: impl FnOnce(&mut BytesMut)) -> Offset {
        let (from, offset) = (self.bytes.len(), self.at.plus(self.bytes.len()));
        self.bytes.put_bytes(0, RECORD_HEADER_BYTES);
        payload(&mut self.bytes);
        let length = self.bytes.len() - from - RECORD_HEADER_BYTES;
        assert!(length <= RECORD_BYTES_MAX, "a record of {length} bytes must be cut into chunks");
        let record = &mut self.bytes[from..];
        record[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        record[8] = kind;
        record[9] = if more { MORE } else { 0 };
        record[10..12].copy_from_slice(&RECORD_VERSION.to_le_bytes());
        record[12..20].copy_from_slice(&self.epoch.0.to_le_bytes());
        record[20..24].copy_from_slice(&self.last.to_le_bytes());
        self.last = checksum(offset, &record[4..]);
        record[..4].copy_from_slice(&self.last.to_le_bytes());
        offset
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The batch.
    pub fn finish(self) -> Batch {
        Batch { at: self.at, bytes: self.bytes.freeze(), last: self.last, epoch: self.epoch }
    }
}

/// Checks that `bytes` are whole records that were written at `at`, after a record with checksum `previous`, each after
/// the one before, in ascending epochs.
///
/// # Errors
/// [`FormatError`]: the bytes are damaged or belong elsewhere; none of them may be used.
pub fn verify(at: Offset, previous: u32, bytes: &Bytes) -> Result<Batch, FormatError> {
    let (mut offset, mut last, mut epoch) = (at, previous, Epoch(0));
    if at.0.checked_add(bytes.len() as u64).is_none() {
        return Err(FormatError::Header(at));
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let header = check(offset, rest)?;
        if header.previous != last {
            return Err(FormatError::Chain(offset));
        }
        if header.epoch < epoch {
            return Err(FormatError::Epoch(offset));
        }
        (last, epoch) = (header.crc, header.epoch);
        offset = offset.plus(header.bytes());
        rest = &rest[header.bytes()..];
    }
    if bytes.is_empty() {
        return Err(FormatError::Empty);
    }
    Ok(Batch { at, bytes: bytes.clone(), last, epoch })
}

/// The records of bytes that have been verified or stamped here. Ends early, rather than panic, where they are not.
pub fn records(at: Offset, bytes: &Bytes) -> impl Iterator<Item = RecordView> + use<> {
    let (mut offset, mut rest) = (at, bytes.clone());
    std::iter::from_fn(move || {
        let header = Header::parse(&rest).filter(|header| header.bytes() <= rest.len())?;
        offset.0.checked_add(header.bytes() as u64)?;
        let view = header.view(offset, rest.split_to(header.bytes()));
        offset = view.end;
        Some(view)
    })
}

/// Cuts the body off a message when the message is too long for one record: chunks, and the message without body.
///
/// # Errors
/// Never for a message that was built or decoded; the builder's error otherwise.
pub fn cut_body(message: &Message) -> Result<Option<(Vec<Bytes>, Message)>, crate::model::MessageError> {
    let mut body = message.body();
    let long = message.encoded().len() > WHOLE_BYTES_MAX && !bugs::on("large_head_uncut");
    if body.is_empty() || body.len() <= CHUNK_BYTES && !long {
        return Ok(None);
    }
    let mut head = MessageBuilder::from_message(message);
    head.body = Bytes::new();
    let mut chunks = Vec::with_capacity(body.len().div_ceil(CHUNK_BYTES));
    while !body.is_empty() {
        chunks.push(body.split_to(body.len().min(CHUNK_BYTES)));
    }
    Ok(Some((chunks, head.build()?)))
}

/// Adds one group of records, long bodies cut into chunks before their message.
///
/// # Panics
/// When a record is longer than a record may be, which no input may bring about.
pub fn push_group(builder: &mut BatchBuilder, group: &[Record]) {
    for (n, record) in group.iter().enumerate() {
        let more = n + 1 < group.len() && !bugs::on("transaction_split");
        let cut = match record {
            Record::Message { message, .. } | Record::Move { message, .. } => {
                cut_body(message).ok().flatten()
            }
            _ => None,
        };
        let Some((chunks, head)) = cut else {
            builder.push(record, more);
            continue;
        };
        for chunk in chunks {
            builder.push(&Record::Chunk(chunk), true);
        }
        let mut headed = record.clone();
        if let Record::Message { message, .. } | Record::Move { message, .. } = &mut headed {
            *message = head;
        }
        builder.push(&headed, more);
    }
}

/// The inverse of [`cut_body`].
///
/// # Errors
/// When the chunks together are longer than a message may be.
pub fn join_body(chunks: &[Bytes], head: &Message) -> Result<Message, crate::model::MessageError> {
    let mut whole = MessageBuilder::from_message(head);
    whole.body = chunks.concat().into();
    whole.build()
}

/// The header of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) crc: u32,
    pub(super) previous: u32,
    pub(super) epoch: Epoch,
    length: u32,
    kind: u8,
    more: bool,
}

impl Header {
    /// Reads a header off the front; none when nobody can have written it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let header = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
        let u32_at =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = u32_at(4);
        if u16::from_le_bytes([header[10], header[11]]) != RECORD_VERSION
            || length as usize > RECORD_BYTES_MAX
        {
            return None;
        }
        Some(Header {
            crc: u32_at(0),
            previous: u32_at(20),
            epoch: Epoch(u64::from(u32_at(12)) | u64::from(u32_at(16)) << 32),
            length,
            kind: header[8],
            more: header[9] & MORE != 0,
        })
    }

    /// Bytes of the whole record.
    pub(super) fn bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.length as usize
    }

    /// The record, `bytes` being exactly its own.
    pub(super) fn view(&self, offset: Offset, bytes: Bytes) -> RecordView {
        RecordView {
            offset,
            end: offset.plus(bytes.len()),
            kind: self.kind,
            more: self.more,
            epoch: self.epoch,
            crc: self.crc,
            previous: self.previous,
            payload: bytes.slice(RECORD_HEADER_BYTES..),
        }
    }
}

/// Checks the record at the front of `bytes`, by itself.
pub(super) fn check(at: Offset, bytes: &[u8]) -> Result<Header, FormatError> {
    if bytes.len() < RECORD_HEADER_BYTES {
        return Err(FormatError::Short(at));
    }
    let header = Header::parse(bytes).ok_or(FormatError::Header(at))?;
    let Some(record) = bytes.get(4..header.bytes()) else { return Err(FormatError::Short(at)) };
    if checksum(at, record) != header.crc && !bugs::on("torn_record_accepted") {
        return Err(FormatError::Checksum(at));
    }
    Ok(header)
}

fn checksum(at: Offset, record: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&at.0.to_le_bytes());
    digest.update(record);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{DestinationId, Encoding, HEAD_BYTES_MAX, Place, PropertyValue, Sequence};

    fn place(sequence: u64) -> Place {
        Place { destination: DestinationId(1), sequence: Sequence(sequence) }
    }

    fn sample() -> Batch {
        let mut batch = BatchBuilder::new(Offset(1000), 77, Epoch(3));
        batch.push(&Record::Base(Offset(5)), true);
        batch.push_encoded(200, b"unknown kind", false);
        batch.push(&Record::Chunk(Bytes::new()), false);
        batch.finish()
    }

    #[test]
    fn records_read_back_as_they_were_stamped() {
        let batch = sample();
        assert_eq!(verify(Offset(1000), 77, &batch.bytes), Ok(batch.clone()));
        let all: Vec<_> = records(batch.at, &batch.bytes).collect();
        assert_eq!(
            all.iter().map(|r| (r.kind, r.more)).collect::<Vec<_>>(),
            [(9, true), (200, false), (11, false)]
        );
        assert_eq!(all[1].payload, &b"unknown kind"[..]);
        assert_eq!((all[0].offset, all[2].end), (batch.at, batch.end()));
        assert_eq!((all[0].previous, all[1].previous, all[2].crc), (77, all[0].crc, batch.last));
    }

    #[test]
    fn records_are_valid_at_their_own_place_and_behind_their_own_predecessor_only() {
        let batch = sample();
        assert_eq!(verify(Offset(1001), 77, &batch.bytes), Err(FormatError::Checksum(Offset(1001))));
        assert_eq!(verify(Offset(1000), 78, &batch.bytes), Err(FormatError::Chain(Offset(1000))));
        assert_eq!(verify(Offset(1000), 77, &Bytes::new()), Err(FormatError::Empty));
    }

    #[test]
    fn a_lower_epoch_after_a_higher_one_is_refused() {
        let first = sample();
        let mut second = BatchBuilder::new(first.end(), first.last, Epoch(2));
        second.push(&Record::Base(Offset(5)), false);
        let both = [first.bytes.clone(), second.finish().bytes].concat().into();
        assert_eq!(verify(first.at, 77, &both), Err(FormatError::Epoch(first.end())));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = sample().bytes;
        for at in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(verify(Offset(1000), 77, &bad.into()).is_err(), "bit {at}");
        }
        let ends: Vec<_> = records(Offset(0), &good).map(|r| r.end.0 as usize).collect();
        for cut in 1..good.len() {
            assert_eq!(
                verify(Offset(1000), 77, &good.slice(..cut)).is_ok(),
                ends.contains(&cut),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_long_body_is_cut_and_joined() {
        let mut message = MessageBuilder::new(Encoding::Native);
        assert_eq!(cut_body(&message.clone().build().unwrap()).unwrap(), None);
        message.body = vec![7; CHUNK_BYTES * 2 + 1].into();
        let message = message.build().unwrap();
        let (chunks, head) = cut_body(&message).unwrap().unwrap();
        assert_eq!((chunks.len(), chunks[2].len(), head.body().len()), (3, 1, 0));
        assert_eq!(join_body(&chunks, &head).unwrap(), message);
        let record = Record::Message { places: place(1).into(), message: head };
        assert_eq!(BatchBuilder::new(Offset(0), 0, Epoch(1)).push(&record, false), Offset(0));
    }

    #[test]
    fn a_message_of_any_sizes_that_are_allowed_fits_its_records() {
        let room = |head: usize| {
            let mut message = MessageBuilder::new(Encoding::Stomp);
            let empty = message.clone().build().unwrap().head_bytes();
            // A property of so many bytes more than its own frame of lengths and the field's.
            message.property("h", PropertyValue::String(&"x".repeat(head - empty - 13)));
            message
        };
        let heads = [100, 800_000, WHOLE_BYTES_MAX - CHUNK_BYTES, HEAD_BYTES_MAX];
        for (head, body) in
            heads.iter().flat_map(|head| [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(|body| (*head, body)))
        {
            let mut message = room(head);
            message.body = vec![7; body].into();
            let message = message.build().unwrap();
            assert_eq!((message.head_bytes(), message.body().len()), (head, body));
            let mut batch = BatchBuilder::new(Offset(0), 0, Epoch(1));
            let (chunks, message) = match cut_body(&message).unwrap() {
                Some((chunks, head)) => (chunks, head),
                None => (Vec::new(), message),
            };
            assert_eq!(message.body().len() + chunks.iter().map(Bytes::len).sum::<usize>(), body);
            for chunk in chunks {
                batch.push(&Record::Chunk(chunk), true);
            }
            let places = (0..PLACES_MAX as u64).map(place).collect();
            batch.push(&Record::Message { places, message }, false);
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_content_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            prop_assert!(verify(Offset(0), 0, &bytes).is_err());
            records(Offset(0), &bytes).count();
        }
    }
}
