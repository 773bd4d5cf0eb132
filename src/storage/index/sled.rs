//! The index in a folder of sled's. sled 0.34 is used by its safe part only: single inserts and removes (batches leak), a
//! marker last, one flush.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crc_fast::{CrcAlgorithm, Digest, checksum};

use super::{Checkpoint, Index, IndexError};
use crate::model::{Epoch, Offset, Position};

const VERSION: u8 = 1;
const MARKER_BYTES: usize = 1 + 8 + 8 + 8 + 8 + 8 + 4;
const LOCK_TRIES: usize = 200;
const LOCK_PERIOD: Duration = Duration::from_millis(10);
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How long is waited for sled to close its files. After some errors it never does.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// The index in a folder of sled's.
pub struct SledIndex {
    path: PathBuf,
    /// None when it could not be opened, or after doubt.
    trees: Option<Trees>,
    generation: u64,
}

struct Trees {
    db: sled::Db,
    meta: sled::Tree,
    state: sled::Tree,
}

/// What the marker says of the checkpoint whose entries carry its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    generation: u64,
    applied: Position,
    digest: u64,
    count: u64,
    crc: u32,
}

impl Trees {
    fn open(path: &Path) -> Result<Trees, IndexError> {
        let mut tries = 0;
        loop {
            match Trees::try_open(path) {
                // sled's threads hold the folder's lock a little longer than its handle lives.
                Err(e) if tries < LOCK_TRIES && e.0.contains("could not acquire lock") => tries += 1,
                result => return result,
            }
            thread::sleep(LOCK_PERIOD);
        }
    }

    fn try_open(path: &Path) -> Result<Trees, IndexError> {
        guarded(|| {
            let config = sled::Config::new().path(path).flush_every_ms(None).cache_capacity(CACHE_BYTES);
            let db = config.open()?;
            Ok(Trees { meta: db.open_tree("meta")?, state: db.open_tree("state")?, db })
        })
    }

    fn load(&self) -> Result<Option<(u64, Checkpoint)>, IndexError> {
        let Some(raw) = guarded(|| self.meta.get("marker"))? else { return Ok(None) };
        let doubt = |what: &str| IndexError(what.into());
        let marker = Marker::decode(&raw).ok_or_else(|| doubt("its marker is damaged"))?;
        let mut entries = Vec::new();
        for entry in self.state.iter() {
            let (key, value) = guarded(|| entry)?;
            match (key.strip_prefix(&marker.generation.to_be_bytes()), value.split_first()) {
                (Some(key), Some((&VERSION, value))) => entries.push((key.to_vec(), value.to_vec())),
                (Some(_), _) => return Err(doubt("an entry is of another version")),
                // Of a checkpoint that was not finished, or not cleaned up.
                (None, _) => drop(guarded(|| self.state.remove(&key))?),
            }
        }
        if (entries.len() as u64, content_crc(entries.iter())) != (marker.count, marker.crc) {
            return Err(doubt("its entries are not what was written"));
        }
        let Marker { generation, applied, digest, .. } = marker;
        Ok(Some((generation, Checkpoint { applied, digest, entries })))
    }

    fn store(&self, generation: u64, checkpoint: &Checkpoint) -> Result<(), IndexError> {
        let mut sorted: Vec<_> = checkpoint.entries.iter().collect();
        sorted.sort();
        let prefix = generation.to_be_bytes();
        let marker = Marker {
            generation,
            applied: checkpoint.applied,
            digest: checkpoint.digest,
            count: sorted.len() as u64,
            crc: content_crc(sorted.iter().copied()),
        };
        guarded(|| {
            for (key, value) in sorted {
                self.state.insert([&prefix[..], key].concat(), [&[VERSION], &value[..]].concat())?;
            }
            self.meta.insert("marker", marker.encode())?;
            self.db.flush()?;
            // Only now: until the new marker is durable, the old entries are the checkpoint.
            for old in self.state.range(..prefix.to_vec()).keys() {
                self.state.remove(old?)?;
            }
            Ok(())
        })
    }
}

