//! Sending: where a message goes, whether there is room for it, and transactions.

use smallvec::SmallVec;

use crate::broker::deliveries::Held;
use crate::broker::limits::Spread;
use crate::broker::subscription::{Source, Subscription, evict};
use crate::broker::{Command, Correlation, DeliveryId, Refusal, SessionId, TransactionKey, Verdict};
use crate::bugs;
use crate::model::{
    Destination, DestinationId, DestinationKind, Field, Message, Outcome, Place, Places, Record, Sequence,
};

use super::Serving;
use super::acknowledge::settle_records;
use super::applied::{Late, Pending};
use super::directory::is_temporary;
use super::sessions::{Marks, Waiter, field_kind};

/// An open transaction: nothing of it has happened.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    sends: Vec<Message>,
    settles: Vec<(Vec<DeliveryId>, Verdict)>,
    /// Records that it becomes, at most, and the bytes of their messages.
    copies: usize,
    bytes: usize,
    /// Why it cannot be committed.
    refusal: Option<Refusal>,
}

/// The records of one command or transaction, while they are collected.
#[derive(Default)]
pub(super) struct Collected {
    group: Vec<Record>,
    late: Vec<Late>,
    bytes: usize,
}

/// One message on its way to its places.
struct Copies<'a> {
    message: &'a Message,
    from: SessionId,
    transacted: bool,
    places: Places,
    /// What has kept it of its topics.
    kept: SmallVec<[DestinationId; 4]>,
}

impl Collected {
    /// The records, what is shown with them, and the bytes of their messages.
    pub(super) fn into_parts(self) -> (Vec<Record>, Vec<Late>, usize) {
        (self.group, self.late, self.bytes)
    }

    /// The records, for those that are no messages.
    pub(super) fn records(&mut self) -> &mut Vec<Record> {
        &mut self.group
    }

    /// A message is written once for all these places.
    pub(super) fn put(&mut self, places: Places, message: &Message) {
        self.bytes += message.encoded().len();
        self.group.push(Record::Message { places, message: message.clone() });
    }
}

impl Serving {
    /// Whether a command can be carried out now. What it waits for: its session's groups in the pipeline, room on the
    /// disks for what is stored, memory for non-persistent messages, or a topic's slowest subscription.
    pub(super) fn has_room(&self, id: SessionId, command: &Command) -> bool {
        let Some(client) = self.clients.get(id) else { return true };
        let options = &self.options;
        if client.pending >= options.session.pending_max
            || client.pending_bytes >= options.session.pending_bytes_max
        {
            return false;
        }
        let sends = match command {
            Command::Send { message, transaction: None, .. } => {
                if !self.topics_have_room(message) {
                    return false;
                }
                std::slice::from_ref(message)
            }
            Command::Finish { transaction, commit: true, .. } => {
                client.transactions.get(transaction).map_or(&[][..], |open| &open.sends)
            }
            _ => return true,
        };
        let disks_full = self.stores_held || self.clients.pending_bytes() >= options.pipeline_bytes_max;
        // What is shown with a commit that is under way stands before what is shown now.
        let memory_full = self.memory >= options.memory_limit || client.showing > 0;
        let waits = disks_full && sends.iter().any(|message| self.enters_log(message))
            || memory_full && sends.iter().any(|message| self.enters_memory(message))
            || self.options.policies.bound_memory() && !sends.iter().all(|it| self.queues_have_room(it));
        !waits
    }

    /// Whether a message in a queue enters the log.
    fn is_stored(&self, message: &Message) -> bool {
        message.persistent() && !self.options.volatile
    }

    /// Whether a message takes room on the disk: it is stored in at least one queue.
    fn enters_log(&self, message: &Message) -> bool {
        let is_kept = |field: &[u8]| match field_kind(field) {
            Some(DestinationKind::Queue) => true,
            Some(DestinationKind::Topic) => {
                self.census.find(field).is_some_and(|id| self.router.routes(id).is_some())
            }
            _ => false,
        };
        self.is_stored(message) && destination_fields(message).any(is_kept)
    }

    /// Whether a command is a send that leaves nothing in the log.
    pub(super) fn is_fleeting(&self, command: &Command) -> bool {
        matches!(command, Command::Send { message, transaction: None, .. } if !self.enters_log(message))
    }

    /// Whether a message is held in memory without being in the log: for topics, or in queues.
    pub(super) fn enters_memory(&self, message: &Message) -> bool {
        let is_topic = |field: &[u8]| field_kind(field).is_some_and(DestinationKind::is_topic);
        !self.is_stored(message) || destination_fields(message).any(is_topic)
    }

