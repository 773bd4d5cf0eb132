//! Reads a segment's records.

use bytes::{Bytes, BytesMut};

use super::{READ_BYTES, Segment};
use crate::model::{Epoch, Offset};
use crate::storage::StorageError;
use crate::storage::format::{Header, RECORD_HEADER_BYTES, RecordView, check};

/// Why a reader stopped before the end.
#[derive(Debug)]
pub(in crate::storage) enum Stop {
    /// What stands here is no record, or not the next one.
    Invalid(String),
    /// The disk.
    Disk(StorageError),
}

/// Reads a segment's records one after the other and checks each, with large reads.
pub(in crate::storage) struct RecordReader<'a> {
    segment: &'a Segment,
    /// Offset of the next record.
    pub(in crate::storage) at: Offset,
    /// Where to stop.
    to: Offset,
    /// Checksum that the next record must continue; none for the first one of a partial read.
    previous: Option<u32>,
    epoch: Epoch,
    buffer: Bytes,
}

impl<'a> RecordReader<'a> {
    /// Reads `from..to`; `from` is a record boundary, and `to` one or the end of the file.
    pub(in crate::storage) fn new(segment: &'a Segment, from: Offset, to: Offset) -> RecordReader<'a> {
        let first = from == segment.origin.base;
        RecordReader {
            segment,
            at: from,
            to,
            previous: first.then_some(segment.origin.previous),
            epoch: segment.origin.epoch,
            buffer: Bytes::new(),
        }
    }

    /// The next record; none at the end.
    pub(in crate::storage) fn next(&mut self) -> Result<Option<RecordView>, Stop> {
        if self.at >= self.to {
            return Ok(None);
        }
        self.fill(RECORD_HEADER_BYTES)?;
        if let Some(header) = Header::parse(&self.buffer) {
            self.fill(header.bytes())?;
        }
        let header = check(self.at, &self.buffer).map_err(|e| Stop::Invalid(e.to_string()))?;
        if self.previous.is_some_and(|previous| previous != header.previous) || header.epoch < self.epoch {
            return Err(Stop::Invalid(format!("the record at {} does not continue the one before", self.at)));
        }
        (self.previous, self.epoch) = (Some(header.crc), header.epoch);
        let view = header.view(self.at, self.buffer.split_to(header.bytes()));
        self.at = view.end;
        Ok(Some(view))
    }

    /// Has at least `bytes` in the buffer, unless the end comes first.
    fn fill(&mut self, bytes: usize) -> Result<(), Stop> {
        let left = usize::try_from(self.to.0 - self.at.0).unwrap_or(usize::MAX);
        if self.buffer.len() >= bytes.min(left) {
            return Ok(());
        }
        let (have, wanted) = (self.buffer.len(), left.min(READ_BYTES.max(bytes)));
        let mut next = BytesMut::zeroed(wanted);
        next[..have].copy_from_slice(&self.buffer);
        let place = self.segment.place(self.at) + have as u64;
        let read = self.segment.file().and_then(|file| file.read_at(place, &mut next[have..]));
        let read = read.map_err(|e| Stop::Disk(StorageError::io("read", &self.segment.path)(e)))?;
        next.truncate(have + read);
        self.buffer = next.freeze();
        Ok(())
    }
}
