//! Any values, for tests: what the table says a structure may hold.

use std::sync::Arc;

use super::table::{ActiveMQQueue, BrokerId, ConnectionId, ConsumerInfo, LocalTransactionId, Structure};
use super::wire::{Typed, Wire};

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
            0 => Structure::ActiveMQQueue(Arc::new(ActiveMQQueue { physical_name: Wire::any(self) })),
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
