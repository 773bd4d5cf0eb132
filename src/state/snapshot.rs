//! The state as keys and values: for the index, for checkpoint records and, hashed, as the digest.
//!
//! Equal states give equal entries, in the same order, whatever road led to them. Long parts are cut into pages, so
//! that no value outgrows a record.
//! ```text
//! 0               next numbers, base, names that the audit has forgotten
//! 1 id            destination, and what a durable subscription keeps in it
//! 1 id 1 page     runs of blocks that are settled
//! 1 id 2 block    a block that is settled in part
//! 1 id 3 page     failure counters
//! 1 id 4 page     runs of blocks that are urgent
//! 1 id 5 block    a block that is urgent in part
//! 1 id 6 page     when scheduled messages are sent
//! 1 id 7 0        it is paused
//! 3 page          names of the audit, by number
//! ```
//! Numbers in keys are big endian, ids of 4 bytes, others of 8, so that the order of keys is the order of entries. All
//! entries of a destination stand together: what changed is written by destination.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::bugs;
use crate::model::{
    Block, Destination, DestinationId, DestinationKind, DurableSubscription, Offset, Record, SequenceSet,
};

use super::audit::{AUDIT_ENTRIES_MAX, Mixer};
use super::counters::Counters;
use super::due::Due;
use super::encoding::{Reader, SnapshotError, VERSION, Writer};
use super::{Applied, Coverage, DestinationState, State};

/// First byte of a key: whose entry it is.
const HEAD: u8 = 0;
const DESTINATION: u8 = 1;
const AUDIT: u8 = 3;
/// The byte after the id: what of it.
const RUNS: u8 = 1;
const BLOCK: u8 = 2;
const COUNTERS: u8 = 3;
const URGENT_RUNS: u8 = 4;
const URGENT_BLOCK: u8 = 5;
const DUE: u8 = 6;
const PAUSED: u8 = 7;

/// Items in one page: 64 KiB of the audit's names.
const PAGE_ITEMS: u64 = 4096;
/// Payload at which a checkpoint record is full; one more page still fits a record.
const CHECKPOINT_BYTES: usize = 512 * 1024;

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

impl State {
    /// The whole state as entries in ascending order of keys.
    pub fn snapshot(&self) -> Vec<Entry> {
        let mut out = vec![self.head()];
        self.destinations.iter().for_each(|(id, it)| it.entries(id, &mut out));
        if !bugs::on("audit_not_replicated") {
            let mut names = self.audit.iter().peekable();
            while let Some((first, _)) = names.peek().copied() {
                let page = first / PAGE_ITEMS;
                let value = std::iter::from_fn(|| names.next_if(|(number, _)| number / PAGE_ITEMS == page))
                    .fold(Writer::new(), |value, (_, name)| value.u128(name));
                out.push((numbered(&[AUDIT], page), value.finish()));
            }
        }
        out
    }

    fn head(&self) -> Entry {
        let value = Writer::new().u32(self.next_destination).u64(self.base.0);
        (vec![HEAD], value.u64(self.audit.forgotten()).finish())
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
        let whole = entries.first().is_some_and(|(key, _)| key[..] == [HEAD]);
        if !whole || state.audit.len() > AUDIT_ENTRIES_MAX || !state.is_sound() {
            return Err(SnapshotError::Damaged);
        }
        state.coverage = Coverage::Whole;
        Ok(state)
    }

    /// Whether a fold can have come to this: what the fold relies on without a look.
    fn is_sound(&self) -> bool {
        let sound = |id: DestinationId, it: &DestinationState| {
            let live = (it.next - 1).checked_sub(it.settled.len());
            let size = it.enqueued.checked_sub(it.dequeued);
            let counted = it.enqueued < it.next && live.is_some() && live == size;
            let waits = it.urgent.iter().all(|(first, last)| it.settled.count(first, last) == 0);
            let scheduled = if it.destination.kind == DestinationKind::Schedule { size } else { Some(0) };
            let due = it.due.iter().all(|(at, _)| (1..it.next).contains(&at) && !it.settled.contains(at))
                && scheduled == Some(it.due.len() as u64);
            let sound = is_below(&it.settled, it.next) && is_below(&it.urgent, it.next) && waits && due;
            id.0 < self.next_destination && counted && sound
        };
        self.destinations.all(sound)
    }

