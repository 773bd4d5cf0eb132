//! A disk in memory that forgets: it knows what has been synced and what has not, and after a crash keeps as much of the
//! rest as it is told to. It can also fail any one call, or lose power before it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sim_crash::{Change, Keep};
use super::{BLOCK_BYTES, Disk, DiskFile, DiskLock};

/// A longer file is a mistake of the caller's.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// The disk. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not synced, in order.
    renames: Vec<(PathBuf, Option<usize>)>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    calls: u64,
    written: u64,
    fail_at: Option<u64>,
    power_until: Option<u64>,
    /// Whether nothing grows any more.
    full: bool,
}

#[derive(Clone, Default)]
struct File {
    synced: Vec<u8>,
    now: Vec<u8>,
    changes: Vec<Change>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// How many calls that change something (writes, syncs, names, lengths) there have been.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many bytes have been written.
    pub fn written(&self) -> u64 {
        self.state().written
    }

    /// Has the call with this number fail once; a failed sync loses what it should have made durable.
    pub fn fail_at(&self, call: u64) {
        self.state().fail_at = Some(call);
    }

    /// Has every call from this number on fail, without effect.
    pub fn power_until(&self, call: u64) {
        self.state().power_until = Some(call);
    }

    /// Has every file stay as long as it is, and none come into being: what was allocated can still be written.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// No call fails any more that was to fail.
    pub fn mend(&self) {
        let mut state = self.state();
        (state.fail_at, state.full) = (None, false);
    }

    /// Flips a bit of what is on the disk; which, `word` decides. Files with this ending only. Returns the file's name,
    /// or none when there is nothing to flip.
    pub fn flip(&self, ending: &str, word: u64) -> Option<PathBuf> {
        let mut state = self.state();
        let fits = |(path, file): (&PathBuf, &usize)| {
            path.to_string_lossy().ends_with(ending).then(|| (path.clone(), *file))
        };
        let mut fitting: Vec<_> = state.names.iter().filter_map(fits).collect();
        fitting.retain(|(_, file)| !state.files[*file].now.is_empty());
        let (path, file) = fitting.get(word as usize % fitting.len().max(1))?.clone();
        let file = &mut state.files[file];
        let at = (word >> 8) as usize % file.now.len();
        let bit = 1 << (word >> 5 & 7);
        file.now[at] ^= bit;
        if let Some(byte) = file.synced.get_mut(at) {
            *byte ^= bit;
        }
        Some(path)
    }

    /// The disk as the next start finds it.
    pub fn after_crash(&self, keep: Keep) -> SimDisk {
        let State { mut files, mut names, mut synced_names, mut renames, dirs, .. } = self.state().clone();
        // What has no name in any outcome is gone for good.
        let named: BTreeSet<usize> = names.values().chain(synced_names.values()).copied().collect();
        let named: BTreeSet<usize> = renames.iter().filter_map(|(_, file)| *file).chain(named).collect();
        for (_, file) in files.iter_mut().enumerate().filter(|(number, _)| !named.contains(number)) {
            *file = File::default();
        }
        if let Some(mut chance) = keep.chance() {
            let kept = chance.below(renames.len() + 1);
            renames.drain(..).take(kept).for_each(|(path, file)| change_name(&mut synced_names, path, file));
            names = synced_names.clone();
            for file in &mut files {
                for change in std::mem::take(&mut file.changes) {
                    change.apply_some(&mut file.synced, &mut chance);
                }
                file.now = file.synced.clone();
            }
        }
        let state = State { files, names, synced_names, renames, dirs, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call that changes something; fails when it is to fail.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let call = state.calls;
        if state.power_is_off() {
            return Err(io::Error::other("the power is off"));
        }
        state.calls += 1;
        if state.fail_at == Some(call) { Err(io::Error::other("injected")) } else { Ok(state) }
    }
}

impl State {
    fn power_is_off(&self) -> bool {
        self.power_until.is_some_and(|until| self.calls >= until)
    }

