//! What a start finds on the disk, and what it makes of it: a torn tail (beyond what was known durable) is cut, damage
//! before that is reported and left as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::StorageError;
use super::hint::{Found, Hint};
use super::live::Live;
use super::log::LogOptions;
use super::segment::{FIRST_BASE_MAX, OpenFiles, Origin, READ_BYTES, RecordReader, Segment, Stop};
use super::sidecar::{Sealed, Sidecar};
use crate::bugs;
use crate::env::Disk;
use crate::model::Offset;

/// Durable bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// First offset that cannot be trusted. Everything below is whole.
    pub at: Offset,
    /// What is wrong there.
    pub reason: String,
}

/// An opened log before its writer starts.
pub(super) struct Opened {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) sealed: BTreeMap<Offset, Arc<Sealed>>,
    pub(super) live: Live,
    /// Bytes of a torn tail.
    pub(super) cut: u64,
    pub(super) created: bool,
    pub(super) damage: Option<Damage>,
}

/// Opens the log in `dir`, creates it when there is none; `expected`: there has been one.
pub(super) fn open(
    files: &OpenFiles,
    dir: &Path,
    options: LogOptions,
    expected: bool,
) -> Result<(Opened, Hint), StorageError> {
    let disk = files.disk.as_ref();
    let bases = Segment::list(disk, dir)?;
    let (mut hint, found) = Hint::open(disk, dir, expected || !bases.is_empty())?;
    remove_leftovers(disk, dir, &bases)?;
    let mut opened = Opened::new(found);
    opened.open_segments(files, dir, &bases)?;
    if opened.segments.is_empty() {
        // Also when there was a log: the hint still says what is missing.
        let first = Segment::create(files, dir, Origin::default(), options.segment_bytes)?;
        opened.segments.push(Arc::new(first));
    }
    opened.fold_sealed(files, dir)?;
    opened.fold_active(found, options)?;
    opened.segments[opened.segments.len() - 1].hold()?;
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))?;
    if opened.damage.is_none() {
        hint.write(opened.live.end())?;
        hint.sync()?;
    }
    Ok((opened, hint))
}

/// What a start would find in `dir`, without a change; finished segments are taken as they are. No segments: there is no log.
pub(super) fn look(files: &OpenFiles, dir: &Path, expected: bool) -> Result<Opened, StorageError> {
    let disk = files.disk.as_ref();
    let bases = Segment::list(disk, dir)?;
    let found = Hint::look(disk, dir, expected || !bases.is_empty())?;
    let mut opened = Opened::new(found);
    opened.open_segments(files, dir, &bases)?;
    if opened.segments.is_empty() {
        opened.note_loss(found);
    } else {
        opened.find_end(found)?;
    }
    Ok(opened)
}

/// Removes unfinished files and the sidecars of no finished segment.
fn remove_leftovers(disk: &dyn Disk, dir: &Path, bases: &[Offset]) -> Result<(), StorageError> {
    let finished: Vec<_> =
        bases[..bases.len().saturating_sub(1)].iter().map(|base| Sidecar::name(*base)).collect();
    for name in disk.list(dir).map_err(StorageError::io("list", dir))? {
        if name.ends_with(".tmp") || name.ends_with(".sidecar") && !finished.contains(&name) {
            let path = dir.join(name);
            disk.remove(&path).map_err(StorageError::io("remove", &path))?;
        }
    }
    Ok(())
}

impl Opened {
    fn new(found: Found) -> Opened {
        Opened {
            segments: Vec::new(),
            sealed: BTreeMap::new(),
            live: Live::new(Origin::default()),
            cut: 0,
            created: found == Found::Created,
            damage: None,
        }
    }

    /// Damage that only the hint tells of.
    fn note_loss(&mut self, found: Found) {
        let lost = match found {
            Found::Damaged => "the file 'durable' cannot be read, so the end of the log may be missing",
            Found::Lost => "the file 'durable' was missing, so the end of the log may be missing too",
            Found::Created | Found::End(_) => return,
        };
        let at = self.live.end();
        self.damage.get_or_insert_with(|| Damage { at, reason: lost.into() });
    }

    fn open_segments(&mut self, files: &OpenFiles, dir: &Path, bases: &[Offset]) -> Result<(), StorageError> {
        for base in bases {
            let (segment, damage) = Segment::open(files, dir, *base)?;
            let too_high = self.segments.is_empty() && base.0 > FIRST_BASE_MAX;
            let damage = damage.or_else(|| too_high.then(|| "no log begins so high".into()));
            // The first one stays even with a damaged header: a log has at least one segment.
            if damage.is_none() || self.segments.is_empty() {
                self.segments.push(Arc::new(segment));
            }
            if let Some(reason) = damage {
                self.damage = Some(Damage { at: *base, reason });
                break;
            }
        }
        Ok(())
    }

    /// Takes each finished segment's sidecar for what the segment holds, and reads the segments that have none. That a
    /// sidecar fits is known from the next segment's header, which names its base and the last checksum.
    fn fold_sealed(&mut self, files: &OpenFiles, dir: &Path) -> Result<(), StorageError> {
        let mut at = 0;
        while let Some(next) = self.segments.get(at + 1).map(|next| next.origin) {
            let segment = &self.segments[at];
            let mut sealed = None;
            if segment.file_end()? >= next.base {
                sealed = Sealed::open(files, dir, segment.origin, next.base, next.previous)?;
                sealed =
                    sealed.filter(|it| it.history.last().is_none_or(|last| *last == (next.epoch, next.base)));
            }
            let sealed = match sealed {
                Some(sealed) => sealed,
                None => match read_sealed(&self.segments, at)? {
                    Ok(read) => read.written(files, dir).unwrap_or_default().unwrap_or(read),
                    Err(damage) => {
                        self.end_at(damage);
                        break;
                    }
                },
            };
            self.sealed.insert(sealed.origin.base, Arc::new(sealed));
            at += 1;
        }
        Ok(())
    }

