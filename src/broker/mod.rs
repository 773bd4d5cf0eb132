//! What clients see of the broker: sessions, destinations, subscriptions, dispatch. Names no protocol and no transport.
//!
//! [`Broker`] is sans-I/O and owned by one task. It is told what was committed and what sessions ask; it answers with
//! an [`Output`]: groups of records for the log, reads, events. Nothing is delivered but from committed records, and
//! from memory what never enters the log.

mod deliveries;
mod destination;
mod figures;
mod gate;
mod limits;
mod names;
mod options;
mod output;
mod serving;
mod session;
mod subscription;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::model::{GroupId, Offset, Record};
use crate::state::State;
use crate::storage::{Expired, Loaded};

pub use destination::{Spill, SpillId, Spilled};
pub use figures::{
    ConnectionStatus, DestinationCounts, DestinationStatus, Figures, Gone, PAGE_ENTRIES_MAX, Page,
    SubscriptionStatus,
};
pub use gate::{
    Closed, GATE_COMMANDS, Gate, Inbound, NotOpened, SESSION_SUBMISSIONS, Session, Slot, Submission, Turn,
};
pub use limits::{Budget, Outbox, Portion};
pub use names::BrokerNames;
pub use options::{
    BrokerOptions, CensusOptions, PREFETCH_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX,
};
pub use output::{Inboxes, Output, ReadId, ReadRequest};
pub use session::{
    Command, Correlation, Credentials, DeliveryId, Principal, ProducerKey, Refusal, SessionEvent, SessionId,
    SessionInfo, SubscribeOptions, SubscriptionKey, TransactionKey, Transfer, Verdict, Way,
};

use figures::Book;
use serving::Serving;

/// The state of a node, and on the serving master all that happens on top of it.
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    state: State,
    book: Book,
    serving: Option<Box<Serving>>,
    /// Whether sends that would be stored wait.
    stores_held: bool,
    /// Last words to sessions of a mastership that ended, or never began.
    farewells: Vec<(SessionId, Vec<SessionEvent>)>,
    /// Reads that were ever asked for, over all masterships.
    reads: u64,
    /// Temporary files that were ever asked for, and whether those of an earlier mastership are to go.
    spills: u64,
    spills_over: bool,
}

impl Broker {
    /// A slave's broker: it folds, and serves nobody.
    pub fn new(options: BrokerOptions, state: State) -> Broker {
        Broker {
            options,
            book: Book::new(&state),
            state,
            serving: None,
            stores_held: false,
            farewells: Vec::new(),
            reads: 0,
            spills: 0,
            spills_over: false,
        }
    }

    /// The fold.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The fold's digest, see [`State::renew_digest`].
    pub fn renew_digest(&mut self) -> u64 {
        self.state.renew_digest()
    }

    /// Puts another state in the place of this one: the log was emptied and begins anew. Only a slave may do so.
    ///
    /// # Panics
    /// On the serving master, whose sessions rest on its state.
    pub fn replace_state(&mut self, state: State) {
        assert!(self.serving.is_none(), "a serving master's state is never replaced");
        self.state = state;
        self.book.begin_anew(&self.state);
    }

    /// Whether [`Broker::promote`] was called last, not [`Broker::demote`].
    pub fn is_serving(&self) -> bool {
        self.serving.is_some()
    }

    /// Applies a committed group: each exactly once, in the order of the log, on every node. On the serving master it
    /// completes the proposal that it came from.
    ///
    /// # Panics
    /// When the serving master is given a group of messages, settles or catalogue changes that is not the next one it
    /// proposed: then somebody else writes to its log.
    pub fn apply(&mut self, now: Duration, wall: i64, group: &[(Offset, Record)]) {
        let Some(serving) = &mut self.serving else {
            for (offset, record) in group {
                let verdict = self.state.apply(*offset, record);
                self.book.follow(&self.state, record, verdict);
            }
            return;
        };
        serving.set_time(now, wall);
        serving.apply(&mut self.state, &mut self.book, group);
    }

    /// The group that the node belongs to is known: it is what the broker's id is made of.
    pub fn belongs_to(&self, group: GroupId) {
        self.options.names.belongs_to(group);
    }

    /// Begins to serve. Everything that is committed must have been applied, the epoch's start included; dispatch waits
    /// for [`Broker::dispatch_allowed`].
    pub fn promote(&mut self, now: Duration, wall: i64) {
        let mut serving =
            Serving::new(self.options.clone(), (&self.state, &self.book), self.reads, self.spills);
        serving.set_time(now, wall);
        serving.hold_stores(self.stores_held);
        self.serving = Some(Box::new(serving));
    }

    /// Stops to serve: every session is told [`SessionEvent::Closed`], and nothing that is open is answered.
    pub fn demote(&mut self, reason: &str) {
        if let Some(serving) = self.serving.take() {
            self.reads = serving.reads_asked();
            self.spills_over |= serving.spills_made() > self.spills;
            self.spills = serving.spills_made();
            self.farewells.extend(serving.into_farewells(reason));
            self.book.end_mastership(&self.state);
        }
    }

