//! The serving master at work: sessions, destinations in memory, what is on its way through the log.
//!
//! All of it is forgotten when the mastership ends. The files beside this one are its verbs.

mod acknowledge;
mod advisories;
mod applied;
mod browse;
#[cfg(test)]
mod check;
mod dead_letter;
mod directory;
mod disk;
mod dispatch;
mod operate;
mod producers;
mod send;
mod sessions;
mod settle;
mod subscribe;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::bugs;
use crate::model::{DestinationId, Record};
use crate::state::State;

use super::destination::{Census, Queue, Router, Topic};
use super::figures::{Book, DestinationFigures, Figures, SessionFigures};
use super::output::Output;
use super::subscription::{SubscriberId, Subscription};
use super::table::Table;
use super::{BrokerOptions, Command, Outbox, Refusal, SessionEvent, SessionId, SessionInfo, Submission};

use acknowledge::Acknowledgements;
use applied::Pending;
use disk::{Expirer, Reads, Spills};
use operate::{Tended, Transfers};
pub(super) use sessions::Waiter;
use sessions::{Client, Clients, Waiting};

/// Ids from here on are temporary destinations, which the log never sees.
const TEMPORARY_FIRST: u32 = 1 << 31;

/// The number of the next destination, and of the next temporary one.
#[derive(Debug)]
struct Numbers {
    destination: u32,
    temporary: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Serving {
    options: BrokerOptions,
    figures: Figures,
    now: Duration,
    wall: i64,
    allowed: bool,
    /// Whether sends that would be stored wait.
    stores_held: bool,
    clients: Clients,
    subscriptions: Table<SubscriberId, Subscription>,
    subscriptions_made: u64,
    census: Census,
    queues: Table<DestinationId, Queue>,
    topics: Table<DestinationId, Topic>,
    router: Router,
    numbers: Numbers,
    /// What the groups in the log's pipeline are for, in order.
    pending: VecDeque<Pending>,
    proposals: Vec<Vec<Record>>,
    acknowledgements: Acknowledgements,
    /// Queues that may have something to deliver.
    dirty: Vec<DestinationId>,
    /// Subscriptions that got credit.
    refilled: Vec<SubscriberId>,
    /// Browsers that have looked at enough for one turn.
    sifting: BTreeSet<SubscriberId>,
    /// Sessions whose commands wait, in the order in which they began to.
    held: VecDeque<SessionId>,
    /// Whether there may be room for them.
    freed: bool,
    reads: Reads,
    /// Bytes of non-persistent messages in memory, and of topics' messages that wait.
    memory: usize,
    spills: Spills,
    /// Bytes in the windows of all queues.
    window_bytes: usize,
    /// Whether idle windows may be searched for room; once per tick, as it costs a pass over all queues.
    may_reclaim: bool,
    tended: Tended,
    expiry: Expirer,
    transfers: Transfers,
    damages: Vec<String>,
}

impl Serving {
    pub(super) fn new(
        options: BrokerOptions,
        (state, book): (&State, &Book),
        reads_asked: u64,
        spills_made: u64,
    ) -> Serving {
        let mut serving = Serving {
            options,
            figures: book.figures().clone(),
            now: Duration::ZERO,
            wall: 0,
            allowed: false,
            stores_held: false,
            clients: Clients::default(),
            subscriptions: Table::default(),
            subscriptions_made: 0,
            census: Census::default(),
            queues: Table::default(),
            topics: Table::default(),
            router: Router::default(),
            numbers: Numbers { destination: state.next_destination().0, temporary: TEMPORARY_FIRST },
            pending: VecDeque::new(),
            proposals: Vec::new(),
            acknowledgements: Acknowledgements::default(),
            dirty: Vec::new(),
            refilled: Vec::new(),
            sifting: BTreeSet::new(),
            held: VecDeque::new(),
            freed: false,
            reads: Reads::new(reads_asked),
            memory: 0,
            spills: Spills::new(spills_made),
            window_bytes: 0,
            may_reclaim: true,
            tended: Tended::default(),
            expiry: Expirer::default(),
            transfers: Transfers::default(),
            damages: Vec::new(),
        };
        for (id, destination) in state.destinations() {
            let blank = || {
                let subscription = destination.subscription().cloned();
                Arc::new(DestinationFigures::of(destination.destination().clone(), subscription))
            };
            serving.install(id, book.get(id).cloned().unwrap_or_else(blank), Some(destination));
        }
        for destination in serving.options.census.at_start.clone() {
            if serving.known(&destination).is_none() {
                serving.create(destination, Pending::Nobody);
            }
        }
        serving
    }