    /// Forgets, in memory only, what stands above the damage.
    fn end_at(&mut self, damage: Damage) {
        let within = self.segments.iter().filter(|segment| segment.origin.base <= damage.at).count();
        self.segments.truncate(within.max(1));
        let last = self.segments[self.segments.len() - 1].origin.base;
        self.sealed.retain(|base, _| *base < last);
        self.damage = Some(damage);
    }

    fn fold_active(&mut self, found: Found, options: LogOptions) -> Result<(), StorageError> {
        let Some((active, file_end)) = self.find_end(found)? else { return Ok(()) };
        let end = self.live.end();
        if self.cut > 0 || file_end.0 - active.origin.base.0 < options.segment_bytes {
            return active.cut(end, options.segment_bytes);
        }
        // A killed process may have left valid records in the page cache only: they count once they are synced.
        active.file().and_then(|file| file.sync_data()).map_err(StorageError::io("sync", &active.path))
    }

    /// Finds the end of the log in its last segment, and how much is torn behind it; gives the segment and the end of its
    /// file, or none when there is damage before.
    fn find_end(&mut self, found: Found) -> Result<Option<(Arc<Segment>, Offset)>, StorageError> {
        let durable = if let Found::End(end) = found { end } else { Offset(0) };
        let (active, file_end, invalid) = loop {
            let at = self.segments.len() - 1;
            let active = self.segments[at].clone();
            let file_end = active.file_end()?;
            let unsure = active.place(durable.max(active.origin.base).min(file_end));
            active
                .file()
                .and_then(|file| file.drop_cache(unsure))
                .map_err(StorageError::io("read", &active.path))?;
            // A first segment whose header is damaged counts for nothing.
            let to = self.damage.as_ref().map_or(file_end, |damage| damage.at.min(file_end));
            let (live, invalid) = fold(&self.segments, at, to)?;
            match invalid {
                Some(damage) if damage.at < active.origin.base && at > 0 => self.end_at(damage),
                invalid => {
                    self.live = live;
                    break (active, file_end, invalid);
                }
            }
        };
        let end = self.live.end();
        if let Some(damage) = &mut self.damage {
            damage.at = damage.at.min(end);
            return Ok(None);
        }
        if end < durable && !bugs::on("damage_cut_as_torn_tail") {
            let reason = invalid.map_or("the log ends here".to_owned(), |invalid| invalid.reason);
            let reason = format!("{reason}; the log was durable up to {durable}");
            self.damage = Some(Damage { at: end, reason });
            return Ok(None);
        }
        self.cut = written_end(&active, end, file_end)?.0 - end.0;
        self.note_loss(found);
        Ok(Some((active, file_end)))
    }
}

/// Reads all of the finished segment number `at`.
pub(super) fn read_sealed(
    segments: &[Arc<Segment>],
    at: usize,
) -> Result<Result<Sealed, Damage>, StorageError> {
    let next = segments[at + 1].origin;
    let (live, damage) = fold(segments, at, next.base)?;
    let damage = damage.or_else(|| {
        let reason = "the next segment does not continue this one".into();
        (live.summary.last != next.previous).then_some(Damage { at: live.end(), reason })
    });
    Ok(damage.map_or_else(|| Ok(Sealed::new(live.summary)), Err))
}

/// Folds the records of segment number `at` up to `to`. Damage tells where it stopped instead.
pub(super) fn fold(
    segments: &[Arc<Segment>],
    at: usize,
    to: Offset,
) -> Result<(Live, Option<Damage>), StorageError> {
    let origin = segments[at].origin;
    let mut live = Live::new(origin);
    for (segment, next) in segments[..at].iter().zip(&segments[1..=at]) {
        let (from, to) = (origin.group.max(segment.origin.base), next.origin.base);
        if from < to
            && let Some(damage) = push_all(&mut live, &mut RecordReader::new(segment, from, to))?
        {
            live.begin();
            return Ok((live, Some(damage)));
        }
    }
    live.begin();
    let damage = push_all(&mut live, &mut RecordReader::new(&segments[at], origin.base, to))?;
    Ok((live, damage))
}

fn push_all(live: &mut Live, reader: &mut RecordReader<'_>) -> Result<Option<Damage>, StorageError> {
    loop {
        match reader.next() {
            Ok(Some(record)) => live.push(&record),
            Ok(None) => return Ok(None),
            Err(Stop::Invalid(reason)) => return Ok(Some(Damage { at: reader.at, reason })),
            Err(Stop::Disk(e)) => return Err(e),
        }
    }
}

/// After the last byte of `from..to` that is not zero.
pub(super) fn written_end(segment: &Segment, from: Offset, to: Offset) -> Result<Offset, StorageError> {
    let (mut at, mut end) = (from, from);
    while at < to {
        let next = Offset(to.0.min(at.0 + READ_BYTES as u64));
        let bytes = segment.bytes(at, next)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            end = at.plus(last + 1);
        }
        at = next;
    }
    Ok(end)
}
