//! The handle of a log: what is appended goes to the writer thread; what is read comes from the bytes still in memory or
//! from the files.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::StorageError;
use super::format::{Batch, Header, RECORD_HEADER_BYTES, check, records};
use super::live::{History, Live, extend_history};
use super::recovery::{self, Damage, Opened};
use super::segment::{FIRST_BASE_MAX, OpenFiles, Origin, Segment};
use super::sidecar::Sealed;
use super::writer::{self, Command, Notify, Shared, Writer, write_sidecars};
use crate::env::{Disk, DiskLock};
use crate::model::{Epoch, Offset, Position};

/// Sizes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes of records in one segment file; a longer record gets a segment of its own.
    pub segment_bytes: u64,
    /// Bytes at the end of the log that stay in memory for readers that keep up.
    pub tail_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { segment_bytes: 100 * 1024 * 1024, tail_bytes: 16 * 1024 * 1024 }
    }
}

/// What a log tells, from its writer's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// Everything below is on the disk. Ascending between two cuts of the log.
    Durable(Offset),
    /// A write or a sync failed, for this reason: nothing more is written in this process. Told once.
    Failed(String),
    /// Why the log should take nothing but what makes room on the disk; none when it may take anything again.
    Space(super::Shortage),
}

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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    front: Mutex<Front>,
    pub(super) writer: Arc<Mutex<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// In the place of the threads.
    #[cfg(test)]
    pub(super) hand: Option<super::by_hand::Hand>,
    _lock: DiskLock,
}