    fn name(&mut self, path: &Path, file: Option<usize>) {
        change_name(&mut self.names, path.to_owned(), file);
        self.renames.push((path.to_owned(), file));
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn change_name(names: &mut BTreeMap<PathBuf, usize>, path: PathBuf, file: Option<usize>) {
    match file {
        Some(file) => drop(names.insert(path, file)),
        None => drop(names.remove(&path)),
    }
}

struct SimFile {
    disk: SimDisk,
    number: usize,
    /// Whether it takes whole blocks only.
    direct: bool,
}

struct SimLock {
    disk: SimDisk,
    dir: PathBuf,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.dir);
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = self.state().find(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), number, direct: false }))
    }

    fn open_direct(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = self.state().find(path)?;
        Ok(Box::new(SimFile { disk: self.clone(), number, direct: true }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.change()?;
        if state.full {
            return Err(ErrorKind::StorageFull.into());
        }
        let number = state.files.len();
        state.files.push(File::default());
        state.name(path, Some(number));
        Ok(Box::new(SimFile { disk: self.clone(), number, direct: false }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let file = state.find(from)?;
        state.name(to, Some(file));
        state.name(from, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        state.find(path)?;
        state.name(path, None);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state().dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let State { renames, synced_names, .. } = &mut *state;
        for (path, file) in std::mem::take(renames) {
            if path.parent() == Some(dir) {
                change_name(synced_names, path, file);
            } else {
                renames.push((path, file));
            }
        }
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn lock(&self, dir: &Path) -> io::Result<DiskLock> {
        if !self.state().locks.insert(dir.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), dir: dir.to_owned() }))
    }
}

impl SimFile {
    fn alter(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.change()?;
        let end = match &change {
            Change::Write(at, bytes) => at.saturating_add(bytes.len() as u64),
            Change::Length(bytes) => *bytes,
        };
        if state.full && end > state.files[self.number].now.len() as u64 {
            return Err(ErrorKind::StorageFull.into());
        }
        let file = &mut state.files[self.number];
        change.apply(&mut file.now);
        file.changes.push(change);
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = usize::try_from(at).ok().and_then(|at| state.files[self.number].now.get(at..));
        let bytes = bytes.unwrap_or_default();
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
    }

    fn write_at(&self, at: u64, slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        let aligned = |what: usize| what.is_multiple_of(BLOCK_BYTES);
        if self.direct
            && !(aligned(at as usize)
                && slices.iter().all(|it| aligned(it.len()) && aligned(it.as_ptr().addr())))
        {
            return Err(ErrorKind::InvalidInput.into());
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        self.disk.state().written += bytes.len() as u64;
        if at.saturating_add(bytes.len() as u64) > FILE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.alter(Change::Write(at, bytes))
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.disk.change() {
            Ok(mut state) => {
                let file = &mut state.files[self.number];
                for change in std::mem::take(&mut file.changes) {
                    change.apply(&mut file.synced);
                }
                Ok(())
            }
            Err(e) => {
                let mut state = self.disk.state();
                // Without power nothing becomes of what is not synced; that is for the next start to find out.
                if !state.power_is_off() {
                    state.files[self.number].changes.clear();
                }
                Err(e)
            }
        }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        if bytes > FILE_BYTES_MAX {
            return Err(ErrorKind::StorageFull.into());
        }
        self.alter(Change::Length(bytes.max(self.len()?)))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        if bytes > FILE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.alter(Change::Length(bytes))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.number].now.len() as u64)
    }

    fn drop_cache(&self, _: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let file = &mut state.files[self.number];
        let length = file.now.len();
        file.now = file.synced.clone();
        let File { now, changes, .. } = file;
        changes.iter().for_each(|change| change.apply(now));
        // Lengths are not pages.
        now.resize(length, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim_crash::SECTOR_BYTES;
    use super::*;

    fn read(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
        let file = disk.open(Path::new(path)).ok()?;
        let mut bytes = vec![0; file.len().unwrap() as usize];
        let read = file.read_at(0, &mut bytes).unwrap();
        bytes.truncate(read);
        Some(bytes)
    }

    #[test]
    fn only_what_is_synced_survives_a_crash_that_keeps_nothing() {
        let disk = SimDisk::new();
        let file = disk.create(Path::new("d/a")).unwrap();
        file.write_at(0, &mut [IoSlice::new(b"on"), IoSlice::new(b"e")]).unwrap();
        file.sync_data().unwrap();
        assert_eq!(read(&disk.after_crash(Keep::Nothing), "d/a"), None, "its name is not synced");
        disk.sync_dir(Path::new("d")).unwrap();
        file.write_at(3, &mut [IoSlice::new(b"two")]).unwrap();
        assert_eq!(read(&disk.after_crash(Keep::Nothing), "d/a").unwrap(), b"one");
        assert_eq!(read(&disk.after_crash(Keep::All), "d/a").unwrap(), b"onetwo");
        disk.rename(Path::new("d/a"), Path::new("d/b")).unwrap();
        assert_eq!(read(&disk.after_crash(Keep::Nothing), "d/b"), None);
        assert_eq!(read(&disk.after_crash(Keep::All), "d/b").unwrap(), b"onetwo");
    }

    #[test]
    fn on_a_full_disk_only_what_was_allocated_can_be_written() {
        let disk = SimDisk::new();
        let file = disk.create(Path::new("a")).unwrap();
        file.allocate(4).unwrap();
        disk.set_full(true);
        file.write_at(0, &mut [IoSlice::new(b"four")]).unwrap();
        let error = file.write_at(2, &mut [IoSlice::new(b"more")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(disk.create(Path::new("b")).is_err());
        disk.mend();
        disk.create(Path::new("b")).unwrap();
    }

    #[test]
    fn a_flipped_bit_is_flipped_for_good() {
        let disk = SimDisk::new();
        let file = disk.create(Path::new("a.log")).unwrap();
        file.write_at(0, &mut [IoSlice::new(&[0; 8])]).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.flip(".sidecar", 3), None);
        assert_eq!(disk.flip(".log", 3), Some("a.log".into()));
        let bits =
            |disk: &SimDisk| read(disk, "a.log").unwrap().iter().map(|byte| byte.count_ones()).sum::<u32>();
        assert_eq!((bits(&disk), bits(&disk.after_crash(Keep::Nothing))), (1, 1));
    }

    #[test]
    fn a_sync_without_power_leaves_what_was_written_to_chance() {
        let disk = SimDisk::new();
        let file = disk.create(Path::new("a")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        file.write_at(0, &mut [IoSlice::new(&[7; 4 * SECTOR_BYTES])]).unwrap();
        disk.power_until(disk.calls());
        file.sync_data().unwrap_err();
        let bytes = |keep| read(&disk.after_crash(keep), "a").unwrap();
        let kept = |keep| bytes(keep).into_iter().filter(|byte| *byte == 7).count();
        assert_eq!((kept(Keep::All), kept(Keep::Nothing)), (4 * SECTOR_BYTES, 0));
        let torn = (0..50).map(|seed| kept(Keep::Some(seed)));
        assert!(torn.into_iter().any(|bytes| bytes == 2 * SECTOR_BYTES));
    }

    #[test]
    fn a_failed_sync_loses_what_the_cache_still_shows() {
        let disk = SimDisk::new();
        let file = disk.create(Path::new("a")).unwrap();
        file.write_at(0, &mut [IoSlice::new(b"lost")]).unwrap();
        disk.fail_at(disk.calls());
        file.sync_data().unwrap_err();
        file.sync_data().unwrap();
        assert_eq!(read(&disk, "a").unwrap(), b"lost");
        file.drop_cache(0).unwrap();
        assert_eq!(read(&disk, "a").unwrap(), [0; 4]);
    }
}
