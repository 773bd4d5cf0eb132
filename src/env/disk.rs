//! The disk as a port: exactly the calls that storage makes, so that a test can fail, drop or tear each of them.

use std::any::Any;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, AtFlags, CWD, FallocateFlags, FlockOperation, OFlags, StatxFlags};

/// Most slices that one vectored write takes (the kernel's own limit).
const SLICES_MAX: usize = 1024;

/// What direct writes are made of: no file system or disk in use wants more.
pub const BLOCK_BYTES: usize = 4096;

/// How long a lock is waited for. A process that was killed keeps its files open until the kernel is done with its last
/// thread, which may be writing; whoever starts it again at once need not know that.
const LOCK_TIME_MAX: Duration = Duration::from_secs(2);
/// Pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Holds a directory's lock until it is dropped.
pub type DiskLock = Box<dyn Any + Send + Sync>;

/// The file system below a store. Paths are absolute or relative to the working directory.
///
/// What has been written is durable only after [`DiskFile::sync_data`]; a name (created, renamed or removed) only after
/// [`Disk::sync_dir`] of its directory.
pub trait Disk: Send + Sync {
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// As the system says; `NotFound` when there is none.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for writes of whole blocks ([`BLOCK_BYTES`]) from memory that is aligned to them, past the page
    /// cache where the file system can do that. Other handles of the file read what was written.
    ///
    /// # Errors
    /// As [`Disk::open`].
    fn open_direct(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }
    /// Creates an empty file, or empties the one that is there.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name in place of whatever has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the system says; `NotFound` when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates a directory and those above it, unless they exist. Their names are durable then, as far up as this process
    /// may look.
    ///
    /// # Errors
    /// As the system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the system says; never to be tried again.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that may still be written to the file system of `dir`.
    ///
    /// # Errors
    /// As the system says.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// Locks a directory against every other process for as long as the value lives. Waits a moment for one that is just
    /// ending.
    ///
    /// # Errors
    /// `WouldBlock` when another one has it and does not end, with a text that says who; else as the system says.
    fn lock(&self, dir: &Path) -> io::Result<DiskLock>;
}

/// One open file, used by position from any thread.
#[expect(clippy::len_without_is_empty, reason = "the length costs a system call and can fail")]
pub trait DiskFile: Send + Sync {
    /// Reads until `buffer` is full or the file ends; returns how much was read.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all slices one after the other from `at` on.
    ///
    /// # Errors
    /// As the system says; any part may have been written then.
    fn write_at(&self, at: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes what was written, and the length, durable.
    ///
    /// # Errors
    /// As the system says; what was written is lost or not, and a second try proves nothing.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves the first `bytes` of the file; it is at least so long then, and what is new reads as zero.
    ///
    /// # Errors
    /// As the system says, above all `StorageFull`.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Cuts or lengthens the file; what is new reads as zero.
    ///
    /// # Errors
    /// As the system says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Length in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;
    /// Forgets cached pages from `at` on, as far as they are clean: after a failed sync in an earlier life of this
    /// process they may show what never reached the disk.
    ///
    /// # Errors
    /// As the system says.
    fn drop_cache(&self, at: u64) -> io::Result<()>;
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

pub(super) struct SystemFile(pub(super) File);

impl Disk for SystemDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn open_direct(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if !takes_blocks(path) {
            return self.open(path);
        }
        let direct = OFlags::DIRECT.bits() as i32;
        match OpenOptions::new().read(true).write(true).custom_flags(direct).open(path) {
            Ok(file) => Ok(Box::new(SystemFile(file))),
            // A file system in memory, or one over the network.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => self.open(path),
            Err(e) => Err(e),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(SystemFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        // Also what was there: whoever made it may have died before its name was durable, and a store in a directory that is
        // gone after a power cut is gone with it.
        for above in std::path::absolute(dir)?.ancestors().skip(1) {
            match File::open(above).and_then(|above| above.sync_all()) {
                // What this process may not read, others have made, or what is on a medium that nobody can write.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    ) =>
                {
                    break;
                }
                // Some file systems cannot sync a directory, and need not.
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join("lock"))?;
        held(file)
    }
}

/// Locks a file, and waits a moment for who has it.
pub(super) fn held(file: File) -> io::Result<DiskLock> {
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Box::new(file)),
            Err(rustix::io::Errno::WOULDBLOCK) if begun.elapsed() < LOCK_TIME_MAX => {
                thread::sleep(LOCK_PAUSE);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let owner =
                    lock_owner(&file).map_or("another process".to_owned(), |pid| format!("process {pid}"));
                return Err(io::Error::new(io::ErrorKind::WouldBlock, owner));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Who has the lock on a file, as far as the system says.
fn lock_owner(file: &File) -> Option<u32> {
    let stat = rustix::fs::fstat(file).ok()?;
    let (major, minor) = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    let place = format!("{major:02x}:{minor:02x}:{}", stat.st_ino);
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(3);
        let (pid, at) = (words.next()?, words.next()?);
        // A process outside of this one's namespace has the number 0.
        (at == place).then(|| pid.parse().ok().filter(|pid| *pid > 0)).flatten()
    };
    locks.lines().find_map(of)
}

/// Whether direct writes in blocks fit the file's file system, or it does not say (Linux before 6.1).
fn takes_blocks(path: &Path) -> bool {
    let Ok(told) = rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::DIOALIGN) else { return true };
    let fits = |alignment: u32| (1..=BLOCK_BYTES as u32).contains(&alignment);
    told.stx_mask & StatxFlags::DIOALIGN.bits() == 0
        || fits(told.stx_dio_offset_align) && fits(told.stx_dio_mem_align)
}

impl DiskFile for SystemFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], at + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&self, mut at: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let some = &slices[..slices.len().min(SLICES_MAX)];
            match rustix::io::pwritev(&self.0, some, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP) if self.len()? < bytes => self.set_len(bytes),
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn drop_cache(&self, at: u64) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.0, at, None, Advice::DontNeed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_while_its_owner_ends_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let owner = SystemDisk.lock(dir.path()).unwrap();
        let refused = SystemDisk.lock(dir.path()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(refused.to_string(), format!("process {}", std::process::id()));
        let ending = thread::spawn(move || {
            thread::sleep(20 * LOCK_PAUSE);
            drop(owner);
        });
        SystemDisk.lock(dir.path()).unwrap();
        ending.join().unwrap();
    }
}
