//! Reading a window of a destination's messages.

use std::collections::BTreeMap;

use super::live::Entry;
use crate::model::Offset;

/// The lowest wanted entries found so far.
pub(super) struct Window<'a> {
    /// Wanted sequences: ascending and disjoint inclusive ranges.
    pub(super) ranges: &'a [(u64, u64)],
    below: Offset,
    entries_max: usize,
    found: BTreeMap<u64, Entry>,
}

impl<'a> Window<'a> {
    pub(super) fn new(ranges: &'a [(u64, u64)], below: Offset, entries_max: usize) -> Window<'a> {
        Window { ranges, below, entries_max, found: BTreeMap::new() }
    }

    /// Takes a wanted entry; entries of one source come in ascending order. False: no further one of this source can
    /// be of use.
    pub(super) fn offer(&mut self, entry: Entry) -> bool {
        if entry.end() > self.below {
            return true;
        }
        if self.is_full() && self.highest().is_none_or(|highest| entry.sequence > highest) {
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

    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= self.entries_max
    }

    pub(super) fn highest(&self) -> Option<u64> {
        self.found.last_key_value().map(|(sequence, _)| *sequence)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.found.into_values()
    }
}