/// What an append changes at once, before anything is written.
pub(super) struct Front {
    /// None once the log closes.
    sender: Option<Sender<Command>>,
    /// Bases of finished segments, for the thread that writes sidecars.
    sealer: Option<Sender<Offset>>,
    pub(super) live: Live,
    /// The last batches: all that is not durable, and before it what fits into `tail_bytes`.
    tail: VecDeque<Batch>,
    tail_bytes: usize,
    /// A batch that whoever appended it is about to write.
    deferred: Option<Command>,
    /// Whether the log ends before damaged bytes.
    damaged: bool,
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
    pub(super) fn open_known(
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
            waiting: AtomicUsize::new(0),
            sealed: Mutex::new(Arc::new(sealed)),
            space: OnceLock::new(),
            failure: OnceLock::new(),
        });
        let (sender, receiver) = channel();
        let (sealer, finished) = channel();
        let front = Front {
            sender: Some(sender),
            sealer: Some(sealer),
            live,
            tail: VecDeque::new(),
            tail_bytes: 0,
            deferred: None,
            damaged: damage.is_some(),
        };
        let writer = Writer {
            shared: shared.clone(),
            notify,
            hint,
            active,
            blocks: None,
            written,
            hint_synced: Instant::now(),
            took: Duration::ZERO,
            cleared: written,
        };
        let (front, writer) = (Mutex::new(front), Arc::new(Mutex::new(writer)));
        #[cfg(test)]
        if super::by_hand::wanted() {
            let (hand, threads) = (Some(super::by_hand::Hand::new(receiver, finished)), Mutex::default());
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

    pub(super) fn front(&self) -> MutexGuard<'_, Front> {
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

    /// Appends a batch behind all others, without waiting: [`LogEvent::Durable`] tells when it is on the disk. A log
    /// that has failed takes nothing and says nothing.
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
        let idle = front.deferred.is_none() && self.inner.shared.waiting.load(Ordering::Acquire) == 0;
        if idle && self.inner.writer.try_lock().is_ok_and(|writer| writer.is_quick(&write)) {
            front.deferred = Some(write);
        } else {
            front.tell(&self.inner.shared, write);
        }
    }

    /// Writes what [`Log::append_deferred`] has left, on this thread. Blocking I/O.
    pub fn write_deferred(&self) {
        let mut front = self.front();
        let Some(write) = front.deferred.take() else { return };
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
        front.live = live;
        front.tail.clear();
        front.tail_bytes = 0;
        front.damaged = false;
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

    /// Where the segment that is written begins.
    pub(super) fn live_origin(&self) -> Origin {
        self.front().live.summary.origin
    }

    /// End of all that has been appended.
    pub fn end(&self) -> Offset {
        self.front().live.end()
    }

    /// End of all that is durable here.
    pub fn durable(&self) -> Offset {
        Offset(self.inner.shared.durable.load(Ordering::Acquire))
    }

    /// The same as [`Log::read`] if what is asked for is still in memory. Never blocks on a disk.
    pub fn read_recent(&self, from: Offset, bytes_max: usize) -> Option<Bytes> {
        let slices = self.front().tail_slices(from, bytes_max);
        match &slices[..] {
            [] => None,
            [slice] => whole_records(from, slice.clone(), bytes_max).ok(),
            slices => whole_records(from, slices.concat().into(), bytes_max).ok(),
        }
    }

    /// How often records were synced to the disk since the log was opened.
    pub fn syncs(&self) -> u64 {
        self.inner.shared.syncs.load(Ordering::Relaxed)
    }

    /// Whole records from `from` on, at most `bytes_max` bytes of them, but at least one unless `from` is the end. Finds
    /// what has not been written yet too. Blocking I/O, from any thread.
    ///
    /// # Errors
    /// [`StorageError::Range`]: `from` is not in the log. [`StorageError::Corrupt`]: no valid record stands there.
    pub fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, StorageError> {
        let (tail, until) = {
            let mut front = self.front();
            front.trim(&self.inner.shared);
            let (base, end) = (self.base(), front.live.end());
            if from < base || from > end {
                return Err(StorageError::Range { at: from, base, end });
            }
            let until = front.tail_at();
            (front.tail_slices(from, bytes_max), until)
        };
        match &tail[..] {
            [] if from >= until => Ok(Bytes::new()),
            [] => self.read_file(from, until, bytes_max),
            [slice] => whole_records(from, slice.clone(), bytes_max),
            slices => whole_records(from, slices.concat().into(), bytes_max),
        }
    }

    fn read_file(&self, from: Offset, until: Offset, bytes_max: usize) -> Result<Bytes, StorageError> {
        let (segment, end) = self.segment_of(from)?;
        let until = until.min(end);
        let to = Offset(until.0.min(from.0.saturating_add(bytes_max.max(RECORD_HEADER_BYTES) as u64)));
        let bytes = segment.bytes(from, to)?.freeze();
        match Header::parse(&bytes) {
            Some(header) if header.bytes() > bytes.len() && from.plus(header.bytes()) <= until => {
                whole_records(from, segment.bytes(from, from.plus(header.bytes()))?.freeze(), bytes_max)
            }
            _ => whole_records(from, bytes, bytes_max),
        }
    }

    /// The segment that holds `at`, and where the next one begins (the end of numbers for the last).
    pub(super) fn segment_of(&self, at: Offset) -> Result<(Arc<Segment>, Offset), StorageError> {
        let segments = self.inner.shared.segments();
        let next = segments.partition_point(|segment| segment.origin.base <= at);
        let Some(segment) = next.checked_sub(1).and_then(|index| segments.get(index)) else {
            let (base, end) = (segments[0].origin.base, self.end());
            return Err(StorageError::Range { at, base, end });
        };
        let end = segments.get(next).map_or(Offset(u64::MAX), |next| next.origin.base);
        Ok((segment.clone(), end))
    }
}

