//! The one writer of the log's files. Its thread takes all batches that wait, writes them with one call and syncs once;
//! whatever comes in meanwhile goes into the next round. When nothing waits and the disk is quick, a small batch is
//! written on the thread that has it, which saves two wake-ups. After the first failure nothing more is written: what
//! a failed sync left behind is unknown, and a second one may report success for lost pages.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::LogEvent;
use super::shared::Shared;
use crate::bugs;
use crate::model::Offset;
use crate::storage::StorageError;
#[cfg(test)]
use crate::storage::by_hand;
use crate::storage::format::Batch;
use crate::storage::hint::Hint;
use crate::storage::segment::{Blocks, Origin, Segment};

/// Most bytes of one round, so that no confirmation waits for a long write.
const ROUND_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How far behind the hint on the disk may be while the log is written.
const HINT_SYNC_PERIOD: Duration = Duration::from_secs(1);
/// A longer batch is worth the wake-ups of the thread: whoever appends can do something else meanwhile.
const QUICK_BYTES_MAX: usize = 16 * 1024;
/// While the disk takes longer, nobody but the thread waits for it.
const QUICK_TIME_MAX: Duration = Duration::from_millis(1);
/// How much room is cleared for small writes at once. Allocated room becomes part of a file's data with its first write,
/// and a sync after that waits for the file system's journal too: a quarter of the time of a small write, paid once for
/// many this way.
const CLEARED_BYTES: usize = 128 * 1024;

/// What the writer is told, in order.
pub(in crate::storage) enum Command {
    /// Append; a segment begins at each of `rolls`.
    Write { batch: Batch, rolls: Vec<Origin> },
    /// Answer when everything before is durable.
    Sync(SyncSender<Result<Offset, StorageError>>),
    /// Durably cut the log: the segment with this base is the last one, and ends at `to`.
    Truncate { base: Offset, to: Offset, reply: SyncSender<Result<Offset, StorageError>> },
    /// Durably begin anew.
    Reset { origin: Origin, reply: SyncSender<Result<Offset, StorageError>> },
    /// Remove whole segments below.
    Drop { base: Offset },
}

pub(super) type Notify = Box<dyn Fn(LogEvent) + Send + Sync>;

pub(in crate::storage) struct Writer {
    shared: Arc<Shared>,
    notify: Notify,
    hint: Hint,
    /// The segment that is written, the last one.
    active: Arc<Segment>,
    /// Its end as it is written; none before the first write to it.
    blocks: Option<Blocks>,
    /// End of what is written.
    written: Offset,
    hint_synced: Instant,
    /// How long the last write and sync took.
    took: Duration,
    /// Small writes find zeros up to here.
    cleared: Offset,
}

/// The writer's thread: runs until every handle of the log is gone and all it was told is done.
pub(super) fn run(shared: &Shared, writer: &Mutex<Writer>, receiver: &Receiver<Command>) {
    let _watch = Watch(writer);
    let mut next = None;
    while let Some(command) = next.take().or_else(|| receiver.recv().ok()) {
        next = turn(shared, writer, command, receiver);
    }
    let writer = lock(writer);
    if shared.failure.get().is_none()
        && let Err(e) = writer.hint.sync()
    {
        tracing::warn!("{e}");
    }
}

/// Has the writer do a command, with the writes that it takes in; returns the command that ended the round.
pub(in crate::storage) fn turn(
    shared: &Shared,
    writer: &Mutex<Writer>,
    command: Command,
    receiver: &Receiver<Command>,
) -> Option<Command> {
    let mut taken = 1;
    let mut writer = lock(writer);
    let more = || receiver.try_recv().ok().inspect(|_| taken += 1);
    let next = writer.work(command, more);
    drop(writer);
    shared.waiting.fetch_sub(taken - usize::from(next.is_some()), Ordering::Release);
    next
}

/// A writer that somebody has left in the middle of its work writes nothing more.
pub(super) fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(|poisoned| {
        let writer = poisoned.into_inner();
        writer.fail(&StorageError::Failed(BROKEN.into()));
        writer
    })
}

/// Tells of a thread that ends by a broken invariant, for those who wait for it.
struct Watch<'a>(&'a Mutex<Writer>);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(lock(self.0));
        }
    }
}

const BROKEN: &str = "the writer met a broken invariant";

impl Writer {
    /// Goes on at the end of `active`, up to which all is written.
    pub(super) fn new(
        shared: Arc<Shared>,
        notify: Notify,
        hint: Hint,
        active: Arc<Segment>,
        written: Offset,
    ) -> Writer {
        Writer {
            shared,
            notify,
            hint,
            active,
            blocks: None,
            written,
            hint_synced: Instant::now(),
            took: Duration::ZERO,
            cleared: written,
        }
    }

