//! Reading a window of a destination's messages: from the sidecars which and where, then the messages themselves with
//! few large reads. And counting how much of a finished stretch is alive, from the sidecars alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::StorageError;
use super::format::{check, join_body, records};
use super::live::{Entry, Seeker};
use super::log::Log;
use super::segment::READ_BYTES;
use super::sidecar::Sealed;
use crate::model::{DestinationId, Message, Offset, Place, Places, Record, Sequence};

/// Bytes of others between two wanted messages that are read rather than skipped.
const GAP_BYTES_MAX: u64 = 32 * 1024;

/// Which messages of a destination are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRequest {
    /// The destination.
    pub destination: DestinationId,
    /// Inclusive ranges of wanted sequences.
    pub ranges: Vec<(u64, u64)>,
    /// Only messages whose records end at or below this offset: what has been applied.
    pub below: Offset,
    /// Most messages in the answer.
    pub entries_max: usize,
    /// Most bytes in the answer; one message comes whatever its size.
    pub bytes_max: usize,
}

/// A message from the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Its place in the destination's order.
    pub sequence: Sequence,
    /// All places of its record, of which this is one.
    pub places: Places,
    /// The message with its whole body, in memory of its own.
    pub message: Message,
}

/// The lowest wanted entries found so far.
pub(super) struct Window<'a> {
    ranges: &'a [(u64, u64)],
    below: Offset,
    entries_max: usize,
    found: BTreeMap<u64, Entry>,
}

impl<'a> Window<'a> {
    /// An empty one; the ranges are the request's, in order.
    fn new(request: &WindowRequest, ranges: &'a [(u64, u64)]) -> Window<'a> {
        let WindowRequest { below, entries_max, .. } = *request;
        Window { ranges, below, entries_max, found: BTreeMap::new() }
    }
}

/// Messages that have expired, and what is known of the others that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Expired {
    /// The first of them, in order, each once.
    pub messages: Vec<Loaded>,
    /// Whether these are all.
    pub whole: bool,
    /// When the next one of those that were looked at expires, in ms since 1970, rounded up to seconds.
    pub next: Option<i64>,
}

/// A window of what has expired.
struct Expiry<'a> {
    window: Window<'a>,
    /// In seconds since 1970.
    by: u32,
    next: Option<u32>,
}

impl<'a> Seeker<'a> for Expiry<'a> {
    fn ranges(&self) -> &'a [(u64, u64)] {
        self.window.ranges
    }

    fn offer(&mut self, entry: Entry) -> bool {
        match entry.expiry {
            _ if entry.end() > self.window.below => true,
            0 => true,
            at if at <= self.by => self.window.offer(entry),
            at => {
                self.next = Some(self.next.map_or(at, |next| next.min(at)));
                true
            }
        }
    }

    fn is_full_below(&self, sequence: u64) -> bool {
        self.window.is_full_below(sequence)
    }
}

impl<'a> Seeker<'a> for Window<'a> {
    fn ranges(&self) -> &'a [(u64, u64)] {
        self.ranges
    }

    fn offer(&mut self, entry: Entry) -> bool {
        if entry.end() > self.below {
            return true;
        }
        if self.is_full_below(entry.sequence) {
            return false;
        }
        // A moved message stands in two places: the later one stays longer.
        let kept = self.found.entry(entry.sequence).or_insert(entry);
        if entry.start > kept.start {
            *kept = entry;
        }
        if self.found.len() > self.entries_max {
            self.found.pop_last();
        }
        true
    }

    fn is_full_below(&self, sequence: u64) -> bool {
        let highest = self.found.last_key_value().map(|(highest, _)| *highest);
        self.found.len() >= self.entries_max && highest.is_none_or(|highest| sequence > highest)
    }
}

impl Log {
    /// The first wanted messages, in order, each once. Fewer than `entries_max` of them, with less than `bytes_max`
    /// bytes, mean that the log has no more. Blocking I/O, from any thread.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`]: a message's bytes are not what was written: the node must be repaired.
    /// [`StorageError::Io`]: the disk.
    pub fn scan(&self, request: &WindowRequest) -> Result<Vec<Loaded>, StorageError> {
        let ranges = disjoint(&request.ranges);
        let mut window = Window::new(request, &ranges);
        self.find(request, &mut window)?;
        self.load(request, window)
    }