impl Log {
    /// Reads a finished segment again whose sidecar is damaged, and has another one written.
    pub(super) fn rebuild_sidecar(&self, damaged: &Sealed) -> Result<Arc<Sealed>, StorageError> {
        let base = damaged.origin.base;
        tracing::warn!("the sidecar of segment {base} is damaged and is rebuilt");
        let segments = self.inner.shared.segments();
        let at = segments.iter().position(|segment| segment.origin.base == base);
        let at = at.filter(|at| at + 1 < segments.len()).ok_or_else(|| StorageError::Range {
            at: base,
            base: self.base(),
            end: self.end(),
        })?;
        let sealed = recovery::read_sealed(&segments, at)?;
        let sealed =
            sealed.map_err(|damage| StorageError::Corrupt { at: damage.at, reason: damage.reason })?;
        let (front, sealed) = (self.front(), Arc::new(sealed));
        // The log may have been cut meanwhile; then this answer is the last use of what was read.
        if self
            .inner
            .shared
            .sealed()
            .get(&base)
            .is_some_and(|now| (now.end, now.last) == (sealed.end, sealed.last))
        {
            front.seal(&self.inner.shared, sealed.clone());
        }
        Ok(sealed)
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

/// Cuts `bytes` behind the last whole record within `bytes_max`, or behind the first, after checking each.
fn whole_records(from: Offset, mut bytes: Bytes, bytes_max: usize) -> Result<Bytes, StorageError> {
    let (mut at, mut done) = (from, 0);
    while done < bytes.len() {
        let rest = &bytes[done..];
        if done > 0
            && Header::parse(rest).is_none_or(|header| done + header.bytes() > bytes_max.min(bytes.len()))
        {
            break;
        }
        let header = check(at, rest).map_err(|e| StorageError::Corrupt { at, reason: e.to_string() })?;
        done += header.bytes();
        at = at.plus(header.bytes());
    }
    bytes.truncate(done);
    Ok(bytes)
}

impl Front {
    /// Keeps what is known of a finished segment, and has its sidecar written.
    fn seal(&self, shared: &Shared, sealed: Arc<Sealed>) {
        let base = sealed.origin.base;
        shared.change_sealed(|all| drop(all.insert(base, sealed)));
        if let Some(sealer) = &self.sealer {
            // Without that thread the entries stay in memory.
            let _ = sealer.send(base);
        }
    }

    /// Lets the log end behind `batch` at once. Returns what is left to do, unless nothing is to be written.
    fn take(&mut self, shared: &Shared, batch: Batch) -> Option<Command> {
        if batch.bytes.is_empty() || shared.failure.get().is_some() {
            return None;
        }
        assert!(!self.damaged, "nothing is appended to a damaged log");
        assert_eq!(batch.at, self.live.end(), "a batch begins where the log ends");
        let previous = Header::parse(&batch.bytes).map(|header| header.previous);
        assert_eq!(previous, Some(self.live.summary.last), "a batch continues the log's last record");
        let mut rolls = Vec::new();
        for record in records(batch.at, &batch.bytes) {
            if self.live.is_full(&record, shared.options.segment_bytes) {
                let sealed = Arc::new(Sealed::new(self.live.roll()));
                rolls.push(self.live.summary.origin);
                self.seal(shared, sealed);
            }
            self.live.push(&record);
        }
        assert_eq!(self.live.end(), batch.end(), "a batch is whole records");
        if let (false, Some(space)) = (rolls.is_empty(), shared.space.get()) {
            space.owe(rolls.len());
        }
        self.tail_bytes += batch.bytes.len();
        self.tail.push_back(batch.clone());
        self.trim(shared);
        Some(Command::Write { batch, rolls })
    }

    fn tell(&mut self, shared: &Shared, command: Command) {
        for command in self.deferred.take().into_iter().chain([command]) {
            if let Some(sender) = &self.sender {
                shared.waiting.fetch_add(1, Ordering::AcqRel);
                // Without a writer nothing is confirmed; whoever waits for an answer sees the channel close.
                let _ = sender.send(command);
            }
        }
    }

    /// Forgets the oldest durable batches that are more than the tail's share of memory.
    fn trim(&mut self, shared: &Shared) {
        let durable = shared.durable.load(Ordering::Acquire);
        while self.tail_bytes > shared.options.tail_bytes
            && let Some(first) = self.tail.front()
            && first.end().0 <= durable
        {
            self.tail_bytes -= first.bytes.len();
            self.tail.pop_front();
        }
    }

    /// Where the tail begins; everything below is in the files.
    pub(super) fn tail_at(&self) -> Offset {
        self.tail.front().map_or(self.live.end(), |batch| batch.at)
    }

    /// The tail's bytes from `from` on, no more batches than fill `bytes_max`; none when they are in the files.
    pub(super) fn tail_slices(&self, from: Offset, bytes_max: usize) -> Vec<Bytes> {
        let first = self.tail.partition_point(|batch| batch.end() <= from);
        let (mut slices, mut bytes) = (Vec::new(), 0);
        for batch in self.tail.range(first..) {
            let skip = from.0.saturating_sub(batch.at.0) as usize;
            if batch.at > from && slices.is_empty() || bytes >= bytes_max && bytes > 0 {
                break;
            }
            slices.push(batch.bytes.slice(skip..));
            bytes += batch.bytes.len() - skip;
        }
        slices
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let front = self.front.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(write) = front.deferred.take() {
            front.tell(&self.shared, write);
        }
        (front.sender, front.sealer) = (None, None);
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
