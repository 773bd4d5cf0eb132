//! The durable hint: how far the log has been fsynced, so that recovery can tell a torn tail (never acknowledged) from
//! damage (acknowledged, and gone). It is written after each fsync and synced now and then, so it is never ahead of
//! the log; it may lag.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crc_fast::{CrcAlgorithm, checksum};

use super::StorageError;
use crate::env::{Disk, DiskFile};
use crate::model::Offset;

/// Distance of the two slots: each has a page of its own, so that a torn write spares one.
const SLOT_BYTES: u64 = 4096;
const MAGIC: [u8; 8] = *b"QUORDUR\x01";
const FIELDS: usize = 28;
/// In place of an end: it was known once.
const LOST: Offset = Offset(u64::MAX);

/// The file `durable`.
pub(super) struct Hint {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    generation: u64,
    end: Offset,
}

/// How the file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There was none, and none was expected: a new one says 0.
    Created,
    /// There was none although there should be; the new one remembers that.
    Lost,
    /// No slot of it can be read.
    Damaged,
    /// The log was durable up to here.
    End(Offset),
}

impl Hint {
    /// Opens the file or creates a durable one; `expected`: there has been one.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, expected: bool) -> Result<(Hint, Found), StorageError> {
        if let Some(existing) = Hint::existing(disk, dir)? {
            return Ok(existing);
        }
        let (path, draft) = (dir.join("durable"), dir.join("durable.tmp"));
        let file = disk.create(&draft).map_err(StorageError::io("create", &draft))?;
        let mut hint = Hint { file, path, generation: 0, end: Offset(0) };
        hint.force(if expected { LOST } else { Offset(0) })?;
        disk.rename(&draft, &hint.path).map_err(StorageError::io("create", &hint.path))?;
        disk.sync_dir(dir).map_err(StorageError::io("sync", dir))?;
        Ok((hint, if expected { Found::Lost } else { Found::Created }))
    }

    /// What the file says, without making one.
    pub(super) fn look(disk: &dyn Disk, dir: &Path, expected: bool) -> Result<Found, StorageError> {
        let missing = if expected { Found::Lost } else { Found::Created };
        Ok(Hint::existing(disk, dir)?.map_or(missing, |(_, found)| found))
    }

    fn existing(disk: &dyn Disk, dir: &Path) -> Result<Option<(Hint, Found)>, StorageError> {
        let path = dir.join("durable");
        match disk.open(&path) {
            Ok(file) => {
                let mut hint = Hint { file, path, generation: 0, end: Offset(0) };
                let found = hint.read()?;
                Ok(Some((hint, found)))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StorageError::io("open", &path)(e)),
        }
    }

    fn read(&mut self) -> Result<Found, StorageError> {
        let mut found = Found::Damaged;
        for slot in 0..2 {
            let mut bytes = [0; FIELDS];
            let read = self.file.read_at(slot * SLOT_BYTES, &mut bytes);
            let read = read.map_err(StorageError::io("read", &self.path))?;
            if let Some((generation, end)) = decode(&bytes[..read])
                && generation > self.generation
            {
                (self.generation, self.end) = (generation, end);
                found = if end == LOST { Found::Lost } else { Found::End(end) };
            }
        }
        Ok(found)
    }

    /// Writes that the log is durable up to `end`, not durably itself.
    pub(super) fn write(&mut self, end: Offset) -> Result<(), StorageError> {
        self.generation += 1;
        self.end = end;
        let mut bytes = [0; FIELDS];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&end.0.to_le_bytes());
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &bytes[..FIELDS - 4]) as u32;
        bytes[FIELDS - 4..].copy_from_slice(&crc.to_le_bytes());
        let place = (self.generation % 2) * SLOT_BYTES;
        self.file.write_at(place, &mut [IoSlice::new(&bytes)]).map_err(StorageError::io("write", &self.path))
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(StorageError::io("sync", &self.path))
    }

    /// Durably says `end` in both slots: before the log is cut, no slot may be left that knows more.
    pub(super) fn force(&mut self, end: Offset) -> Result<(), StorageError> {
        for _ in 0..2 {
            self.write(end)?;
            self.sync()?;
        }
        Ok(())
    }
}

fn decode(bytes: &[u8]) -> Option<(u64, Offset)> {
    let (fields, crc) = bytes.split_at_checked(FIELDS - 4)?;
    if crc != (checksum(CrcAlgorithm::Crc32Iscsi, fields) as u32).to_le_bytes() || fields[..8] != MAGIC {
        return None;
    }
    let u64_at = |at: usize| fields[at..].first_chunk::<8>().map(|raw| u64::from_le_bytes(*raw));
    // Nobody counts so far, and there must be a next one.
    let generation = u64_at(8).filter(|generation| *generation <= i64::MAX as u64)?;
    Some((generation, Offset(u64_at(16)?)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::env::SystemDisk;

    fn found(dir: &Path) -> Found {
        Hint::open(&SystemDisk, dir, true).unwrap().1
    }

    #[test]
    fn the_hint_is_what_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let (mut hint, absent) = Hint::open(&SystemDisk, dir.path(), false).unwrap();
        assert_eq!((absent, found(dir.path())), (Found::Created, Found::End(Offset(0))));
        for end in [5, 9, 12] {
            hint.write(Offset(end)).unwrap();
            assert_eq!(found(dir.path()), Found::End(Offset(end)));
        }
        hint.force(Offset(3)).unwrap();
        assert_eq!(found(dir.path()), Found::End(Offset(3)));
    }

    #[test]
    fn a_lost_hint_stays_lost_until_it_is_forced() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!((found(dir.path()), found(dir.path())), (Found::Lost, Found::Lost));
        Hint::open(&SystemDisk, dir.path(), true).unwrap().0.force(Offset(3)).unwrap();
        assert_eq!(found(dir.path()), Found::End(Offset(3)));
    }

    #[test]
    fn a_torn_slot_gives_the_one_before_and_two_torn_slots_are_damage() {
        let dir = tempfile::tempdir().unwrap();
        let mut hint = Hint::open(&SystemDisk, dir.path(), false).unwrap().0;
        hint.write(Offset(5)).unwrap();
        hint.write(Offset(9)).unwrap();
        let path = dir.path().join("durable");
        let good = fs::read(&path).unwrap();
        let last = (hint.generation % 2 * SLOT_BYTES) as usize;
        for at in 0..FIELDS {
            let mut bad = good.clone();
            bad[last + at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(found(dir.path()), Found::End(Offset(5)), "byte {at}");
            bad[SLOT_BYTES as usize - last + at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(found(dir.path()), Found::Damaged, "byte {at}");
        }
    }
}