    /// Whether those of the message's queues have memory for it whose policies bound that.
    fn queues_have_room(&self, message: &Message) -> bool {
        let has_room = |id| {
            let queue = self.queues.get(&id);
            queue.is_none_or(|it| !it.standing().policy().producer_flow_control || !it.fills(100))
        };
        self.is_stored(message)
            || destination_fields(message).filter_map(|field| self.census.find(field)).all(has_room)
    }

    /// Whether every subscription of the message's topics that selects it can take one more.
    pub(super) fn topics_have_room(&self, message: &Message) -> bool {
        let has_room = |subscription: &Subscription| match &subscription.source {
            Source::Topics(_, backlog) => {
                backlog.messages.len() < self.options.backlog_entries_max
                    && backlog.bytes < self.options.backlog_bytes_max
                    || !subscription.selects(message, 0)
            }
            _ => true,
        };
        destination_fields(message)
            .filter(|field| field_kind(field).is_some_and(DestinationKind::is_topic))
            .all(|field| {
                let topic = self.census.find(field).and_then(|id| self.topics.get(&id));
                topic.is_none_or(|topic| {
                    // What waits for those who are slow makes way.
                    let evicts = topic.policy().pending_messages_max.is_some() && !message.persistent();
                    evicts
                        || topic.subscribers.iter().filter_map(|it| self.subscriptions.get(it)).all(has_room)
                })
            })
    }

    /// Sends a message to all its destinations, or to none of them.
    pub(super) fn send(&mut self, message: Message, waiter: Waiter) {
        let admitted = Spread::admit(&message, &self.options);
        let targets = match admitted.and_then(|_| self.targets(&message, waiter.session)) {
            Ok(targets) => targets,
            Err(refusal) => return self.clients.answer(waiter, Err(refusal)),
        };
        let mut collected = Collected::default();
        self.collect(&message, &targets, waiter.session, false, &mut collected);
        let Collected { group, bytes, .. } = collected;
        if group.is_empty() {
            return self.clients.answer(waiter, Ok(()));
        }
        self.clients.begin_pending(waiter, bytes);
        self.propose(group, Pending::One { waiter, bytes });
    }

    /// The numbers of a message's destinations; makes those that are new, once it is clear that none is refused.
    pub(super) fn targets(&mut self, message: &Message, session: SessionId) -> Result<Targets, Refusal> {
        let mut targets = Targets { due: self.due_time(message)?, ..Targets::default() };
        for field in destination_fields(message) {
            if field_kind(field).is_some_and(|kind| !kind.has_names()) {
                return Err(Refusal::Invalid("nothing is sent there by that name".into()));
            }
            if let Some(id) = self.census.find(field) {
                targets.push(id);
                continue;
            }
            let destination = read_destination(field)?;
            self.may_make(session, &destination)?;
            self.may_create(&destination)?;
            targets.missing.push(destination);
        }
        for destination in std::mem::take(&mut targets.missing) {
            let id = self.find_or_create(&destination)?;
            targets.push(id);
        }
        if targets.is_empty() {
            return Err(Refusal::Invalid("a message needs a destination".into()));
        }
        Ok(targets)
    }

    /// Gives a message to its destinations. What goes through the log is collected as records; the rest happens now, or
    /// with the group's commit if it is `transacted`.
    pub(super) fn collect(
        &mut self,
        message: &Message,
        targets: &Targets,
        from: SessionId,
        transacted: bool,
        to: &mut Collected,
    ) {
        if let Some(due) = targets.due {
            return self.put_off(message, due, to);
        }
        let mut copies =
            Copies { message, from, transacted, places: Places::default(), kept: SmallVec::new() };
        for id in targets.iter() {
            if self.queues.contains_key(&id) {
                self.copy(id, &mut copies, to);
                continue;
            }
            if self.is_expired(message) {
                continue;
            }
            if self.scheduler.is_management(id) {
                self.manage_schedule(message, from, to);
                continue;
            }
            if let Some(routes) = self.router.routes(id).cloned() {
                self.copy_routes(&routes, &mut copies, to);
            }
            match transacted {
                true => to.late.push(Late::Topic { topic: id, message: message.clone(), from }),
                false => self.publish(id, message, from),
            }
        }
        if !copies.places.is_empty() {
            to.put(copies.places, message);
        }
    }

    /// Gives a topic's message to what keeps it. What means several of the message's topics gets it once.
    fn copy_routes(&mut self, routes: &[DestinationId], copies: &mut Copies<'_>, to: &mut Collected) {
        let client_id = self.clients.get(copies.from).map_or("", |client| client.client_id());
        let before = copies.kept.len();
        for id in routes {
            if !copies.kept[..before].contains(id) && self.router.wants(*id, copies.message, client_id) {
                copies.kept.push(*id);
            }
        }
        for at in before..copies.kept.len() {
            self.copy(copies.kept[at], copies, to);
        }
    }

