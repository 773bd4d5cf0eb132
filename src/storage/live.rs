//! What is known of a segment's messages while it is written or scanned: which messages are in it and where. A pure fold
//! over its records; the same records always give the same entries, whoever folds them.

use std::collections::{BTreeMap, HashMap};

use super::format::RecordView;
use super::segment::Origin;
use crate::model::{DestinationId, Epoch, Offset, RecordKind, outline};

/// `(epoch, end of its last record)`, ascending.
pub(super) type History = Vec<(Epoch, Offset)>;

/// The last part of a segment, in which it ends with the first group that does.
pub(super) const ROOM_PART: u64 = 8;

/// Records that an epoch reaches to `end`.
pub(super) fn extend_history(history: &mut History, epoch: Epoch, end: Offset) {
    match history.last_mut() {
        Some(last) if last.0 == epoch => last.1 = end,
        _ => history.push((epoch, end)),
    }
}

/// Where one message stands, and what a dispatcher wants to know without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its sequence within the destination.
    pub(super) sequence: u64,
    /// First byte: of its first chunk, or of its record when it has none.
    pub(super) start: Offset,
    /// Bytes from `start` to the end of its record.
    pub(super) span: u64,
    /// When it expires, in seconds since 1970, rounded up; 0 = never.
    pub(super) expiry: u32,
    /// When it is due, in seconds since 1970, rounded down; 0 = at once.
    pub(super) due: u32,
    /// Priority, 0 to 9.
    pub(super) priority: u8,
    /// In how many places the message stands by this record; 255 for so many and more.
    pub(super) shares: u8,
}

impl Entry {
    /// After the last byte of its record.
    pub(super) fn end(&self) -> Offset {
        Offset(self.start.0 + self.span)
    }

    /// Its part of the record's bytes: all places together have all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.span.div_ceil(u64::from(self.shares.max(1)))
    }
}

/// Who looks for entries of one destination.
pub(super) trait Seeker<'a> {
    /// Wanted sequences: ascending and disjoint inclusive ranges.
    fn ranges(&self) -> &'a [(u64, u64)];

    /// Takes a wanted entry; entries of one source come in ascending order. False: no further one of this source can
    /// be of use.
    fn offer(&mut self, entry: Entry) -> bool;

    /// Whether nothing from `sequence` on can be of use any more.
    fn is_full_below(&self, _sequence: u64) -> bool {
        false
    }
}

/// What a stretch of the log holds of one destination, settled or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The destination.
    pub destination: DestinationId,
    /// Lowest sequence.
    pub first: u64,
    /// Highest sequence.
    pub last: u64,
    /// How many messages.
    pub count: u64,
    /// Their parts of the bytes of their records.
    pub bytes: u64,
}

/// Entries by destination, then sequence, then place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    by_destination: HashMap<DestinationId, BTreeMap<(u64, Offset), Entry>>,
}

impl Entries {
    fn insert(&mut self, destination: DestinationId, entry: Entry) {
        let of = self.by_destination.entry(destination).or_default();
        of.insert((entry.sequence, entry.start), entry);
    }

    /// Offers to `window` what it wants of these entries.
    pub(super) fn collect<'a>(&self, destination: DestinationId, window: &mut impl Seeker<'a>) {
        let Some(entries) = self.by_destination.get(&destination) else { return };
        for &(first, last) in window.ranges() {
            for entry in entries.range((first, Offset(0))..=(last, Offset(u64::MAX))).map(|(_, entry)| entry)
            {
                if !window.offer(*entry) {
                    return;
                }
            }
        }
    }

    /// Lowest and highest sequence of a destination.
    pub(super) fn bounds(&self, destination: DestinationId) -> Option<(u64, u64)> {
        let entries = self.by_destination.get(&destination)?;
        Some((entries.first_key_value()?.0.0, entries.last_key_value()?.0.0))
    }

    /// How much there is of each destination.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> + '_ {
        let of = |(destination, entries): (&DestinationId, &BTreeMap<(u64, Offset), Entry>)| {
            let (first, last) = (entries.first_key_value()?.0.0, entries.last_key_value()?.0.0);
            let bytes = entries.values().map(Entry::bytes).sum();
            Some(Held { destination: *destination, first, last, count: entries.len() as u64, bytes })
        };
        self.by_destination.iter().filter_map(of)
    }

    /// Everything, sorted.
    pub(super) fn sorted(&self) -> Vec<(DestinationId, Entry)> {
        let mut destinations: Vec<_> = self.by_destination.iter().collect();
        destinations.sort_by_key(|(id, _)| **id);
        destinations
            .into_iter()
            .flat_map(|(id, entries)| entries.values().map(|entry| (*id, *entry)))
            .collect()
    }
}

