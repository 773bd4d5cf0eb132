//! Counters for few of many sequences, kept as ranges of equal values.

use std::collections::BTreeMap;

/// Sequence -> counter; what is not listed counts 0. Touching ranges of equal value are one, so that equal contents
/// have one form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// First of a range -> its last and the value.
    ranges: BTreeMap<u64, (u64, u32)>,
}

impl Counters {
    pub(super) fn get(&self, at: u64) -> u32 {
        if self.ranges.is_empty() {
            return 0;
        }
        match self.ranges.range(..=at).next_back() {
            Some((_, (last, value))) if *last >= at => *value,
            _ => 0,
        }
    }

    /// Sets `first..=last` to `value`.
    pub(super) fn set(&mut self, first: u64, last: u64, value: u32) {
        if first > last {
            return;
        }
        self.remove(first, last);
        if value == 0 {
            return;
        }
        let (mut low, mut high) = (first, last);
        if let Some((&before, &(end, same))) = self.ranges.range(..first).next_back()
            && end.saturating_add(1) == first
            && same == value
        {
            low = before;
        }
        if let Some((&after, &(end, same))) = self.ranges.range(last..).next()
            && after == last.saturating_add(1)
            && same == value
        {
            self.ranges.remove(&after);
            high = end;
        }
        self.ranges.insert(low, (high, value));
    }

    /// Sets `first..=last` to 0.
    pub(super) fn remove(&mut self, first: u64, last: u64) {
        if self.ranges.is_empty() || first > last {
            return;
        }
        while let Some((&low, &(high, value))) = self.ranges.range(..=last).next_back() {
            if high < first {
                break;
            }
            self.ranges.remove(&low);
            if high > last {
                self.ranges.insert(last + 1, (high, value));
            }
            if low < first {
                self.ranges.insert(low, (first - 1, value));
                break;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64, u32)> + '_ {
        self.ranges.iter().map(|(first, (last, value))| (*first, *last, *value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Counters;

    proptest! {
        #[test]
        fn counters_hold_what_a_plain_map_holds(sets in prop::collection::vec((0u64..60, 0u64..9, 0u32..3), 0..60)) {
            let (mut counters, mut plain) = (Counters::default(), BTreeMap::new());
            for (first, more, value) in sets {
                counters.set(first, first + more, value);
                (first..=first + more).for_each(|n| { plain.insert(n, value); });
            }
            for n in 0..80 {
                prop_assert_eq!(counters.get(n), plain.get(&n).copied().unwrap_or(0));
            }
            let all: Vec<_> = counters.iter().collect();
            prop_assert!(all.windows(2).all(|w| w[0].1 < w[1].0 && (w[0].1 + 1 < w[1].0 || w[0].2 != w[1].2)));
        }
    }
}
