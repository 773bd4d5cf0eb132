//! A disk that waits for descriptors: want of one passes when connections end, and is no failure of a store.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::{Disk, DiskFile, DiskLock};

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a wait is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The disk. Clones are the same one.
#[derive(Clone)]
pub struct PatientDisk {
    disk: Arc<dyn Disk>,
    impatient: Arc<AtomicBool>,
}

impl PatientDisk {
    /// Waits for as long as it takes.
    pub fn new(disk: Arc<dyn Disk>) -> PatientDisk {
        PatientDisk { disk, impatient: Arc::default() }
    }

    /// From now on want of a descriptor is answered at once: the process ends.
    pub fn give_up(&self) {
        self.impatient.store(true, Ordering::Relaxed);
    }

    fn wait<T>(&self, path: &Path, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let (begun, mut told) = (Instant::now(), None::<Instant>);
        loop {
            match attempt() {
                Err(error) if lacks_descriptors(&error) && !self.impatient.load(Ordering::Relaxed) => {
                    if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(%error, path = %path.display(), "the store waits for a descriptor (ulimit -n)");
                    }
                    thread::sleep(PAUSE);
                }
                answer => {
                    if told.is_some() {
                        tracing::info!(waited = ?begun.elapsed(), "the store has its descriptor");
                    }
                    return answer;
                }
            }
        }
    }
}

fn lacks_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|lack| error.raw_os_error() == Some(lack.raw_os_error()))
}

impl Disk for PatientDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wait(path, || self.disk.open(path))
    }

    fn open_direct(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wait(path, || self.disk.open_direct(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wait(path, || self.disk.create(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.wait(dir, || self.disk.list(dir))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.wait(dir, || self.disk.create_dir_all(dir))
    }

    // Without a descriptor nothing was synced, so that a second try is a first one.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.wait(dir, || self.disk.sync_dir(dir))
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        self.wait(dir, || self.disk.lock(dir))
    }
}