impl SledIndex {
    /// Opens the index in the folder `path`, which belongs to it alone.
    pub fn open(path: &Path) -> SledIndex {
        let mut index = SledIndex { path: path.to_owned(), trees: None, generation: 0 };
        match Trees::open(path) {
            Ok(trees) => index.trees = Some(trees),
            Err(e) => index.doubt(&e),
        }
        index
    }

    fn doubt(&mut self, error: &IndexError) {
        tracing::warn!("{error}; it is wiped and made again from the log");
        self.wipe();
    }
}

impl Index for SledIndex {
    fn load(&mut self) -> Option<Checkpoint> {
        let found = self.trees.as_ref()?.load();
        match found {
            Ok(found) => {
                let (generation, checkpoint) = found?;
                self.generation = generation;
                Some(checkpoint)
            }
            Err(e) => {
                self.doubt(&e);
                None
            }
        }
    }

    fn store(&mut self, checkpoint: &Checkpoint) -> Result<(), IndexError> {
        let generation = self.generation + 1;
        let trees = self.trees.as_ref().ok_or_else(|| IndexError("it could not be opened".into()))?;
        let stored = trees.store(generation, checkpoint);
        match &stored {
            Ok(()) => self.generation = generation,
            Err(e) => self.doubt(e),
        }
        stored
    }

    fn wipe(&mut self) {
        if let Some(trees) = self.trees.take() {
            close(trees);
        }
        self.generation = 0;
        let removed = std::fs::remove_dir_all(&self.path);
        if let Err(e) = removed
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {e}", self.path.display());
            return;
        }
        match Trees::open(&self.path) {
            Ok(trees) => self.trees = Some(trees),
            Err(e) => tracing::warn!("{e}; starts will be slow"),
        }
    }
}

/// Closes sled's files, or leaves that to a thread that may never end: what it held is refused by sled itself by then.
fn close(trees: Trees) {
    let (over, end) = channel::<()>();
    let closing = thread::Builder::new().name("index-close".into()).spawn(move || {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(trees)));
        drop(over);
    });
    if closing.is_ok() && matches!(end.recv_timeout(CLOSE_TIME_MAX), Err(RecvTimeoutError::Timeout)) {
        tracing::warn!("the index does not close; its memory is given back at the end of this process");
    }
}

/// Runs a call of sled's; its errors and its panics are the same to us.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| IndexError(e.to_string())),
        Err(_) => Err(IndexError("it panicked".into())),
    }
}

fn content_crc<'a>(entries: impl Iterator<Item = &'a (Vec<u8>, Vec<u8>)>) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in entries.flat_map(|(key, value)| [key, value]) {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize() as u32
}

