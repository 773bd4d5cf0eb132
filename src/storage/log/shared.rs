//! What the writer and the readers of a log have in common: files, segments, and how far it is durable.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::LogOptions;
use crate::env::Disk;
use crate::model::Offset;
use crate::storage::StorageError;
use crate::storage::segment::{OpenFiles, SEGMENT_HEADER_BYTES, Segment, Space};
use crate::storage::sidecar::{Sealed, Sidecar};

/// What is in each finished segment, by base.
pub(in crate::storage) type Table = BTreeMap<Offset, Arc<Sealed>>;

/// What the writer and the readers of a log have in common.
pub(in crate::storage) struct Shared {
    pub(in crate::storage) disk: Arc<dyn Disk>,
    /// Those of finished segments that are read.
    pub(super) files: OpenFiles,
    pub(in crate::storage) dir: PathBuf,
    pub(super) options: LogOptions,
    /// Ascending; never empty. The writer changes it.
    pub(super) segments: RwLock<Vec<Arc<Segment>>>,
    /// What is in each finished segment, by base. Changed under the lock of the log's front, but for a sidecar that
    /// takes the place of entries in memory.
    pub(super) sealed: Mutex<Arc<Table>>,
    /// Everything below is written and synced.
    pub(super) durable: AtomicU64,
    /// How often records were synced.
    pub(super) syncs: AtomicU64,
    /// How long these took with the writing before them, in microseconds.
    pub(super) syncs_took_us: AtomicU64,
    /// Commands that the thread has not done yet. Grows under the lock of the log's front only.
    pub(super) waiting: AtomicUsize,
    /// The reserve; none for a log that keeps none.
    pub(super) space: OnceLock<Arc<Space>>,
    /// Why the log has failed; set once.
    pub(super) failure: OnceLock<String>,
}

impl Shared {
    /// The open segments, ascending.
    pub(in crate::storage) fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is in each finished segment, at this moment.
    pub(in crate::storage) fn sealed(&self) -> Arc<Table> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the table, or a copy of it if somebody is reading.
    pub(super) fn change_sealed(&self, change: impl FnOnce(&mut Table)) {
        change(Arc::make_mut(&mut self.sealed.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    /// Fails when the log has.
    pub(super) fn check(&self) -> Result<(), StorageError> {
        self.failure.get().map_or(Ok(()), |reason| Err(StorageError::Failed(reason.clone())))
    }

    /// Bytes that the segments take on the disk.
    pub(super) fn used_bytes(&self) -> u64 {
        let segments = self.segments();
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return 0 };
        let headers = segments.len() as u64 * SEGMENT_HEADER_BYTES;
        last.origin.base.0 - first.origin.base.0 + self.options.segment_bytes + headers
    }

    /// Durably removes one segment. Each removal is made durable before the next, so that no crash leaves a gap.
    pub(super) fn remove_segment(&self, base: Offset) -> Result<(), StorageError> {
        let path = self.dir.join(Segment::name(base));
        self.disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        let sidecar = self.dir.join(Sidecar::name(base));
        [&path, &sidecar].into_iter().for_each(|path| self.files.forget(path));
        match self.disk.remove(&sidecar) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}: {e}", sidecar.display())
            }
            _ => {}
        }
        self.disk.sync_dir(&self.dir).map_err(StorageError::io("sync", &self.dir))
    }
}
