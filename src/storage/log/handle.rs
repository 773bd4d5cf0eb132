//! The handle of a log: opens it, appends, cuts it.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::LogOptions;
use super::front::Front;
use super::shared::Shared;
use super::writer::{self, Command, Notify, Writer, write_sidecars};
use crate::env::{Disk, DiskLock};
use crate::model::{Epoch, Offset, Position};
use crate::storage::StorageError;
#[cfg(test)]
use crate::storage::by_hand;
use crate::storage::format::Batch;
use crate::storage::live::{History, Live, extend_history};
use crate::storage::recovery::{self, Damage, Opened};
use crate::storage::segment::{FIRST_BASE_MAX, OpenFiles, Origin};

/// What a log holds after it has been opened or cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// First offset of the log.
    pub base: Offset,
    /// Where it ends.
    pub end: Position,
    /// Checksum of the last record.
    pub last: u32,
    /// Every epoch that has a record in the log, and the one that was in force at its base, with the end of its last
    /// record; ascending.
    pub history: Vec<(Epoch, Offset)>,
    /// Bytes of a torn tail that were cut off; nobody had been told that they were durable.
    pub cut: u64,
    /// Whether the log did not exist before.
    pub created: bool,
    /// Durable bytes that are not what was written. The log ends before them and takes no records until it is
    /// truncated or reset.
    pub damage: Option<Damage>,
}

/// A log. Clones are the same log; the files close with the last one, after all that was appended is written.
#[derive(Clone)]
pub struct Log {
    pub(in crate::storage) inner: Arc<Inner>,
}

pub(in crate::storage) struct Inner {
    pub(in crate::storage) shared: Arc<Shared>,
    front: Mutex<Front>,
    pub(in crate::storage) writer: Arc<Mutex<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// In the place of the threads.
    #[cfg(test)]
    pub(in crate::storage) hand: Option<by_hand::Hand>,
    _lock: DiskLock,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({} to {})", self.base(), self.end())
    }
}

