//! Reading the whole log to see whether it is what was written.

use std::sync::Arc;

use crate::model::Offset;
use crate::storage::StorageError;
use crate::storage::log::Log;
use crate::storage::recovery::Damage;
use crate::storage::segment::{RecordReader, Segment, Stop};
use crate::storage::sidecar::Sidecar;

/// What a full read of a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments read.
    pub segments: usize,
    /// Valid records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The first offset at which the log is not what was written.
    pub damage: Option<Damage>,
}

impl Log {
    /// Reads all of the log that is durable now, in order, and checks every record; `progress` hears the offset after
    /// each mebibyte or so. Blocking I/O for as long as that takes; the log may be used meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Io`]: a file cannot be read. Damage is in the report.
    pub fn verify(&self, mut progress: impl FnMut(Offset)) -> Result<VerifyReport, StorageError> {
        self.verify_while(|at| {
            progress(at);
            true
        })
    }

    /// As [`Log::verify`], for as long as `go_on` says so; the report is about what was read.
    ///
    /// # Errors
    /// As [`Log::verify`].
    pub fn verify_while(&self, go_on: impl FnMut(Offset) -> bool) -> Result<VerifyReport, StorageError> {
        let segments = self.inner.shared.segments();
        let known = || self.inner.shared.segments();
        verify(&segments, self.durable(), known, go_on)
    }

    /// Has the segment that holds `at` read in full by the next open, which trusts finished segments otherwise.
    ///
    /// # Errors
    /// [`StorageError::Range`]: the log does not hold it any more. [`StorageError::Io`]: the disk.
    pub fn distrust(&self, at: Offset) -> Result<(), StorageError> {
        let (segment, _) = self.segment_of(at)?;
        let shared = &self.inner.shared;
        let sidecar = shared.dir.join(Sidecar::name(segment.origin.base));
        match shared.disk.remove(&sidecar) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(StorageError::io("remove", &sidecar)(e));
            }
            // The last segment has none, and is read in full anyway.
            _ => {}
        }
        shared.disk.sync_dir(&shared.dir).map_err(StorageError::io("sync", &shared.dir))
    }
}

/// Reads these segments up to `durable`, for as long as `go_on` says so. One that is not among the `known` any more is passed
/// over.
pub(super) fn verify(
    segments: &[Arc<Segment>],
    durable: Offset,
    known: impl Fn() -> Vec<Arc<Segment>>,
    mut go_on: impl FnMut(Offset) -> bool,
) -> Result<VerifyReport, StorageError> {
    let mut report = VerifyReport::default();
    let mut told = Offset(0);
    for (number, segment) in segments.iter().enumerate() {
        let next = segments.get(number + 1).map(|next| next.origin);
        let to = next.map_or(durable, |next| next.base.min(durable));
        let mut reader = RecordReader::new(segment, segment.origin.base, to);
        let mut last = segment.origin.previous;
        report.segments += 1;
        let damage = loop {
            match reader.next() {
                Ok(Some(record)) => {
                    last = record.crc;
                    report.records += 1;
                    report.bytes += record.end.0 - record.offset.0;
                    if record.end.0 - told.0 >= 1 << 20 {
                        told = record.end;
                        if !go_on(told) {
                            return Ok(report);
                        }
                    }
                }
                Ok(None) if next.is_some_and(|next| next.previous != last) => {
                    break Some("the next segment does not continue this one".into());
                }
                Ok(None) => break None,
                Err(Stop::Invalid(reason)) => break Some(reason),
                // It was let go of meanwhile.
                Err(Stop::Disk(e))
                    if e.is_missing() && !known().iter().any(|it| Arc::ptr_eq(it, segment)) =>
                {
                    break None;
                }
                Err(Stop::Disk(e)) => return Err(e),
            }
        };
        if let Some(reason) = damage {
            report.damage = Some(Damage { at: reader.at, reason });
            return Ok(report);
        }
    }
    Ok(report)
}
