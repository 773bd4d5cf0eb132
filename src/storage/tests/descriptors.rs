//! Want of descriptors: what waits, and how few are taken.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;

use super::*;
use crate::env::{Disk, DiskFile, DiskLock, PatientDisk};
use crate::storage::SpaceOptions;

/// The machine's disk, for a process that has no descriptor left now and then.
#[derive(Clone, Default)]
struct Scarce {
    lacks: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl Scarce {
    fn descriptor(&self) -> io::Result<()> {
        if self.lacks.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Errno::MFILE.into());
        }
        Ok(())
    }
}

impl Disk for Scarce {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.descriptor().and_then(|()| SystemDisk.open(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.descriptor().and_then(|()| SystemDisk.create(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.descriptor().and_then(|()| SystemDisk.list(dir))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.descriptor().and_then(|()| SystemDisk.sync_dir(dir))
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        SystemDisk.free_bytes(dir)
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        SystemDisk.lock(dir)
    }
}

fn open(disk: &PatientDisk, dir: &Path) -> Fixture {
    let (sender, events) = channel();
    let notify = Box::new(move |event| {
        let _ = sender.send(event);
    });
    let (log, opened) = Log::open(Arc::new(disk.clone()), dir, SMALL, notify).unwrap();
    let (at, last, epoch) = (opened.end.offset, opened.last, opened.end.epoch.max(Epoch(1)));
    Fixture { log, opened, events, at, last, epoch }
}

fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_log_waits_for_descriptors_and_loses_nothing() {
    for keeps_reserve in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let scarce = Scarce::default();
        let disk = PatientDisk::new(Arc::new(scarce.clone()));
        let mut fixture = open(&disk, dir.path());
        if keeps_reserve {
            let options = SpaceOptions { reserve_bytes: 2000, free_bytes_min: 0, limit_bytes: u64::MAX };
            fixture.log.watch_space(options, Box::new(|_| ())).unwrap();
            wait_until(|| fixture.log.guaranteed() > 1000);
        }
        let mut sent = Vec::new();
        for round in 0..5 {
            scarce.lacks.store(true, Ordering::SeqCst);
            let refused = scarce.refused.load(Ordering::SeqCst);
            for sequence in 0..10 {
                sent.extend(fixture.send(10 * round + sequence, 300).bytes);
            }
            wait_until(|| scarce.refused.load(Ordering::SeqCst) > refused);
            assert!(fixture.log.durable() < fixture.at, "it waits");
            scarce.lacks.store(false, Ordering::SeqCst);
            assert_eq!(fixture.log.sync().unwrap(), fixture.at);
        }
        assert!(fixture.all() == sent);
        assert!(!fixture.events.try_iter().any(|event| matches!(event, LogEvent::Failed(_))));
        drop(fixture);
        assert_eq!(open(&disk, dir.path()).opened.damage, None);
    }
}

#[test]
fn a_process_that_ends_waits_for_no_descriptor() {
    let dir = tempfile::tempdir().unwrap();
    let scarce = Scarce::default();
    let disk = PatientDisk::new(Arc::new(scarce.clone()));
    let mut fixture = open(&disk, dir.path());
    scarce.lacks.store(true, Ordering::SeqCst);
    (0..10).for_each(|sequence| drop(fixture.send(sequence, 300)));
    disk.give_up();
    assert!(fixture.log.sync().is_err());
}

#[test]
fn however_long_a_log_is_it_keeps_few_files_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::open(dir.path(), SMALL);
    for sequence in 0..200 {
        fixture.send(sequence, 300);
    }
    fixture.log.sync().unwrap();
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(dir.path())).count()
    };
    assert!(names(dir.path(), ".log").len() > 50);
    assert_eq!(fixture.all().len() as u64, fixture.log.end().0);
    assert!(open() < 20, "{} files are open", open());
    drop(fixture);
    let again = Fixture::open(dir.path(), SMALL);
    assert_eq!(again.log.finished().len() + 1, names(dir.path(), ".log").len());
    assert!(open() < 20, "{} files are open after a start", open());
}