/// A finished segment's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Where the segment begins.
    pub(super) origin: Origin,
    /// Where it ends.
    pub(super) end: Offset,
    /// Checksum of its last record.
    pub(super) last: u32,
    /// Epochs of its records.
    pub(super) history: History,
    /// Messages of the groups that end in it.
    pub(super) entries: Entries,
}

/// The fold over the records of the segment that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    /// The segment so far.
    pub(super) summary: Summary,
    /// Epoch of the last record.
    pub(super) epoch: Epoch,
    /// Where the open group began; the end when none is open.
    group: Offset,
    /// Where the chunks began that stand directly before the end.
    chunks: Option<Offset>,
    /// Messages of the open group: entries only when it is complete, for an epoch start may discard it.
    pending: Vec<(DestinationId, Entry)>,
}

impl Live {
    /// An empty segment. If a group is open at its base, that group's records from `origin.group` on come next, then
    /// [`Live::begin`].
    pub(super) fn new(origin: Origin) -> Live {
        let summary = Summary {
            origin,
            end: origin.base,
            last: origin.previous,
            history: History::new(),
            entries: Entries::default(),
        };
        Live { summary, epoch: origin.epoch, group: origin.group, chunks: None, pending: Vec::new() }
    }

    /// The records before the segment's base have been pushed: from here on they are its own.
    pub(super) fn begin(&mut self) {
        let Origin { base, previous, epoch, .. } = self.summary.origin;
        (self.summary.end, self.summary.last, self.epoch) = (base, previous, epoch);
        self.summary.history.clear();
    }

    /// After the last record.
    pub(super) fn end(&self) -> Offset {
        self.summary.end
    }

    /// Whether this record must begin a new segment: where it does not fit any more, and before that between two groups
    /// when little room is left. Segments that share a group can only be dropped together, and with a group across each
    /// border nothing could ever be.
    pub(super) fn is_full(&self, record: &RecordView, segment_bytes: u64) -> bool {
        let base = self.summary.origin.base;
        let (used, between) = (self.end().0 - base.0, self.group == self.end());
        let little = used >= segment_bytes - segment_bytes / ROOM_PART;
        used > 0 && (record.end.0 - base.0 > segment_bytes || between && little)
    }

    /// Begins a new segment at the end of this one, which is returned.
    pub(super) fn roll(&mut self) -> Summary {
        let origin =
            Origin { base: self.end(), previous: self.summary.last, epoch: self.epoch, group: self.group };
        let next = Summary {
            origin,
            end: origin.base,
            last: origin.previous,
            history: History::new(),
            entries: Entries::default(),
        };
        std::mem::replace(&mut self.summary, next)
    }

    /// Takes the next record.
    pub(super) fn push(&mut self, record: &RecordView) {
        let kind = RecordKind::from_code(record.kind);
        if kind == Some(RecordKind::EpochStart) {
            self.pending.clear();
            self.chunks = None;
            self.group = record.offset;
        }
        match kind {
            Some(RecordKind::Chunk) => {
                self.chunks.get_or_insert(record.offset);
            }
            Some(RecordKind::Message | RecordKind::Move) => {
                let chunks = self.chunks.take();
                self.pending.extend(entries(record, chunks));
            }
            _ => self.chunks = None,
        }
        if !record.more {
            for (destination, entry) in self.pending.drain(..) {
                self.summary.entries.insert(destination, entry);
            }
            self.chunks = None;
            self.group = record.end;
        }
        (self.summary.end, self.summary.last, self.epoch) = (record.end, record.crc, record.epoch);
        extend_history(&mut self.summary.history, record.epoch, record.end);
    }
}

/// An entry for each place of a message's record; none when it is too short to be one, which the state's fold will refuse.
fn entries(
    record: &RecordView,
    chunks: Option<Offset>,
) -> impl Iterator<Item = (DestinationId, Entry)> + use<> {
    let start = chunks.unwrap_or(record.offset);
    let span = record.end.0 - start.0;
    let seconds = |ms: i64, up: i64| u32::try_from(ms.max(0).saturating_add(up) / 1000).unwrap_or(u32::MAX);
    outline(&record.payload).into_iter().flat_map(move |(places, of)| {
        let (expiry, due) = (seconds(of.expiry, 999), seconds(of.due, 0));
        let shares = u8::try_from(places.len()).unwrap_or(u8::MAX);
        places.into_iter().map(move |place| {
            let sequence = place.sequence.0;
            (place.destination, Entry { sequence, start, span, expiry, due, priority: of.priority, shares })
        })
    })
}
