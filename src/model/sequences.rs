//! Sets of sequences in blocks: what is settled costs bits where there are many holes, next to nothing where there are few.

use std::collections::BTreeMap;

use super::block::{BLOCK_BITS, Block};
use super::ranges::RangeSet;

/// A set of `u64`, made for few holes or for many: a long settled history is one range, a million holes are at most
/// 128 KiB. Equal sets have equal forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SequenceSet {
    /// Numbers of the blocks that are in the set as a whole.
    full: RangeSet,
    /// The blocks of which a part is in the set.
    parts: BTreeMap<u64, Block>,
    /// How many numbers are in the set.
    len: u64,
}

impl SequenceSet {
    /// An empty set.
    pub fn new() -> SequenceSet {
        SequenceSet::default()
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
        let (block, low) = split(n);
        match self.parts.get(&block) {
            Some(part) => part.count(low, low) == 1,
            None => self.full.contains(block),
        }
    }

    /// How many numbers of `first..=last` are in the set. Costs as much as there are blocks between them that are in the
    /// set in part.
    pub fn count(&self, first: u64, last: u64) -> u64 {
        if first > last {
            return 0;
        }
        let (from, to) = (split(first).0, split(last).0);
        let in_parts = self.parts.range(from..=to).map(|(number, part)| {
            let (low, high) = within(*number, first, last);
            u64::from(part.count(low, high))
        });
        // The blocks at the ends are in there as far as `first..=last` goes.
        let in_full = |number: u64| {
            let (low, high) = within(number, first, last);
            if self.full.contains(number) { u64::from(high - low) + 1 } else { 0 }
        };
        let ends = if from == to { in_full(from) } else { in_full(from) + in_full(to) };
        let between = if to - from > 1 { self.full.count(from + 1, to - 1) << BLOCK_BITS } else { 0 };
        in_parts.sum::<u64>() + ends + between
    }

    /// Adds `first..=last`; returns how many of them were not in the set before. An empty range adds nothing.
    pub fn insert(&mut self, first: u64, last: u64) -> u64 {
        if first > last {
            return 0;
        }
        let (from, to) = (split(first).0, split(last).0);
        let mut added = self.insert_in(from, within(from, first, last));
        if to > from {
            added += self.insert_in(to, within(to, first, last));
        }
        if to - from > 1 {
            added += self.fill(from + 1, to - 1);
        }
        self.len += added;
        added
    }

    /// Adds numbers of one block.
    fn insert_in(&mut self, number: u64, (low, high): (u16, u16)) -> u64 {
        if self.full.contains(number) {
            return 0;
        }
        if (low, high) == (0, u16::MAX) {
            return self.fill(number, number);
        }
        let part = self.parts.entry(number).or_insert_with(Block::empty);
        let added = part.insert(low, high);
        if part.is_full() {
            self.parts.remove(&number);
            self.full.insert(number, number);
        }
        u64::from(added)
    }

    /// Adds whole blocks.
    fn fill(&mut self, from: u64, to: u64) -> u64 {
        let mut known = 0;
        while let Some((&number, part)) = self.parts.range(from..=to).next() {
            known += u64::from(part.len());
            self.parts.remove(&number);
        }
        (self.full.insert(from, to) << BLOCK_BITS) - known
    }

    /// Takes out `first..=last`; returns how many of them were in the set. An empty range takes out nothing.
    pub fn remove(&mut self, first: u64, last: u64) -> u64 {
        if first > last {
            return 0;
        }
        let (from, to) = (split(first).0, split(last).0);
        let mut removed = self.remove_in(from, within(from, first, last));
        if to > from {
            removed += self.remove_in(to, within(to, first, last));
        }
        if to - from > 1 {
            while let Some((&number, part)) = self.parts.range(from + 1..to).next() {
                removed += u64::from(part.len());
                self.parts.remove(&number);
            }
            removed += self.full.remove(from + 1, to - 1) << BLOCK_BITS;
        }
        self.len -= removed;
        removed
    }

    /// Takes numbers out of one block.
    fn remove_in(&mut self, number: u64, (low, high): (u16, u16)) -> u64 {
        if self.full.remove(number, number) > 0 {
            self.parts.insert(number, Block::full());
        }
        let Some(part) = self.parts.get_mut(&number) else { return 0 };
        let removed = part.remove(low, high);
        if part.is_empty() {
            self.parts.remove(&number);
        }
        u64::from(removed)
    }

    /// The least number in the set.
    pub fn first(&self) -> Option<u64> {
        self.next_in(0)
    }

