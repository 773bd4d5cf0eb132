//! Recognises a message that was sent before: the same name given by its client, to the same destination.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::model::{DestinationId, Field, Message};

/// How many names are remembered over all destinations, the newest. A client resends what was open when its connection
/// broke, some hundred messages; 64 Ki leave room for many such clients while others go on.
pub(super) const AUDIT_ENTRIES_MAX: usize = 65_536;

/// The newest names, in the order of the log. Part of the state: every node forgets the same name at the same record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Audit {
    order: VecDeque<u128>,
    known: HashSet<u128, BuildHasherDefault<Identity>>,
    /// How many names were forgotten: the number of the oldest one that is known.
    forgotten: u64,
    /// Sum of the digests of all names with their numbers.
    digest: u64,
}

impl Audit {
    /// Whether a message with this name went to this destination before; if not, it is remembered now. A message
    /// without a name is never repeated.
    pub(super) fn repeated(&mut self, destination: DestinationId, message: &Message) -> bool {
        match name(destination, message) {
            Some(name) => !self.remember(name),
            None => false,
        }
    }

    /// Returns false when the name was known.
    pub(super) fn remember(&mut self, name: u128) -> bool {
        if !self.known.insert(name) {
            return false;
        }
        if self.order.len() == AUDIT_ENTRIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            self.digest = self.digest.wrapping_sub(digest(self.forgotten, oldest));
            self.forgotten += 1;
        }
        self.digest = self.digest.wrapping_add(digest(self.next(), name));
        self.order.push_back(name);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many names were forgotten.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The number that the next name gets.
    pub(super) fn next(&self) -> u64 {
        self.forgotten + self.order.len() as u64
    }

    /// So many names were forgotten already; said before the first one is remembered. False, and nothing, if nobody can have
    /// counted so far: there must be a next number.
    pub(super) fn begin_at(&mut self, forgotten: u64) -> bool {
        let counted = forgotten <= u64::MAX / 2;
        if counted {
            self.forgotten = forgotten;
        }
        counted
    }

    /// The remembered names with their numbers, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u128)> + '_ {
        (self.forgotten..).zip(self.order.iter().copied())
    }
}

/// The hash of what the client calls this send: its duplicate id, else producer id and number.
fn name(destination: DestinationId, message: &Message) -> Option<u128> {
    let mut producer = None;
    for (tag, value) in message.fields() {
        if tag == Field::DuplicateId as u8 {
            return Some(Mixer::new(u64::from(destination.0)).bytes(value).word(1).finish());
        }
        if tag == Field::ProducerId as u8 {
            producer = Some(value);
        }
    }
    let number = message.producer_sequence();
    let producer = producer.filter(|_| number != 0)?;
    Some(Mixer::new(u64::from(destination.0)).bytes(producer).word(2).word(number).finish())
}

fn digest(number: u64, name: u128) -> u64 {
    Mixer::new(number).word(name as u64).word((name >> 64) as u64).finish() as u64
}

/// A 128-bit hash of words, the same in every process and version: it is part of the state. It guards against chance,
/// not against an enemy, who could as well send the other's name itself.
pub(super) struct Mixer {
    low: u64,
    high: u64,
}

impl Mixer {
    pub(super) fn new(seed: u64) -> Mixer {
        Mixer { low: 0x9e37_79b9_7f4a_7c15, high: 0xc2b2_ae3d_27d4_eb4f }.word(seed)
    }

    pub(super) fn word(mut self, word: u64) -> Mixer {
        self.low = fold(self.low ^ word, 0xa076_1d64_78bd_642f);
        self.high = fold(self.high ^ word.rotate_left(32), 0xe703_7ed1_a0b4_28db);
        self
    }

    /// Mixes in the length too, so that no two rows of parts read alike.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Mixer {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self = self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last)).word(bytes.len() as u64)
    }

    pub(super) fn finish(self) -> u128 {
        let mixed = self.word(0x8ebc_6af0_9c88_c6e3);
        u128::from(mixed.high) << 64 | u128::from(mixed.low)
    }
}

/// Both halves of the product, xored; the sum keeps a zero operand from wiping out what came before.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64 ^ (product >> 64) as u64).wrapping_add(a.rotate_left(23))
}

/// The names are hashes already.
#[derive(Clone, Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, name: u128) {
        self.0 = name as u64;
    }
}
