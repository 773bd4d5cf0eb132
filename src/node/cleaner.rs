//! Keeps the log short: on the master, what is alive in the oldest stretch of it is written again at the new end, then
//! the state, then the record by which every node lets go of the old end.
//!
//! Dropping a prefix is always safe: a record is needed only as long as something older is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bugs;
use crate::model::{DestinationId, Offset, Place, Places, Record, SequenceSet};
use crate::replication::Event;
use crate::state::State;
use crate::storage::{BatchBuilder, Finished, Held, Loaded, StorageError, WindowRequest, push_group};

use super::core::Core;
use super::reads::Reader;

/// The log may be so many times what is alive in it, and so many segments longer.
const LIVE_FACTOR: u64 = 2;
const SEGMENTS_FREE: u64 = 3;
/// How often the need for cleaning is looked at, and for how large a part of the time at most: with many destinations a
/// look takes long.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOK_PART: u32 = 50;
/// What is moved at once, and the pause after it: at most some 50 MiB/s beside the live traffic.
const MOVE_BYTES: usize = 256 << 10;
const MOVE_ENTRIES: usize = 1024;
const MOVE_PAUSE: Duration = Duration::from_millis(5);
/// Stretches that are cleaned at once.
const STRETCHES_MAX: usize = 16;
/// Unsettled ranges asked for at once.
const RANGES_MAX: usize = 1024;

/// How far the cleaning of one stretch is.
#[derive(Debug, Default)]
pub(super) enum Cleaner {
    /// Nothing to do.
    #[default]
    Idle,
    /// Messages of the stretch are moved, destination by destination.
    Moving(Moving),
    /// All are moved: the state and the new base follow when nothing is under way.
    Ending(Offset),
    /// The base record is in the log.
    Based(Offset),
}

/// Where the moving stands.
#[derive(Debug, Default)]
pub(super) struct Moving {
    /// Where the stretch ends, and what it holds of each destination.
    end: Offset,
    held: Vec<Held>,
    /// Index into `held`, and the next sequence there.
    at: usize,
    next: u64,
    /// What was moved already because it stands in an earlier destination too.
    moved: BTreeMap<DestinationId, SequenceSet>,
    /// The highest sequence that is being read, or was.
    asked: u64,
    reading: bool,
    resume_at: Duration,
}

impl Moving {
    /// What of these ranges was not moved with another destination.
    fn without_moved(&self, destination: DestinationId, ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
        match self.moved.get(&destination) {
            Some(moved) => {
                ranges.into_iter().flat_map(|(first, last)| moved.gaps(first, last, RANGES_MAX)).collect()
            }
            None => ranges,
        }
    }
}

impl Core {
    /// Goes on with the cleaning, if there is any to do and this node serves.
    pub(super) async fn clean(&mut self) {
        if !self.replica.serving() || !self.broker.is_serving() {
            self.cleaner = Cleaner::Idle;
            return;
        }
        match &self.cleaner {
            Cleaner::Idle => self.look_for_cleaning(),
            Cleaner::Moving(_) => self.move_on(),
            Cleaner::Ending(_) => self.write_base().await,
            Cleaner::Based(base)
                if self.applied.offset == self.replica.committed() && self.log.base() >= *base =>
            {
                self.cleaner = Cleaner::Idle;
                self.cleaner_looks_at = Duration::ZERO;
            }
            Cleaner::Based(_) => {}
        }
    }

    /// Whether sessions have to wait for a moment, because the state is about to be written.
    pub(super) fn cleaner_holds(&self) -> bool {
        matches!(self.cleaner, Cleaner::Ending(_))
    }

    fn look_for_cleaning(&mut self) {
        let now = self.clock.now();
        if now < self.cleaner_looks_at {
            return;
        }
        self.cleaner_looks_at = now + LOOK_EVERY;
        let (base, end) = (self.log.base().0, self.log.end().0);
        // What is reserved ahead takes its place on the disk too.
        let length = (end + self.segment_bytes).saturating_sub(base);
        // While producers are held, all that is dead is in the way.
        let pressed = self.space.held.is_some();
        let (factor, free) = if pressed { (1, 1) } else { (LIVE_FACTOR, SEGMENTS_FREE) };
        let spare = free * self.segment_bytes;
        if length <= spare {
            return;
        }
        let finished = self.log.finished();
        let live = self.live_bytes(&finished);
        let reserved = finished.last().map_or(end, |last| end.max(last.end.0 + self.segment_bytes));
        let length = reserved.saturating_sub(base);
        let attached = self.read_by_slaves().unwrap_or(Offset(u64::MAX));
        let (bound, limit) = (factor * live + spare, self.applied.offset.min(attached));
        let needed = length > bound;
        match finished.first() {
            Some(oldest) if needed && oldest.end <= limit => {
                // What is moved under pressure comes out of the reserve.
                let moved = self.live_bytes(std::slice::from_ref(oldest));
                if pressed && moved > self.log.guaranteed() / 2 {
                    return;
                }
                // When much has come meanwhile, several at once: each cleaning has its price.
                let (mut end, mut count) = (oldest.end, 1);
                for next in finished.iter().skip(1).take(if pressed { 0 } else { STRETCHES_MAX - 1 }) {
                    if next.end > limit || reserved - end.0 <= bound {
                        break;
                    }
                    (end, count) = (next.end, count + 1);
                }
                let held = by_destination(finished[..count].iter().flat_map(Finished::held));
                tracing::debug!(base, %end, live, length, "cleaning the oldest end of the log");
                let next = held.first().map_or(0, |held| held.first);
                self.cleaner = Cleaner::Moving(Moving { end, held, next, ..Moving::default() });
            }
            _ if !needed => self.weigh_next(&finished),
            _ => {}
        }
        let now = self.clock.now();
        let took = now.saturating_sub(self.cleaner_looks_at.saturating_sub(LOOK_EVERY));
        self.cleaner_looks_at = now + LOOK_EVERY.max(took * LOOK_PART);
    }