    /// Whether this is likely to be done before it is worth to wake the writer's thread.
    pub(super) fn is_quick(&self, command: &Command) -> bool {
        #[cfg(test)]
        if by_hand::wanted() {
            // Not how quick this machine is, but the seed decides.
            return crate::env::seeded::next().is_some_and(|word| word.is_multiple_of(4));
        }
        matches!(command, Command::Write { batch, rolls } if batch.bytes.len() <= QUICK_BYTES_MAX && rolls.is_empty())
            && self.took <= QUICK_TIME_MAX
    }

    /// Does one command, or one round of writes, taking `more` of them; returns the command that ended the round.
    pub(super) fn work(
        &mut self,
        command: Command,
        more: impl FnMut() -> Option<Command>,
    ) -> Option<Command> {
        let result = self.shared.check().and_then(|()| self.execute(command, more));
        result.unwrap_or_else(|e| {
            self.fail(&e);
            None
        })
    }

    fn execute(
        &mut self,
        command: Command,
        more: impl FnMut() -> Option<Command>,
    ) -> Result<Option<Command>, StorageError> {
        let (result, reply) = match command {
            Command::Write { batch, rolls } => return self.round(batch, rolls, more),
            Command::Drop { base } => return self.drop_below(base).map(|()| None),
            Command::Sync(reply) => (Ok(()), reply),
            Command::Truncate { base, to, reply } => (self.truncate(base, to), reply),
            Command::Reset { origin, reply } => (self.reset(origin), reply),
        };
        // A caller that has gone away needs no answer.
        let _ = reply.send(match &result {
            Ok(()) => Ok(self.written),
            Err(e) => Err(StorageError::Failed(e.to_string())),
        });
        result.map(|()| None)
    }

    fn round(
        &mut self,
        batch: Batch,
        rolls: Vec<Origin>,
        mut more: impl FnMut() -> Option<Command>,
    ) -> Result<Option<Command>, StorageError> {
        let (mut parts, mut bytes, mut next) = (Vec::new(), 0, Some(Command::Write { batch, rolls }));
        while let Some(Command::Write { batch, rolls }) = next {
            bytes += batch.bytes.len();
            let (mut at, mut rest) = (batch.at, batch.bytes);
            for origin in rolls {
                parts.push(rest.split_to((origin.base.0 - at.0) as usize));
                at = origin.base;
                self.flush(&mut parts)?;
                match self.roll(origin) {
                    Err(_) if bugs::on("full_disk_half_acknowledged") => {
                        return self.durable(at.plus(rest.len())).map(|()| None);
                    }
                    rolled => rolled?,
                }
            }
            parts.push(rest);
            next = if bytes < ROUND_BYTES_MAX { more() } else { None };
        }
        self.flush(&mut parts)?;
        if self.hint_is_due() {
            self.hint.sync()?;
            self.hint_synced = Instant::now();
        }
        Ok(next)
    }

    fn hint_is_due(&self) -> bool {
        #[cfg(test)]
        if by_hand::wanted() {
            return self.shared.syncs.load(Ordering::Relaxed).is_multiple_of(16);
        }
        self.hint_synced.elapsed() >= HINT_SYNC_PERIOD
    }

    /// Writes `parts` to the end of the active segment, makes them durable and says so.
    fn flush(&mut self, parts: &mut Vec<Bytes>) -> Result<(), StorageError> {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        if bytes == 0 {
            parts.clear();
            return Ok(());
        }
        let end = self.written.plus(bytes);
        let cleared = self.to_be_cleared(bytes, end);
        let began = Instant::now();
        let path = &self.active.path;
        let blocks = match &mut self.blocks {
            Some(blocks) => blocks,
            none => none.insert(Blocks::open(self.shared.disk.as_ref(), &self.active, self.written)?),
        };
        blocks.write(parts, (cleared.0 - end.0) as usize).map_err(StorageError::io("write", path))?;
        blocks.sync().map_err(StorageError::io("sync", path))?;
        (self.took, self.cleared) = (began.elapsed(), self.cleared.max(cleared));
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.shared.syncs_took_us.fetch_add(self.took.as_micros() as u64, Ordering::Relaxed);
        parts.clear();
        self.durable(end)
    }

    /// Up to where a write of so many bytes, which ends at `end`, clears the room for those that follow.
    fn to_be_cleared(&self, bytes: usize, end: Offset) -> Offset {
        if bytes > QUICK_BYTES_MAX || end <= self.cleared {
            return end;
        }
        let room = self.active.origin.base.0 + self.shared.options.segment_bytes;
        Offset(end.plus(CLEARED_BYTES).0.min(room.max(end.0)))
    }

    fn durable(&mut self, end: Offset) -> Result<(), StorageError> {
        let news = end != self.written;
        self.written = end;
        self.shared.durable.store(end.0, Ordering::Release);
        if news {
            // The hint first: what was told to be durable must never look like a torn tail.
            self.hint.write(end)?;
            (self.notify)(LogEvent::Durable(end));
        }
        Ok(())
    }