    /// The least number from `n` on that is in the set.
    fn next_in(&self, n: u64) -> Option<u64> {
        let (block, low) = split(n);
        if self.full.contains(block) {
            return Some(n);
        }
        if let Some(found) = self.parts.get(&block).and_then(|part| part.next(low, true)) {
            return Some(join(block, found));
        }
        let later = block.checked_add(1)?;
        let part = self.parts.range(later..).next();
        let part = part.and_then(|(number, part)| Some(join(*number, part.next(0, true)?)));
        let full = self.full.next_in(later).map(|number| join(number, 0));
        part.into_iter().chain(full).min()
    }

    /// The least number from `n` on that is not in the set.
    fn next_out(&self, mut n: u64) -> Option<u64> {
        loop {
            let (block, low) = split(n);
            let later = match self.parts.get(&block) {
                Some(part) => match part.next(low, false) {
                    Some(found) => return Some(join(block, found)),
                    None => block + 1,
                },
                None => match self.full.next_out(block)? {
                    out if out == block => return Some(n),
                    out => out,
                },
            };
            if later > split(u64::MAX).0 {
                return None;
            }
            n = join(later, 0);
        }
    }

    /// The ranges in ascending order, each first and last inclusive.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = Some(0);
        std::iter::from_fn(move || {
            let first = self.next_in(at?)?;
            let out = self.next_out(first);
            at = out;
            Some((first, out.map_or(u64::MAX, |out| out - 1)))
        })
    }

    /// The ranges of `from..=to` that are not in the set, at most `limit` of them, ascending.
    pub fn gaps(&self, from: u64, to: u64, limit: usize) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut at = Some(from);
        while gaps.len() < limit {
            let Some(first) = at.and_then(|at| self.next_out(at)).filter(|first| *first <= to) else { break };
            at = self.next_in(first);
            gaps.push((first, at.map_or(to, |next| to.min(next - 1))));
        }
        gaps
    }

    /// The runs of blocks that are in the set as a whole: numbers of the first and the last one.
    pub fn full_blocks(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.full.iter()
    }

    /// The blocks of which a part is in the set, by number. Their first sequence is the number times 65,536.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.parts.iter().map(|(number, part)| (*number, part))
    }

    /// Adds what a block of this number holds; returns false, and adds nothing, if the number is none of a block or something
    /// of the block is in the set already.
    pub fn insert_block(&mut self, number: u64, block: Block) -> bool {
        let known = self.full.contains(number) || self.parts.contains_key(&number);
        if known || number > split(u64::MAX).0 {
            return false;
        }
        self.len += u64::from(block.len());
        self.parts.insert(number, block);
        true
    }

    /// Adds whole blocks, the first and the last by number; returns false if these are no numbers of blocks.
    pub fn insert_full(&mut self, first: u64, last: u64) -> bool {
        if first > last || last > split(u64::MAX).0 {
            return false;
        }
        self.len += self.fill(first, last);
        true
    }
}

/// Block and place in it.
fn split(n: u64) -> (u64, u16) {
    (n >> BLOCK_BITS, n as u16)
}

fn join(block: u64, low: u16) -> u64 {
    block << BLOCK_BITS | u64::from(low)
}