    /// As [`Log::scan`], of the messages that have expired at `wall` (ms since 1970): the sidecars say which, and nothing
    /// is read of the others.
    ///
    /// # Errors
    /// As [`Log::scan`].
    pub fn expired(&self, request: &WindowRequest, wall: i64) -> Result<Expired, StorageError> {
        let ranges = disjoint(&request.ranges);
        let by = u32::try_from(wall / 1000).unwrap_or(0);
        let mut expiry = Expiry { window: Window::new(request, &ranges), by, next: None };
        self.find(request, &mut expiry)?;
        let Expiry { window, next, .. } = expiry;
        let found = window.found.len();
        let messages = self.load(request, window)?;
        let whole = found < request.entries_max && messages.len() == found;
        Ok(Expired { messages, whole, next: next.map(|seconds| i64::from(seconds) * 1000) })
    }

    /// Reads the messages that a window has found.
    fn load(&self, request: &WindowRequest, window: Window<'_>) -> Result<Vec<Loaded>, StorageError> {
        let entries: Vec<Entry> = window.found.into_values().collect();
        let mut bytes = 0;
        let fitting = entries.iter().take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.span;
            first || bytes <= request.bytes_max as u64
        });
        let fitting = fitting.count();
        let mut loaded = Vec::with_capacity(fitting);
        let mut rest = &entries[..fitting];
        while let Some((first, _)) = rest.split_first() {
            let (count, end) = run(rest);
            let bytes = self.span(first.start, end)?;
            for entry in &rest[..count] {
                let from = (entry.start.0 - first.start.0) as usize;
                let bytes = bytes.slice(from..from + entry.span as usize);
                loaded.push(load(request.destination, entry, &bytes)?);
            }
            rest = &rest[count..];
        }
        Ok(loaded)
    }

    /// Offers `seeker` what it wants of the whole log.
    fn find<'a>(&self, request: &WindowRequest, seeker: &mut impl Seeker<'a>) -> Result<(), StorageError> {
        let WindowRequest { destination, below, .. } = *request;
        let sealed = {
            // Both under the lock of the front, under which a segment is finished. The search is not: appending waits for it.
            let front = self.front();
            front.live.summary.entries.collect(destination, seeker);
            self.inner.shared.sealed()
        };
        let ranges = seeker.ranges();
        let first = |sealed: &'_ Arc<Sealed>| sealed.first_wanted(destination, ranges);
        // Groups that end in a later segment end above.
        let mut sources: Vec<(u64, &Arc<Sealed>)> =
            sealed.range(..below).filter_map(|(_, sealed)| Some((first(sealed)?, sealed))).collect();
        sources.sort_by_key(|(first, _)| *first);
        for (first, sealed) in sources {
            if seeker.is_full_below(first) {
                break;
            }
            self.collect(sealed, destination, seeker)?;
        }
        Ok(())
    }

    /// Offers `seeker` what it wants of a finished segment, whose sidecar is rebuilt if it is damaged.
    pub(super) fn collect<'a>(
        &self,
        sealed: &Sealed,
        destination: DestinationId,
        seeker: &mut impl Seeker<'a>,
    ) -> Result<(), StorageError> {
        if sealed.collect(destination, seeker).is_err() {
            let rebuilt = self.rebuild_sidecar(sealed)?;
            if rebuilt.collect(destination, seeker).is_err() {
                let reason = "its sidecar cannot be rebuilt".into();
                return Err(StorageError::Corrupt { at: sealed.origin.base, reason });
            }
        }
        Ok(())
    }

    /// The bytes `from..to`, from the files and from what is still in memory.
    fn span(&self, from: Offset, to: Offset) -> Result<Bytes, StorageError> {
        let (until, tail) = {
            let front = self.front();
            let until = front.tail_at().min(to);
            (until, front.tail_slices(from.max(until), (to.0 - from.0) as usize))
        };
        if from >= until
            && let [slice] = &tail[..]
            && slice.len() as u64 >= to.0 - from.0
        {
            return Ok(slice.slice(..(to.0 - from.0) as usize));
        }
        let mut bytes = BytesMut::with_capacity((to.0 - from.0) as usize);
        let mut at = from;
        while at < until {
            let (segment, end) = self.segment_of(at)?;
            let part = segment.bytes(at, end.min(until))?;
            at = end.min(until);
            if bytes.is_empty() { bytes = part } else { bytes.extend_from_slice(&part) }
        }
        tail.iter().filter(|_| to > until).for_each(|slice| bytes.extend_from_slice(slice));
        if (bytes.len() as u64) < to.0 - from.0 {
            return Err(StorageError::Corrupt {
                at: from.plus(bytes.len()),
                reason: "the log ends here".into(),
            });
        }
        bytes.truncate((to.0 - from.0) as usize);
        Ok(bytes.freeze())
    }
}

