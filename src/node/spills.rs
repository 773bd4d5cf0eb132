//! Temporary files, beside the node's task: where non-persistent messages go that memory has no room for. Nothing is
//! synced, and no file outlives the mastership that wrote it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::broker::{Spill, SpillId, Spilled};
use crate::env::{Disk, DiskLock};

use super::reads::{Jobs, ReadDone};

/// A directory for temporary files.
pub struct Temporary {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    free_bytes_min: u64,
    /// Held from the first file on.
    lock: Option<DiskLock>,
}

impl Temporary {
    /// Files in `directory`, which is made when the first one is written. None is written unless `free_bytes_min` are left
    /// on the disk: what is stored comes first.
    pub fn new(disk: Arc<dyn Disk>, directory: PathBuf, free_bytes_min: u64) -> Temporary {
        Temporary { disk, directory, free_bytes_min, lock: None }
    }

    fn path(&self, spill: SpillId) -> PathBuf {
        self.directory.join(format!("{:020}.spill", spill.0))
    }

    fn open(&mut self) -> io::Result<()> {
        if self.lock.is_none() {
            self.disk.create_dir_all(&self.directory)?;
            self.lock = Some(self.disk.lock(&self.directory)?);
            self.empty()?;
        }
        Ok(())
    }

    /// Removes all files, also those of an earlier process that was killed.
    fn remove_all(&mut self) -> io::Result<()> {
        match self.disk.list(&self.directory) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
            // Whoever has the lock does the same.
            Ok(_) if self.lock.is_none() => self.open(),
            Ok(_) => self.empty(),
        }
    }

    fn empty(&self) -> io::Result<()> {
        for name in self.disk.list(&self.directory)? {
            if Path::new(&name).extension().is_some_and(|it| it == "spill") {
                self.disk.remove(&self.directory.join(name))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, spill: SpillId, messages: &Spilled) -> io::Result<()> {
        self.open()?;
        let bytes = messages.encode();
        if self.disk.free_bytes(&self.directory)? < self.free_bytes_min + bytes.len() as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.create(&self.path(spill))?.write_at(0, &mut [IoSlice::new(&bytes)])
    }

    fn read(&self, spill: SpillId) -> io::Result<Spilled> {
        let file = self.disk.open(&self.path(spill))?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        let read = file.read_at(0, &mut bytes)?;
        Spilled::decode(&bytes[..read]).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Does one thing; returns what the broker is told of it.
    fn carry_out(&mut self, spill: Spill) -> Option<ReadDone> {
        match spill {
            Spill::Write(spill, messages) => {
                let written = self.write(spill, &messages);
                if let Err(error) = &written {
                    tracing::warn!(
                        %error,
                        "Temporary Store is Full, or cannot be written: messages stay in memory, and their producers wait"
                    );
                }
                Some(ReadDone::Spilled(spill, written.is_ok()))
            }
            Spill::Read(spill) => {
                let found = self.read(spill);
                if let Err(error) = &found {
                    tracing::error!(%error, "a temporary file cannot be read: its non-persistent messages are lost");
                }
                Some(ReadDone::Unspilled(spill, found.ok()))
            }
            Spill::Remove(spill) => {
                warn(self.disk.remove(&self.path(spill)));
                None
            }
            Spill::RemoveAll => {
                warn(self.remove_all());
                None
            }
        }
    }
}

/// A file that stays takes room until the next mastership, no more.
fn warn(removed: io::Result<()>) {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "temporary files cannot be removed");
        }
        _ => {}
    }
}

/// Passes what is asked to one thread at a time, in order. What waits is bounded by the broker's memory.
pub(super) struct Spills {
    temporary: Arc<Mutex<Temporary>>,
    waiting: Arc<Mutex<Waiting>>,
    jobs: Jobs,
    done: mpsc::UnboundedSender<ReadDone>,
}

#[derive(Default)]
struct Waiting {
    asked: VecDeque<Spill>,
    /// Whether a thread is at it.
    running: bool,
}

impl Spills {
    /// Removes what an earlier process has left.
    pub(super) fn new(temporary: Temporary, jobs: Jobs, done: mpsc::UnboundedSender<ReadDone>) -> Spills {
        let (temporary, waiting) = (Arc::new(Mutex::new(temporary)), Arc::default());
        let mut spills = Spills { temporary, waiting, jobs, done };
        spills.ask(vec![Spill::RemoveAll]);
        spills
    }

    pub(super) fn ask(&mut self, asked: Vec<Spill>) {
        if asked.is_empty() {
            return;
        }
        let mut waiting = locked(&self.waiting);
        waiting.asked.extend(asked);
        if std::mem::replace(&mut waiting.running, true) {
            return;
        }
        drop(waiting);
        let (temporary, waiting) = (Arc::clone(&self.temporary), Arc::clone(&self.waiting));
        let done = self.done.clone();
        (self.jobs)(Box::new(move || {
            let mut temporary = locked(&temporary);
            while let Some(spill) = next(&waiting) {
                if let Some(answer) = temporary.carry_out(spill) {
                    // The node may have ended meanwhile.
                    let _ = done.send(answer);
                }
            }
        }));
    }
}

fn next(waiting: &Mutex<Waiting>) -> Option<Spill> {
    let mut waiting = locked(waiting);
    let next = waiting.asked.pop_front();
    waiting.running = next.is_some();
    next
}

/// A thread that failed has left nothing half done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemDisk;

    fn temporary(directory: &Path, free_bytes_min: u64) -> Temporary {
        Temporary::new(Arc::new(SystemDisk), directory.join("tmp_storage"), free_bytes_min)
    }

    fn empty() -> Spilled {
        Spilled::decode(&[0; 4]).unwrap()
    }

    #[test]
    fn files_come_and_go_and_none_is_left_by_an_earlier_process() {
        let place = tempfile::tempdir().unwrap();
        let mut first = temporary(place.path(), 0);
        assert!(first.carry_out(Spill::RemoveAll).is_none() && !place.path().join("tmp_storage").exists());
        for number in 1..=3 {
            let answer = first.carry_out(Spill::Write(SpillId(number), empty()));
            assert!(matches!(answer, Some(ReadDone::Spilled(SpillId(at), true)) if at == number));
        }
        let answer = first.carry_out(Spill::Read(SpillId(2)));
        assert!(matches!(answer, Some(ReadDone::Unspilled(SpillId(2), Some(_)))));
        first.carry_out(Spill::Remove(SpillId(2)));
        let answer = first.carry_out(Spill::Read(SpillId(2)));
        assert!(matches!(answer, Some(ReadDone::Unspilled(SpillId(2), None))), "lost");
        drop(first);
        let files = || std::fs::read_dir(place.path().join("tmp_storage")).unwrap().count();
        assert_eq!(files(), 3, "two files and the lock");
        temporary(place.path(), 0).carry_out(Spill::RemoveAll);
        assert_eq!(files(), 1);
    }

    #[test]
    fn no_file_takes_the_room_of_what_is_stored() {
        let place = tempfile::tempdir().unwrap();
        let answer = temporary(place.path(), u64::MAX / 2).carry_out(Spill::Write(SpillId(1), empty()));
        assert!(matches!(answer, Some(ReadDone::Spilled(SpillId(1), false))));
    }
}
