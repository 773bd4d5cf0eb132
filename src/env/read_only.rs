//! The machine's file system for those who only look: whatever would change it is refused.

use std::fs::File;
use std::io;
use std::path::Path;

use super::disk::{SystemFile, held};
use super::{Disk, DiskFile, DiskLock, SystemDisk};

/// The disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOnlyDisk;

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadOnlyDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile(File::open(path)?)))
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        refused()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        SystemDisk.list(dir)
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        SystemDisk.free_bytes(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        match File::open(dir.join("lock")) {
            Ok(file) => held(file),
            // Whoever has the directory open has made one.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Box::new(())),
            Err(e) => Err(e),
        }
    }
}
