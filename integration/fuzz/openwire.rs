//! OpenWire in every version and encoding, a target for each family of structures: what is read can be written, and is read again as
//! the same.

use bytes::BytesMut;
use quorate::protocol::openwire::Rewriter;

use crate::driver::{Target, kind, shape};

/// Bytes of a frame on the connection that is tried.
const FRAME_BYTES_MAX: usize = 32 * 1024;
/// The input's first byte is the version; the bits of the second one say how frames are written.
const HEAD_BYTES: usize = 2;
const TIGHT: u8 = 1;
const CACHES: u8 = 2;
const STACK_TRACES: u8 = 4;
/// Versions of which seeds are.
const SEED_VERSIONS: [u8; 3] = [12, 3, 1];

/// What ActiveMQ's own marshallers wrote.
const VECTORS: &str = include_str!("../../src/protocol/openwire/codec/vectors/java.txt");

/// Type numbers of what clients ask.
const COMMANDS: &[u8] = &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20];
/// Type numbers of messages and of what becomes of them.
const MESSAGES: &[u8] = &[21, 22, 23, 24, 25, 26, 27, 28, 29, 90];
/// Type numbers of answers, and of what brokers tell each other.
const NETWORK: &[u8] = &[1, 2, 30, 31, 32, 33, 34, 40, 55, 91, 92];
/// Type numbers of ids and destinations.
const IDENTITIES: &[u8] = &[100, 101, 102, 103, 110, 111, 112, 120, 121, 122, 123, 124];

pub(crate) const OPENWIRE_COMMANDS: Target = Target {
    name: "openwire_commands",
    mend: |input| mend(input, COMMANDS),
    seeds: || seeds(COMMANDS),
    ..FAMILY
};

pub(crate) const OPENWIRE_MESSAGES: Target = Target {
    name: "openwire_messages",
    mend: |input| mend(input, MESSAGES),
    seeds: || seeds(&[21, 22, 23, 29, 90]),
    ..FAMILY
};

pub(crate) const OPENWIRE_NETWORK: Target = Target {
    name: "openwire_network",
    mend: |input| mend(input, NETWORK),
    seeds: || seeds(NETWORK),
    ..FAMILY
};

pub(crate) const OPENWIRE_IDENTITIES: Target = Target {
    name: "openwire_identities",
    mend: |input| mend(input, IDENTITIES),
    seeds: || seeds(IDENTITIES),
    ..FAMILY
};

/// What the targets have in common.
const FAMILY: Target = Target {
    name: "",
    run,
    mend: |_| {},
    seeds: Vec::new,
    words: WORDS,
    planted: |input| !SEED_VERSIONS.contains(&version(input)) && !rewritten(input, usize::MAX).0.is_empty(),
    // The smallest structure in a list takes a byte and some bits, and a hundred bytes once it is read.
    memory: (160, 256 * 1024),
    bytes_max: FRAME_BYTES_MAX,
};

const WORDS: &[&[u8]] = &[
    b"\0\0\0\x01\0",
    b"\0\0\0\x02",
    b"\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xc0",
    b"\x80\xff\xff",
    b"\xc0\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\x01\0\0",
    b"\x01\x64\x01\0\x01q",
    b"\x01\x7c\x01\0\x01b",
    b"\x01\x5b",
];

fn version(input: &[u8]) -> u8 {
    input.first().map_or(1, |byte| byte % 12 + 1)
}

/// The frames of an input as they are written, and why there is no further one.
fn rewritten(input: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let Some((head, frames)) = input.split_at_checked(HEAD_BYTES) else { return Default::default() };
    let has = |bit: u8| head[1] & bit != 0;
    let mut rewriter =
        Rewriter::new(version(input), has(TIGHT), has(CACHES), has(STACK_TRACES), FRAME_BYTES_MAX);
    let (mut arrived, mut all) = (BytesMut::new(), Vec::new());
    for piece in frames.chunks(step.min(frames.len()).max(1)) {
        arrived.extend_from_slice(piece);
        loop {
            let announced = rewriter.announced(&arrived);
            match rewriter.rewrite(&mut arrived) {
                Ok(Some(frame)) => all.push(frame.to_vec()),
                Ok(None) => {
                    assert!(
                        announced > arrived.len() || arrived.len() < 4,
                        "what is announced is waited for"
                    );
                    break;
                }
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }
    (all, None)
}

fn run(input: &[u8]) -> u64 {
    let whole = rewritten(input, usize::MAX);
    assert_eq!(whole, rewritten(input, 5), "in pieces of five");
    let (frames, error) = whole;
    let again = [&input[..HEAD_BYTES.min(input.len())], &frames.concat()].concat();
    assert_eq!(rewritten(&again, usize::MAX), (frames.clone(), None), "what was written");
    let codes: Vec<Option<u8>> = frames.iter().take(3).map(|frame| frame.get(4).copied()).collect();
    let lengths: Vec<u32> = frames.iter().take(3).map(|frame| frame.len().ilog2()).collect();
    kind(&(version(input), codes, lengths, frames.len().min(8), error.as_ref().map(shape)))
}

/// Makes lengths fit, and types those of the family.
fn mend(input: &mut [u8], family: &[u8]) {
    let mut at = HEAD_BYTES;
    while let Some([a, b, c, d, code]) = input.get(at..).and_then(|rest| rest.first_chunk()).copied() {
        let left = input.len() - at - 4;
        let length = (u32::from_be_bytes([a, b, c, d]) as usize).clamp(1, left);
        input[at..at + 4].copy_from_slice(&(length as u32).to_be_bytes());
        if !family.contains(&code) {
            input[at + 4] = family[usize::from(code) % family.len()];
        }
        at += 4 + length;
    }
}

/// For some versions and both encodings, with and without a cache: what Java wrote of the family, with every property set.
fn seeds(family: &[u8]) -> Vec<Vec<u8>> {
    let of = |version: u8, encoding: &str, cache: &str| {
        let bits = [(encoding == "tight", TIGHT), (cache == "cached", CACHES), (true, STACK_TRACES)];
        let flags = bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit);
        let mut seed = vec![version - 1, flags];
        for line in VECTORS.lines() {
            let [versions, encoded, cached, variant, _, hex] =
                line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let (first, last): (&str, &str) = versions.split_once('-').unwrap();
            let frames = bytes(hex);
            let within = (first.parse().unwrap()..=last.parse::<u8>().unwrap()).contains(&version);
            let wanted = matches!(variant, "full" | "traced" | "greeting") && family.contains(&frames[4]);
            if within && wanted && (encoded, cached) == (encoding, cache) {
                seed.extend(frames);
            }
        }
        seed
    };
    let [newest, middle, first] = SEED_VERSIONS;
    vec![
        of(newest, "tight", "cached"),
        of(newest, "loose", "plain"),
        of(middle, "tight", "plain"),
        of(first, "loose", "cached"),
    ]
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
