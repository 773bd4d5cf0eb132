//! A disk without room: the reserve, the wait, and that nothing fails.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use super::*;
use crate::env::{Disk, DiskFile, DiskLock};
use crate::storage::{Shortage, SpaceOptions};

/// A disk on which nothing new finds a place while it is full.
#[derive(Clone, Default)]
struct Full {
    full: Arc<AtomicBool>,
    /// Whether a directory needs a block for one more name, which is there once a file with bytes was removed.
    crowded: Arc<AtomicBool>,
}

struct FullFile {
    file: Box<dyn DiskFile>,
    disk: Full,
}

impl Full {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for Full {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.open(path)?;
        Ok(Box::new(FullFile { file, disk: self.clone() }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = SystemDisk.create(path)?;
        Ok(Box::new(FullFile { file, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.crowded.load(Ordering::SeqCst) {
            self.room()?;
        }
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let gives = SystemDisk.open(path)?.len()? > 0;
        SystemDisk.remove(path)?;
        self.crowded.fetch_and(!gives, Ordering::SeqCst);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        SystemDisk.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.room().map_or(Ok(0), |()| SystemDisk.free_bytes(dir))
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        SystemDisk.lock(dir)
    }
}

impl DiskFile for FullFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(at, buffer)
    }

    fn write_at(&self, at: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        if at + bytes as u64 > self.file.len()? {
            self.disk.room()?;
        }
        self.file.write_at(at, slices)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.disk.room()?;
        self.file.allocate(bytes)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn drop_cache(&self, at: u64) -> io::Result<()> {
        self.file.drop_cache(at)
    }
}

const OPTIONS: SpaceOptions = SpaceOptions { reserve_bytes: 3000, free_bytes_min: 1, limit_bytes: u64::MAX };

/// A log with three segments in reserve, and what it tells of room.
fn open(disk: &Full, dir: &Path, options: SpaceOptions) -> (Fixture, Receiver<Shortage>) {
    let (sender, events) = channel();
    let notify = Box::new(move |event| {
        let _ = sender.send(event);
    });
    let (log, opened) = Log::open(Arc::new(disk.clone()), dir, SMALL, notify).unwrap();
    let (told, shortages) = channel();
    let tell = Box::new(move |shortage| {
        let _ = told.send(shortage);
    });
    log.watch_space(options, tell).unwrap();
    let (at, last, epoch) = (opened.end.offset, opened.last, opened.end.epoch.max(Epoch(1)));
    (Fixture { log, opened, events, at, last, epoch }, shortages)
}

/// What is guaranteed at least by an empty log with its whole reserve, and not with less: segments may end an eighth
/// before they are full.
const WHOLE: u64 = 4 * 875;

/// Waits until the reserve of an empty log is whole: every look at the disk ends with it.
fn whole(log: &Log) {
    while log.guaranteed() < WHOLE {
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_fails_nothing_what_does_not_fit_waits_and_goes_on_by_itself() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Full::default());
    let (mut log, shortages) = open(&disk, dir.path(), OPTIONS);
    whole(&log.log);
    disk.full.store(true, Ordering::SeqCst);
    // The active segment and the three in reserve take twenty records of a hundred bytes with their headers.
    let first = (1..=20).map(|n| log.send(n, 100)).last().unwrap();
    assert_eq!(log.log.sync().unwrap(), first.end(), "the reserve takes what the disk does not");
    assert!(shortages.recv().unwrap().is_some(), "it is told that the reserve is not whole");
    for n in 21..=60 {
        log.send(n, 100);
    }
    while !log.log.waits_for_room() {
        std::thread::yield_now();
    }
    assert_eq!(log.log.guaranteed(), 0);
    assert!(log.log.durable() < log.at, "what waits is not durable");
    disk.full.store(false, Ordering::SeqCst);
    assert_eq!(log.log.sync().unwrap(), log.at);
    assert_eq!(shortages.recv().unwrap(), None, "there is room again");
    let all = log.all();
    drop(log);
    let (again, _) = open(&disk, dir.path(), OPTIONS);
    assert_eq!((again.all(), again.opened.cut, again.opened.damage.clone()), (all, 0, None));
}

#[test]
fn a_directory_that_has_no_room_for_a_name_costs_nothing_of_the_reserve() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Full::default());
    let (mut log, shortages) = open(&disk, dir.path(), OPTIONS);
    whole(&log.log);
    disk.full.store(true, Ordering::SeqCst);
    disk.crowded.store(true, Ordering::SeqCst);
    (1..=8).for_each(|n| drop(log.send(n, 100)));
    assert_eq!(log.log.sync().unwrap(), log.at, "what the small reserve gives back is enough for a name");
    assert!(shortages.recv().unwrap().is_some());
    assert!(log.log.guaranteed() >= 2 * 875, "one was used, and none is lost");
    (9..=18).for_each(|n| drop(log.send(n, 100)));
    assert_eq!(log.log.sync().unwrap(), log.at, "the others are used after it");
}

#[test]
fn a_log_that_waits_for_room_closes_and_opens_again_without_what_waited() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Full::default());
    let (mut log, _shortages) = open(&disk, dir.path(), OPTIONS);
    whole(&log.log);
    disk.full.store(true, Ordering::SeqCst);
    (1..=80).for_each(|n| drop(log.send(n, 100)));
    while !log.log.waits_for_room() {
        std::thread::yield_now();
    }
    let durable = log.log.durable();
    drop(log);
    let (again, shortages) = open(&disk, dir.path(), OPTIONS);
    assert_eq!((again.opened.end.offset, again.opened.damage.clone()), (durable, None));
    assert!(shortages.recv().unwrap().is_some(), "it starts on the full disk");
}

#[test]
fn the_reserve_of_an_earlier_run_is_taken_over_and_another_size_is_not() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Full::default());
    let (log, _) = open(&disk, dir.path(), OPTIONS);
    whole(&log.log);
    drop(log);
    let before = names(dir.path(), ".spare");
    std::fs::write(dir.path().join("9.spare"), b"short").unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let (log, _) = open(&disk, dir.path(), OPTIONS);
    assert!(log.log.guaranteed() >= WHOLE, "the reserve is there on the full disk");
    assert_eq!(names(dir.path(), ".spare"), before);
}

#[test]
fn a_store_limit_is_told_when_it_is_reached_and_when_there_is_room_below_it() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), Full::default());
    let options = SpaceOptions { limit_bytes: 30_000, ..OPTIONS };
    let (mut log, shortages) = open(&disk, dir.path(), options);
    let mut n = 0;
    while shortages.try_recv().is_err() {
        n += 1;
        assert!(n < 100_000, "the limit is never told");
        log.send(n, 100);
        log.log.sync().unwrap();
    }
    assert!(log.log.used_bytes() >= 30_000);
    let end = log.at;
    log.log.drop_below(end);
    assert_eq!(shortages.recv().unwrap(), None);
    assert!(log.log.used_bytes() < 30_000);
}
