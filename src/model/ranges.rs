//! Sets of numbers kept as ranges: what few holes are in costs next to nothing.

use std::collections::BTreeMap;

/// A set of `u64` as disjoint inclusive ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeSet {
    /// First of each range -> last of it.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Whether `n` is in the set.
    pub(super) fn contains(&self, n: u64) -> bool {
        self.ranges.range(..=n).next_back().is_some_and(|(_, last)| *last >= n)
    }

    /// How many numbers of `first..=last` are in the set.
    pub(super) fn count(&self, first: u64, last: u64) -> u64 {
        let before = self.ranges.range(..first).next_back().map(|(f, l)| (*f, *l));
        let within = self.ranges.range(first..).map(|(f, l)| (*f, *l)).take_while(|(f, _)| *f <= last);
        let overlap = |(f, l): (u64, u64)| (l.min(last) + 1).saturating_sub(f.max(first));
        before.into_iter().chain(within).map(overlap).sum()
    }

    /// Adds `first..=last`; returns how many of them were not in the set before. An empty range adds nothing.
    pub(super) fn insert(&mut self, first: u64, last: u64) -> u64 {
        if first > last {
            return 0;
        }
        let (mut low, mut high, mut known) = (first, last, 0);
        // Swallow every range that overlaps or touches: start from the last one that begins at or before `last + 1`.
        while let Some((&f, &l)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if l.saturating_add(1) < first {
                break;
            }
            let overlap = l.min(last) as i128 - f.max(first) as i128 + 1;
            known += overlap.max(0) as u64;
            low = low.min(f);
            high = high.max(l);
            self.ranges.remove(&f);
        }
        self.ranges.insert(low, high);
        last - first + 1 - known
    }

    /// Takes out `first..=last`; returns how many of them were in the set. An empty range takes out nothing.
    pub(super) fn remove(&mut self, first: u64, last: u64) -> u64 {
        let mut removed = 0;
        while first <= last
            && let Some((&f, &l)) = self.ranges.range(..=last).next_back()
            && l >= first
        {
            self.ranges.remove(&f);
            if l > last {
                self.ranges.insert(last + 1, l);
            }
            if f < first {
                self.ranges.insert(f, first - 1);
            }
            removed += l.min(last) - f.max(first) + 1;
        }
        removed
    }

    /// The ranges in ascending order, each first and last inclusive.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// The least number from `n` on that is in the set.
    pub(super) fn next_in(&self, n: u64) -> Option<u64> {
        if self.contains(n) { Some(n) } else { self.ranges.range(n..).next().map(|(first, _)| *first) }
    }

    /// The least number from `n` on that is not in the set.
    pub(super) fn next_out(&self, n: u64) -> Option<u64> {
        match self.ranges.range(..=n).next_back() {
            Some((_, last)) if *last >= n => last.checked_add(1),
            _ => Some(n),
        }
    }
}

/// Numbers that ascend as ranges, first and last inclusive.
pub fn touching(numbers: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{RangeSet, touching};

    proptest! {
        #[test]
        fn a_range_set_holds_what_a_plain_set_holds(changes in prop::collection::vec((0u64..200, 0u64..20, 0u8..3), 0..60)) {
            let (mut ranges, mut plain) = (RangeSet::default(), BTreeSet::new());
            for (first, more, way) in changes {
                let before = plain.len();
                if way == 0 {
                    plain.retain(|n| !(first..=first + more).contains(n));
                    prop_assert_eq!(ranges.remove(first, first + more) as usize, before - plain.len());
                } else {
                    plain.extend(first..=first + more);
                    prop_assert_eq!(ranges.insert(first, first + more) as usize, plain.len() - before);
                }
            }
            prop_assert!(touching(plain.iter().copied()).into_iter().eq(ranges.iter()));
            let all: Vec<u64> = ranges.iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(&all, &plain.iter().copied().collect::<Vec<_>>());
            let ends: Vec<_> = ranges.iter().collect();
            prop_assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "ranges touch: {:?}", ends);
            for n in 0..230 {
                prop_assert_eq!(ranges.contains(n), plain.contains(&n));
                prop_assert_eq!(ranges.next_in(n), plain.range(n..).next().copied());
                prop_assert_eq!(ranges.next_out(n), (n..).find(|n| !plain.contains(n)));
            }
            prop_assert_eq!(ranges.count(7, 150) as usize, plain.range(7..=150).count());
        }
    }
}
