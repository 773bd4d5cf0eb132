//! A segment's file.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;

use super::origin::FIELDS;
use super::{BASE_MAX, OpenFiles, Origin, SEGMENT_HEADER_BYTES, file_bytes};
use crate::bugs;
use crate::env::{Disk, DiskFile};
use crate::model::Offset;
use crate::storage::StorageError;

/// A segment. Where its records end is known to its owner only.
pub(in crate::storage) struct Segment {
    pub(in crate::storage) origin: Origin,
    pub(in crate::storage) path: PathBuf,
    files: OpenFiles,
    /// The file of the segment that is written; that of a finished one is opened when it is read.
    held: Mutex<Option<Arc<dyn DiskFile>>>,
}

impl Segment {
    /// File name of the segment with this base.
    pub(in crate::storage) fn name(base: Offset) -> String {
        format!("{:020}.log", base.0)
    }

    /// Bases of the segments in `dir`, ascending, by their names alone.
    pub(in crate::storage) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<Offset>, StorageError> {
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
    pub(in crate::storage) fn create(
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
    pub(in crate::storage) fn adopt(
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
    pub(in crate::storage) fn hold(&self) -> Result<(), StorageError> {
        let file = self.file().map_err(StorageError::io("open", &self.path))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(())
    }

    /// The segment is finished: from now on its file is opened when it is read.
    pub(in crate::storage) fn release(&self) {
        // Somebody may have kept a file that had this name before.
        self.files.forget(&self.path);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(in crate::storage) fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        held.map_or_else(|| self.files.get(&self.path), Ok)
    }

    /// Opens a segment and reads its header. When that is damaged, the text says how, and the segment stands in for its
    /// name only.
    pub(in crate::storage) fn open(
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
    pub(in crate::storage) fn place(&self, at: Offset) -> u64 {
        SEGMENT_HEADER_BYTES + (at.0 - self.origin.base.0)
    }

    /// Offset at which the file ends, written or not.
    pub(in crate::storage) fn file_end(&self) -> Result<Offset, StorageError> {
        let bytes = self.file().and_then(|file| file.len());
        let bytes = bytes.map_err(StorageError::io("measure", &self.path))?;
        Ok(Offset(self.origin.base.0 + bytes.saturating_sub(SEGMENT_HEADER_BYTES)))
    }

    /// Reads exactly `from..to`; what the file does not hold is damage.
    pub(in crate::storage) fn bytes(&self, from: Offset, to: Offset) -> Result<BytesMut, StorageError> {
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
    pub(in crate::storage) fn cut(&self, to: Offset, bytes: u64) -> Result<(), StorageError> {
        let cut = || {
            let file = self.file()?;
            file.set_len(self.place(to))?;
            file.allocate(file_bytes(bytes))?;
            file.sync_data()
        };
        cut().map_err(StorageError::io("cut", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_offsets_do() {
        assert_eq!(Segment::name(Offset(42)), "00000000000000000042.log");
        assert_eq!(Segment::name(Offset(u64::MAX)).len(), 24);
    }
}
