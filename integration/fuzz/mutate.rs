//! New inputs from known ones.

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is at least 1.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Numbers at which decoders go wrong.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    7,
    16,
    255,
    256,
    1000,
    4096,
    0x7fff,
    0xffff,
    0x0010_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// A few changes of an input of the pool; half of the time of one of the first `known`, which real encoders made.
pub(crate) fn mutate(
    chance: &mut Chance,
    pool: &[Vec<u8>],
    known: usize,
    words: &[&[u8]],
    bytes_max: usize,
) -> Vec<u8> {
    let blank = Vec::new();
    let pick = |chance: &mut Chance| {
        let among = if chance.below(2) == 0 { known } else { pool.len() };
        pool.get(chance.below(among.max(1))).unwrap_or(&blank)
    };
    let mut input = pick(chance).clone();
    let rounds = 1 + chance.below(5);
    for _ in 0..rounds {
        let other = pick(chance);
        change(chance, &mut input, other, words);
    }
    input.truncate(bytes_max);
    input
}

fn change(chance: &mut Chance, input: &mut Vec<u8>, other: &[u8], words: &[&[u8]]) {
    if input.is_empty() {
        input.push(chance.next() as u8);
    }
    let at = chance.below(input.len());
    match chance.below(13) {
        0 => input[at] ^= 1 << chance.below(8),
        1 => input[at] = chance.next() as u8,
        2 | 3 => number(chance, input, at),
        4 => drop(input.drain(at..(at + length(chance)).min(input.len()))),
        5 => {
            let piece = input[at..(at + length(chance)).min(input.len())].to_vec();
            let to = chance.below(input.len() + 1);
            drop(input.splice(to..to, piece));
        }
        6 => {
            let piece: Vec<u8> = (0..length(chance).min(32)).map(|_| chance.next() as u8).collect();
            drop(input.splice(at..at, piece));
        }
        7 if !other.is_empty() => {
            let from = chance.below(other.len());
            let piece = other[from..(from + length(chance)).min(other.len())].to_vec();
            let until = if chance.below(2) == 0 { at } else { (at + piece.len()).min(input.len()) };
            drop(input.splice(at..until, piece));
        }
        8 | 9 if !words.is_empty() => {
            let word = words[chance.below(words.len())];
            let until = if chance.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
            drop(input.splice(at..until, word.iter().copied()));
        }
        10 => digits(chance, input, at),
        11 if chance.below(4) == 0 => input.truncate(at),
        12 if !words.is_empty() => line(chance, input, at, words),
        _ => input[at] = input[at].wrapping_add(if chance.below(2) == 0 { 1 } else { 255 }),
    }
}

/// Mostly short, sometimes long.
fn length(chance: &mut Chance) -> usize {
    let bits = chance.below(12);
    1 + chance.below(1 << bits)
}

/// Writes a number over what stands at `at`, or adds a little to the one that stands there.
fn number(chance: &mut Chance, input: &mut [u8], at: usize) {
    let bytes = [2, 4, 4, 8, 8][chance.below(5)];
    let Some(place) = input.get_mut(at..at + bytes) else { return };
    let big = chance.below(4) == 0;
    let mut raw = [0; 8];
    raw[..bytes].copy_from_slice(place);
    let value = match chance.below(3) {
        0 => u64::from_le_bytes(raw).wrapping_add(chance.below(33) as u64).wrapping_sub(16),
        _ => NUMBERS[chance.below(NUMBERS.len())]
            .wrapping_sub(chance.below(2) as u64 * chance.below(40) as u64),
    };
    let raw =
        if big { value.to_be_bytes()[8 - bytes..].to_vec() } else { value.to_le_bytes()[..bytes].to_vec() };
    place.copy_from_slice(&raw);
}

/// Puts another decimal number in place of the one that stands next.
fn digits(chance: &mut Chance, input: &mut Vec<u8>, at: usize) {
    let Some(from) = input[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else { return };
    let count = input[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = match chance.below(3) {
        0 => chance.below(100) as u64,
        _ => NUMBERS[chance.below(NUMBERS.len())],
    };
    drop(input.splice(from..from + count, value.to_string().into_bytes()));
}

/// Puts a word in place of the line at `at`, or before it.
fn line(chance: &mut Chance, input: &mut Vec<u8>, at: usize, words: &[&[u8]]) {
    let from = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = input[at..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| at + end + 1);
    let until = if chance.below(2) == 0 { from } else { end.max(from) };
    drop(input.splice(from..until, words[chance.below(words.len())].iter().copied()));
}
