//! Room on the disk. A log keeps segments in reserve, allocated and empty: when the disk is full, what makes room
//! (acknowledgements, the cleaner's records) can still be written, and a segment that is begun always has its bytes. Whoever
//! looks after the reserve is told when the log should take nothing else.
//!
//! A disk without room is a state and no failure: nothing of the next segment is written yet when it shows, and the
//! writer waits. A failed write or sync still ends the log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{OpenFiles, Origin, Segment, file_bytes};
use crate::env::Disk;
use crate::storage::StorageError;

/// How often the disk is looked at, when nothing else asks for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Kept for the small files of the store (identity, promise) and for names: one of them must always find its block.
const LAST_BYTES: u64 = 1 << 20;
const LAST: &str = "last.spare";
const SPARE: &str = ".spare";

/// How much a log may take of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceOptions {
    /// Bytes in reserve, rounded up to whole segments.
    pub reserve_bytes: u64,
    /// Bytes that shall stay free beside the reserve.
    pub free_bytes_min: u64,
    /// Most bytes of the log's segments, without the reserve.
    pub limit_bytes: u64,
}

/// Told with the reason when the log should take nothing but what makes room, and with none when it may again.
pub type Shortage = Option<String>;

/// The reserve of a log, and what its disk was like when it was last looked at.
pub(in crate::storage) struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    options: SpaceOptions,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Empty segments, allocated.
    spares: Vec<PathBuf>,
    /// For the name of the next one.
    made: u64,
    /// Segments that the log has been told to begin, and the writer has not begun yet.
    owed: u64,
    /// Whether the file for small writes is there.
    last: bool,
    /// Whether the writer waits for a segment.
    waiting: bool,
    /// Whether somebody wants the disk looked at now.
    asked: bool,
    closed: bool,
}

