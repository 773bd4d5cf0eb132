//! The index's thread: checkpoints are handed to it, and at most one waits.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Checkpoint, Index, SledIndex};

/// How long the last checkpoint may take when the handle goes. One that is cut off does not count at the next start.
const LAST_TIME_MAX: Duration = Duration::from_secs(10);

/// Stores checkpoints on a thread of its own. Dropping it waits until the last one is stored, within reason.
pub struct IndexHandle {
    desk: Arc<Desk>,
    /// Closed when the thread ends.
    end: Option<Receiver<()>>,
}

#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    checkpoint: Option<Checkpoint>,
    closed: bool,
}

impl IndexHandle {
    /// Opens the index in the folder `path` and loads what it holds. Blocks for that long.
    pub fn open(path: &Path) -> (IndexHandle, Option<Checkpoint>) {
        let path = path.to_owned();
        IndexHandle::start(move || Box::new(SledIndex::open(&path)))
    }

    /// Starts the thread with the index that `open` makes on it.
    pub fn start(
        open: impl FnOnce() -> Box<dyn Index> + Send + 'static,
    ) -> (IndexHandle, Option<Checkpoint>) {
        let desk = Arc::new(Desk::default());
        let (loaded, answer) = sync_channel(1);
        let (over, end) = channel();
        let work = desk.clone();
        let run = move || {
            let mut index = open();
            let _ = loaded.send(index.load());
            while let Some(checkpoint) = work.next() {
                if let Err(e) = index.store(&checkpoint) {
                    tracing::warn!("{e}");
                }
            }
            drop(index);
            drop::<Sender<()>>(over);
        };
        let thread = thread::Builder::new().name("index".into()).spawn(run);
        if let Err(e) = &thread {
            tracing::warn!("there is no index: {e}");
        }
        let found = answer.recv().unwrap_or_default();
        (IndexHandle { desk, end: thread.ok().map(|_| end) }, found)
    }

    /// No index, for a store that does not outlive its process.
    pub fn none() -> IndexHandle {
        IndexHandle { desk: Arc::default(), end: None }
    }

    /// Takes the checkpoint that waits, where there is no thread for it.
    #[cfg(test)]
    pub(crate) fn take(&self) -> Option<Checkpoint> {
        self.desk.lock().checkpoint.take()
    }

    /// Has a checkpoint stored soon. At most one waits: a newer one takes its place.
    pub fn store(&self, checkpoint: Checkpoint) {
        self.desk.lock().checkpoint = Some(checkpoint);
        self.desk.changed.notify_one();
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkpoint that waits; none once the handle is gone and nothing waits.
    fn next(&self) -> Option<Checkpoint> {
        let idle = |waiting: &mut Waiting| waiting.checkpoint.is_none() && !waiting.closed;
        let waiting = self.changed.wait_while(self.lock(), idle);
        waiting.unwrap_or_else(PoisonError::into_inner).checkpoint.take()
    }
}

impl Drop for IndexHandle {
    fn drop(&mut self) {
        self.desk.lock().closed = true;
        self.desk.changed.notify_one();
        let end = self.end.take().map(|end| end.recv_timeout(LAST_TIME_MAX));
        if matches!(end, Some(Err(RecvTimeoutError::Timeout))) {
            tracing::warn!("the index takes too long; the next start makes it anew from the log");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint;
    use super::*;

    #[test]
    fn the_last_of_many_checkpoints_is_stored_before_the_handle_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (handle, found) = IndexHandle::open(dir.path());
        assert!(found.is_none());
        (1..=50).for_each(|n| handle.store(checkpoint(n, 20)));
        drop(handle);
        assert_eq!(IndexHandle::open(dir.path()).1, Some(checkpoint(50, 20)));
    }
}
