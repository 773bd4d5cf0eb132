//! The acknowledgements of one round: one record per destination, whoever they come from. Those that nobody wants to hear
//! of wait a little for company: alone they would cost every node a write and a sync, and hold up the next send by that.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{DestinationId, Outcome, Record, touching};

use super::sessions::Waiter;

/// Ranges in one settle record, so that it stays far below a record's bound.
const RANGES_MAX: usize = 16_384;
/// How long acknowledgements wait that nobody wants to hear of. After a failover in that time their messages come again.
const COMPANY_TIME_MAX: Duration = Duration::from_millis(2);
/// And how many of them.
const COMPANY_MAX: usize = 256;

/// What is collected until the round ends.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    /// Until when they may wait; none: not at all.
    until: Option<Duration>,
    consumed: BTreeMap<DestinationId, Vec<u64>>,
    failures: BTreeMap<DestinationId, Vec<(u64, u32)>>,
    waiters: Vec<Waiter>,
}

impl Acknowledgements {
    pub(super) fn consume(&mut self, queue: DestinationId, sequence: u64) {
        self.consumed.entry(queue).or_default().push(sequence);
    }

    pub(super) fn count(&mut self, queue: DestinationId, sequence: u64, failures: u32) {
        self.failures.entry(queue).or_default().push((sequence, failures));
    }

    pub(super) fn wait(&mut self, now: Duration, waiter: Waiter) {
        if waiter.correlation.is_some() || self.waiters.len() >= COMPANY_MAX {
            self.hurry();
        } else if self.waiters.is_empty() {
            self.until = Some(now + COMPANY_TIME_MAX);
        }
        self.waiters.push(waiter);
    }

    /// Somebody wants to hear of them, or of what comes after them.
    pub(super) fn hurry(&mut self) {
        self.until = None;
    }

    /// Takes the round as records, with those who wait for it; nothing if it may wait for company. `goes` says whether something
    /// else goes to the log.
    pub(super) fn end_round(&mut self, now: Duration, goes: bool) -> Option<(Vec<Record>, Vec<Waiter>)> {
        if !goes && self.until().is_some_and(|until| now < until) {
            return None;
        }
        let Acknowledgements { consumed, failures, waiters, .. } = std::mem::take(self);
        let mut group = Vec::new();
        for (destination, counted) in failures {
            let counters: Vec<_> = counted.into_iter().map(|(at, count)| (at, at, count)).collect();
            for part in counters.chunks(RANGES_MAX) {
                group.push(Record::Redelivered { destination, counters: part.to_vec() });
            }
        }
        for (destination, sequences) in consumed {
            settle_records(destination, Outcome::Consumed, sequences, &mut group);
        }
        Some((group, waiters))
    }

    /// Until when they wait, if nothing else goes to the log.
    pub(super) fn until(&self) -> Option<Duration> {
        self.until.filter(|_| !self.waiters.is_empty())
    }
}

/// Sequences as settle records of one destination.
pub(super) fn settle_records(
    destination: DestinationId,
    outcome: Outcome,
    mut sequences: Vec<u64>,
    group: &mut Vec<Record>,
) {
    sequences.sort_unstable();
    settle_ranges(destination, outcome, &touching(sequences.into_iter()), group);
}

/// Ranges as settle records of one destination.
pub(super) fn settle_ranges(
    destination: DestinationId,
    outcome: Outcome,
    ranges: &[(u64, u64)],
    group: &mut Vec<Record>,
) {
    for part in ranges.chunks(RANGES_MAX) {
        group.push(Record::Settle { destination, outcome, ranges: part.to_vec() });
    }
}
