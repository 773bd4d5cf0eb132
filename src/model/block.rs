//! A block of a set of sequences: 64 Ki numbers, as ranges while they are few, else as bits.

use bytes::BufMut;

/// Numbers in a block, as a power of two.
pub(super) const BLOCK_BITS: u32 = 16;
/// Numbers in a block.
const NUMBERS: u32 = 1 << BLOCK_BITS;
/// Words of a block's bitmap, 8 KiB in all.
const WORDS: usize = (NUMBERS / 64) as usize;
/// A block of more ranges is kept as a bitmap, of as many or fewer as ranges, so that equal contents have one form. A range
/// takes 4 bytes.
const RANGES_MAX: usize = 1024;

/// A part of the numbers of a block: not none, not all. Equal parts have equal forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    len: u32,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// First and last of each range, ascending; they do not touch.
    Ranges(Vec<(u16, u16)>),
    /// One bit for each number, and how many ranges the bits are.
    Bits(Box<[u64; WORDS]>, usize),
}

impl Block {
    /// A block that is about to get its first number.
    pub(super) fn empty() -> Block {
        Block { len: 0, form: Form::Ranges(Vec::new()) }
    }

    /// A block of all numbers, of which one is about to go.
    pub(super) fn full() -> Block {
        Block { len: NUMBERS, form: Form::Ranges(vec![(0, u16::MAX)]) }
    }

    /// Whether none is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many numbers are in it.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// Whether all are.
    pub(super) fn is_full(&self) -> bool {
        self.len == NUMBERS
    }

    /// Bytes that its form takes.
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::Ranges(ranges) => 4 * ranges.len(),
            Form::Bits(..) => 8 * WORDS,
        }
    }

    /// How many numbers of `low..=high` are in it.
    pub(super) fn count(&self, low: u16, high: u16) -> u32 {
        match &self.form {
            Form::Ranges(ranges) => {
                let from = ranges.partition_point(|(_, last)| *last < low);
                let overlap =
                    |(first, last): &(u16, u16)| u32::from(high.min(*last)) + 1 - u32::from(low.max(*first));
                ranges[from..].iter().take_while(|(first, _)| *first <= high).map(overlap).sum()
            }
            Form::Bits(words, _) => masks(low, high).map(|(at, mask)| (words[at] & mask).count_ones()).sum(),
        }
    }

    /// Adds `low..=high`; returns how many of them were not there before.
    pub(super) fn insert(&mut self, low: u16, high: u16) -> u32 {
        let added = u32::from(high) + 1 - u32::from(low) - self.count(low, high);
        if added == 0 {
            return 0;
        }
        self.len += added;
        match &mut self.form {
            Form::Ranges(ranges) => {
                insert_range(ranges, low, high);
                if ranges.len() > RANGES_MAX {
                    self.form = bits_of(ranges);
                }
            }
            Form::Bits(words, count) => {
                *count -= starts(words, low, high);
                masks(low, high).for_each(|(at, mask)| words[at] |= mask);
                *count += starts(words, low, high);
                if *count <= RANGES_MAX {
                    self.form = Form::Ranges(ranges_of(words));
                }
            }
        }
        added
    }

    /// Takes out `low..=high`; returns how many of them were there. Leaves no block when none is left.
    pub(super) fn remove(&mut self, low: u16, high: u16) -> u32 {
        let removed = self.count(low, high);
        if removed == 0 {
            return 0;
        }
        self.len -= removed;
        match &mut self.form {
            Form::Ranges(ranges) => {
                remove_range(ranges, low, high);
                if ranges.len() > RANGES_MAX {
                    self.form = bits_of(ranges);
                }
            }
            Form::Bits(words, count) => {
                *count -= starts(words, low, high);
                masks(low, high).for_each(|(at, mask)| words[at] &= !mask);
                *count += starts(words, low, high);
                if *count <= RANGES_MAX {
                    self.form = Form::Ranges(ranges_of(words));
                }
            }
        }
        removed
    }

    /// The least number from `low` on that is in the block (`wanted`), or that is not.
    pub(super) fn next(&self, low: u16, wanted: bool) -> Option<u16> {
        match &self.form {
            Form::Ranges(ranges) => {
                let range = ranges.get(ranges.partition_point(|(_, last)| *last < low));
                match (range, wanted) {
                    (Some((first, _)), true) => Some(low.max(*first)),
                    (Some((first, last)), false) if *first <= low => last.checked_add(1),
                    (_, false) => Some(low),
                    (None, true) => None,
                }
            }
            Form::Bits(words, _) => masks(low, u16::MAX).find_map(|(at, mask)| {
                let found = mask & if wanted { words[at] } else { !words[at] };
                (found != 0).then(|| (64 * at) as u16 + found.trailing_zeros() as u16)
            }),
        }
    }

    /// Appends the block: `u8` 0 and its ranges (`u16` first, `u16` last), or `u8` 1 and its bits, little endian.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.form {
            Form::Ranges(ranges) => {
                out.put_u8(0);
                for (first, last) in ranges {
                    out.put_u16_le(*first);
                    out.put_u16_le(*last);
                }
            }
            Form::Bits(words, _) => {
                out.put_u8(1);
                words.iter().for_each(|word| out.put_u64_le(*word));
            }
        }
    }

    /// Reads what [`Block::encode`] wrote; none when that cannot have written it.
    pub fn decode(bytes: &[u8]) -> Option<Block> {
        let (form, bytes) = bytes.split_first()?;
        let form = match form {
            0 => {
                let (pairs, []) = bytes.as_chunks::<4>() else { return None };
                let pair = |raw: &[u8; 4]| {
                    (u16::from_le_bytes([raw[0], raw[1]]), u16::from_le_bytes([raw[2], raw[3]]))
                };
                let ranges: Vec<(u16, u16)> = pairs.iter().map(pair).collect();
                let ascend = ranges.windows(2).all(|w| u32::from(w[0].1) + 1 < u32::from(w[1].0));
                if !ascend || ranges.iter().any(|(first, last)| first > last) || ranges.len() > RANGES_MAX {
                    return None;
                }
                Form::Ranges(ranges)
            }
            1 => {
                let (words, []) = bytes.as_chunks::<8>() else { return None };
                let words: Vec<u64> = words.iter().map(|raw| u64::from_le_bytes(*raw)).collect();
                let words: Box<[u64; WORDS]> = words.try_into().ok()?;
                let count = starts(&words, 0, u16::MAX);
                Form::Bits(words, count)
            }
            _ => return None,
        };
        let mut block = Block { len: 0, form };
        block.len = block.count(0, u16::MAX);
        let few = matches!(block.form, Form::Bits(_, count) if count <= RANGES_MAX);
        (!few && block.len > 0 && !block.is_full()).then_some(block)
    }
}