impl Marker {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let Position { epoch, offset } = self.applied;
        for number in [self.generation, epoch.0, offset.0, self.digest, self.count] {
            out.extend(number.to_be_bytes());
        }
        out.extend(self.crc.to_be_bytes());
        out.extend((checksum(CrcAlgorithm::Crc32Iscsi, &out) as u32).to_be_bytes());
        out
    }

    fn decode(raw: &[u8]) -> Option<Marker> {
        let (fields, sum) = raw.split_at_checked(MARKER_BYTES)?;
        if sum != (checksum(CrcAlgorithm::Crc32Iscsi, fields) as u32).to_be_bytes() || fields[0] != VERSION {
            return None;
        }
        let u64_at = |n: usize| fields[1 + n * 8..].first_chunk().map(|raw| u64::from_be_bytes(*raw));
        Some(Marker {
            // Nobody counts so far, and there must be a next one.
            generation: u64_at(0).filter(|generation| *generation <= u64::MAX / 2)?,
            applied: Position { epoch: Epoch(u64_at(1)?), offset: Offset(u64_at(2)?) },
            digest: u64_at(3)?,
            count: u64_at(4)?,
            crc: u32::from_be_bytes(*fields[41..].first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::checkpoint;
    use super::*;

    /// What every index must do.
    fn contract(open: impl Fn(&Path) -> Box<dyn Index>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut index = open(&path);
        assert_eq!(index.load(), None);
        for (n, entries) in [(1, 100), (2, 10), (3, 300), (4, 0), (5, 7)] {
            index.store(&checkpoint(n, entries)).unwrap();
            assert_eq!(index.load(), Some(checkpoint(n, entries)));
            drop(index);
            index = open(&path);
            assert_eq!(index.load(), Some(checkpoint(n, entries)));
        }
        index.wipe();
        assert_eq!(index.load(), None);
        index.store(&checkpoint(6, 3)).unwrap();
        drop(index);
        assert_eq!(open(&path).load(), Some(checkpoint(6, 3)));
    }

    #[test]
    fn sled_keeps_the_contract_of_an_index() {
        contract(|path| Box::new(SledIndex::open(path)));
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut all = Vec::new();
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { all.extend(files(&entry.path())) } else { all.push(entry.path()) }
        }
        all
    }

    #[test]
    fn a_damaged_index_is_wiped_or_whole_but_never_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let written = checkpoint(1, 500);
        let mut wiped = 0;
        for round in 0..24usize {
            let _ = fs::remove_dir_all(&path);
            let mut index = SledIndex::open(&path);
            index.store(&checkpoint(0, 200)).unwrap();
            index.store(&written).unwrap();
            drop(index);
            let files = files(&path);
            let file = &files[round % files.len()];
            let mut bytes = fs::read(file).unwrap();
            match round / files.len() % 4 {
                0 => fs::remove_file(file).unwrap(),
                1 => fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
                2 => fs::write(file, b"").unwrap(),
                _ => {
                    let part = bytes.len() / 3..bytes.len() * 2 / 3;
                    bytes[part].fill(0xa5);
                    fs::write(file, bytes).unwrap();
                }
            }
            let mut index = SledIndex::open(&path);
            match index.load() {
                // An earlier one is as true as the last: the log is folded from there.
                Some(found) => assert!(found == written || found == checkpoint(0, 200), "round {round}"),
                None => wiped += 1,
            }
            index.store(&checkpoint(9, 20)).unwrap();
            assert_eq!(index.load(), Some(checkpoint(9, 20)));
        }
        assert!(wiped > 0, "the damage was never noticed");
    }

    #[test]
    fn an_index_that_fails_in_the_middle_is_wiped_and_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut index = SledIndex::open(&path);
        index.store(&checkpoint(1, 50)).unwrap();
        let large = vec![(b"large".to_vec(), vec![7; 4 << 20])];
        // Where its large values go there is something else.
        fs::remove_dir_all(path.join("blobs")).unwrap();
        fs::write(path.join("blobs"), b"").unwrap();
        index.store(&Checkpoint { entries: large.clone(), ..checkpoint(2, 0) }).unwrap_err();
        assert_eq!(index.load(), None);
        index.store(&Checkpoint { entries: large, ..checkpoint(3, 0) }).unwrap();
        drop(index);
        assert_eq!(SledIndex::open(&path).load().unwrap().applied, checkpoint(3, 0).applied);
    }

    #[test]
    fn entries_without_their_marker_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let mut index = SledIndex::open(dir.path());
        index.store(&checkpoint(1, 50)).unwrap();
        // A crash before the next marker: some entries of the next generation.
        let trees = index.trees.as_ref().unwrap();
        trees.state.insert([&2u64.to_be_bytes()[..], b"key"].concat(), vec![VERSION, 1]).unwrap();
        assert_eq!(index.load(), Some(checkpoint(1, 50)));
        assert_eq!(index.trees.as_ref().unwrap().state.len(), 50, "what is left over is removed");
        // A key that is missing.
        let trees = index.trees.as_ref().unwrap();
        let first = trees.state.iter().keys().next().unwrap().unwrap();
        trees.state.remove(first).unwrap();
        assert_eq!(index.load(), None);
    }

    #[test]
    fn every_flipped_bit_of_a_marker_is_found() {
        let marker = Marker { generation: 3, applied: Position::default(), digest: 4, count: 5, crc: 6 };
        let good = marker.encode();
        assert_eq!(Marker::decode(&good), Some(marker));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Marker::decode(&bad), None, "bit {bit}");
        }
    }
}
