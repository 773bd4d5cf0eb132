//! The state as keys and values: for the index, for checkpoint records and, hashed, as the digest.
//!
//! Equal states give equal entries, in the same order, whatever road led to them. Long parts are cut into pages, so
//! that no value outgrows a record.
//! ```text
//! 0                       next numbers, base            1 id        destination
//! 2 id page               its settled ranges            3 id page   its failure counters
//! 4 id                    durable subscription          5 id page   its settled ranges
//! 6 id page               its failure counters          7 page      the audit
//! ```
//! Numbers in keys are big endian, so that the order of keys is the order of entries.

use bytes::Bytes;

use crate::bugs;
use crate::model::{
    Destination, DestinationId, DestinationKind, Offset, RangeSet, Record, Sequence, SubscriptionId,
};

use super::audit::{AUDIT_ENTRIES_MAX, Mixer};
use super::counters::Counters;
use super::encoding::{Reader, SnapshotError, VERSION, Writer};
use super::{Applied, Coverage, DestinationState, State, SubscriptionState};

/// Items in one page: 64 KiB of the audit's names.
const PAGE_ITEMS: usize = 4096;
/// Payload at which a checkpoint record is full; one more page still fits a record.
const CHECKPOINT_BYTES: usize = 512 * 1024;

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

impl State {
    /// The whole state as entries in ascending order of keys.
    pub fn snapshot(&self) -> Vec<Entry> {
        let head = Writer::new().u32(self.next_destination).u32(self.next_subscription).u64(self.base.0);
        let mut out = vec![(vec![0], head.finish())];
        for (id, it) in &self.destinations {
            let value = Writer::new().u8(it.destination.kind as u8).text(&it.destination.name).u64(it.next);
            let value = value.u64(it.dispatched).u64(it.enqueued).u64(it.dequeued);
            out.push((key(1, Some(id.0), None), value.finish()));
        }
        for (id, it) in &self.destinations {
            ranges_out(&mut out, 2, id.0, &it.settled);
        }
        for (id, it) in &self.destinations {
            counters_out(&mut out, 3, id.0, &it.failures);
        }
        for (id, it) in &self.subscriptions {
            let value = Writer::new().u32(it.destination.0).text(&it.client_id).text(&it.name);
            out.push((key(4, Some(id.0), None), value.text(&it.selector).u64(it.from).finish()));
        }
        for (id, it) in &self.subscriptions {
            ranges_out(&mut out, 5, id.0, &it.settled);
        }
        for (id, it) in &self.subscriptions {
            counters_out(&mut out, 6, id.0, &it.failures);
        }
        if !bugs::on("audit_not_replicated") {
            pages(&mut out, 7, None, self.audit.iter(), Writer::u128);
        }
        out
    }

    /// The state that [`State::snapshot`] gave these entries for. The entries may come in any order of keys.
    ///
    /// # Errors
    /// [`SnapshotError`]: forget the entries and fold the log from its base.
    pub fn restore(entries: impl IntoIterator<Item = Entry>) -> Result<State, SnapshotError> {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        entries.sort_unstable();
        let mut state = State::new();
        for (key, value) in &entries {
            state.restore_entry(key, &mut Reader::new(value)?)?;
        }
        let whole = entries.first().is_some_and(|(key, _)| key[..] == [0]);
        if !whole || state.audit.len() > AUDIT_ENTRIES_MAX || !state.is_sound() {
            return Err(SnapshotError::Damaged);
        }
        state.coverage = Coverage::Whole;
        Ok(state)
    }

    /// Whether a fold can have come to this: what the fold relies on without a look.
    fn is_sound(&self) -> bool {
        let sound = |(id, it): (&DestinationId, &DestinationState)| {
            let live = (it.next - 1).checked_sub(it.settled.len());
            let size = it.enqueued.checked_sub(it.dequeued);
            id.0 < self.next_destination && it.enqueued < it.next && live.is_some() && live == size
        };
        self.names.len() == self.destinations.len()
            && self.destinations.iter().all(sound)
            && self.subscriptions.keys().all(|id| id.0 < self.next_subscription)
    }

    fn restore_entry(&mut self, key: &[u8], value: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let (kind, rest) = key.split_first().ok_or(SnapshotError::Damaged)?;
        let id = match rest.first_chunk::<4>() {
            Some(raw) => u32::from_be_bytes(*raw),
            None if *kind == 0 => 0,
            None => return Err(SnapshotError::Damaged),
        };
        match kind {
            0 => {
                self.next_destination = value.u32()?;
                self.next_subscription = value.u32()?;
                self.base = Offset(value.u64()?);
            }
            1 => self.restore_destination(DestinationId(id), value)?,
            2 | 3 => {
                let found = self.destinations.get_mut(&DestinationId(id)).ok_or(SnapshotError::Damaged)?;
                if *kind == 2 {
                    ranges_in(value, found.next, &mut found.settled)?;
                } else {
                    counters_in(value, &mut found.failures)?;
                }
            }
            4 => {
                let topic = DestinationId(value.u32()?);
                let (client, name, selector) = (value.text()?, value.text()?, value.text()?);
                let from = Sequence(value.u64()?);
                let made = SubscriptionState::new(topic, &client, &name, &selector, from);
                self.destinations.get(&topic).ok_or(SnapshotError::Damaged)?;
                self.subscriptions.insert(SubscriptionId(id), made);
            }
            5 | 6 => {
                let found = self.subscriptions.get_mut(&SubscriptionId(id)).ok_or(SnapshotError::Damaged)?;
                if *kind == 5 {
                    let topic = self.destinations.get(&found.destination).ok_or(SnapshotError::Damaged)?;
                    ranges_in(value, topic.next, &mut found.settled)?;
                } else {
                    counters_in(value, &mut found.failures)?;
                }
            }
            7 => {
                while !value.is_empty() {
                    self.audit.remember(value.u128()?);
                }
            }
            _ => return Err(SnapshotError::Damaged),
        }
        if value.is_empty() { Ok(()) } else { Err(SnapshotError::Damaged) }
    }

