//! Replicas as values: what a model checker needs to take this very code through every order of events.
//!
//! A model gives the same `now` to every step, so that no timer runs, and lets them run out one by one as it likes: any
//! timer may be over before any other, whatever their lengths. What is equal but for counters and stamps becomes equal
//! by [`Replica::forget_counters`].

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::machine::{Replica, Role};
use crate::coordination::View;
use crate::model::{Epoch, Position};
use crate::replication::{Ack, ConnectionId, StreamId};

/// A timer of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Until it is this node's turn to write into the group record.
    Turn,
    /// Until a silent stream to the master is given up.
    Silence,
    /// Until a winner that does not serve has to go, as its voters and it itself measure it.
    Deadline,
    /// Until a master that hears no quorum closes its client ports.
    Quorum,
    /// Until an unfit node is a candidate again.
    Unfit,
}

/// What a model does not look at.
#[derive(Clone, Copy, Debug)]
pub struct Ignored {
    /// Leases: nothing is dispatched, and every slave counts as heard.
    pub leases: bool,
    /// Suspicion: elections need no reason.
    pub suspicion: bool,
}

const OVER: Duration = Duration::ZERO;

impl Replica {
    /// Whether a timer is running, so that it may run out.
    pub fn runs(&self, timer: Timer) -> bool {
        match (timer, &self.role) {
            (Timer::Turn, _) => self.intent.is_some(),
            (Timer::Silence, Role::Following(following)) => following.stream.is_some(),
            (Timer::Deadline, Role::Leading(leading)) => !leading.serving() && leading.since != OVER,
            (Timer::Deadline, _) => self.chosen_since.is_some_and(|(_, since)| since != OVER),
            (Timer::Quorum, Role::Leading(leading)) => leading.serving(),
            (Timer::Unfit, _) => self.reason.as_ref().is_some_and(|reason| reason.unfit_until.is_some()),
            _ => false,
        }
    }

    /// Lets a running timer run out: the next event finds it due.
    pub fn run_out(&mut self, timer: Timer) {
        match (timer, &mut self.role) {
            (Timer::Turn, _) => self.intent.iter_mut().for_each(|(_, since)| *since = OVER),
            (Timer::Silence, Role::Following(following)) => following.heard_at = OVER,
            (Timer::Deadline, Role::Leading(leading)) => leading.since = OVER,
            (Timer::Deadline, _) => self.chosen_since.iter_mut().for_each(|(_, since)| *since = OVER),
            (Timer::Quorum, Role::Leading(leading)) => {
                leading.slaves.values_mut().for_each(|slave| slave.heard = None);
                leading.since = OVER;
            }
            (Timer::Unfit, _) => {
                let until = self.reason.iter_mut().filter_map(|reason| reason.unfit_until.as_mut());
                until.for_each(|until| *until = OVER);
            }
            _ => {}
        }
    }

    /// Forgets what no later step depends on: how many streams and writes there were, texts for people, stamps of an
    /// epoch that is over, pauses. Returns how many answers of group writes have been taken off the count in its view.
    /// The stream that is open now, if there is one, becomes `StreamId(1)`. A turn to write has come as soon as it can.
    pub fn forget_counters(&mut self, ignored: Ignored) -> u64 {
        let (epoch, now) = (self.identity.promise.epoch, self.now);
        self.published = None;
        if let Some((_, since)) = &mut self.intent {
            *since = OVER;
        }
        self.reason = self.reason.take().filter(|reason| reason.unfit_until.is_some());
        if let Some(reason) = &mut self.reason {
            reason.text.clear();
        }
        self.chosen_since = self.chosen_since.filter(|(promise, _)| *promise == self.identity.promise);
        if self.stood_in != epoch {
            self.stood_in = Epoch(0);
        }
        if ignored.suspicion {
            self.stood_in = Epoch(0);
            self.chosen_since = None;
            // An epoch that has a master never compares positions again.
            if !matches!(self.role, Role::Idle) {
                self.shown = Position::default();
            }
        }
        self.streams = 0;
        match &mut self.role {
            Role::Idle => {}
            Role::Following(following) => {
                following.dial_at = OVER;
                following.heard_at = self.now;
                if ignored.leases {
                    following.ack.heard = 0;
                }
                if let Some(stream) = &mut following.stream {
                    *stream = StreamId(1);
                    self.streams = 1;
                }
            }
            Role::Leading(leading) => {
                leading.heartbeat_at = OVER;
                leading.reduced = None;
                leading.slaves.values_mut().for_each(|slave| slave.in_step = true);
                if ignored.leases {
                    leading.dispatch_from = Duration::MAX;
                    leading.slaves.values_mut().for_each(|slave| slave.heard = Some(now));
                }
            }
        }
        let Some(view) = &mut self.view else { return 0 };
        let answered = std::mem::take(&mut view.answered);
        self.writes -= answered;
        answered
    }

    /// Whether an acknowledgement would tell this master anything.
    pub fn is_news(&self, connection: ConnectionId, ack: &Ack) -> bool {
        let Role::Leading(leading) = &self.role else { return false };
        leading.slaves.get(&connection).is_some_and(|slave| {
            let heard = slave.heard.map_or(0, |heard| heard.as_nanos());
            slave.durable < ack.durable || slave.config < ack.config || heard < u128::from(ack.heard)
        })
    }

    /// Whether this master has a slave under this name.
    pub fn has_slave(&self, connection: ConnectionId) -> bool {
        matches!(&self.role, Role::Leading(leading) if leading.slaves.contains_key(&connection))
    }

    /// The tree as it was last shown, to be renumbered.
    pub fn view_mut(&mut self) -> Option<&mut View> {
        self.view.as_deref_mut()
    }
}

/// All that its further steps depend on; settings and clock are the caller's.
impl Hash for Replica {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity.hash(state);
        self.log.hash(state);
        self.committed.hash(state);
        self.role.hash(state);
        self.view.hash(state);
        self.writes.hash(state);
        self.intent.hash(state);
        self.stood_in.hash(state);
        self.chosen_since.hash(state);
        self.reason.hash(state);
        self.shown.hash(state);
        self.streams.hash(state);
    }
}