    fn restore_entry(&mut self, key: &[u8], value: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let mut key = Reader::of_key(key);
        match key.u8()? {
            HEAD => {
                self.next_destination = value.u32()?;
                self.base = Offset(value.u64()?);
                if !self.audit.begin_at(value.u64()?) {
                    return Err(SnapshotError::Damaged);
                }
            }
            DESTINATION => {
                let id = DestinationId(key.u32_be()?);
                if key.is_empty() {
                    self.restore_destination(id, value)?;
                } else {
                    let found = self.destinations.touch(id).ok_or(SnapshotError::Damaged)?;
                    found.restore_part(&mut key, value)?;
                }
            }
            AUDIT if key.u64_be()? == self.audit.next() / PAGE_ITEMS => {
                while !value.is_empty() {
                    self.audit.remember(value.u128()?);
                }
            }
            _ => return Err(SnapshotError::Damaged),
        }
        if value.is_empty() && key.is_empty() { Ok(()) } else { Err(SnapshotError::Damaged) }
    }

    fn restore_destination(
        &mut self,
        id: DestinationId,
        value: &mut Reader<'_>,
    ) -> Result<(), SnapshotError> {
        let kind = DestinationKind::from_code(value.u8()?).ok_or(SnapshotError::Damaged)?;
        let destination = Destination::new(kind, value.text()?).map_err(|_| SnapshotError::Damaged)?;
        let mut made = DestinationState::new(destination);
        made.next = value.u64()?;
        made.dispatched = value.u64()?;
        made.enqueued = value.u64()?;
        made.dequeued = value.u64()?;
        if made.next == 0 || made.dequeued > made.enqueued {
            return Err(SnapshotError::Damaged);
        }
        if made.destination.kind == DestinationKind::Subscription {
            let mut rest = value.rest();
            let read = DurableSubscription::decode(&mut rest).filter(|_| !rest.has_remaining());
            let is_its = |it: &DurableSubscription| it.destination().as_ref() == Ok(&made.destination);
            made.subscription = Some(Arc::new(read.filter(is_its).ok_or(SnapshotError::Damaged)?));
        }
        self.destinations.insert(id, made);
        Ok(())
    }

    /// A hash of the whole state: equal on all nodes that applied the same records, however they came to their state.
    /// Costs as much as a snapshot.
    pub fn digest(&self) -> u64 {
        self.digest_with(self.destinations.digest())
    }

    /// The same hash. Costs as much as there is in the destinations that have changed since the last call.
    pub fn renew_digest(&mut self) -> u64 {
        let destinations = self.destinations.renew_digest();
        self.digest_with(destinations)
    }

