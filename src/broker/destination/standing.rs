//! How a queue behaves, and whether it delivers. Its policy is looked up once, when the queue is installed.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Policy;

/// See the module.
#[derive(Debug)]
pub(in crate::broker) struct Standing {
    policy: Arc<Policy>,
    /// Whether dead letters go here.
    takes_dead_letters: bool,
    /// A committed message could not be read: nothing is delivered any more, so that nothing is skipped.
    damaged: bool,
    /// An operator has it deliver nothing.
    paused: bool,
    /// Nothing is delivered before the policy's number of consumers is there.
    gathers: bool,
}

impl Standing {
    pub(in crate::broker) fn new(policy: Arc<Policy>, takes_dead_letters: bool, paused: bool) -> Standing {
        Standing { policy, takes_dead_letters, damaged: false, paused, gathers: false }
    }

    pub(in crate::broker) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(in crate::broker) fn takes_dead_letters(&self) -> bool {
        self.takes_dead_letters
    }

    /// Whether messages may go to consumers.
    pub(in crate::broker) fn delivers(&self) -> bool {
        !self.damaged && !self.paused && !self.gathers
    }

    pub(in crate::broker) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// It stands still for good.
    pub(in crate::broker) fn damage(&mut self) {
        self.damaged = true;
    }

    /// Nothing is delivered any more, or again.
    pub(in crate::broker) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(in crate::broker) fn is_paused(&self) -> bool {
        self.paused
    }

    /// There are so many consumers, one more than before. Returns how long others are waited for, from now on, if they are.
    pub(in crate::broker) fn joined(&mut self, consumers: usize) -> Option<Duration> {
        let Policy { gathered_min, gathering_time, .. } = *self.policy;
        if consumers == 1 && !gathering_time.is_zero() && gathered_min != 1 {
            self.gathers = true;
            return Some(gathering_time);
        }
        self.gathers &= gathered_min == 0 || consumers < gathered_min;
        None
    }

    /// No more consumers are waited for.
    pub(in crate::broker) fn end_gathering(&mut self) {
        self.gathers = false;
    }
}