    pub(super) fn set_time(&mut self, now: Duration, wall: i64) {
        self.now = now;
        self.wall = wall;
    }

    pub(super) fn reads_asked(&self) -> u64 {
        self.reads.made()
    }

    pub(super) fn spills_made(&self) -> u64 {
        self.spills.made()
    }

    pub(super) fn into_farewells(self, reason: &str) -> Vec<(SessionId, Vec<SessionEvent>)> {
        self.clients.into_farewells(reason)
    }

    pub(super) fn allow(&mut self, allowed: bool) {
        if allowed && !self.allowed {
            let ids: Vec<_> = self.queues.keys().copied().collect();
            ids.into_iter().for_each(|id| self.touch(id));
            self.refilled.extend(self.subscriptions.keys());
        }
        self.allowed = allowed;
    }

    pub(super) fn hold_stores(&mut self, held: bool) {
        self.freed |= self.stores_held && !held;
        self.stores_held = held;
    }

    pub(super) fn open(&mut self, session: SessionId, info: SessionInfo, outbox: Outbox) {
        let principal = info.principal.clone();
        let figures = Arc::new(SessionFigures::new(session, info));
        self.figures.open(Arc::clone(&figures));
        self.clients.insert(session, Client::new(figures, principal, outbox));
        self.announce_connection(session, false);
    }

    pub(super) fn drained(&mut self, session: SessionId) {
        let client = self.clients.get(session);
        self.refilled.extend(client.into_iter().flat_map(|client| client.subscriptions.values()));
    }

    pub(super) fn close(&mut self, session: SessionId) {
        let Some(client) = self.clients.get(session) else { return };
        let subscribers: Vec<_> = client.subscriptions.values().copied().collect();
        let temporary = client.temporary.clone();
        subscribers.into_iter().for_each(|subscriber| self.end_subscription(subscriber, &[]));
        self.release_orphans(session, |_| true);
        temporary.into_iter().for_each(|id| self.remove_temporary(id, session));
        self.transfers.forget(session);
        self.end_producers(session);
        self.announce_connection(session, true);
        self.clients.remove(session);
        self.figures.close(session);
        self.held.retain(|it| *it != session);
    }

    /// Carries out commands in order; from the first one without room on they wait.
    pub(super) fn submit(&mut self, state: &State, id: SessionId, submission: Submission) {
        let Submission { commands, mut turn } = submission;
        let mut commands = commands.into_iter();
        while let Some(command) = commands.next() {
            let Some(client) = self.clients.get(id) else { return };
            let turn = if commands.len() == 0 { turn.take() } else { None };
            if (client.first_waiting().is_none() || client.may_overtake(&command))
                && self.has_room(id, &command)
            {
                self.execute(state, id, command);
                continue;
            }
            let is_fleeting = self.is_fleeting(&command);
            if let Some(client) = self.clients.get_mut(id) {
                if client.first_waiting().is_none() {
                    self.held.push_back(id);
                }
                client.wait(Waiting { command, turn, is_fleeting });
            }
        }
    }

    /// Carries out the waiting commands of one session as far as there is room; returns whether any are left.
    fn resume(&mut self, state: &State, id: SessionId) -> bool {
        loop {
            let Some(command) = self.clients.get(id).and_then(Client::first_waiting) else {
                return false;
            };
            if !self.has_room(id, command) {
                return true;
            }
            let Some(Waiting { command, turn, .. }) = self.clients.get_mut(id).and_then(Client::take_waiting)
            else {
                return false;
            };
            self.execute(state, id, command);
            drop(turn);
        }
    }

