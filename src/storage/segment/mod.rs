//! One file of the log: a header in a page of its own, which no later write touches, then records.

mod blocks;
mod open_files;
mod space;

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};

use super::StorageError;
use super::format::{Header, RECORD_HEADER_BYTES, RecordView, check};
use crate::bugs;
use crate::env::{BLOCK_BYTES, Disk, DiskFile};
use crate::model::{Epoch, Offset};

pub(super) use blocks::Blocks;
pub(super) use open_files::OpenFiles;
pub(super) use space::Space;
pub use space::{Shortage, SpaceOptions};

/// Bytes of a segment file before its first record.
pub(super) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// What a reader takes from the disk at once.
pub(super) const READ_BYTES: usize = 1024 * 1024;

/// No log begins higher.
pub(super) const FIRST_BASE_MAX: u64 = 1 << 62;
/// And none grows so long that a segment could begin higher than this: no sum of an offset and a length wraps.
const BASE_MAX: u64 = 1 << 63;

const MAGIC: [u8; 8] = *b"QUORLOG\n";
const VERSION: u32 = 1;
const FIELDS: usize = 44;

/// What a segment's header says: where the segment begins, and what stood before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Offset of the first record.
    pub(super) base: Offset,
    /// Checksum of the record before.
    pub(super) previous: u32,
    /// Epoch of the record before; 0 for none.
    pub(super) epoch: Epoch,
    /// Where the group began that is open at `base`; `base` when none is. Nothing but this group's records needs
    /// bytes below `base` to be understood.
    pub(super) group: Offset,
}

impl Origin {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.previous.to_le_bytes());
        out.extend(self.base.0.to_le_bytes());
        out.extend(self.epoch.0.to_le_bytes());
        out.extend(self.group.0.to_le_bytes());
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &out) as u32;
        out.extend(crc.to_le_bytes());
        out.resize(SEGMENT_HEADER_BYTES as usize, 0);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Origin, String> {
        let Some((mut fields, rest)) = bytes.split_at_checked(FIELDS - 4) else {
            return Err("the segment's header is cut off".into());
        };
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, fields) as u32;
        if rest.get(..4) != Some(&crc.to_le_bytes()[..]) || fields[..8] != MAGIC {
            return Err("the segment's header is damaged".into());
        }
        fields.advance(8);
        match fields.get_u32_le() {
            VERSION => Ok(Origin {
                previous: fields.get_u32_le(),
                base: Offset(fields.get_u64_le()),
                epoch: Epoch(fields.get_u64_le()),
                group: Offset(fields.get_u64_le()),
            }),
            version => Err(format!("the segment is of version {version}, which is unknown here")),
        }
    }
}

/// How long the file of a segment is that has room for so many bytes of records: whole blocks, as it is written in them.
fn file_bytes(records: u64) -> u64 {
    (SEGMENT_HEADER_BYTES + records).next_multiple_of(BLOCK_BYTES as u64)
}

/// A segment. Where its records end is known to its owner only.
pub(super) struct Segment {
    pub(super) origin: Origin,
    pub(super) path: PathBuf,
    files: OpenFiles,
    /// The file of the segment that is written; that of a finished one is opened when it is read.
    held: Mutex<Option<Arc<dyn DiskFile>>>,
}

impl Segment {
    /// File name of the segment with this base.
    pub(super) fn name(base: Offset) -> String {
        format!("{:020}.log", base.0)
    }

    /// Bases of the segments in `dir`, ascending, by their names alone.
    pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<Offset>, StorageError> {
        let names = disk.list(dir).map_err(StorageError::io("list", dir))?;
        let base = |name: String| {
            let base = Offset(name.strip_suffix(".log")?.parse().ok()?);
            (Segment::name(base) == name && base.0 <= BASE_MAX).then_some(base)
        };
        let mut bases: Vec<_> = names.into_iter().filter_map(base).collect();
        bases.sort_unstable();
        Ok(bases)
    }

    /// Creates a durable, preallocated segment. It has its name only when its header is durable.
    pub(super) fn create(
        files: &OpenFiles,
        dir: &Path,
        origin: Origin,
        bytes: u64,
    ) -> Result<Segment, StorageError> {
        let disk = files.disk.as_ref();
        let (path, draft) = (dir.join(Segment::name(origin.base)), dir.join("segment.tmp"));
        let file = disk.create(&draft).map_err(StorageError::io("create", &draft))?;
        let create = || {
            file.allocate(file_bytes(bytes))?;
            file.write_at(0, &mut [IoSlice::new(&origin.encode())])?;
            file.sync_data()?;
            disk.rename(&draft, &path)?;
            if bugs::on("directory_not_fsynced") { Ok(()) } else { disk.sync_dir(dir) }
        };
        if let Err(error) = create() {
            // A full disk gets back what was allocated of it; anything else will be cleared away by the next start.
            let _ = disk.remove(&draft);
            return Err(StorageError::io("create", &path)(error));
        }
        Ok(Segment::held(files, origin, path, file))
    }

