//! A disk whose power can be cut: a file system in memory, mounted by FUSE, that keeps apart what was not synced.

mod mount;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, MountOption, ReplyEmpty};

use super::dice::Dice;
use mount::Mounted;
use tree::{Number, Tree};

pub(crate) use tree::{Dropped, Loss};

/// Bytes that a disk holds when nobody says that it is full.
const CAPACITY: u64 = 4 << 30;

/// What becomes of a request to sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// It is done at once.
    #[default]
    Well,
    /// It fails with EIO if there is something to write, which never reaches the medium.
    Fail,
    /// It takes so long.
    Slow(Duration),
    /// It is not answered.
    Stuck,
}

/// How often a fault showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Syncs that failed.
    pub(crate) failed: u64,
    /// Syncs that were late.
    pub(crate) slow: u64,
    /// Writes that found no room.
    pub(crate) full: u64,
}

struct State {
    tree: Tree,
    syncs: Syncs,
    /// Syncs that wait for their answer.
    stuck: Vec<(Number, bool, ReplyEmpty)>,
    capacity: u64,
    /// Between the power cut and the next start nothing reaches the disk.
    dark: bool,
    shown: Shown,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk of one node.
pub(crate) struct Disk {
    shared: Arc<Shared>,
    place: PathBuf,
    session: Option<BackgroundSession>,
}

impl Disk {
    /// An empty disk, mounted at `place`.
    pub(crate) fn mount(place: &Path) -> Disk {
        std::fs::create_dir_all(place).unwrap();
        let state = State {
            tree: Tree::new(),
            syncs: Syncs::Well,
            stuck: Vec::new(),
            capacity: CAPACITY,
            dark: false,
            shown: Shown::default(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("quorate-faults".to_owned())];
        let session = fuser::spawn_mount(Mounted(Arc::clone(&shared)), place, &config)
            .unwrap_or_else(|error| panic!("mounting {} (root and /dev/fuse): {error}", place.display()));
        Disk { shared, place: place.to_owned(), session: Some(session) }
    }

    /// Where it is mounted.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Changes what becomes of syncs; those that are stuck are done when they no longer have to be.
    pub(crate) fn syncs(&self, syncs: Syncs) {
        let mut state = self.shared.lock();
        state.syncs = syncs;
        if syncs != Syncs::Stuck {
            for (number, is_directory, reply) in std::mem::take(&mut state.stuck) {
                state.sync(number, is_directory);
                reply.ok();
            }
        }
    }

    /// How often faults showed so far.
    pub(crate) fn shown(&self) -> Shown {
        self.shared.lock().shown
    }

    /// Leaves room for nothing, or for much again.
    pub(crate) fn fill(&self, full: bool) {
        let mut state = self.shared.lock();
        state.capacity = if full { state.tree.bytes() } else { CAPACITY };
    }

    /// Waits until something is not synced, with syncs stuck; whether that came.
    pub(crate) fn unsynced_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            if !state.stuck.is_empty() && state.tree.unsynced() > 0 {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The power goes, for a process that has been killed: nothing reaches the disk until [`Disk::light`].
    pub(crate) fn cut(&self, loss: Loss) -> Dropped {
        let mut state = self.shared.lock();
        state.dark = true;
        state.syncs = Syncs::Well;
        for (_, _, reply) in std::mem::take(&mut state.stuck) {
            reply.error(fuser::Errno::EIO);
        }
        // The index is a cache: to lose some of it is no effect.
        state.tree.cut(loss, "log")
    }

    /// Ready for a new process: what a failed sync had given up is read from the medium again.
    pub(crate) fn light(&self) {
        let mut state = self.shared.lock();
        state.dark = false;
        state.tree.evict();
    }

    /// Paths of all files with their lengths.
    pub(crate) fn files(&self) -> Vec<(String, u64)> {
        let mut state = self.shared.lock();
        let files = state.tree.files();
        files
            .into_iter()
            .filter_map(|(path, of)| Some((path, state.tree.file(of)?.seen.len() as u64)))
            .collect()
    }

    /// Changes a file on the medium, while no process has it open.
    pub(crate) fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.shared.lock();
        if let Some(number) = state.tree.files().get(path).copied() {
            state.tree.damage(number, change);
        }
    }

    /// Removes everything: a new disk in the place of the old one.
    pub(crate) fn wipe(&self) {
        self.shared.lock().tree = Tree::new();
    }

    /// Copies what processes see to a directory of the machine.
    pub(crate) fn copy_to(&self, target: &Path) {
        let mut state = self.shared.lock();
        for (path, number) in state.tree.files() {
            let copy = target.join(path.trim_start_matches('/'));
            if let (Some(parent), Some(file)) = (copy.parent(), state.tree.file(number)) {
                std::fs::create_dir_all(parent).ok();
                std::fs::write(&copy, &file.seen).ok();
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.syncs(Syncs::Well);
        // A process that was started elsewhere may hold it for a moment longer.
        Command::new("umount").arg("--lazy").arg(&self.place).status().ok();
        drop(self.session.take());
    }
}

impl State {
    fn sync(&mut self, number: Number, is_directory: bool) {
        if is_directory {
            self.tree.sync_directory(number);
        } else if let Some(file) = self.tree.file(number) {
            file.sync();
        }
    }
}

/// A bit of a file, turned over somewhere in its first `within` bytes.
pub(crate) fn flip(bytes: &mut [u8], within: usize, dice: &mut Dice) {
    let within = within.min(bytes.len());
    if within > 0 {
        bytes[dice.below(within as u64) as usize] ^= 1 << dice.below(8);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let directory = tempfile::TempDir::new().unwrap();
        let disk = Disk::mount(&directory.path().join("disk"));
        (directory, disk)
    }

    #[test]
    fn a_mounted_disk_forgets_what_was_not_synced() {
        let (_directory, disk) = disk();
        let path = disk.place().join("log");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(b"one").unwrap();
        file.sync_data().unwrap();
        std::fs::File::open(disk.place()).unwrap().sync_all().unwrap();
        file.write_all(b"two").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
        assert_eq!(disk.cut(Loss::Whole).bytes, 3);
        assert!(std::fs::read(&path).is_err());
        disk.light();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn a_store_that_was_just_made_is_the_same_one_after_a_power_cut() {
        let (_directory, disk) = disk();
        let open = || {
            let place = disk.place().join("data/replicated");
            let options = quorate::storage::LogOptions::default();
            let system = Arc::new(quorate::env::SystemDisk);
            quorate::storage::Store::open(system, &place, "n1", options, Box::new(|_| ())).unwrap()
        };
        let store = open().identity.store;
        disk.cut(Loss::Whole);
        disk.light();
        assert_eq!(open().identity.store, store);
    }

    #[test]
    fn a_full_disk_and_a_failing_sync_say_so() {
        let (_directory, disk) = disk();
        let file = std::fs::File::create(disk.place().join("log")).unwrap();
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 4096).unwrap();
        disk.fill(true);
        file.write_at(b"inside", 0).unwrap();
        let refused = file.write_at(b"outside", 5000).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
        disk.fill(false);
        file.write_at(b"outside", 5000).unwrap();
        disk.syncs(Syncs::Fail);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        disk.syncs(Syncs::Well);
        file.sync_data().unwrap();
        assert_eq!(disk.shown(), Shown { failed: 1, slow: 0, full: 1 });
    }
}
