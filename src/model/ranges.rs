//! Sets of sequences kept as ranges: settled messages cost memory by the holes between them, not by their number.

use std::collections::BTreeMap;

/// A set of `u64` as disjoint inclusive ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// First of each range -> last of it.
    ranges: BTreeMap<u64, u64>,
    /// How many numbers are in the set.
    len: u64,
}

impl RangeSet {
    /// An empty set.
    pub fn new() -> RangeSet {
        RangeSet::default()
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `n` is in the set.
    pub fn contains(&self, n: u64) -> bool {
        self.ranges.range(..=n).next_back().is_some_and(|(_, last)| *last >= n)
    }

    /// How many numbers of `first..=last` are in the set.
    pub fn count(&self, first: u64, last: u64) -> u64 {
        let before = self.ranges.range(..first).next_back().map(|(f, l)| (*f, *l));
        let within = self.ranges.range(first..).map(|(f, l)| (*f, *l)).take_while(|(f, _)| *f <= last);
        let overlap = |(f, l): (u64, u64)| (l.min(last) + 1).saturating_sub(f.max(first));
        before.into_iter().chain(within).map(overlap).sum()
    }

    /// Adds `first..=last`; returns how many of them were not in the set before. An empty range adds nothing.
    pub fn insert(&mut self, first: u64, last: u64) -> u64 {
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
        let added = last - first + 1 - known;
        self.len += added;
        added
    }

    /// The ranges in ascending order, each first and last inclusive.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// The ranges of `from..=to` that are not in the set, at most `limit` of them, ascending.
    pub fn gaps(&self, from: u64, to: u64, limit: usize) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        let mut at = from;
        if let Some((_, &last)) = self.ranges.range(..=from).next_back()
            && last >= from
        {
            let Some(next) = last.checked_add(1) else { return out };
            at = next;
        }
        for (&first, &last) in self.ranges.range(at..) {
            if out.len() == limit || first > to {
                break;
            }
            if at < first {
                out.push((at, first - 1));
            }
            let Some(next) = last.checked_add(1) else { return out };
            at = next;
        }
        if out.len() < limit && at <= to {
            out.push((at, to));
        }
        out
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
        fn a_range_set_holds_what_a_plain_set_holds(adds in prop::collection::vec((0u64..200, 0u64..20), 0..60)) {
            let (mut ranges, mut plain) = (RangeSet::new(), BTreeSet::new());
            for (first, more) in adds {
                let before = plain.len();
                plain.extend(first..=first + more);
                prop_assert_eq!(ranges.insert(first, first + more) as usize, plain.len() - before);
            }
            prop_assert_eq!(ranges.len() as usize, plain.len());
            prop_assert!(touching(plain.iter().copied()).into_iter().eq(ranges.iter()));
            let all: Vec<u64> = ranges.iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(&all, &plain.iter().copied().collect::<Vec<_>>());
            let ends: Vec<_> = ranges.iter().collect();
            prop_assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "ranges touch: {:?}", ends);
            let gaps: Vec<u64> = ranges.gaps(5, 230, usize::MAX).into_iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(gaps, (5..=230).filter(|n| !plain.contains(n)).collect::<Vec<_>>());
            prop_assert!((0..230).all(|n| ranges.contains(n) == plain.contains(&n)));
            prop_assert_eq!(ranges.count(7, 150) as usize, plain.range(7..=150).count());
        }
    }

    #[test]
    fn gaps_stop_at_the_limit_and_at_the_end_of_the_numbers() {
        let mut set = RangeSet::new();
        set.insert(2, 3);
        set.insert(6, 7);
        assert_eq!(set.gaps(1, 10, 2), [(1, 1), (4, 5)]);
        set.insert(9, u64::MAX);
        assert_eq!(set.gaps(8, u64::MAX, 9), [(8, 8)]);
    }
}
