//! Dispatch: from windows and memory to consumers with credit, in order. Nothing else delivers a queue's message.

use crate::broker::deliveries::Held;
use crate::broker::destination::{Next, Queue};
use crate::broker::subscription::{Source, SubscriberId, Subscription};
use crate::broker::table::Table;
use crate::model::{DestinationId, Message, Outcome};
use crate::state::{DestinationState, State};

use super::Serving;
use super::applied::Pending;
use super::sessions::{Clients, Waiter};

/// What an expired message is told by: its number, and its body for the dead-letter queue.
enum Overdue {
    Stored(u64, Message),
    Transient(usize),
}

impl Serving {
    /// Delivers all that can be delivered now.
    pub(super) fn dispatch(&mut self, state: &State) {
        loop {
            for subscriber in std::mem::take(&mut self.refilled) {
                self.refill(state, subscriber);
            }
            if std::mem::take(&mut self.freed) {
                for id in std::mem::take(&mut self.held) {
                    if self.resume(state, id) {
                        self.held.push_back(id);
                    }
                }
            }
            for id in std::mem::take(&mut self.dirty) {
                if let Some(queue) = self.queues.get_mut(&id) {
                    queue.dirty = false;
                }
                self.dispatch_queue(state, id);
            }
            // What was done may have made room for more.
            let may_resume = self.freed && !self.held.is_empty();
            if self.refilled.is_empty() && self.dirty.is_empty() && !may_resume {
                return;
            }
        }
    }

    /// A subscription has credit.
    fn refill(&mut self, state: &State, subscriber: SubscriberId) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        match &mut subscription.source {
            Source::Queues(queues) => {
                for id in queues {
                    if let Some(queue) = self.queues.get_mut(id)
                        && !queue.dirty
                    {
                        queue.dirty = true;
                        self.dirty.push(*id);
                    }
                }
            }
            Source::Topics(..) => self.drain_backlog(subscriber),
            Source::Browse(_) => self.browse_on(state, subscriber),
        }
    }

    /// Delivers what waited for a topic's subscription.
    fn drain_backlog(&mut self, subscriber: SubscriberId) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        while self.allowed && subscription.credit() > 0 {
            let Source::Topics(_, backlog) = &mut subscription.source else { return };
            let Some((topic, message)) = backlog.messages.pop_front() else { return };
            let bytes = message.encoded().len();
            backlog.bytes -= bytes;
            self.memory -= bytes;
            self.freed = true;
            if is_over(message.expiry(), self.wall) {
                continue;
            }
            let topic = self.topics.get_mut(&topic);
            let from = topic.map(|topic| {
                topic.figures.dispatched.add(1);
                &*topic.figures.destination
            });
            self.clients.deliver((subscriber, subscription), Held::Copy, from, message, false);
        }
    }

    /// Delivers from one queue as far as credit and bodies go, then sees that the next bodies are read.
    pub(super) fn dispatch_queue(&mut self, state: &State, id: DestinationId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let found = state.destination(id);
        let before = queue.window_bytes;
        let mut overdue = Vec::new();
        if self.allowed && !queue.damaged {
            let mut outlet = Outlet {
                subscriptions: &mut self.subscriptions,
                clients: &mut self.clients,
                wall: self.wall,
            };
            outlet.drain(id, queue, found, &mut overdue);
        }
        queue.detach();
        self.window_bytes -= before - queue.window_bytes;
        for it in overdue {
            match it {
                Overdue::Stored(sequence, message) => self.bury_expired(id, sequence, &message),
                Overdue::Transient(bytes) => self.forget_transient(id, bytes),
            }
        }
        if let Some(found) = found {
            self.read_ahead(found, id);
            self.read_dead(id);
        }
        self.unspill(id);
    }

    pub(super) fn is_expired(&self, message: &Message) -> bool {
        is_over(message.expiry(), self.wall)
    }

    /// An expired message leaves a window for the dead-letter queue.
    fn bury_expired(&mut self, id: DestinationId, sequence: u64, message: &Message) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.outstanding += 1;
        }
        self.bury(id, sequence, message, Outcome::Expired, Pending::Nobody);
    }

    /// Asks for a message's body, to bury it.
    pub(super) fn doom(&mut self, id: DestinationId, sequence: u64, dead: crate::broker::destination::Dead) {
        let waiter: Waiter = dead.waiter;
        let Some(queue) = self.queues.get_mut(&id) else { return self.clients.answer(waiter, Ok(())) };
        queue.dead.insert(sequence, dead);
        self.clients.begin_pending(waiter, 0);
        self.touch(id);
    }
}

fn is_over(expiry: i64, wall: i64) -> bool {
    expiry != 0 && expiry <= wall
}

/// What a queue's messages go out through.
struct Outlet<'a> {
    subscriptions: &'a mut Table<SubscriberId, Subscription>,
    clients: &'a mut Clients,
    wall: i64,
}

impl Outlet<'_> {
    fn drain(
        &mut self,
        id: DestinationId,
        queue: &mut Queue,
        state: Option<&DestinationState>,
        overdue: &mut Vec<Overdue>,
    ) {
        let subscriptions = &self.subscriptions;
        let has_credit = |it| subscriptions.get(&it).is_some_and(|it: &Subscription| it.credit() > 0);
        let mut chosen = queue.choose(has_credit);
        while let Some(at) = chosen {
            if queue.window.is_empty()
                && let Some(state) = state
            {
                queue.skip_settled(state);
            }
            let Some(next) = queue.take() else { return };
            if let Some(late) = self.overdue(&next) {
                overdue.push(late);
                continue;
            }
            self.deliver(id, queue, at, next, state);
            let subscriptions = &self.subscriptions;
            let has_credit = |it| subscriptions.get(&it).is_some_and(|it: &Subscription| it.credit() > 0);
            chosen = queue.choose(has_credit);
        }
    }

    fn overdue(&self, next: &Next) -> Option<Overdue> {
        match next {
            Next::Stored(entry) if is_over(entry.message.expiry(), self.wall) => {
                Some(Overdue::Stored(entry.sequence, entry.message.clone()))
            }
            Next::Transient(entry) if is_over(entry.message.expiry(), self.wall) => {
                Some(Overdue::Transient(entry.message.encoded().len()))
            }
            _ => None,
        }
    }

    fn deliver(
        &mut self,
        id: DestinationId,
        queue: &mut Queue,
        at: usize,
        next: Next,
        state: Option<&DestinationState>,
    ) {
        let subscriber = queue.consumers[at].subscriber;
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        queue.turn = at;
        queue.figures.in_flight.add(1);
        queue.figures.dispatched.add(1);
        let (held, message, redelivered) = match next {
            Next::Stored(entry) => {
                let sequence = entry.sequence;
                let redelivered = sequence <= queue.seen;
                queue.seen = queue.seen.max(sequence);
                queue.outstanding += 1;
                let uncommitted = queue.failures.get(&sequence).copied();
                let failures = uncommitted.unwrap_or_else(|| state.map_or(0, |it| it.failures(sequence)));
                let expiry = entry.message.expiry();
                (Held::Stored { queue: id, sequence, failures, expiry }, entry.message, redelivered)
            }
            Next::Transient(entry) => {
                let (message, redelivered) = (entry.message.clone(), entry.redelivered);
                (Held::Transient { queue: id, entry: Box::new(entry) }, message, redelivered)
            }
        };
        let from = Some(&*queue.destination);
        self.clients.deliver((subscriber, subscription), held, from, message, redelivered);
    }
}