/// The words that hold `low..=high`, each with the bits that do.
fn masks(low: u16, high: u16) -> impl Iterator<Item = (usize, u64)> {
    let (from, to) = (usize::from(low / 64), usize::from(high / 64));
    (from..=to).map(move |at| {
        let above = if at == from { u64::MAX << (low % 64) } else { u64::MAX };
        let below = if at == to { u64::MAX >> (63 - high % 64) } else { u64::MAX };
        (at, above & below)
    })
}

/// How many ranges begin in `low..=high` or directly after.
fn starts(words: &[u64; WORDS], low: u16, high: u16) -> usize {
    let begins = |(at, mask): (usize, u64)| {
        let carry = if at == 0 { 0 } else { words[at - 1] >> 63 };
        (words[at] & !(words[at] << 1 | carry) & mask).count_ones() as usize
    };
    masks(low, high.saturating_add(1)).map(begins).sum()
}

fn insert_range(ranges: &mut Vec<(u16, u16)>, low: u16, high: u16) {
    // All that overlap or touch become one.
    let from = ranges.partition_point(|(_, last)| u32::from(*last) + 1 < u32::from(low));
    let to = ranges.partition_point(|(first, _)| u32::from(*first) <= u32::from(high) + 1);
    match ranges.get(from..to) {
        Some([first, .., last]) => {
            let joined = (low.min(first.0), high.max(last.1));
            ranges.splice(from..to, [joined]);
        }
        Some([one]) => ranges[from] = (low.min(one.0), high.max(one.1)),
        _ => ranges.insert(from, (low, high)),
    }
}

fn remove_range(ranges: &mut Vec<(u16, u16)>, low: u16, high: u16) {
    let from = ranges.partition_point(|(_, last)| *last < low);
    let to = ranges.partition_point(|(first, _)| *first <= high);
    let Some([first, ..]) = ranges.get(from..to) else { return };
    let before = (first.0 < low).then(|| (first.0, low - 1));
    let after = ranges.get(to - 1).filter(|(_, last)| *last > high).map(|(_, last)| (high + 1, *last));
    ranges.splice(from..to, before.into_iter().chain(after));
}

fn bits_of(ranges: &[(u16, u16)]) -> Form {
    let mut words = Box::new([0; WORDS]);
    for (first, last) in ranges {
        masks(*first, *last).for_each(|(at, mask)| words[at] |= mask);
    }
    Form::Bits(words, ranges.len())
}

fn ranges_of(words: &[u64; WORDS]) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            let low = rest.trailing_zeros();
            let length = (rest >> low).trailing_ones();
            let (first, last) = ((64 * at) as u32 + low, (64 * at) as u32 + low + length - 1);
            match ranges.last_mut() {
                Some((_, before)) if u32::from(*before) + 1 == first => *before = last as u16,
                _ => ranges.push((first as u16, last as u16)),
            }
            rest &= u64::MAX.checked_shl(low + length).unwrap_or(0);
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_block_wrote_is_refused() {
        for wrong in [
            &[][..],
            &[0],
            &[2, 0, 0, 0, 0],
            &[0, 5, 0, 4, 0],
            &[0, 1, 0, 2, 0, 3, 0, 4, 0],
            &[0, 0, 0, 255, 255],
            &[0, 1, 0, 2],
            &[&[1][..], &[0; 8192]].concat(),
            &[1, 1, 1],
        ] {
            assert_eq!(Block::decode(wrong), None, "{:?}", &wrong[..wrong.len().min(9)]);
        }
        let bits = [&[1][..], &[0x55; 8192]].concat();
        assert_eq!(Block::decode(&bits).map(|block| block.len()), Some(32_768));
    }
}
