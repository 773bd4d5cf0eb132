//! Which process a member belongs to.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::env::random_u128;
use crate::model::StoreId;

/// One run of a process, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Random word of the run.
    pub run: StoreId,
    /// Name of its host.
    pub host: String,
    /// The kernel's word for the time since it was started, which no other machine has.
    pub boot: String,
    /// Its number on that host.
    pub pid: u32,
    /// The directory of its store, which it has locked.
    pub directory: String,
}

impl Process {
    /// This process, with the lock on the store in `directory`.
    pub fn here(directory: &Path) -> Process {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Process {
            run: StoreId(random_u128()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: boot.trim().to_owned(),
            pid: std::process::id(),
            directory: directory.display().to_string(),
        }
    }

    /// Whether this is a run before or after `other`: both have, or had, the lock on one directory.
    fn succeeds(&self, other: &Process) -> bool {
        (&self.host, &self.boot, &self.directory) == (&other.host, &other.boot, &other.directory)
    }

    /// Whether the two cannot both be what they say they are.
    pub(super) fn contradicts(&self, other: &Process) -> bool {
        self.run != other.run && !self.succeeds(other)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} with the store in {}", self.pid, self.host, self.directory)
    }
}
