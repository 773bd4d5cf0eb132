//! Any values, for tests: what the table says a structure may hold.

use std::sync::Arc;

use bytes::Bytes;

use super::table::{ActiveMQQueue, BrokerId, ConnectionId, ConsumerInfo, LocalTransactionId, Structure};
use super::text::Text;
use super::throwable::Throwable;
use super::wire::Typed;

/// See the module.
#[derive(Debug)]
pub(super) struct Chance {
    pub(super) version: u8,
    state: u64,
    depth: u8,
}

impl Chance {
    pub(super) fn new(version: u8, seed: u64) -> Chance {
        Chance { version, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, depth: 0 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    /// Numbers of all lengths.
    pub(super) fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => 1,
            2 => self.next() >> 48,
            3 => self.next() >> 32,
            _ => self.next(),
        }
    }

    pub(super) fn maybe<T>(&mut self, make: impl FnOnce(&mut Chance) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| make(self))
    }

    /// A structure inside of another one, wherever it stands.
    pub(super) fn identity(&mut self) -> Structure {
        match self.below(4) {
            0 => Structure::ActiveMQQueue(Arc::new(ActiveMQQueue { physical_name: Any::any(self) })),
            1 => Structure::ConnectionId(Arc::new(ConnectionId::any(self))),
            2 => Structure::LocalTransactionId(Arc::new(LocalTransactionId::any(self))),
            _ => Structure::BrokerId(Arc::new(BrokerId::any(self))),
        }
    }

    /// A structure in a list.
    pub(super) fn structure(&mut self) -> Structure {
        if self.depth >= 2 || self.below(3) > 0 {
            return self.identity();
        }
        self.depth += 1;
        let made = ConsumerInfo::any(self).into_structure();
        self.depth -= 1;
        made
    }
}

/// What has any value.
pub(super) trait Any: Sized {
    fn any(chance: &mut Chance) -> Self;
}

impl Any for bool {
    fn any(chance: &mut Chance) -> bool {
        chance.below(2) == 0
    }
}

impl Any for i8 {
    fn any(chance: &mut Chance) -> i8 {
        chance.number() as i8
    }
}

impl Any for i32 {
    fn any(chance: &mut Chance) -> i32 {
        chance.number() as i32
    }
}

impl Any for i64 {
    fn any(chance: &mut Chance) -> i64 {
        chance.number() as i64
    }
}

impl Any for Text {
    fn any(chance: &mut Chance) -> Text {
        const TEXTS: [&str; 5] =
            ["", "ID:host-1-2-0:1", "grün", "a\0😀", "queue://A.>?consumer.prefetchSize=1"];
        TEXTS[chance.below(TEXTS.len())].into()
    }
}

impl Any for Bytes {
    fn any(chance: &mut Chance) -> Bytes {
        vec![7; [0, 1, 300, 20_000][chance.below(4)]].into()
    }
}

impl Any for Throwable {
    fn any(chance: &mut Chance) -> Throwable {
        Throwable { class_name: Any::any(chance), message: Any::any(chance) }
    }
}

impl Any for Box<Structure> {
    fn any(chance: &mut Chance) -> Box<Structure> {
        Box::new(chance.identity())
    }
}

impl Any for Vec<Structure> {
    fn any(chance: &mut Chance) -> Vec<Structure> {
        (0..chance.below(4)).map(|_| chance.structure()).collect()
    }
}

impl<T: Any> Any for Option<T> {
    fn any(chance: &mut Chance) -> Option<T> {
        chance.maybe(T::any)
    }
}