    /// Asks for the next live messages of the stretch.
    fn move_on(&mut self) {
        let (now, state) = (self.clock.now(), self.broker.state());
        let Cleaner::Moving(moving) = &mut self.cleaner else { return };
        if moving.reading || now < moving.resume_at {
            return;
        }
        while let Some(held) = moving.held.get(moving.at) {
            let ranges = match state.destination(held.destination) {
                Some(it) => it.unsettled_between(moving.next, held.last, RANGES_MAX),
                None => Vec::new(),
            };
            if ranges.is_empty() {
                moving.at += 1;
                moving.next = moving.held.get(moving.at).map_or(0, |held| held.first);
                continue;
            }
            moving.reading = true;
            // With fewer ranges than one read takes, these are all that there are.
            let all = ranges.len() < RANGES_MAX;
            moving.asked = ranges.last().filter(|_| !all).map_or(held.last, |(_, last)| *last);
            let ranges = moving.without_moved(held.destination, ranges);
            let request = WindowRequest {
                destination: held.destination,
                ranges,
                below: moving.end,
                entries_max: MOVE_ENTRIES,
                bytes_max: MOVE_BYTES,
            };
            self.reads.ask(Reader::Cleaner, request);
            return;
        }
        self.cleaner = Cleaner::Ending(moving.end);
    }

    /// Writes what was read again, at the end of the log.
    pub(super) async fn moved(&mut self, result: Result<Vec<Loaded>, StorageError>) {
        let now = self.clock.now();
        let Cleaner::Moving(moving) = &mut self.cleaner else { return };
        let Some(held) = moving.held.get(moving.at).copied() else { return };
        moving.reading = false;
        moving.resume_at = now + MOVE_PAUSE;
        let loaded = match result {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(%error, "the old end of the log cannot be read; it is kept");
                self.status.damage(error.to_string());
                self.cleaner = Cleaner::Idle;
                self.cleaner_looks_at = Duration::MAX;
                return;
            }
        };
        let Some(last) = loaded.last() else {
            // What was asked for stands in a later part of the log. Nothing is written for it, so nobody needs a pause.
            moving.next = moving.asked + 1;
            moving.resume_at = now;
            return;
        };
        moving.next = last.sequence.0 + 1;
        let state = self.broker.state();
        let is_alive = |place: &Place| {
            let found = state.destination(place.destination);
            found.is_some_and(|it| place.sequence.0 < it.next() && !it.is_settled(place.sequence.0))
        };
        let mut moves: Vec<Vec<Record>> = Vec::with_capacity(loaded.len());
        for Loaded { sequence, places, message } in loaded {
            if !is_alive(&Place { destination: held.destination, sequence }) {
                continue;
            }
            let places: Places = places.into_iter().filter(is_alive).collect();
            for place in places.iter().filter(|place| place.destination != held.destination) {
                let moved = moving.moved.entry(place.destination).or_default();
                moved.insert(place.sequence.0, place.sequence.0);
            }
            let asked = Place { destination: held.destination, sequence };
            let places = if bugs::on("one_place_moved") { asked.into() } else { places };
            moves.push(vec![Record::Move { places, message }]);
        }
        self.append_groups(&moves).await;
    }

    /// The state as it is now and the new base, in one batch: nothing else is under way, so the one stands before the
    /// other and says all that the dropped records said.
    async fn write_base(&mut self) {
        let Cleaner::Ending(base) = self.cleaner else { return };
        if self.applied.offset < self.log.end() {
            return;
        }
        let groups = checkpoint_and_base(self.broker.state(), base);
        self.append_groups(&groups).await;
        tracing::debug!(%base, "the new base is written");
        self.cleaner = Cleaner::Based(base);
    }

    async fn append_groups(&mut self, groups: &[Vec<Record>]) {
        let epoch = self.replica.promise().epoch;
        let mut builder = BatchBuilder::new(self.log.end(), self.last, epoch);
        for group in groups {
            push_group(&mut builder, group);
        }
        if !builder.is_empty() {
            self.append(builder.finish());
            self.step(Event::Appended(self.log.end())).await;
        }
    }

    /// Lets go of what lies below a committed base, once the record that says so is on this disk, and tells the replica
    /// when it is gone.
    pub(super) async fn let_go(&mut self) {
        if let Some((base, said_at)) = self.base_waiting
            && self.replica.log().durable >= said_at
        {
            self.base_waiting = None;
            self.log.drop_below(base);
        }
        let origin = self.log.origin();
        if origin.0.offset > self.replica.log().base.offset {
            self.step(Event::Rebased(origin.0, origin.1)).await;
        }
    }
}

/// One entry for each destination, so that no message of several segments is moved more than once.
fn by_destination(held: impl Iterator<Item = Held>) -> Vec<Held> {
    let mut all: BTreeMap<DestinationId, Held> = BTreeMap::new();
    for one in held {
        let it = all.entry(one.destination).or_insert(Held { count: 0, bytes: 0, ..one });
        (it.first, it.last) = (it.first.min(one.first), it.last.max(one.last));
        (it.count, it.bytes) = (it.count + one.count, it.bytes + one.bytes);
    }
    all.into_values().collect()
}

/// What is written before a stretch is let go: first the state, which says all that the dropped records said.
pub(super) fn checkpoint_and_base(state: &State, base: Offset) -> [Vec<Record>; 2] {
    let (state, base) = (state.checkpoint(), vec![Record::Base(base)]);
    if bugs::on("base_before_checkpoint") { [base, state] } else { [state, base] }
}