    /// Begins a new segment at the end of the active one, which is durable.
    fn roll(&mut self, origin: Origin) -> Result<(), StorageError> {
        assert_eq!(origin.base, self.written, "a segment begins where the one before ends");
        self.hint.sync()?;
        let sealed = self.active.clone();
        self.create(origin)?;
        // Only now: a segment that is the last one on a full disk must keep its room. Not synced, as the next segment says
        // where this one ends.
        let end = sealed.place(origin.base);
        let trimmed = sealed.file().and_then(|file| file.set_len(end));
        sealed.release();
        trimmed.map_err(StorageError::io("trim", &sealed.path))
    }

    fn create(&mut self, origin: Origin) -> Result<(), StorageError> {
        let Shared { files, dir, options, segments, .. } = &*self.shared;
        let segment = match self.shared.space.get() {
            Some(space) => space.segment(files, origin)?,
            None => Segment::create(files, dir, origin, options.segment_bytes)?,
        };
        let segment = Arc::new(segment);
        (self.active, self.blocks, self.cleared) = (segment.clone(), None, origin.base);
        segments.write().unwrap_or_else(PoisonError::into_inner).push(segment);
        Ok(())
    }

    fn truncate(&mut self, base: Offset, to: Offset) -> Result<(), StorageError> {
        // First the hint: with a higher one, what is cut now would look like damage after a crash in between.
        self.hint.force(to)?;
        self.remove_from(Offset(base.0 + 1))?;
        let active = self.shared.segments().last().cloned();
        let active = active.ok_or_else(|| StorageError::Failed("no segment is left".into()))?;
        active.hold()?;
        active.cut(to, self.shared.options.segment_bytes)?;
        (self.active, self.blocks) = (active, None);
        (self.written, self.cleared) = (to, to);
        self.shared.durable.store(to.0, Ordering::Release);
        Ok(())
    }

    fn reset(&mut self, origin: Origin) -> Result<(), StorageError> {
        self.hint.force(Offset(0))?;
        self.remove_from(Offset(0))?;
        self.create(origin)?;
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.retain(|known| Arc::ptr_eq(known, &self.active));
        drop(segments);
        self.written = origin.base;
        self.shared.durable.store(origin.base.0, Ordering::Release);
        self.hint.write(origin.base)?;
        self.hint.sync()
    }

    /// Removes the segments with a base of `base` or more, known or not, the last one first: what is left after a crash
    /// is a whole log that ends earlier.
    fn remove_from(&mut self, base: Offset) -> Result<(), StorageError> {
        let Shared { disk, dir, segments, .. } = &*self.shared;
        let mut bases = Segment::list(disk.as_ref(), dir)?;
        bases.retain(|found| *found >= base);
        for found in bases.into_iter().rev() {
            self.shared.remove_segment(found)?;
        }
        let mut known = segments.write().unwrap_or_else(PoisonError::into_inner);
        // One stays in sight until there is another, so that whoever asks where the log begins gets an answer.
        let first = known.first().cloned();
        known.retain(|known| known.origin.base < base);
        if known.is_empty() {
            known.extend(first);
        }
        Ok(())
    }

    /// Removes the segments that end at or below `base`, the first one first.
    fn drop_below(&mut self, base: Offset) -> Result<(), StorageError> {
        loop {
            let segments = self.shared.segments();
            let [first, second, ..] = &segments[..] else { return Ok(()) };
            if second.origin.base > base {
                return Ok(());
            }
            // Out of sight first: who does not find the file any more then sees why.
            self.shared.segments.write().unwrap_or_else(PoisonError::into_inner).remove(0);
            self.shared.remove_segment(first.origin.base)?;
        }
    }

    fn fail(&self, error: &StorageError) {
        if self.shared.failure.set(error.to_string()).is_ok() {
            (self.notify)(LogEvent::Failed(error.to_string()));
        }
    }
}

/// Writes the sidecars of finished segments, on a thread of its own: sorting and writing one takes longer than a
/// confirmation may.
pub(in crate::storage) fn write_sidecars(shared: &Shared, bases: &Receiver<Offset>) {
    for base in bases {
        let Some(sealed) = shared.sealed().get(&base).cloned() else { continue };
        match sealed.written(&shared.files, &shared.dir) {
            Ok(Some(written)) => shared.change_sealed(|all| {
                // The log may have been cut meanwhile: then this sidecar fits no segment and is never opened.
                if all.get(&base).is_some_and(|now| Arc::ptr_eq(now, &sealed)) {
                    all.insert(base, Arc::new(written));
                }
            }),
            Ok(None) => {}
            Err(e) => tracing::warn!("a sidecar stays in memory: {e}"),
        }
    }
}