/// Which messages of a stretch are alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightRequest {
    /// First offset of the stretch.
    pub base: Offset,
    /// Its end.
    pub end: Offset,
    /// Destinations with the ranges of their living sequences, ascending and disjoint.
    pub alive: Vec<(DestinationId, Vec<(u64, u64)>)>,
}

/// Adds up what it is offered.
struct Weight<'a> {
    ranges: &'a [(u64, u64)],
    bytes: u64,
}

impl<'a> Seeker<'a> for Weight<'a> {
    fn ranges(&self) -> &'a [(u64, u64)] {
        self.ranges
    }

    fn offer(&mut self, entry: Entry) -> bool {
        self.bytes += entry.bytes();
        true
    }
}

impl Log {
    /// Bytes of the stretch's living messages. A message that was moved out of it meanwhile counts still. Blocking I/O,
    /// from any thread.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`]: a sidecar and its segment are damaged. [`StorageError::Io`]: the disk.
    pub fn weigh(&self, request: &WeightRequest) -> Result<u64, StorageError> {
        let within: Vec<_> = {
            let sealed = self.inner.shared.sealed();
            sealed.range(request.base..request.end).map(|(_, sealed)| sealed.clone()).collect()
        };
        let mut bytes = 0;
        for (destination, ranges) in &request.alive {
            let mut weight = Weight { ranges, bytes: 0 };
            for sealed in &within {
                self.collect(sealed, *destination, &mut weight)?;
            }
            bytes += weight.bytes;
        }
        Ok(bytes)
    }
}

/// How many of the entries are read at once, and where the last of these ends.
fn run(entries: &[Entry]) -> (usize, Offset) {
    let (first, mut end) = (entries[0], entries[0].end());
    let mut count = 1;
    for entry in &entries[1..] {
        let near = entry.start >= end && entry.start.0 - end.0 <= GAP_BYTES_MAX;
        if !near || entry.end().0 - first.start.0 > READ_BYTES as u64 {
            break;
        }
        (count, end) = (count + 1, entry.end());
    }
    (count, end)
}

/// Decodes the message whose records are `bytes`, after checking them.
fn load(destination: DestinationId, entry: &Entry, bytes: &Bytes) -> Result<Loaded, StorageError> {
    let corrupt = |at: Offset, reason: String| StorageError::Corrupt { at, reason };
    let (mut at, mut done) = (entry.start, 0);
    while done < bytes.len() {
        let header = check(at, &bytes[done..]).map_err(|e| corrupt(at, e.to_string()))?;
        (at, done) = (at.plus(header.bytes()), done + header.bytes());
    }
    let sequence = Sequence(entry.sequence);
    let mut chunks = Vec::new();
    for view in records(entry.start, bytes) {
        match Record::decode(view.kind, view.payload).map_err(|e| corrupt(view.offset, e.to_string()))? {
            Record::Chunk(chunk) => chunks.push(chunk),
            Record::Message { places, message } | Record::Move { places, message }
                if places.contains(&Place { destination, sequence }) && view.end == entry.end() =>
            {
                let joined =
                    if chunks.is_empty() { Ok(message.detached()) } else { join_body(&chunks, &message) };
                let message = joined.map_err(|e| corrupt(view.offset, e.to_string()))?;
                return Ok(Loaded { sequence, places, message });
            }
            _ => break,
        }
    }
    Err(corrupt(entry.start, format!("message {} is not here", entry.sequence)))
}

/// The ranges in order, without overlaps.
fn disjoint(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut sorted: Vec<_> = ranges.iter().copied().filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match out.last_mut() {
            Some(before) if before.1 >= first => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}