    fn execute(&mut self, state: &State, id: SessionId, command: Command) {
        let waiter = |correlation| Waiter { session: id, correlation };
        match command {
            Command::Send { message, transaction: None, correlation } => {
                self.send(message, waiter(correlation));
            }
            Command::Settle { deliveries, verdict, transaction: None, correlation } => {
                self.settle(&deliveries, verdict, waiter(correlation));
            }
            Command::Subscribe { subscription, destination, options, correlation } => {
                self.subscribe(state, waiter(correlation), subscription, destination, options);
            }
            Command::Unsubscribe { subscription, transacted, correlation } => {
                let found = self.clients.get(id).and_then(|it| it.subscriptions.get(&subscription).copied());
                let unknown = || Refusal::Invalid("there is no such subscription".into());
                let result = found.ok_or_else(unknown).map(|it| self.end_subscription(it, &transacted));
                self.clients.answer(waiter(correlation), result);
            }
            Command::RemoveSubscription { client_id, name, correlation } => {
                self.remove_durable(waiter(correlation), client_id, &name);
            }
            Command::Produce { producer, destination, correlation } => {
                self.produce(waiter(correlation), producer, destination);
            }
            Command::EndProducer { producer } => self.end_producer(id, producer),
            Command::Credit { subscription, prefetch } => self.credit(id, subscription, prefetch),
            Command::Drain { subscription, correlation } => self.drain(waiter(correlation), subscription),
            Command::Abandon { deliveries } => self.abandon(id, &deliveries),
            Command::Create { destination, correlation } => {
                self.create_by(waiter(correlation), destination);
            }
            Command::Delete { destination, if_empty, correlation } => {
                self.delete_by(waiter(correlation), &destination, if_empty);
            }
            Command::Purge { destination, correlation } => {
                self.purge(state, waiter(correlation), &destination);
            }
            Command::Transfer { from, transfer, correlation } => {
                self.transfer(state, waiter(correlation), &from, transfer);
            }
            Command::Pause { destination, paused, correlation } => {
                self.pause(waiter(correlation), &destination, paused);
            }
            Command::Leave { correlation } => {
                self.acknowledgements.hurry();
                self.clients.leave(waiter(correlation));
            }
            Command::Begin { transaction, correlation } => self.begin(waiter(correlation), transaction),
            Command::Finish { transaction, commit, correlation } => {
                self.finish(waiter(correlation), transaction, commit);
            }
            Command::Send { transaction: Some(_), .. } | Command::Settle { transaction: Some(_), .. } => {
                self.keep(id, command);
            }
        }
    }

    /// Asks for a group in the log.
    fn propose(&mut self, group: Vec<Record>, pending: Pending) {
        debug_assert!(!group.is_empty());
        self.proposals.push(group);
        self.pending.push_back(pending);
    }

    /// Ends the round. Its acknowledgements stand behind its sends in the log: who sends on what it consumed and then
    /// settles it must not find the second without the first after a failover.
    fn propose_acknowledgements(&mut self) {
        let Some((group, waiters)) = self.acknowledgements.end_round(self.now, !self.proposals.is_empty())
        else {
            return;
        };
        if bugs::on("settle_in_memory_only") {
            waiters.into_iter().for_each(|waiter| self.clients.answer(waiter, Ok(())));
        } else if !group.is_empty() {
            self.propose(group, Pending::Many(waiters));
        }
    }

    /// A queue may have something to deliver.
    fn touch(&mut self, id: DestinationId) {
        if let Some(queue) = self.queues.get_mut(&id)
            && !queue.dirty
        {
            queue.dirty = true;
            self.dirty.push(id);
        }
    }

    pub(super) fn tick(&mut self) {
        self.may_reclaim = true;
        // What others gave back makes room for those that were refused, and nobody else tells them.
        if self.clients.iter().next().is_some_and(|(_, client)| client.outbox.was_contended()) {
            self.refilled.extend(self.subscriptions.keys());
        }
        if self.spills.are_due(self.now) {
            self.spill_longest();
        }
        self.look_for_expired();
        self.end_gathering();
    }

    pub(super) fn take_output(&mut self, state: &State, now: Duration) -> Output {
        self.now = now;
        self.refilled.extend(std::mem::take(&mut self.sifting));
        self.go_on_with_transfers(state);
        self.delete_idle(state);
        self.dispatch(state);
        self.answer_drains();
        self.read_expired(state);
        self.propose_acknowledgements();
        let goes_on = !self.sifting.is_empty() || self.transfers.any_ready();
        Output {
            proposals: std::mem::take(&mut self.proposals),
            reads: self.reads.take_requests(),
            expiry: self.expiry.take_asked(),
            spills: self.spills.take_asked(),
            events: self.clients.take_events(),
            damages: std::mem::take(&mut self.damages),
            again: if goes_on { Some(now) } else { self.acknowledgements.until() },
        }
    }
}
