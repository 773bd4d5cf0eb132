//! Records as bytes: from the tail in memory, or from the files.

use std::sync::Arc;

use bytes::Bytes;

use super::Log;
use crate::model::Offset;
use crate::storage::StorageError;
use crate::storage::format::{Header, RECORD_HEADER_BYTES, check};
use crate::storage::segment::Segment;

impl Log {
    /// The same as [`Log::read`] if what is asked for is still in memory. Never blocks on a disk.
    pub fn read_recent(&self, from: Offset, bytes_max: usize) -> Option<Bytes> {
        let slices = self.front().tail_slices(from, bytes_max);
        match &slices[..] {
            [] => None,
            [slice] => whole_records(from, slice.clone(), bytes_max).ok(),
            slices => whole_records(from, slices.concat().into(), bytes_max).ok(),
        }
    }

    /// Whole records from `from` on, at most `bytes_max` bytes of them, but at least one unless `from` is the end. Finds
    /// what has not been written yet too. Blocking I/O, from any thread.
    ///
    /// # Errors
    /// [`StorageError::Range`]: `from` is not in the log. [`StorageError::Corrupt`]: no valid record stands there.
    pub fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, StorageError> {
        let (tail, until) = {
            let mut front = self.front();
            front.trim(&self.inner.shared);
            let (base, end) = (self.base(), front.live.end());
            if from < base || from > end {
                return Err(StorageError::Range { at: from, base, end });
            }
            let until = front.tail_at();
            (front.tail_slices(from, bytes_max), until)
        };
        match &tail[..] {
            [] if from >= until => Ok(Bytes::new()),
            [] => self.read_file(from, until, bytes_max),
            [slice] => whole_records(from, slice.clone(), bytes_max),
            slices => whole_records(from, slices.concat().into(), bytes_max),
        }
    }

    fn read_file(&self, from: Offset, until: Offset, bytes_max: usize) -> Result<Bytes, StorageError> {
        let (segment, end) = self.segment_of(from)?;
        let until = until.min(end);
        let to = Offset(until.0.min(from.0.saturating_add(bytes_max.max(RECORD_HEADER_BYTES) as u64)));
        let bytes = segment.bytes(from, to)?.freeze();
        match Header::parse(&bytes) {
            Some(header) if header.bytes() > bytes.len() && from.plus(header.bytes()) <= until => {
                whole_records(from, segment.bytes(from, from.plus(header.bytes()))?.freeze(), bytes_max)
            }
            _ => whole_records(from, bytes, bytes_max),
        }
    }

    /// The segment that holds `at`, and where the next one begins (the end of numbers for the last).
    pub(in crate::storage) fn segment_of(&self, at: Offset) -> Result<(Arc<Segment>, Offset), StorageError> {
        let segments = self.inner.shared.segments();
        let next = segments.partition_point(|segment| segment.origin.base <= at);
        let Some(segment) = next.checked_sub(1).and_then(|index| segments.get(index)) else {
            let (base, end) = (segments[0].origin.base, self.end());
            return Err(StorageError::Range { at, base, end });
        };
        let end = segments.get(next).map_or(Offset(u64::MAX), |next| next.origin.base);
        Ok((segment.clone(), end))
    }
}

/// Cuts `bytes` behind the last whole record within `bytes_max`, or behind the first, after checking each.
fn whole_records(from: Offset, mut bytes: Bytes, bytes_max: usize) -> Result<Bytes, StorageError> {
    let (mut at, mut done) = (from, 0);
    while done < bytes.len() {
        let rest = &bytes[done..];
        if done > 0
            && Header::parse(rest).is_none_or(|header| done + header.bytes() > bytes_max.min(bytes.len()))
        {
            break;
        }
        let header = check(at, rest).map_err(|e| StorageError::Corrupt { at, reason: e.to_string() })?;
        done += header.bytes();
        at = at.plus(header.bytes());
    }
    bytes.truncate(done);
    Ok(bytes)
}
