//! Sessions as the master sees them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::broker::deliveries::{Deliveries, Delivery, Held};
use crate::broker::figures::SessionFigures;
use crate::broker::subscription::{SubscriberId, Subscription};
use crate::broker::table::Table;
use crate::broker::{
    Command, Correlation, DeliveryId, Outbox, Principal, ProducerKey, Refusal, SessionEvent, SessionId,
    SessionInfo, SubscriptionKey, TransactionKey, Turn,
};
use crate::model::{
    Destination, DestinationId, DestinationKind, Field, Message, Pattern, ToldConnection, ToldDestination,
    ToldProducer,
};
use crate::security::Permission;

use super::send::Transaction;

/// Who is told when something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct Waiter {
    pub(in crate::broker) session: SessionId,
    pub(in crate::broker) correlation: Option<Correlation>,
}

/// What a consumer is told about a delivery beside the message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) redelivered: bool,
    pub(super) first_of_group: bool,
}

/// One session.
#[derive(Debug)]
pub(super) struct Client {
    figures: Arc<SessionFigures>,
    principal: Principal,
    pub(super) outbox: Outbox,
    pub(super) subscriptions: BTreeMap<SubscriptionKey, SubscriberId>,
    pub(super) temporary: Vec<DestinationId>,
    /// Where each producer sends to.
    producers: BTreeMap<ProducerKey, Option<ToldDestination>>,
    pub(super) transactions: BTreeMap<TransactionKey, Transaction>,
    pub(super) deliveries: Deliveries,
    /// Its commands in the log's pipeline, and the bytes of their messages.
    pub(super) pending: usize,
    pub(super) pending_bytes: usize,
    /// Those of them that show messages which are not in the log when they are committed.
    pub(super) showing: usize,
    /// Who waits until none of them is left.
    leaving: Option<Correlation>,
    /// Commands that wait for room.
    waiting: VecDeque<Waiting>,
    /// How many of them nothing may overtake.
    waiting_ordered: usize,
    events: Vec<SessionEvent>,
}

/// A command that waits for room.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) turn: Option<Turn>,
    /// Whether it leaves nothing behind that lasts, so that its place among the session's settles does not matter.
    pub(super) is_fleeting: bool,
}

impl Client {
    pub(super) fn new(figures: Arc<SessionFigures>, principal: Principal, outbox: Outbox) -> Client {
        Client {
            deliveries: Deliveries::new(Arc::clone(&figures)),
            figures,
            principal,
            outbox,
            subscriptions: BTreeMap::new(),
            temporary: Vec::new(),
            producers: BTreeMap::new(),
            transactions: BTreeMap::new(),
            pending: 0,
            pending_bytes: 0,
            showing: 0,
            leaving: None,
            waiting: VecDeque::new(),
            waiting_ordered: 0,
            events: Vec::new(),
        }
    }

    /// Whether it may have a destination made by its first use.
    pub(super) fn may_make(&self, destination: &Destination) -> Result<(), Refusal> {
        let Principal::Known(account) = &self.principal else { return Ok(()) };
        let made = account.check(Permission::Admin, "create", destination.kind, &destination.name);
        made.map_err(|denied| Refusal::Denied(denied.to_string()))
    }

    /// Whether it may write to a destination.
    pub(super) fn may_write(&self, destination: &Destination) -> Result<(), Refusal> {
        let Principal::Known(account) = &self.principal else { return Ok(()) };
        let written = account.check(Permission::Write, "write to", destination.kind, &destination.name);
        written.map_err(|denied| Refusal::Denied(denied.to_string()))
    }

    pub(super) fn subscribe(&mut self, key: SubscriptionKey, subscriber: SubscriberId) {
        self.subscriptions.insert(key, subscriber);
        self.figures.subscriptions.set(self.subscriptions.len() as u64);
    }

    pub(super) fn unsubscribe(&mut self, key: SubscriptionKey) {
        self.subscriptions.remove(&key);
        self.figures.subscriptions.set(self.subscriptions.len() as u64);
    }

    /// What makes room goes past sends that leave nothing in the log: it may be what those wait for. It waits behind
    /// anything else, because a client that sends on what it consumed relies on that order; unless it settles copies,
    /// which nobody consumes again.
    pub(super) fn may_overtake(&self, command: &Command) -> bool {
        command.is_light() && (self.waiting_ordered == 0 || self.settles_copies(command))
    }