    /// Gives a message to a queue, or to what keeps a topic's messages.
    fn copy(&mut self, id: DestinationId, copies: &mut Copies<'_>, to: &mut Collected) {
        let message = copies.message;
        let stored = self.is_stored(message) && !is_temporary(id);
        let expired = self.is_expired(message);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        match (stored, expired) {
            (true, false) => {
                let sequence = Sequence(queue.assign());
                if bugs::on("dispatch_before_commit") {
                    self.window_bytes +=
                        queue.backlog.offer(sequence.0, message.clone(), usize::MAX, usize::MAX);
                    self.touch(id);
                }
                let place = Place { destination: id, sequence };
                if bugs::on("composite_unbounded") {
                    to.put(place.into(), message);
                } else if !copies.places.push(place) {
                    to.put(std::mem::replace(&mut copies.places, place.into()), message);
                }
            }
            (true, true) => {
                to.bytes += message.encoded().len();
                to.group.extend(self.dead_copy(id, message, Outcome::Expired));
            }
            (false, true) => {}
            (false, false) => {
                let (after, message) = (queue.assigned - 1, message.clone());
                match copies.transacted {
                    true => to.late.push(Late::Transient { queue: id, after, message }),
                    false => self.enter_transient(id, after, message),
                }
            }
        }
    }

    /// A non-persistent message enters a queue, behind the sequence `after`.
    pub(super) fn enter_transient(&mut self, id: DestinationId, after: u64, message: Message) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        self.memory += message.encoded().len();
        queue.enter(after, message);
        queue.figures.enqueued.add(1);
        self.touch(id);
        self.spill(id);
    }

    /// Gives a message to a topic's subscriptions: at once, or from their backlog when they have credit.
    pub(super) fn publish(&mut self, id: DestinationId, message: &Message, from: SessionId) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        topic.figures.enqueued.add(1);
        topic.figures.dequeued.add(1);
        for subscriber in &topic.subscribers {
            let Some(subscription) = self.subscriptions.get_mut(subscriber) else { continue };
            if subscription.no_local && from == subscription.session || !subscription.selects(message, 0) {
                continue;
            }
            let has_credit = subscription.credit() > 0;
            let Source::Topics(_, backlog) = &mut subscription.source else { continue };
            if self.allowed && has_credit && backlog.messages.is_empty() {
                topic.figures.dispatched.add(1);
                let from = Some(&*topic.figures.destination);
                self.clients.deliver(
                    (*subscriber, subscription),
                    Held::Copy,
                    from,
                    message.clone(),
                    Marks::default(),
                );
            } else {
                let bytes = message.encoded().len();
                backlog.bytes += bytes;
                self.memory += bytes;
                backlog.messages.push_back((Some(id), message.clone()));
                if let Some(messages_max) = topic.policy().pending_messages_max {
                    let excess = backlog.bytes.saturating_sub(self.options.backlog_bytes_max);
                    let (count, bytes) = evict(&mut backlog.messages, messages_max, excess);
                    topic.figures.discarded.add(count);
                    backlog.bytes -= bytes;
                    self.memory -= bytes;
                }
            }
        }
    }

    /// Opens a transaction.
    pub(super) fn begin(&mut self, waiter: Waiter, key: TransactionKey) {
        let Some(client) = self.clients.get_mut(waiter.session) else { return };
        let result = match client.transactions.contains_key(&key) {
            true => Err(Refusal::Invalid("the transaction is open already".into())),
            false => {
                client.transactions.insert(key, Transaction::default());
                Ok(())
            }
        };
        self.clients.answer(waiter, result);
    }

    /// Keeps an operation of an open transaction.
    pub(super) fn keep(&mut self, id: SessionId, command: Command) {
        let (key, correlation, kept) = match command {
            Command::Send { message, transaction: Some(key), correlation } => {
                (key, correlation, Kept::Send(message))
            }
            Command::Settle { deliveries, verdict, transaction: Some(key), correlation } => {
                (key, correlation, Kept::Settle(deliveries, verdict))
            }
            _ => return,
        };
        let result = self.keep_in(id, key, kept);
        self.clients.answer(Waiter { session: id, correlation }, result);
    }

    fn keep_in(&mut self, id: SessionId, key: TransactionKey, kept: Kept) -> Result<(), Refusal> {
        let unknown = || Refusal::Invalid("the transaction is not open".into());
        let client = self.clients.get_mut(id).ok_or_else(unknown)?;
        let open = client.transactions.get_mut(&key).ok_or_else(unknown)?;
        let spread = match &kept {
            Kept::Send(message) => Spread::admit(message, &self.options),
            Kept::Settle(deliveries, _) => Ok(Spread { copies: 1, bytes: size_of_val(&deliveries[..]) }),
        };
        let refusal = match (&open.refusal, spread) {
            (Some(before), _) => Some(before.clone()),
            (None, Err(refusal)) => Some(refusal),
            (None, Ok(Spread { copies, bytes })) => {
                (open.copies, open.bytes) = (open.copies + copies, open.bytes.saturating_add(bytes));
                let large = open.copies > self.options.transaction_operations_max
                    || open.bytes > self.options.transaction_bytes_max;
                large.then(|| Refusal::Limit("the transaction is too large".into()))
            }
        };
        if let Some(refusal) = refusal {
            open.sends = Vec::new();
            return Err(open.refusal.insert(refusal).clone());
        }
        match kept {
            Kept::Send(message) => open.sends.push(message),
            Kept::Settle(deliveries, verdict) => open.settles.push((deliveries, verdict)),
        }
        Ok(())
    }

    /// Ends a transaction. All that a commit sends and consumes is one group of the log; deliveries that it gives back
    /// or refuses are given back or refused after it, as no other order can be seen.
    pub(super) fn finish(&mut self, waiter: Waiter, key: TransactionKey, commit: bool) {
        let client = self.clients.get_mut(waiter.session);
        let Some(open) = client.and_then(|it| it.transactions.remove(&key)) else {
            let refusal = Refusal::Invalid("the transaction is not open".into());
            return self.clients.answer(waiter, Err(refusal));
        };
        let targets: Result<Vec<Targets>, Refusal> = match open.refusal {
            _ if !commit => Ok(Vec::new()),
            Some(refusal) => Err(refusal),
            None => open.sends.iter().map(|it| self.targets(it, waiter.session)).collect(),
        };
        let targets = match targets {
            Ok(targets) if commit => targets,
            not_done => {
                open.settles.iter().for_each(|(deliveries, _)| self.abandon(waiter.session, deliveries));
                return self.clients.answer(waiter, not_done.map(drop));
            }
        };
        let mut collected = Collected::default();
        for (message, targets) in open.sends.iter().zip(&targets) {
            self.collect(message, targets, waiter.session, true, &mut collected);
        }
        let quiet = Waiter { session: waiter.session, correlation: None::<Correlation> };
        let (consumed, others): (Vec<_>, Vec<_>) =
            open.settles.into_iter().partition(|(_, verdict)| *verdict == Verdict::Consumed);
        for (destination, sequences) in self.consume(waiter.session, consumed.iter().flat_map(|(ids, _)| ids))
        {
            settle_records(destination, Outcome::Consumed, sequences, &mut collected.group);
        }
        let Collected { group, late, bytes } = collected;
        if group.is_empty() {
            late.into_iter().for_each(|late| self.show(late));
            self.clients.answer(waiter, Ok(()));
        } else {
            self.clients.begin_showing(waiter, bytes, !late.is_empty());
            self.propose(group, Pending::Transaction { waiter, bytes, late });
        }
        others.into_iter().for_each(|(ids, verdict)| self.settle(&ids, verdict, quiet));
    }
}

