//! What storage can fail with, by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Offset;

/// Why storage did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has the store open: stop it, or start this one elsewhere. The text says which.
    #[error("{} is in use by {}", .0.display(), .1)]
    Locked(PathBuf, String),
    /// The system refused: permissions, a full disk or a broken one. A log that met this while writing has failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that were durable once are not what was written: the store must be repaired from the master.
    #[error("the log is damaged at offset {at}: {reason}")]
    Corrupt {
        /// First offset that cannot be trusted.
        at: Offset,
        /// What is wrong there.
        reason: String,
    },
    /// The log has failed before, and does nothing more in this process.
    #[error("the log has failed: {0}")]
    Failed(String),
    /// Offsets that the log does not hold, or that stand between no two records.
    #[error("offset {at} is not in the log, which holds {base} to {end}")]
    Range {
        /// What was asked for.
        at: Offset,
        /// First offset of the log.
        base: Offset,
        /// Its end.
        end: Offset,
    },
    /// A file of the store that is not in the log cannot be used; the text says what to do.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl StorageError {
    /// Whether the disk has no room: nothing else is wrong with it.
    pub(super) fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, StorageError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Whether the file is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// For `map_err`: what was tried on which file.
    pub(super) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> StorageError + 'a {
        move |source| StorageError::Io { action, path: path.to_owned(), source }
    }
}