    fn settles_copies(&self, command: &Command) -> bool {
        let is_copy =
            |id: &DeliveryId| self.deliveries.get(*id).is_none_or(|it| matches!(it.held, Held::Copy));
        matches!(command, Command::Settle { deliveries, .. } if deliveries.iter().all(is_copy))
    }

    /// The command that waits longest.
    pub(super) fn first_waiting(&self) -> Option<&Command> {
        self.waiting.front().map(|waiting| &waiting.command)
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting_ordered += usize::from(!waiting.is_fleeting);
        self.waiting.push_back(waiting);
    }

    pub(super) fn take_waiting(&mut self) -> Option<Waiting> {
        let taken = self.waiting.pop_front()?;
        self.waiting_ordered -= usize::from(!taken.is_fleeting);
        Some(taken)
    }

    /// Whose it is.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The client's name for its connection.
    pub(super) fn connection(&self) -> &str {
        &self.figures.info().connection
    }

    /// What others are told of it.
    pub(super) fn told(&self) -> ToldConnection {
        let SessionInfo { client_id, connection, .. } = self.figures.info();
        ToldConnection { connection: connection.clone(), client_id: client_id.clone() }
    }

    /// Adds a producer; returns whether its name was free.
    pub(super) fn add_producer(&mut self, key: ProducerKey, destination: Option<ToldDestination>) -> bool {
        let is_free = !self.producers.contains_key(&key);
        self.producers.entry(key).or_insert(destination);
        is_free
    }

    /// Removes a producer; it is what others are told of it.
    pub(super) fn remove_producer(&mut self, key: ProducerKey) -> Option<ToldProducer> {
        let destination = self.producers.remove(&key)?;
        Some(ToldProducer { connection: self.connection().to_owned(), number: key.0, destination })
    }

    /// All producers, as others are told of them.
    pub(super) fn producers(&self) -> impl ExactSizeIterator<Item = (ProducerKey, ToldProducer)> {
        self.producers.iter().map(|(key, destination)| {
            let (connection, destination) = (self.connection().to_owned(), destination.clone());
            (*key, ToldProducer { connection, number: key.0, destination })
        })
    }

    /// The client's name for itself; empty if it has none.
    pub(super) fn client_id(&self) -> &str {
        self.figures.client_id()
    }
}

/// All sessions, and which of them have events to take.
#[derive(Debug, Default)]
pub(super) struct Clients {
    clients: Table<SessionId, Client>,
    told: Vec<SessionId>,
    /// Bytes of messages in the log's pipeline, for all sessions that are or were.
    pending_bytes: usize,
    /// Who wants to know when nothing more can be delivered to a subscription.
    drains: Vec<(SubscriberId, Waiter)>,
}

impl Clients {
    pub(super) fn insert(&mut self, id: SessionId, client: Client) {
        self.clients.insert(id, client);
    }