    /// Makes a durable segment of an allocated file that holds zeros.
    pub(super) fn adopt(
        files: &OpenFiles,
        dir: &Path,
        origin: Origin,
        spare: &Path,
    ) -> Result<Segment, StorageError> {
        let disk = files.disk.as_ref();
        let path = dir.join(Segment::name(origin.base));
        let adopt = || {
            let file = disk.open(spare)?;
            file.write_at(0, &mut [IoSlice::new(&origin.encode())])?;
            file.sync_data()?;
            disk.rename(spare, &path)?;
            disk.sync_dir(dir)?;
            Ok(file)
        };
        let file = adopt().map_err(StorageError::io("create", &path))?;
        Ok(Segment::held(files, origin, path, file))
    }

    /// The segment that is to be written.
    fn held(files: &OpenFiles, origin: Origin, path: PathBuf, file: Box<dyn DiskFile>) -> Segment {
        files.forget(&path);
        Segment { origin, path, files: files.clone(), held: Mutex::new(Some(file.into())) }
    }

    /// Keeps the file open from now on, because it is written.
    pub(super) fn hold(&self) -> Result<(), StorageError> {
        let file = self.file().map_err(StorageError::io("open", &self.path))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// The segment is finished: from now on its file is opened when it is read.
    pub(super) fn release(&self) {
        // Somebody may have kept a file that had this name before.
        self.files.forget(&self.path);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        held.map_or_else(|| self.files.get(&self.path), Ok)
    }

    /// Opens a segment and reads its header. When that is damaged, the text says how, and the segment stands in for its
    /// name only.
    pub(super) fn open(
        files: &OpenFiles,
        dir: &Path,
        base: Offset,
    ) -> Result<(Segment, Option<String>), StorageError> {
        let path = dir.join(Segment::name(base));
        let file = files.get(&path).map_err(StorageError::io("open", &path))?;
        let mut header = [0; FIELDS];
        let read = file.read_at(0, &mut header).map_err(StorageError::io("read", &path))?;
        let (origin, damage) = match Origin::decode(&header[..read]) {
            Ok(origin) if origin.base == base && origin.group <= base => (origin, None),
            Ok(_) => (Origin::default(), Some("the segment's header belongs to another segment".into())),
            Err(reason) => (Origin::default(), Some(reason)),
        };
        let origin = if damage.is_some() { Origin { base, group: base, ..origin } } else { origin };
        Ok((Segment { origin, path, files: files.clone(), held: Mutex::default() }, damage))
    }

    /// Where in the file the record at `at` stands.
    pub(super) fn place(&self, at: Offset) -> u64 {
        SEGMENT_HEADER_BYTES + (at.0 - self.origin.base.0)
    }

    /// Offset at which the file ends, written or not.
    pub(super) fn file_end(&self) -> Result<Offset, StorageError> {
        let bytes = self.file().and_then(|file| file.len());
        let bytes = bytes.map_err(StorageError::io("measure", &self.path))?;
        Ok(Offset(self.origin.base.0 + bytes.saturating_sub(SEGMENT_HEADER_BYTES)))
    }

    /// Reads exactly `from..to`; what the file does not hold is damage.
    pub(super) fn bytes(&self, from: Offset, to: Offset) -> Result<BytesMut, StorageError> {
        let wanted = (to.0 - from.0) as usize;
        let mut buffer = BytesMut::zeroed(wanted);
        let read = self.file().and_then(|file| file.read_at(self.place(from), &mut buffer));
        let read = read.map_err(StorageError::io("read", &self.path))?;
        if read < wanted {
            let reason = format!("{} ends too early", self.path.display());
            return Err(StorageError::Corrupt { at: from.plus(read), reason });
        }
        Ok(buffer)
    }

    /// Makes every byte from `to` on read as zero, durably, in a file with room for `bytes` of records.
    pub(super) fn cut(&self, to: Offset, bytes: u64) -> Result<(), StorageError> {
        let cut = || {
            let file = self.file()?;
            file.set_len(self.place(to))?;
            file.allocate(file_bytes(bytes))?;
            file.sync_data()
        };
        cut().map_err(StorageError::io("cut", &self.path))
    }
}

/// Why a reader stopped before the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// What stands here is no record, or not the next one.
    Invalid(String),
    /// The disk.
    Disk(StorageError),
}

/// Reads a segment's records one after the other and checks each, with large reads.
pub(super) struct RecordReader<'a> {
    segment: &'a Segment,
    /// Offset of the next record.
    pub(super) at: Offset,
    /// Where to stop.
    to: Offset,
    /// Checksum that the next record must continue; none for the first one of a partial read.
    previous: Option<u32>,
    epoch: Epoch,
    buffer: Bytes,
}

impl<'a> RecordReader<'a> {
    /// Reads `from..to`; `from` is a record boundary, and `to` one or the end of the file.
    pub(super) fn new(segment: &'a Segment, from: Offset, to: Offset) -> RecordReader<'a> {
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
    pub(super) fn next(&mut self) -> Result<Option<RecordView>, Stop> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_of_it_is_found() {
        let origin = Origin { base: Offset(1 << 40), previous: 7, epoch: Epoch(3), group: Offset(9) };
        let bytes = origin.encode();
        assert_eq!(Origin::decode(&bytes), Ok(origin));
        for bit in 0..FIELDS * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Origin::decode(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..FIELDS {
            assert!(Origin::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn names_sort_as_offsets_do() {
        assert_eq!(Segment::name(Offset(42)), "00000000000000000042.log");
        assert_eq!(Segment::name(Offset(u64::MAX)).len(), 24);
    }
}