    /// Whether deliveries may be made: true while the master's lease holds. False until it is first called.
    pub fn dispatch_allowed(&mut self, allowed: bool) {
        if let Some(serving) = &mut self.serving {
            serving.allow(allowed);
        }
    }

    /// Whether sends that would be stored have to wait, because the disks are full (producer flow control). All else
    /// goes on; what waits is neither answered nor refused.
    pub fn hold_stores(&mut self, held: bool) {
        self.stores_held = held;
        if let Some(serving) = &mut self.serving {
            serving.hold_stores(held);
        }
    }

    /// Takes what has come through the gate; `inboxes` are those of its sessions.
    pub fn take(&mut self, now: Duration, wall: i64, inbound: Inbound, inboxes: &mut Inboxes) {
        match inbound {
            Inbound::Open { session, info, events, outbox } => {
                inboxes.insert(session, events);
                self.open(session, info, outbox);
            }
            Inbound::Drained { session } => self.drained(session),
            Inbound::Commands { session, submission } => self.submit(now, wall, session, submission),
            Inbound::Close { session } => {
                inboxes.remove(session);
                self.close(session);
            }
        }
    }

    /// A session begins. On a node that does not serve it is told [`SessionEvent::Closed`].
    /// Its deliveries are counted in `outbox` until they have reached its socket.
    pub fn open(&mut self, session: SessionId, info: SessionInfo, outbox: Outbox) {
        match &mut self.serving {
            Some(serving) => serving.open(session, info, outbox),
            None => {
                let reason = "this node does not serve".to_owned();
                self.farewells.push((session, vec![SessionEvent::Closed { reason }]));
            }
        }
    }

    /// The client of a session has read what was too much: there is room in its outbox again.
    fn drained(&mut self, session: SessionId) {
        if let Some(serving) = &mut self.serving {
            serving.drained(session);
        }
    }

    /// A session ends: what it holds is released, its temporary destinations go.
    pub fn close(&mut self, session: SessionId) {
        if let Some(serving) = &mut self.serving {
            serving.close(session);
        }
    }

    /// Carries out what a session submitted at once, in order. A command for which there is no room waits in its session,
    /// and the session's later ones behind it; the broker goes on with them by itself. The submission's [`Turn`] is given
    /// back with its last command, which is what bounds a session whose commands wait.
    pub fn submit(&mut self, now: Duration, wall: i64, session: SessionId, submission: Submission) {
        if let Some(serving) = &mut self.serving {
            serving.set_time(now, wall);
            serving.submit(&self.state, session, submission);
        }
    }

    /// Time passes: expiry, and what leaves memory. To be called every 50 to 100 ms.
    pub fn tick(&mut self, now: Duration, wall: i64) {
        if let Some(serving) = &mut self.serving {
            serving.set_time(now, wall);
            serving.tick();
        }
    }

    /// The answer to a read. An error stands for damage: the queue stops, so that no message is skipped.
    pub fn loaded(&mut self, read: ReadId, result: Result<Vec<Loaded>, String>) {
        if let Some(serving) = &mut self.serving {
            serving.loaded(&self.state, read, result);
        }
    }

    /// The answer to [`Output::expiry`]. An error stands for damage, as with [`Broker::loaded`].
    pub fn expired(&mut self, read: ReadId, result: Result<Expired, String>) {
        if let Some(serving) = &mut self.serving {
            serving.expired(&self.state, read, result);
        }
    }

    /// A temporary file was written, or could not be.
    pub fn spilled(&mut self, spill: SpillId, written: bool) {
        if let Some(serving) = &mut self.serving {
            serving.spilled(spill, written);
        }
    }

    /// The answer to [`Spill::Read`]; nothing if the file's messages are lost.
    pub fn unspilled(&mut self, spill: SpillId, found: Option<Spilled>) {
        if let Some(serving) = &mut self.serving {
            serving.unspilled(spill, found);
        }
    }

    /// What is to be done now. To be called after each round of the calls above: dispatch happens here, and the
    /// acknowledgements of the whole round become one record per destination.
    pub fn take_output(&mut self, now: Duration) -> Output {
        let mut output = match &mut self.serving {
            Some(serving) => serving.take_output(&self.state, now),
            None => Output::default(),
        };
        output.events.append(&mut self.farewells);
        if std::mem::take(&mut self.spills_over) {
            output.spills.insert(0, Spill::RemoveAll);
        }
        output
    }

    /// What destinations and sessions count of themselves. A handle serves for as long as the process lasts, in every role.
    pub fn figures(&self) -> &Figures {
        self.book.figures()
    }

    /// Panics when something does not hold that must hold between any two calls.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        match &self.serving {
            Some(serving) => serving.check(&self.state),
            None => self.book.check(&self.state),
        }
    }
}
