//! The log's room on its disk: a thread looks after the reserve and tells when the log should take nothing else.

use std::sync::Arc;
use std::thread;

use super::Log;
use super::shared::Shared;
use crate::storage::live::ROOM_PART;
use crate::storage::segment::Space;
use crate::storage::{Shortage, SpaceOptions, StorageError};

/// Looks after the reserve until the log closes.
fn watch(shared: &Shared, space: &Space, notify: &dyn Fn(Shortage)) {
    let mut told: Shortage = None;
    loop {
        let found = space.shortage(shared.used_bytes(), told.is_some());
        // The figures in the text change all the time; whoever is told wants to know that it began and that it is over.
        if found.is_some() != told.is_some() {
            told.clone_from(&found);
            notify(found);
        }
        if !space.wait() {
            return;
        }
    }
}

impl Log {
    /// From now on keeps segments in reserve and waits for room instead of failing for want of it. `notify` is called
    /// on a thread of the log, once at each change; it must not own a clone of the log.
    ///
    /// # Errors
    /// [`StorageError::Io`]: the system gives no thread.
    pub fn watch_space(
        &self,
        options: SpaceOptions,
        notify: Box<dyn Fn(Shortage) + Send>,
    ) -> Result<(), StorageError> {
        let shared = Arc::clone(&self.inner.shared);
        let segment_bytes = shared.options.segment_bytes;
        let space = Arc::new(Space::open(Arc::clone(&shared.disk), &shared.dir, segment_bytes, options));
        if shared.space.set(Arc::clone(&space)).is_err() {
            return Ok(());
        }
        let dir = shared.dir.clone();
        let run = move || watch(&shared, &space, &*notify);
        let thread = thread::Builder::new().name("log-space".into()).spawn(run);
        self.keep(thread.map_err(StorageError::io("start the threads of", &dir))?);
        Ok(())
    }

    /// Bytes that can be appended whatever happens on the disk: the rest of the segment that is written, and the
    /// reserve. No bound at all for a log that keeps none.
    pub fn guaranteed(&self) -> u64 {
        let Some(space) = self.inner.shared.space.get() else { return u64::MAX };
        // Behind this a segment may end wherever a group does.
        let segment_bytes = self.inner.shared.options.segment_bytes;
        let filled = segment_bytes - segment_bytes / ROOM_PART;
        let rest = {
            let front = self.front();
            let (origin, end) = (front.live.summary.origin, front.live.end());
            filled.saturating_sub(end.0 - origin.base.0)
        };
        match space.left() {
            Some(left) => rest.saturating_add(left.saturating_mul(filled)),
            None => 0,
        }
    }

    /// Bytes that the log's segments take on the disk, the reserve apart.
    pub fn used_bytes(&self) -> u64 {
        self.inner.shared.used_bytes()
    }

    /// Whether appended records wait for room on the disk.
    pub fn waits_for_room(&self) -> bool {
        self.inner.shared.space.get().is_some_and(|space| space.is_waiting())
    }

    /// Before a small file of the store is written: makes room for it on a disk that has none.
    pub fn make_way(&self) {
        if let Some(space) = self.inner.shared.space.get() {
            space.make_way();
        }
    }
}
