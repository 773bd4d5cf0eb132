//! A node's store: its log and its identity, opened together, because each tells whether the other one is missing.

use std::path::Path;
use std::sync::Arc;

use super::identity::IdentityFile;
use super::log::{Log, LogEvent, LogOptions, Recovered};
use super::{IndexHandle, StorageError};
use crate::env::{Disk, random_u128};
use crate::model::{Identity, StoreId};

/// Everything a node has on its disk.
pub struct Store {
    /// The log.
    pub log: Log,
    /// What the log held.
    pub recovered: Recovered,
    /// Where the identity is kept.
    pub file: IdentityFile,
    /// Who the store is.
    pub identity: Identity,
}

impl Store {
    /// Opens the store in `dir` of the node with this name, or formats one when there is none. A store without the log
    /// that it had, or with an unreadable one, opens with [`Recovered::damage`] again and again until the log is cut or
    /// reset: it must not vote.
    ///
    /// # Errors
    /// As [`Log::open`] and [`IdentityFile::open`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        node: &str,
        options: LogOptions,
        notify: Box<dyn Fn(LogEvent) + Send + Sync>,
    ) -> Result<Store, StorageError> {
        disk.create_dir_all(dir).map_err(StorageError::io("create", dir))?;
        // The log comes first, also when a store is formatted: an identity without a log is a loss.
        let formatted = IdentityFile::exists(disk.as_ref(), dir)?;
        let (log, recovered) = Log::open_known(disk.clone(), &dir.join("log"), options, notify, formatted)?;
        disk.sync_dir(dir).map_err(StorageError::io("sync", dir))?;
        let (file, identity) = IdentityFile::open(disk, dir, node)?;
        Ok(Store { log, recovered, file, identity })
    }

    /// Makes a damaged store another one, which has no vote, and cuts what cannot be trusted off its log; the master
    /// sends it again.
    ///
    /// # Errors
    /// As [`IdentityFile::save`], [`Log::truncate`] and [`Log::reset`]; the store is as damaged as before at the next start.
    pub fn cut_damage(&mut self) -> Result<(), StorageError> {
        let Some(damage) = self.recovered.damage.clone() else { return Ok(()) };
        self.identity.store = StoreId(random_u128());
        self.file.save(&self.identity)?;
        self.recovered = self.log.cut_damage(damage.at)?;
        Ok(())
    }

    /// Opens the index beside this store. It is a cache: what cannot be used is wiped, and nothing fails.
    pub fn open_index(dir: &Path) -> (IndexHandle, Option<super::Checkpoint>) {
        IndexHandle::open(&dir.join("index"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::env::SystemDisk;
    use crate::model::Offset;

    fn open(dir: &Path) -> Store {
        let options = LogOptions { segment_bytes: 1000, tail_bytes: 0 };
        Store::open(Arc::new(SystemDisk), dir, "n1", options, Box::new(|_| ())).unwrap()
    }

    #[test]
    fn a_store_that_lost_its_log_is_damaged_until_it_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("not/there/yet");
        let first = open(&dir);
        assert_eq!((first.recovered.created, &first.recovered.damage), (true, &None));
        let identity = first.identity.clone();
        drop(first);
        fs::remove_dir_all(dir.join("log")).unwrap();
        for _ in 0..2 {
            let lost = open(&dir);
            assert_eq!(lost.recovered.damage.map(|damage| damage.at), Some(Offset(0)));
            assert_eq!(lost.identity, identity);
        }
        assert_eq!(open(&dir).log.truncate(Offset(0)).unwrap().damage, None);
        assert_eq!(open(&dir).recovered.damage, None);
    }

    #[test]
    fn damage_in_the_first_segments_header_is_cut_for_good() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let path = dir.path().join("log/00000000000000000000.log");
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
        let mut store = open(dir.path());
        assert!(store.recovered.damage.is_some());
        store.cut_damage().unwrap();
        let identity = store.identity.clone();
        drop(store);
        let again = open(dir.path());
        assert_eq!((again.recovered.damage, again.identity), (None, identity));
    }

    #[test]
    fn a_store_that_lost_its_identity_becomes_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let identity = open(dir.path()).identity;
        fs::remove_file(dir.path().join("identity.json")).unwrap();
        assert_ne!(open(dir.path()).identity.store, identity.store);
    }
}
