//! How much of the log is alive, for the cleaner: a guess from what the state counts, which sees only how many messages
//! of a range are left, made sharp by counting the bytes of a stretch now and then. Nothing enters a finished stretch, so
//! what was once counted is never too little later.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Offset;
use crate::state::State;
use crate::storage::{Finished, Held, StorageError, WeightRequest};

use super::core::Core;

/// How long a count stands at least before the same stretch is counted again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Ranges of living messages that are told apart in one count; what is above counts as alive.
const RANGES_MAX: usize = 65_536;

/// What was counted, by the first offset of the stretch.
#[derive(Debug, Default)]
pub(super) struct Weights {
    known: BTreeMap<Offset, Weight>,
    /// A count is under way.
    counting: bool,
    /// When a count of a stretch that was counted before was asked for last.
    again_at: Duration,
}

/// One count.
#[derive(Clone, Copy, Debug)]
struct Weight {
    bytes: u64,
    /// How many messages the state took for alive then.
    living: u64,
    at: Duration,
}

impl Core {
    /// Bytes of these stretches that are alive, at most.
    pub(super) fn live_bytes(&mut self, finished: &[Finished]) -> u64 {
        let state = self.broker.state();
        let first = finished.first().map_or(Offset(u64::MAX), |stretch| stretch.base);
        self.weights.known = self.weights.known.split_off(&first);
        let bytes = |stretch: &Finished| {
            let guess = stretch.held().map(|held| guess(state, &held)).sum::<u64>();
            self.weights.known.get(&stretch.base).map_or(guess, |known| known.bytes.min(guess))
        };
        finished.iter().map(bytes).sum()
    }

    /// Has the stretch counted of which least is known, if more knowledge can be had.
    pub(super) fn weigh_next(&mut self, finished: &[Finished]) {
        if self.weights.counting {
            return;
        }
        let (now, state) = (self.clock.now(), self.broker.state());
        let again = now >= self.weights.again_at;
        let age = |stretch: &Finished| {
            let living = living(state, stretch);
            match self.weights.known.get(&stretch.base) {
                _ if living == 0 => None,
                None => Some(Duration::ZERO),
                Some(known) => Some(known.at).filter(|_| again && known.living != living),
            }
        };
        let oldest = finished.iter().filter_map(|stretch| Some((age(stretch)?, stretch)));
        let Some((age, stretch)) = oldest.min_by_key(|(age, _)| *age) else { return };
        if age > Duration::ZERO {
            self.weights.again_at = now + AGAIN_AFTER;
        }
        let alive = stretch.held().map(|held| (held.destination, ranges(state, &held))).collect();
        let living = living(state, stretch);
        self.weights.counting = true;
        // Until the answer comes, what was known before stands, or the guess alone.
        let bytes = self.weights.known.get(&stretch.base).map_or(u64::MAX, |known| known.bytes);
        self.weights.known.insert(stretch.base, Weight { bytes, living, at: now });
        self.reads.weigh(WeightRequest { base: stretch.base, end: stretch.end, alive });
    }

    /// A count has come.
    pub(super) fn weighed(&mut self, base: Offset, result: Result<u64, StorageError>) {
        self.weights.counting = false;
        match (result, self.weights.known.get_mut(&base)) {
            (Ok(bytes), Some(known)) => known.bytes = bytes,
            // The guess stands; damage is found by whoever needs the messages.
            (Err(error), _) => tracing::warn!(%base, %error, "a stretch of the log cannot be weighed"),
            (Ok(_), None) => {}
        }
    }
}

/// How many messages of a stretch the state takes for alive, at most.
fn living(state: &State, stretch: &Finished) -> u64 {
    stretch.held().map(|held| held_alive(state, &held)).sum()
}

fn held_alive(state: &State, held: &Held) -> u64 {
    let destination = state.destination(held.destination);
    destination.map_or(0, |it| it.live_between(held.first, held.last).min(held.count))
}

/// Bytes of living messages, as if all were of one size.
fn guess(state: &State, held: &Held) -> u64 {
    let alive = u128::from(held_alive(state, held));
    (u128::from(held.bytes) * alive / u128::from(held.count.max(1))) as u64
}

/// The living sequences of what a stretch holds.
fn ranges(state: &State, held: &Held) -> Vec<(u64, u64)> {
    let Some(it) = state.destination(held.destination) else { return Vec::new() };
    let mut ranges = it.unsettled_between(held.first, held.last, RANGES_MAX);
    if ranges.len() == RANGES_MAX
        && let Some(last) = ranges.last_mut()
    {
        last.1 = held.last;
    }
    ranges
}