    fn restore_destination(
        &mut self,
        id: DestinationId,
        value: &mut Reader<'_>,
    ) -> Result<(), SnapshotError> {
        let kind = DestinationKind::from_code(value.u8()?).ok_or(SnapshotError::Damaged)?;
        let destination = Destination::new(kind, value.text()?).map_err(|_| SnapshotError::Damaged)?;
        let mut made = DestinationState::new(destination.clone());
        made.next = value.u64()?;
        made.dispatched = value.u64()?;
        made.enqueued = value.u64()?;
        made.dequeued = value.u64()?;
        if made.next == 0 || made.dequeued > made.enqueued {
            return Err(SnapshotError::Damaged);
        }
        self.names.insert(destination, id);
        self.destinations.insert(id, made);
        Ok(())
    }

    /// A hash of the whole state: equal on all nodes that applied the same records, however they came to their state.
    /// Costs as much as a snapshot.
    pub fn digest(&self) -> u64 {
        let mixer =
            self.snapshot().iter().fold(Mixer::new(0), |mixer, (key, value)| mixer.bytes(key).bytes(value));
        mixer.finish() as u64
    }

    /// The whole state as `Checkpoint` records, to be written as one group.
    pub fn checkpoint(&self) -> Vec<Record> {
        let mut parts = vec![Vec::new()];
        for (key, value) in self.snapshot() {
            if parts.last().is_some_and(|part: &Vec<u8>| part.len() >= CHECKPOINT_BYTES) {
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                for bytes in [&key, &value] {
                    part.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    part.extend_from_slice(bytes);
                }
            }
        }
        let last = parts.len() - 1;
        let head = |(n, part): (usize, Vec<u8>)| {
            let mut payload = vec![VERSION, u8::from(n == last)];
            payload.extend_from_slice(&part);
            Record::Checkpoint(Bytes::from(payload))
        };
        parts.into_iter().enumerate().map(head).collect()
    }

    /// Takes one record of a checkpoint; the last one makes this state a whole one.
    pub(super) fn collect(&mut self, part: &[u8]) -> Applied {
        let mut read = || -> Result<bool, SnapshotError> {
            let mut reader = Reader::new(part)?;
            let last = reader.u8()? == 1;
            while !reader.is_empty() {
                self.checkpoint.push((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
            }
            Ok(last)
        };
        let restored = match read() {
            Ok(false) => return Applied::Ignored,
            Ok(true) => State::restore(std::mem::take(&mut self.checkpoint)),
            Err(error) => Err(error),
        };
        match restored {
            Ok(state) => {
                *self = state;
                Applied::Done
            }
            Err(_) => {
                self.checkpoint.clear();
                Applied::Dropped
            }
        }
    }
}

fn key(kind: u8, id: Option<u32>, page: Option<u32>) -> Vec<u8> {
    let mut key = vec![kind];
    for number in [id, page].into_iter().flatten() {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}

/// Cuts `items` into pages under `kind`, `id`.
fn pages<T>(
    out: &mut Vec<Entry>,
    kind: u8,
    id: Option<u32>,
    items: impl Iterator<Item = T>,
    put: impl Fn(Writer, T) -> Writer,
) {
    let (mut items, mut page) = (items.peekable(), 0);
    while items.peek().is_some() {
        let value = items.by_ref().take(PAGE_ITEMS).fold(Writer::new(), &put);
        out.push((key(kind, id, Some(page)), value.finish()));
        page += 1;
    }
}

fn ranges_out(out: &mut Vec<Entry>, kind: u8, id: u32, ranges: &RangeSet) {
    pages(out, kind, Some(id), ranges.iter(), |value, (first, last)| value.u64(first).u64(last));
}

/// Reads ranges of sequences below `next`.
fn ranges_in(value: &mut Reader<'_>, next: u64, ranges: &mut RangeSet) -> Result<(), SnapshotError> {
    while !value.is_empty() {
        let (first, last) = (value.u64()?, value.u64()?);
        if first == 0 || first > last || last >= next {
            return Err(SnapshotError::Damaged);
        }
        ranges.insert(first, last);
    }
    Ok(())
}

fn counters_out(out: &mut Vec<Entry>, kind: u8, id: u32, counters: &Counters) {
    let put = |value: Writer, (first, last, count)| value.u64(first).u64(last).u32(count);
    pages(out, kind, Some(id), counters.iter(), put);
}

fn counters_in(value: &mut Reader<'_>, counters: &mut Counters) -> Result<(), SnapshotError> {
    while !value.is_empty() {
        counters.set(value.u64()?, value.u64()?, value.u32()?);
    }
    Ok(())
}