/// First and last place in a block that belong to `first..=last`, of which some do.
fn within(block: u64, first: u64, last: u64) -> (u16, u16) {
    let low = if split(first).0 == block { split(first).1 } else { 0 };
    let high = if split(last).0 == block { split(last).1 } else { u16::MAX };
    (low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that these tests put in.
    const END: u64 = 5 << BLOCK_BITS;

    /// Numbers around the borders of the first blocks, so that few operations meet all cases.
    fn number() -> impl Strategy<Value = u64> {
        (0u64..4, -40i64..40).prop_map(|(block, by)| (block << BLOCK_BITS).saturating_add_signed(by))
    }

    fn numbers(plain: &[bool], from: u64, to: u64, wanted: bool) -> impl Iterator<Item = u64> {
        (from..=to).filter(move |n| plain.get(*n as usize).is_some_and(|there| *there) == wanted)
    }

    fn agrees(set: &SequenceSet, plain: &[bool], from: u64, to: u64) -> Result<(), TestCaseError> {
        prop_assert_eq!(set.len() as usize, numbers(plain, 0, END, true).count());
        let all = set.iter().flat_map(|(first, last)| first..=last);
        prop_assert!(all.eq(numbers(plain, 0, END, true)));
        let ends: Vec<_> = set.iter().collect();
        prop_assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "ranges touch: {:?}", ends);
        prop_assert_eq!(set.count(from, to) as usize, numbers(plain, from, to, true).count());
        let gaps = set.gaps(from, to, usize::MAX).into_iter().flat_map(|(first, last)| first..=last);
        prop_assert!(gaps.eq(numbers(plain, from, to, false)));
        for n in [from, to, from + 1, to.saturating_sub(1)] {
            prop_assert_eq!(set.contains(n), plain[n as usize]);
        }
        Ok(())
    }

    /// The same set out of its parts, as a snapshot is read.
    fn again(set: &SequenceSet) -> SequenceSet {
        let mut again = SequenceSet::new();
        for (number, block) in set.blocks() {
            let mut bytes = Vec::new();
            block.encode(&mut bytes);
            assert!(again.insert_block(number, Block::decode(&bytes).unwrap()));
        }
        for (first, last) in set.full_blocks() {
            assert!(again.insert_full(first, last));
        }
        again
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_sequence_set_holds_what_a_plain_set_holds(
            changes in prop::collection::vec((number(), 0u64..90, any::<bool>(), 0u8..3), 0..25),
            from in number(), to in number(),
        ) {
            let (mut set, mut plain) = (SequenceSet::new(), vec![false; END as usize]);
            for (first, more, long, way) in changes {
                let last = (first + if long { more * 1500 } else { more }).min(END - 1);
                let (there, goes) = (numbers(&plain, first, last, true).count() as u64, way == 0);
                plain[first as usize..=last as usize].fill(!goes);
                match goes {
                    true => prop_assert_eq!(set.remove(first, last), there),
                    false => prop_assert_eq!(set.insert(first, last), last - first + 1 - there),
                }
            }
            prop_assert_eq!(set.first(), numbers(&plain, 0, END, true).next());
            agrees(&set, &plain, from.min(to), from.max(to))?;
            prop_assert_eq!(again(&set), set);
        }

        #[test]
        fn what_is_taken_out_leaves_no_trace(
            kept in prop::collection::vec(0u64..5000, 1500..4000), gone in prop::collection::vec(0u64..5000, 1500..4000),
        ) {
            let (mut set, mut plain) = (SequenceSet::new(), SequenceSet::new());
            kept.iter().chain(&gone).for_each(|n| { set.insert(n * 3, n * 3); });
            let kept: std::collections::BTreeSet<_> = kept.into_iter().collect();
            kept.iter().for_each(|n| { plain.insert(n * 3, n * 3); });
            gone.iter().filter(|n| !kept.contains(n)).for_each(|n| { set.remove(n * 3, n * 3); });
            prop_assert_eq!(set, plain);
        }

        #[test]
        fn the_order_of_coming_leaves_no_trace(numbers in prop::collection::vec(0u64..5000, 3000..5000), by in 1u64..4) {
            let fill = |numbers: &[u64]| {
                let mut set = SequenceSet::new();
                numbers.iter().for_each(|n| { set.insert(n * by, n * by); });
                set
            };
            let (one, mut sorted, mut plain) = (fill(&numbers), numbers, vec![false; END as usize]);
            sorted.sort_unstable();
            sorted.iter().for_each(|n| plain[(n * by) as usize] = true);
            prop_assert_eq!(&one, &fill(&sorted));
            agrees(&one, &plain, 100, 17_000)?;
            prop_assert_eq!(again(&one), one);
        }
    }

    #[test]
    fn every_second_of_two_million_takes_a_quarter_of_a_mebibyte_and_a_long_history_nothing() {
        let mut set = SequenceSet::new();
        set.insert(1, 1_000_000_000_000);
        assert_eq!((set.blocks().count(), set.full_blocks().count()), (2, 1));
        let mut holes = SequenceSet::new();
        (0..1_000_000).for_each(|n| {
            holes.insert(2 * n, 2 * n);
        });
        let bytes: usize = holes.blocks().map(|(_, block)| block.bytes()).sum();
        assert!(bytes <= 256 << 10, "{bytes} bytes");
        assert_eq!(holes.gaps(0, 2_000_000, usize::MAX).len(), 1_000_000);
        (0..1_000_000).for_each(|n| {
            holes.insert(2 * n + 1, 2 * n + 1);
        });
        assert_eq!(holes.iter().collect::<Vec<_>>(), [(0, 1_999_999)]);
    }

    #[test]
    fn the_last_numbers_are_numbers_like_others() {
        let mut set = SequenceSet::new();
        assert_eq!(set.gaps(7, u64::MAX, 9), [(7, u64::MAX)]);
        assert_eq!(set.insert(9, u64::MAX), u64::MAX - 8);
        assert_eq!(set.insert(u64::MAX, u64::MAX), 0);
        assert_eq!((set.gaps(8, u64::MAX, 9), set.contains(u64::MAX)), (vec![(8, 8)], true));
        assert_eq!(set.iter().collect::<Vec<_>>(), [(9, u64::MAX)]);
        assert_eq!(set.count(0, u64::MAX), u64::MAX - 8);
        assert!(!set.insert_full(1, 1 << 48) && !set.insert_full(2, 1));
        let block = || Block::decode(&[0, 1, 0, 1, 0]).unwrap();
        assert!(!set.insert_block(1 << 48, block()) && !set.insert_block(5, block()));
    }
}
