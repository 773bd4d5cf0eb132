//! A look at a store that no node has open: what it holds, what of it is damaged, and what a repair would cut. Nothing is
//! written.

use std::path::Path;
use std::sync::Arc;

use super::scrub::{VerifyReport, verify};
use crate::env::Disk;
use crate::model::Offset;
use crate::storage::StorageError;
use crate::storage::identity::IdentityFile;
use crate::storage::recovery::{self, Damage, written_end};
use crate::storage::segment::{OpenFiles, Segment};

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// First offset of the log.
    pub base: Offset,
    /// Where its whole records end.
    pub end: Offset,
    /// Bytes of a torn tail, which a start cuts off: nobody was told that they are durable.
    pub torn: u64,
    /// What was read.
    pub report: VerifyReport,
    /// The first offset that cannot be trusted, whether a start finds it or only a full read does.
    pub damage: Option<Damage>,
    /// Bytes from the damage on, which a repair cuts off.
    pub lost: u64,
    /// How many stores the group has that this one belongs to, as far as it knows.
    pub voters: usize,
}

impl Look {
    /// Reads all of the store in `dir`, on a disk that need not be written to.
    ///
    /// # Errors
    /// [`StorageError::Locked`]: a node has it open. [`StorageError::Io`]: a file cannot be read. Damage is no error.
    pub fn at(disk: Arc<dyn Disk>, dir: &Path) -> Result<Look, StorageError> {
        let log = dir.join("log");
        let _lock = disk.lock(&log).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => StorageError::Locked(log.clone(), e.to_string()),
            _ => StorageError::io("lock", &log)(e),
        })?;
        let formatted = IdentityFile::exists(disk.as_ref(), dir)?;
        let voters = IdentityFile::voters(Arc::clone(&disk), dir);
        let files = OpenFiles::new(disk);
        let found = recovery::look(&files, &log, formatted)?;
        let end = found.live.end();
        let report = verify(&found.segments, end, || found.segments.clone(), |_| true)?;
        let mut damages: Vec<Damage> = found.damage.into_iter().chain(report.damage.clone()).collect();
        damages.sort_by_key(|damage| damage.at);
        let damage = damages.into_iter().next();
        let written = last_written(&files, &log)?;
        let lost = damage.as_ref().map_or(0, |damage| written.0.saturating_sub(damage.at.0));
        let base = found.segments.first().map_or(Offset(0), |first| first.origin.base);
        Ok(Look { base, end, torn: found.cut, report, damage, lost, voters })
    }
}

/// Behind the last byte of the log's last file that is not zero, whatever it is.
fn last_written(files: &OpenFiles, dir: &Path) -> Result<Offset, StorageError> {
    let Some(base) = Segment::list(files.disk.as_ref(), dir)?.pop() else { return Ok(Offset(0)) };
    let (last, _) = Segment::open(files, dir, base)?;
    written_end(&last, base, last.file_end()?)
}