/// An operation to keep.
enum Kept {
    Send(Message),
    Settle(Vec<DeliveryId>, Verdict),
}

/// Where a message goes; almost always to one destination, which takes no allocation.
#[derive(Default)]
pub(super) struct Targets {
    /// When the message is to be sent, in ms since 1970, if not now.
    due: Option<i64>,
    first: Option<DestinationId>,
    more: Vec<DestinationId>,
    missing: Vec<Destination>,
}

impl Targets {
    fn push(&mut self, id: DestinationId) {
        match self.first {
            None => self.first = Some(id),
            Some(first) if first == id || self.more.contains(&id) => {}
            Some(_) => self.more.push(id),
        }
    }

    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn iter(&self) -> impl Iterator<Item = DestinationId> + '_ {
        self.first.iter().chain(&self.more).copied()
    }
}

/// The fields that name a message's destinations; they come first, as tags ascend.
fn destination_fields(message: &Message) -> impl Iterator<Item = &[u8]> {
    let is_destination = |(tag, _): &(u8, &[u8])| *tag == Field::Destination as u8;
    message.fields().take_while(is_destination).map(|(_, value)| value)
}

fn read_destination(field: &[u8]) -> Result<Destination, Refusal> {
    let invalid = |why: String| Refusal::Invalid(why);
    let kind: DestinationKind =
        field_kind(field).ok_or_else(|| invalid("an unknown kind of destination".into()))?;
    let name =
        std::str::from_utf8(&field[1..]).map_err(|_| invalid("a destination's name is UTF-8".into()))?;
    Destination::new(kind, name).map_err(|error| invalid(error.to_string()))
}
