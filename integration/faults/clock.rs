//! A wall clock of a node's own, by libfaketime before its process; the monotonic clock stays the machine's.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian has the library, below the directory of its architecture.
const LIBRARY: &str = "faketime/libfaketime.so.1";
/// How long a process may go on with the time that it read last, in seconds.
const KEPT: &str = "1";

/// The clock; right until it is set. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct Clock {
    offset: PathBuf,
}

impl Clock {
    /// A clock that keeps its setting in this directory.
    pub(crate) fn new(directory: &Path) -> Clock {
        let clock = Clock { offset: directory.join("clock") };
        clock.set(0);
        clock
    }

    /// Puts it so many seconds ahead.
    pub(crate) fn set(&self, seconds: i64) {
        // Replaced as a whole: it is read at any time.
        let draft = self.offset.with_extension("draft");
        std::fs::write(&draft, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(&draft, &self.offset).unwrap();
    }

    /// Has the process that is about to start live by it.
    pub(crate) fn govern(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_CACHE_DURATION", KEPT)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1");
    }
}

fn library() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = found.map(|entry| entry.path().join(LIBRARY)).find(|path| path.exists());
    found.expect("libfaketime is missing: apt-get install libfaketime")
}
