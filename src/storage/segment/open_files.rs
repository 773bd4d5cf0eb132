//! The files of finished segments and of their sidecars that are open: few, the last used ones, however long the log is.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::env::{Disk, DiskFile};

/// How many stay open when nobody reads them: the segments and sidecars of as many readers as there are.
const OPEN_MAX: usize = 8;

/// The last used one last.
type Opened = VecDeque<(PathBuf, Arc<dyn DiskFile>)>;

/// Opens files when they are read. Clones are the same.
#[derive(Clone)]
pub(in crate::storage) struct OpenFiles {
    pub(in crate::storage) disk: Arc<dyn Disk>,
    open: Arc<Mutex<Opened>>,
}

impl OpenFiles {
    pub(in crate::storage) fn new(disk: Arc<dyn Disk>) -> OpenFiles {
        OpenFiles { disk, open: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file at `path`, opened if it is not open.
    pub(in crate::storage) fn get(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        {
            let mut open = self.lock();
            if let Some(entry) =
                open.iter().position(|(known, _)| known == path).and_then(|at| open.remove(at))
            {
                let file = Arc::clone(&entry.1);
                open.push_back(entry);
                return Ok(file);
            }
        }
        // Without the lock: others need not wait for this disk call.
        let file: Arc<dyn DiskFile> = self.disk.open(path)?.into();
        let mut open = self.lock();
        open.retain(|(known, _)| known != path);
        open.push_back((path.to_owned(), Arc::clone(&file)));
        if open.len() > OPEN_MAX {
            open.pop_front();
        }
        Ok(file)
    }

    /// Lets go of the file at `path`, which is about to be another one or none.
    pub(in crate::storage) fn forget(&self, path: &Path) {
        self.lock().retain(|(known, _)| known != path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SimDisk;

    #[test]
    fn only_the_last_used_files_stay_open() {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("log")).unwrap();
        let path = |number: usize| PathBuf::from(format!("log/{number}"));
        (0..3 * OPEN_MAX).for_each(|number| drop(disk.create(&path(number)).unwrap()));
        let files = OpenFiles::new(Arc::new(disk));
        let first = files.get(&path(0)).unwrap();
        for number in 1..3 * OPEN_MAX {
            files.get(&path(number)).unwrap();
            assert!(Arc::ptr_eq(&first, &files.get(&path(0)).unwrap()), "it is used all the time");
        }
        assert_eq!(files.lock().len(), OPEN_MAX);
        files.forget(&path(0));
        assert!(!Arc::ptr_eq(&first, &files.get(&path(0)).unwrap()));
        assert_eq!(files.get(Path::new("log/none")).err().unwrap().kind(), io::ErrorKind::NotFound);
    }
}
