//! When scheduled messages are sent: looked up by message, and by time.

use std::collections::{BTreeMap, BTreeSet};

/// When a message is sent next, and how often it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// In ms since 1970.
    pub at: i64,
    /// Times.
    pub sent: u32,
}

/// See the module. Some 60 bytes a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueTimes {
    by_sequence: BTreeMap<u64, Due>,
    by_time: BTreeSet<(i64, u64)>,
}

impl DueTimes {
    /// How many messages are scheduled.
    pub fn len(&self) -> usize {
        self.by_sequence.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_sequence.is_empty()
    }

    /// When a message is sent, if it is scheduled.
    pub fn get(&self, sequence: u64) -> Option<Due> {
        self.by_sequence.get(&sequence).copied()
    }

    /// Those that are scheduled, in the order in which they are sent: the time in ms since 1970, and the sequence.
    pub fn in_order(&self) -> impl Iterator<Item = (i64, u64)> {
        self.by_time.iter().copied()
    }

    /// By sequence.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Due)> {
        self.by_sequence.iter().map(|(sequence, due)| (*sequence, *due))
    }

    pub(super) fn insert(&mut self, sequence: u64, due: Due) {
        if let Some(before) = self.by_sequence.insert(sequence, due) {
            self.by_time.remove(&(before.at, sequence));
        }
        self.by_time.insert((due.at, sequence));
    }

    pub(super) fn remove(&mut self, first: u64, last: u64) {
        let gone: Vec<_> =
            self.by_sequence.range(first..=last).map(|(sequence, due)| (due.at, *sequence)).collect();
        for (at, sequence) in gone {
            self.by_sequence.remove(&sequence);
            self.by_time.remove(&(at, sequence));
        }
    }
}