impl Space {
    /// The reserve in `dir`, with what an earlier run has left of it.
    pub(in crate::storage) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_bytes: u64,
        options: SpaceOptions,
    ) -> Space {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let space = Space { disk, dir: dir.to_owned(), segment_bytes, options, state, changed };
        if let Err(error) = space.adopt_spares() {
            tracing::warn!(%error, "the reserve of an earlier run cannot be used");
        }
        space
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many segments the reserve has when it is whole.
    fn wanted(&self) -> usize {
        self.options.reserve_bytes.div_ceil(self.segment_bytes.max(1)) as usize
    }

    /// Takes over what an earlier run has left in reserve.
    fn adopt_spares(&self) -> io::Result<()> {
        let mut state = self.lock();
        for name in self.disk.list(&self.dir)?.into_iter().filter(|name| name.ends_with(SPARE)) {
            let path = self.dir.join(&name);
            let bytes = self.disk.open(&path)?.len()?;
            let number = name.strip_suffix(SPARE).and_then(|number| number.parse::<u64>().ok());
            match number {
                _ if name == LAST && bytes == LAST_BYTES => state.last = true,
                Some(number)
                    if bytes == file_bytes(self.segment_bytes) && state.spares.len() < self.wanted() =>
                {
                    state.made = state.made.max(number);
                    state.spares.push(path);
                }
                _ => self.disk.remove(&path)?,
            }
        }
        Ok(())
    }

    /// Begins a segment: from the reserve, which is refilled soon, else from the disk; waits while neither has any.
    ///
    /// # Errors
    /// [`StorageError::Io`]: the disk, for another reason. [`StorageError::Failed`]: the log closes meanwhile.
    pub(in crate::storage) fn segment(
        &self,
        files: &OpenFiles,
        origin: Origin,
    ) -> Result<Segment, StorageError> {
        loop {
            let spare = self.lock().spares.pop();
            let begun = match &spare {
                Some(spare) => Segment::adopt(files, &self.dir, origin, spare),
                None => Segment::create(files, &self.dir, origin, self.segment_bytes),
            };
            let mut state = self.lock();
            state.asked = true;
            self.changed.notify_all();
            match begun {
                Err(error) if error.is_full() => {}
                begun => {
                    (state.waiting, state.owed) = (false, state.owed.saturating_sub(1));
                    return begun;
                }
            }
            // What the system wants besides, as for a name in the directory, is not part of it: the spare is as good as before.
            state.spares.extend(spare.filter(|spare| self.disk.open(spare).is_ok()));
            let spares = state.spares.len();
            drop(state);
            if self.make_way() {
                continue;
            }
            let mut state = self.lock();
            state.waiting = true;
            let idle = |state: &mut State| state.spares.len() <= spares && !state.closed;
            let waited = self.changed.wait_timeout_while(state, LOOK_EVERY, idle);
            let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.closed {
                return Err(StorageError::Failed("the log closes without room for what waits".into()));
            }
        }
    }

    /// The writer has been told to begin so many segments.
    pub(in crate::storage) fn owe(&self, segments: usize) {
        self.lock().owed += segments as u64;
    }

    /// Segments that the log can still be told to begin; none when the writer owes more than there are.
    pub(in crate::storage) fn left(&self) -> Option<u64> {
        let state = self.lock();
        (state.spares.len() as u64).checked_sub(state.owed)
    }

    /// Whether the writer waits for a segment.
    pub(in crate::storage) fn is_waiting(&self) -> bool {
        self.lock().waiting
    }

    pub(in crate::storage) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Gives the blocks of the small reserve back to the disk, if that has hardly any; says whether it has.
    pub(in crate::storage) fn make_way(&self) -> bool {
        let scarce = self.disk.free_bytes(&self.dir).is_ok_and(|free| free < LAST_BYTES);
        let mut state = self.lock();
        if !(scarce && state.last) {
            return false;
        }
        state.last = false;
        let removed = self.disk.remove(&self.dir.join(LAST));
        if let Err(error) = &removed {
            tracing::warn!(%error, "the small reserve cannot be given up");
        }
        removed.is_ok()
    }

    /// Brings the reserve to its full size, as far as the disk allows.
    fn refill(&self) -> io::Result<()> {
        if !self.lock().last {
            self.allocate(&self.dir.join(LAST), LAST_BYTES)?;
            self.lock().last = true;
        }
        loop {
            let number = {
                let mut state = self.lock();
                if state.spares.len() >= self.wanted() || state.closed {
                    return Ok(());
                }
                state.made += 1;
                state.made
            };
            let path = self.dir.join(format!("{number}{SPARE}"));
            self.allocate(&path, file_bytes(self.segment_bytes))?;
            self.lock().spares.push(path);
            self.changed.notify_all();
        }
    }

    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let allocated = self.disk.create(path).and_then(|file| file.allocate(bytes));
        if allocated.is_err() {
            // What was allocated of it belongs to others again.
            let _ = self.disk.remove(path);
        }
        allocated
    }

    /// Why the log should take nothing but what makes room. `used` are the bytes of its segments; `short`: it has been
    /// so, and a little more than just enough is asked for, so that it does not change with every segment.
    pub(in crate::storage) fn shortage(&self, used: u64, short: bool) -> Shortage {
        let mib = |bytes: u64| bytes >> 20;
        if let Err(error) = self.refill() {
            let (have, wanted) = (self.lock().spares.len() as u64, self.wanted() as u64);
            let have = mib(have * self.segment_bytes);
            let wanted = mib(wanted * self.segment_bytes);
            return Some(format!(
                "the disk of {} is full: {have} of {wanted} MiB are in reserve ({error})",
                self.dir.display()
            ));
        }
        let more = if short { self.segment_bytes } else { 0 };
        let SpaceOptions { free_bytes_min, limit_bytes, .. } = self.options;
        match self.disk.free_bytes(&self.dir) {
            Ok(free) if free < free_bytes_min.saturating_add(more) => {
                return Some(format!(
                    "the disk of {} is nearly full: less than {} MiB are free",
                    self.dir.display(),
                    mib(free_bytes_min + more)
                ));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "free space of {}", self.dir.display()),
        }
        (used.saturating_add(more) >= limit_bytes)
            .then(|| format!("the store limit of {} MiB (system_usage.store) is reached", mib(limit_bytes)))
    }

    /// Waits until the disk is to be looked at again; false when the log closes.
    pub(in crate::storage) fn wait(&self) -> bool {
        let idle = |state: &mut State| !state.asked && !state.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), LOOK_EVERY, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.asked = false;
        !state.closed
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({})", self.dir.display())
    }
}
