//! When the messages of a queue expire, as far as the master knows.

use std::collections::BTreeSet;

/// See the module. It is about messages of the log, wherever in the queue they stand.
#[derive(Debug)]
pub(in crate::broker) struct Expiry {
    /// No message expires before this, in ms since 1970, but those that a consumer holds. The least number: not known.
    next: i64,
    /// The search that is under way: where it goes on, and the next expiry that it has met.
    search: Option<(u64, i64)>,
    /// Messages that are leaving because they have expired, until their record is committed.
    leaving: BTreeSet<u64>,
}

impl Expiry {
    /// Of a queue as a new master finds it; `unknown` if there are messages in it.
    pub(in crate::broker) fn new(unknown: bool) -> Expiry {
        let next = if unknown { i64::MIN } else { i64::MAX };
        Expiry { next, search: None, leaving: BTreeSet::new() }
    }

    /// A message came, or came back, that expires at this time, in ms since 1970; 0 = never.
    pub(in crate::broker) fn expect(&mut self, expiry: i64) {
        if expiry != 0 {
            self.next = self.next.min(expiry);
        }
    }

    /// Where a search goes on, if there is something to search for.
    pub(in crate::broker) fn search(&mut self, wall: i64) -> Option<u64> {
        if self.search.is_none() && self.next <= wall {
            // What comes from now on is noted anew.
            self.next = i64::MAX;
            self.search = Some((1, i64::MAX));
        }
        self.search.map(|(from, _)| from)
    }

    /// The search has come so far and has met this next expiry.
    pub(in crate::broker) fn searched(&mut self, to: u64, next: Option<i64>) {
        if let Some((from, least)) = &mut self.search {
            *from = to + 1;
            *least = (*least).min(next.unwrap_or(i64::MAX));
        }
    }

    /// The search is over.
    pub(in crate::broker) fn end_search(&mut self) {
        if let Some((_, least)) = self.search.take() {
            self.next = self.next.min(least);
        }
    }

    /// A message is leaving.
    pub(in crate::broker) fn leaves(&mut self, sequence: u64) {
        self.leaving.insert(sequence);
    }

    /// Whether this message is leaving.
    pub(in crate::broker) fn is_leaving(&self, sequence: u64) -> bool {
        self.leaving.contains(&sequence)
    }

    /// All messages that are.
    pub(in crate::broker) fn all_leaving(&self) -> impl Iterator<Item = u64> {
        self.leaving.iter().copied()
    }

    /// How many are.
    pub(in crate::broker) fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// These are settled.
    pub(in crate::broker) fn left(&mut self, ranges: &[(u64, u64)]) {
        for (first, last) in ranges {
            while let Some(at) = self.leaving.range(first..=last).next().copied() {
                self.leaving.remove(&at);
            }
        }
    }
}