impl Log {
    /// Opens the log in `dir`, or creates it there, and starts its writer. `notify` is called on the writer's thread
    /// and must not block; it must not own a clone of the log.
    ///
    /// # Errors
    /// [`StorageError::Locked`]: another process has it open. [`StorageError::Io`]: the directory or a file cannot be
    /// read or written. Damage is no error, see [`Recovered::damage`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
        notify: Notify,
    ) -> Result<(Log, Recovered), StorageError> {
        Log::open_known(disk, dir, options, notify, false)
    }

    /// As [`Log::open`]; `expected`: there has been a log, so that an empty directory is damage.
    pub(in crate::storage) fn open_known(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: LogOptions,
        notify: Notify,
        expected: bool,
    ) -> Result<(Log, Recovered), StorageError> {
        disk.create_dir_all(dir).map_err(StorageError::io("create", dir))?;
        let lock = disk.lock(dir).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => StorageError::Locked(dir.to_owned(), e.to_string()),
            _ => StorageError::io("lock", dir)(e),
        })?;
        let files = OpenFiles::new(Arc::clone(&disk));
        let (Opened { segments, sealed, live, cut, created, damage }, hint) =
            recovery::open(&files, dir, options, expected)?;
        let active = segments[segments.len() - 1].clone();
        let written = live.end();
        let shared = Arc::new(Shared {
            disk,
            files,
            dir: dir.to_owned(),
            options,
            segments: RwLock::new(segments),
            durable: AtomicU64::new(written.0),
            syncs: AtomicU64::new(0),
            syncs_took_us: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            sealed: Mutex::new(Arc::new(sealed)),
            space: OnceLock::new(),
            failure: OnceLock::new(),
        });
        let (sender, receiver) = channel();
        let (sealer, finished) = channel();
        let front = Front::new(sender, sealer, live, damage.is_some());
        let writer = Writer::new(shared.clone(), notify, hint, active, written);
        let (front, writer) = (Mutex::new(front), Arc::new(Mutex::new(writer)));
        #[cfg(test)]
        if by_hand::wanted() {
            let (hand, threads) = (Some(by_hand::Hand::new(receiver, finished)), Mutex::default());
            let inner = Inner { shared, front, writer, threads, hand, _lock: lock };
            return Ok(Log::opened(inner, cut, created, damage));
        }
        let threads = Mutex::new(start(dir, &shared, &writer, receiver, finished)?);
        let inner = Inner {
            shared,
            front,
            writer,
            threads,
            #[cfg(test)]
            hand: None,
            _lock: lock,
        };
        Ok(Log::opened(inner, cut, created, damage))
    }

    fn opened(inner: Inner, cut: u64, created: bool, damage: Option<Damage>) -> (Log, Recovered) {
        let log = Log { inner: Arc::new(inner) };
        let recovered = log.recovered(&log.front());
        (log, Recovered { cut, created, damage, ..recovered })
    }

    pub(in crate::storage) fn front(&self) -> MutexGuard<'_, Front> {
        self.inner.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread joined when the log closes.
    pub(super) fn keep(&self, thread: JoinHandle<()>) {
        self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    fn recovered(&self, front: &Front) -> Recovered {
        let sealed = self.inner.shared.sealed();
        let live = &front.live.summary;
        let first = sealed.values().next().map_or(live.origin, |sealed| sealed.origin);
        let mut history = History::new();
        if first.epoch > Epoch(0) {
            history.push((first.epoch, first.base));
        }
        let epochs = sealed.values().flat_map(|sealed| &sealed.history).chain(&live.history);
        epochs.for_each(|(epoch, end)| extend_history(&mut history, *epoch, *end));
        Recovered {
            base: first.base,
            end: Position { epoch: front.live.epoch, offset: front.live.end() },
            last: front.live.summary.last,
            history,
            cut: 0,
            created: false,
            damage: None,
        }
    }

    /// Appends a batch behind all others, without waiting: [`LogEvent::Durable`](crate::storage::LogEvent::Durable) tells when
    /// it is on the disk. A log that has failed takes nothing and says nothing.
    ///
    /// # Panics
    /// When the batch does not begin at the log's end or does not continue its last record, or when the log is
    /// damaged: writing it would destroy the log.
    pub fn append(&self, batch: Batch) {
        let mut front = self.front();
        if let Some(write) = front.take(&self.inner.shared, batch) {
            front.tell(&self.inner.shared, write);
        }
    }

    /// The same as [`Log::append`], for a caller that has nothing better to do than to wait for the disk: a small batch
    /// is left for [`Log::write_deferred`] if nothing else is to be written and the disk is quick. That saves two
    /// wake-ups before a confirmation. Whatever comes first, another append or the log's end, writes it too.
    ///
    /// # Panics
    /// As [`Log::append`].
    pub fn append_deferred(&self, batch: Batch) {
        let mut front = self.front();
        let Some(write) = front.take(&self.inner.shared, batch) else { return };
        let idle = !front.has_deferred() && self.inner.shared.waiting.load(Ordering::Acquire) == 0;
        if idle && self.inner.writer.try_lock().is_ok_and(|writer| writer.is_quick(&write)) {
            front.defer(write);
        } else {
            front.tell(&self.inner.shared, write);
        }
    }

    /// Writes what [`Log::append_deferred`] has left, on this thread. Blocking I/O.
    pub fn write_deferred(&self) {
        let mut front = self.front();
        let Some(write) = front.take_deferred() else { return };
        // Nothing waits, so that the writer's thread is at rest, or about to be.
        let mut writer = writer::lock(&self.inner.writer);
        // What is appended meanwhile waits for the writer.
        drop(front);
        writer.work(write, || None);
    }

    /// Whether the log still takes something; does not block.
    ///
    /// # Errors
    /// [`StorageError::Failed`]: a write or a sync has failed.
    pub fn check(&self) -> Result<(), StorageError> {
        self.inner.shared.check()
    }

    /// Waits until everything appended so far is durable, and returns the end of it.
    ///
    /// # Errors
    /// [`StorageError::Failed`] when the log has failed, before or meanwhile.
    pub fn sync(&self) -> Result<Offset, StorageError> {
        let (reply, answer) = sync_channel(1);
        self.front().tell(&self.inner.shared, Command::Sync(reply));
        self.wait(&answer)
    }

    fn wait(
        &self,
        answer: &std::sync::mpsc::Receiver<Result<Offset, StorageError>>,
    ) -> Result<Offset, StorageError> {
        #[cfg(test)]
        self.write_now();
        answer.recv().unwrap_or_else(|_| {
            self.inner.shared.check()?;
            Err(StorageError::Failed("the writer has ended".into()))
        })
    }

    /// Durably cuts the log back to `to`, the end of a record. What is cut never looks valid again, whatever is written
    /// in its place. Ends the state of damage when `to` is not above it.
    ///
    /// # Errors
    /// [`StorageError::Range`]: `to` is not in the log or inside of a record; nothing has changed.
    /// [`StorageError::Failed`]: the log has failed.
    pub fn truncate(&self, to: Offset) -> Result<Recovered, StorageError> {
        let mut front = self.front();
        let (reply, answer) = sync_channel(1);
        front.tell(&self.inner.shared, Command::Sync(reply));
        self.wait(&answer)?;
        let segments = self.inner.shared.segments();
        let range = || StorageError::Range { at: to, base: segments[0].origin.base, end: front.live.end() };
        let at = segments.iter().rposition(|segment| segment.origin.base <= to).ok_or_else(range)?;
        if to > front.live.end() {
            return Err(range());
        }
        let (live, damage) = recovery::fold(&segments, at, to)?;
        if damage.is_some() {
            return Err(range());
        }
        let base = live.summary.origin.base;
        self.change(&mut front, live, |reply| Command::Truncate { base, to, reply })
    }

    /// Durably cuts off all that stands at damage and behind it.
    ///
    /// # Errors
    /// As [`Log::truncate`] and [`Log::reset`].
    pub fn cut_damage(&self, at: Offset) -> Result<Recovered, StorageError> {
        if at > self.base() {
            return self.truncate(at);
        }
        // Nothing is left, and it may be the first segment's header that is damaged: that has to go too.
        self.reset(Position::default(), 0)
    }

    /// Durably empties the log and begins it anew behind `base`, whose record had the checksum `previous`: for a slave
    /// whose log ends before its master's begins. Ends the state of damage.
    ///
    /// # Errors
    /// [`StorageError::Range`]: no log begins so high; nothing has changed. [`StorageError::Failed`]: the log has failed.
    pub fn reset(&self, base: Position, previous: u32) -> Result<Recovered, StorageError> {
        if base.offset.0 > FIRST_BASE_MAX {
            return Err(StorageError::Range { at: base.offset, base: self.base(), end: self.end() });
        }
        let origin = Origin { base: base.offset, previous, epoch: base.epoch, group: base.offset };
        self.change(&mut self.front(), Live::new(origin), |reply| Command::Reset { origin, reply })
    }

    /// Has the writer cut the files, then lets `live` be the end of the log.
    fn change(
        &self,
        front: &mut Front,
        live: Live,
        command: impl FnOnce(SyncSender<Result<Offset, StorageError>>) -> Command,
    ) -> Result<Recovered, StorageError> {
        let (reply, answer) = sync_channel(1);
        front.tell(&self.inner.shared, command(reply));
        self.wait(&answer)?;
        let first = self.inner.shared.segments()[0].origin.base;
        let kept = first..live.summary.origin.base;
        self.inner.shared.change_sealed(|sealed| sealed.retain(|base, _| kept.contains(base)));
        front.end_with(live);
        Ok(self.recovered(front))
    }

    /// Lets go of the whole segments below `base`, soon.
    pub fn drop_below(&self, base: Offset) {
        let mut front = self.front();
        self.inner.shared.change_sealed(|sealed| sealed.retain(|_, sealed| sealed.end > base));
        front.tell(&self.inner.shared, Command::Drop { base });
    }

    /// First offset of the log.
    pub fn base(&self) -> Offset {
        let segments = self.inner.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments[0].origin.base
    }

    /// What stood before the first record: position and checksum, for [`Log::reset`] of another node.
    pub fn origin(&self) -> (Position, u32) {
        let segments = self.inner.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let Origin { base, previous, epoch, .. } = segments[0].origin;
        (Position { epoch, offset: base }, previous)
    }

    /// End of all that has been appended.
    pub fn end(&self) -> Offset {
        self.front().live.end()
    }

    /// End of all that is durable here.
    pub fn durable(&self) -> Offset {
        Offset(self.inner.shared.durable.load(Ordering::Acquire))
    }

    /// How often records were synced to the disk since the log was opened.
    pub fn syncs(&self) -> u64 {
        self.inner.shared.syncs.load(Ordering::Relaxed)
    }

    /// How long these took with the writing before them, all together.
    pub fn syncs_took(&self) -> Duration {
        Duration::from_micros(self.inner.shared.syncs_took_us.load(Ordering::Relaxed))
    }
}

/// Starts the threads of the log in `dir`.
fn start(
    dir: &Path,
    shared: &Arc<Shared>,
    writer: &Arc<Mutex<Writer>>,
    commands: Receiver<Command>,
    finished: Receiver<Offset>,
) -> Result<Vec<JoinHandle<()>>, StorageError> {
    let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
        thread::Builder::new()
            .name(name.into())
            .spawn(run)
            .map_err(StorageError::io("start the threads of", dir))
    };
    let (sidecars, shared, writer) = (shared.clone(), shared.clone(), writer.clone());
    Ok(vec![
        spawn("log-writer", Box::new(move || writer::run(&shared, &writer, &commands)))?,
        spawn("log-sidecars", Box::new(move || write_sidecars(&sidecars, &finished)))?,
    ])
}

impl Drop for Inner {
    fn drop(&mut self) {
        let front = self.front.get_mut().unwrap_or_else(PoisonError::into_inner);
        front.close(&self.shared);
        if let Some(space) = self.shared.space.get() {
            space.close();
        }
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A log let go of by `notify` itself ends without waiting for its own thread.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