    pub(super) fn remove(&mut self, id: SessionId) {
        self.clients.remove(&id);
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Client> {
        self.clients.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Client> {
        self.clients.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionId, &Client)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    pub(super) fn tell(&mut self, id: SessionId, event: SessionEvent) {
        if let Some(client) = self.clients.get_mut(&id) {
            if client.events.is_empty() {
                self.told.push(id);
            }
            client.events.push(event);
        }
    }

    /// Answers whoever wants an answer.
    pub(super) fn answer(&mut self, waiter: Waiter, result: Result<(), Refusal>) {
        if let Some(correlation) = waiter.correlation {
            self.tell(waiter.session, SessionEvent::Done { correlation, result });
        }
    }

    /// Bytes of messages in the log's pipeline.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// A command entered the log's pipeline.
    pub(super) fn begin_pending(&mut self, waiter: Waiter, bytes: usize) {
        self.pending_bytes += bytes;
        if let Some(client) = self.clients.get_mut(&waiter.session) {
            client.pending += 1;
            client.pending_bytes += bytes;
        }
    }

    /// A command entered it that shows more with its commit than what is in the log, if `shows`.
    pub(super) fn begin_showing(&mut self, waiter: Waiter, bytes: usize, shows: bool) {
        self.begin_pending(waiter, bytes);
        if let Some(client) = self.clients.get_mut(&waiter.session) {
            client.showing += usize::from(shows);
        }
    }

    /// It is about to show it.
    pub(super) fn end_showing(&mut self, waiter: Waiter, shows: bool) {
        if let Some(client) = self.clients.get_mut(&waiter.session) {
            client.showing -= usize::from(shows);
        }
    }

    /// It is applied.
    pub(super) fn end_pending(&mut self, waiter: Waiter, bytes: usize) {
        self.pending_bytes -= bytes;
        if let Some(client) = self.clients.get_mut(&waiter.session) {
            client.pending -= 1;
            client.pending_bytes -= bytes;
            let left = if client.pending == 0 { client.leaving.take() } else { None };
            self.answer(waiter, Ok(()));
            self.answer(Waiter { correlation: left, ..waiter }, Ok(()));
        }
    }

    /// Answers when nothing of the session is in the log's pipeline.
    pub(super) fn leave(&mut self, waiter: Waiter) {
        match self.clients.get_mut(&waiter.session) {
            Some(client) if client.pending > 0 => client.leaving = waiter.correlation,
            _ => self.answer(waiter, Ok(())),
        }
    }

    /// Delivers a message; the caller has seen that there is credit.
    pub(super) fn deliver(
        &mut self,
        (subscriber, subscription): (SubscriberId, &mut Subscription),
        held: Held,
        from: Option<&Destination>,
        message: Message,
        marks: Marks,
    ) {
        let Some(client) = self.clients.get_mut(&subscription.session) else { return };
        let failures = match &held {
            Held::Stored { failures, .. } => *failures,
            Held::Transient { entry, .. } => entry.failures,
            Held::Copy => 0,
        };
        let delivery = client.deliveries.insert(Delivery { subscriber, held });
        subscription.outstanding += 1;
        subscription.outbox.put(message.encoded().len());
        if client.events.is_empty() {
            self.told.push(subscription.session);
        }
        let topics = subscription.topics.as_ref();
        let destination = from.and_then(|from| shown_destination(&message, from, topics)).map(Box::new);
        let subscription = subscription.key;
        let Marks { redelivered, first_of_group } = marks;
        let event = SessionEvent::Delivery {
            subscription,
            delivery,
            destination,
            message,
            redelivered,
            first_of_group,
            failures,
        };
        client.events.push(event);
    }

    /// Somebody wants to know when nothing more can be delivered to a subscription.
    pub(super) fn drain(&mut self, subscriber: SubscriberId, waiter: Waiter) {
        self.drains.push((subscriber, waiter));
    }

    /// Those who want to know.
    pub(super) fn take_drains(&mut self) -> Vec<(SubscriberId, Waiter)> {
        std::mem::take(&mut self.drains)
    }

    pub(super) fn take_events(&mut self) -> Vec<(SessionId, Vec<SessionEvent>)> {
        let mut out = Vec::with_capacity(self.told.len());
        for id in self.told.drain(..) {
            if let Some(client) = self.clients.get_mut(&id) {
                out.push((id, std::mem::take(&mut client.events)));
            }
        }
        out
    }

    pub(super) fn into_farewells(self, reason: &str) -> Vec<(SessionId, Vec<SessionEvent>)> {
        let mut out: Vec<_> = self.clients.into_iter().map(|(id, client)| (id, client.events)).collect();
        out.sort_by_key(|(id, _)| *id);
        for (_, events) in &mut out {
            events.push(SessionEvent::Closed { reason: reason.to_owned() });
        }
        out
    }
}

/// Where a message comes from that was taken out of `from`, unless it says so itself; `topics` are those of a durable
/// subscription.
fn shown_destination(message: &Message, from: &Destination, topics: Option<&Pattern>) -> Option<Destination> {
    // They come first, as tags ascend.
    let mut fields = message.fields().take_while(|(tag, _)| *tag == Field::Destination as u8);
    let only = fields.next().filter(|_| fields.next().is_none());
    match (topics, only) {
        (None, Some((_, field))) if field_kind(field) == Some(from.kind) => None,
        (None, _) => Some(from.clone()),
        (Some(_), Some(_)) => None,
        (Some(topics), None) => {
            message.destinations(Field::Destination).find(|it| it.kind.is_topic() && topics.matches(&it.name))
        }
    }
}

/// The kind in a message's field.
pub(super) fn field_kind(field: &[u8]) -> Option<DestinationKind> {
    DestinationKind::from_code(*field.first()?)
}