    fn digest_with(&self, destinations: u64) -> u64 {
        let parts = [digest_of(&[self.head()]), self.audit.digest(), destinations];
        parts.into_iter().fold(0, u64::wrapping_add)
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

impl DestinationState {
    fn entries(&self, id: DestinationId, out: &mut Vec<Entry>) {
        let key = [&[DESTINATION][..], &id.0.to_be_bytes()].concat();
        let value = Writer::new().u8(self.destination.kind as u8).text(&self.destination.name).u64(self.next);
        let mut value = value.u64(self.dispatched).u64(self.enqueued).u64(self.dequeued);
        if let Some(subscription) = &self.subscription {
            value = value.subscription(subscription);
        }
        out.push((key.clone(), value.finish()));
        set(&key, (RUNS, BLOCK), &self.settled, out);
        counters(&key, &self.failures, out);
        set(&key, (URGENT_RUNS, URGENT_BLOCK), &self.urgent, out);
        let put =
            |value: Writer, (sequence, due): (u64, Due)| value.u64(sequence).u64(due.at as u64).u32(due.sent);
        if !bugs::on("due_not_in_checkpoint") {
            pages(out, &[&key[..], &[DUE]].concat(), self.due.iter(), put);
        }
        if self.paused {
            out.push((numbered(&[&key[..], &[PAUSED]].concat(), 0), Writer::new().finish()));
        }
    }

    /// Reads an entry of a part of it; `key` is what follows the id.
    fn restore_part(&mut self, key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let (part, number) = (key.u8()?, key.u64_be()?);
        let set = match part {
            RUNS | BLOCK => &mut self.settled,
            _ => &mut self.urgent,
        };
        let mut sound = true;
        match part {
            RUNS | URGENT_RUNS => {
                while !value.is_empty() {
                    sound &= set.insert_full(value.u64()?, value.u64()?);
                }
            }
            BLOCK | URGENT_BLOCK => {
                let block = Block::decode(value.rest()).ok_or(SnapshotError::Damaged)?;
                sound = set.insert_block(number, block);
            }
            COUNTERS => {
                while !value.is_empty() {
                    self.failures.set(value.u64()?, value.u64()?, value.u32()?);
                }
            }
            DUE => {
                while !value.is_empty() {
                    let sequence = value.u64()?;
                    self.due.insert(sequence, Due { at: value.u64()? as i64, sent: value.u32()? });
                }
            }
            PAUSED => {
                sound = number == 0 && self.destination.kind.holds();
                self.paused = true;
            }
            _ => sound = false,
        }
        if sound { Ok(()) } else { Err(SnapshotError::Damaged) }
    }

    /// The part of the state's digest that stands for this destination.
    pub(super) fn entries_digest(&self, id: DestinationId) -> u64 {
        let mut entries = Vec::new();
        self.entries(id, &mut entries);
        digest_of(&entries)
    }
}

/// A sum over entries, so that a part can be taken out of it again.
fn digest_of(entries: &[Entry]) -> u64 {
    let one = |(key, value): &Entry| Mixer::new(0).bytes(key).bytes(value).finish() as u64;
    entries.iter().map(one).fold(0, u64::wrapping_add)
}

/// A key that ends with a number.
fn numbered(key: &[u8], number: u64) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

/// A set of sequences, under the key of whom it is of: its runs of blocks and its blocks.
fn set(key: &[u8], (runs, block): (u8, u8), set: &SequenceSet, out: &mut Vec<Entry>) {
    let part = |part: u8| [key, &[part]].concat();
    pages(out, &part(runs), set.full_blocks(), |value, (first, last)| value.u64(first).u64(last));
    for (number, found) in set.blocks() {
        out.push((numbered(&part(block), number), Writer::new().block(found).finish()));
    }
}

/// What has failed, under the key of whom it is of.
fn counters(key: &[u8], failures: &Counters, out: &mut Vec<Entry>) {
    let put = |value: Writer, (first, last, count)| value.u64(first).u64(last).u32(count);
    pages(out, &[key, &[COUNTERS]].concat(), failures.iter(), put);
}

/// Cuts `items` into pages under `key`.
fn pages<T>(
    out: &mut Vec<Entry>,
    key: &[u8],
    items: impl Iterator<Item = T>,
    put: impl Fn(Writer, T) -> Writer,
) {
    let (mut items, mut page) = (items.peekable(), 0);
    while items.peek().is_some() {
        let value = items.by_ref().take(PAGE_ITEMS as usize).fold(Writer::new(), &put);
        out.push((numbered(key, page), value.finish()));
        page += 1;
    }
}

/// Whether all of the set are sequences that messages had.
fn is_below(set: &SequenceSet, next: u64) -> bool {
    !set.contains(0) && set.count(next, u64::MAX) == 0
}
