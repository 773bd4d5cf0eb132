//! Dispatch: from windows and memory to consumers with credit, in order. Nothing else delivers a queue's message.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::broker::deliveries::Held;
use crate::broker::destination::{Audience, Group, Next, Queue, Stalled, Taken, Wanted};
use crate::broker::subscription::{Source, SubscriberId, Subscription};
use crate::broker::table::Table;
use crate::model::{DestinationId, Message, Outcome};
use crate::state::{DestinationState, State};

use super::Serving;
use super::applied::Pending;
use super::sessions::{Clients, Marks, Waiter};

/// Messages that are sorted before those who wait for them get them.
const SORTED_MAX: usize = 256;

/// An expired message, with its number if it is in the log.
enum Overdue {
    Stored(u64, Message),
    Transient(Message),
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
                    let Some(queue) = self.queues.get_mut(id) else { continue };
                    queue.consumers.wake(subscriber);
                    if !queue.dirty {
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
            let topic = topic.and_then(|topic| self.topics.get_mut(&topic));
            let from = topic.map(|topic| {
                topic.figures.dispatched.add(1);
                &*topic.figures.destination
            });
            self.clients.deliver((subscriber, subscription), Held::Copy, from, message, Marks::default());
        }
    }

    /// Delivers from one queue as far as credit and bodies go, then sees that the next bodies are read.
    pub(super) fn dispatch_queue(&mut self, state: &State, id: DestinationId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let found = state.destination(id);
        let before = queue.loaded_bytes();
        let mut overdue = Vec::new();
        if self.allowed && queue.standing().delivers() {
            let mut outlet = Outlet {
                subscriptions: &mut self.subscriptions,
                clients: &mut self.clients,
                wall: self.wall,
                entries_max: self.options.window_entries_max,
                bytes_max: self.options.window_bytes_max,
            };
            outlet.drain(id, queue, found, &mut overdue);
        }
        queue.backlog.detach();
        self.window_bytes -= before - queue.loaded_bytes();
        for it in overdue {
            match it {
                Overdue::Stored(sequence, message) => self.bury_expired(id, sequence, &message),
                Overdue::Transient(message) => self.lose(id, &message, Outcome::Expired),
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
    /// The bounds of a queue's window. What is sorted keeps half as much in memory.
    entries_max: usize,
    bytes_max: usize,
}

impl Outlet<'_> {
    fn drain(
        &mut self,
        id: DestinationId,
        queue: &mut Queue,
        state: Option<&DestinationState>,
        overdue: &mut Vec<Overdue>,
    ) {
        while queue.lanes.is_none() {
            let Some(subscriber) = self.next(queue, None, &Stalled::default()) else { return };
            let Some(next) = self.take(queue, state, overdue) else { return };
            if queue.has_to_sort(&next) {
                queue.sort(next, state, true);
                break;
            }
            let outgoing = Outgoing { subscriber, next, group: None };
            self.deliver(id, queue, outgoing, state);
        }
        while self.sort(queue, state, overdue) | self.hand_out(id, queue, state, overdue) {}
        queue.rest();
    }

    /// Who is served next.
    fn next(&self, queue: &mut Queue, wanted: Option<&Wanted>, stalled: &Stalled) -> Option<SubscriberId> {
        queue.consumers.next((wanted, stalled), |it| self.has_credit(it))
    }

    fn has_credit(&self, subscriber: SubscriberId) -> bool {
        self.subscriptions.get(&subscriber).is_some_and(|it| it.credit() > 0)
    }

    /// The next message in order that has not expired.
    fn take(
        &self,
        queue: &mut Queue,
        state: Option<&DestinationState>,
        overdue: &mut Vec<Overdue>,
    ) -> Option<Next> {
        loop {
            if queue.backlog.window.is_empty()
                && let Some(state) = state
            {
                queue.backlog.skip_settled(state);
            }
            let next = queue.take()?;
            match self.overdue(&next) {
                Some(late) => overdue.push(late),
                None => return Some(next),
            }
        }
    }

    /// Sorts the next messages, as long as somebody waits for one or there is room to keep them; returns whether there were any.
    fn sort(
        &mut self,
        queue: &mut Queue,
        state: Option<&DestinationState>,
        overdue: &mut Vec<Overdue>,
    ) -> bool {
        let mut sorted = 0;
        while let Some(lanes) = &queue.lanes
            && sorted < SORTED_MAX
            && !lanes.are_full()
        {
            let has_room = lanes.loaded() < self.entries_max / 2 && lanes.bytes() < self.bytes_max / 2;
            if !has_room && !queue.is_hungry(|it| self.has_credit(it)) {
                break;
            }
            let Some(next) = self.take(queue, state, overdue) else { break };
            queue.sort(next, state, has_room);
            sorted += 1;
        }
        sorted > 0
    }

    /// Gives what is sorted to those who wait for it, in order; returns whether something may have changed for others.
    fn hand_out(
        &mut self,
        id: DestinationId,
        queue: &mut Queue,
        state: Option<&DestinationState>,
        overdue: &mut Vec<Overdue>,
    ) -> bool {
        let Some(lanes) = &queue.lanes else { return false };
        let (consumers, horizon) = (&queue.consumers, queue.horizon(state));
        let may_serve = |audience: &Audience| match audience {
            Audience::Open(wanted) => consumers.may_serve_any(wanted),
            Audience::Owner(owner) => consumers.may_serve(*owner),
        };
        let offers = lanes.offers().filter(|(audience, _)| may_serve(audience));
        let mut offers: BinaryHeap<_> =
            offers.map(|(audience, offer)| Reverse((offer, audience.clone()))).collect();
        let (mut wanted_lane, mut stalled, mut moved) = (None, Stalled::default(), false);
        while let Some(Reverse((offer, audience))) = offers.pop() {
            // Something that is to be looked at first may go before it.
            if offer >= horizon {
                break;
            }
            let Some(lanes) = &mut queue.lanes else { break };
            let Some((first, lane)) = lanes.first(&audience) else { continue };
            if first > offer {
                offers.push(Reverse((first, audience)));
                continue;
            }
            let Some(subscriber) = self.next_of(queue, &audience, &stalled) else { continue };
            let Some(lanes) = &mut queue.lanes else { break };
            let group = lanes.group(lane);
            let next = match lanes.take(lane) {
                Taken::Stored(entry) => Some(Next::Stored(entry)),
                Taken::Transient(place) => queue.transient.take_aside(place).map(Next::Transient),
                Taken::Gone => None,
                Taken::Unread => {
                    wanted_lane = wanted_lane.or(Some(lane));
                    match &audience {
                        Audience::Open(wanted) => stalled.stall(wanted),
                        Audience::Owner(owner) => stalled.stall_owner(*owner),
                    }
                    continue;
                }
            };
            if let Some(next) = next {
                moved = true;
                match self.overdue(&next) {
                    Some(late) => overdue.push(late),
                    None => self.deliver(id, queue, Outgoing { subscriber, next, group }, state),
                }
            }
            // Its next message, and those of a group that has an owner now.
            let owner = Audience::Owner(subscriber);
            for audience in [(audience != owner).then_some(owner), Some(audience)].into_iter().flatten() {
                if let Some((first, _)) = queue.lanes.as_ref().and_then(|it| it.first(&audience)) {
                    offers.push(Reverse((first, audience)));
                }
            }
        }
        if let Some(lanes) = &mut queue.lanes {
            lanes.want(wanted_lane);
        }
        moved
    }

    fn next_of(&self, queue: &mut Queue, audience: &Audience, stalled: &Stalled) -> Option<SubscriberId> {
        match audience {
            Audience::Open(wanted) => self.next(queue, Some(wanted), stalled),
            Audience::Owner(owner) => {
                let taste = queue.consumers.taste(*owner)?;
                let is_stalled = stalled.has(*owner) || stalled.has_taste(taste);
                let may_serve = queue.consumers.may_serve(*owner) && self.has_credit(*owner);
                (may_serve && !is_stalled).then_some(*owner)
            }
        }
    }

    fn overdue(&self, next: &Next) -> Option<Overdue> {
        match next {
            Next::Stored(entry) if is_over(entry.message.expiry(), self.wall) => {
                Some(Overdue::Stored(entry.sequence, entry.message.clone()))
            }
            Next::Transient(entry) if is_over(entry.message.expiry(), self.wall) => {
                Some(Overdue::Transient(entry.message.clone()))
            }
            _ => None,
        }
    }

    fn deliver(
        &mut self,
        id: DestinationId,
        queue: &mut Queue,
        outgoing: Outgoing,
        state: Option<&DestinationState>,
    ) {
        let Outgoing { subscriber, next, group } = outgoing;
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        let first_of_group = queue.hand_to(subscriber, group, next.message());
        let (held, message, redelivered) = match next {
            Next::Stored(entry) => {
                let sequence = entry.sequence;
                let redelivered = queue.history.may_be_seen(sequence);
                queue.outstanding += 1;
                let failures = queue.history.failures(sequence, state);
                let expiry = entry.message.expiry();
                let held = Held::Stored { queue: id, sequence, failures, expiry, group };
                (held, entry.message, redelivered)
            }
            Next::Transient(entry) => {
                let (message, redelivered) = (entry.message.clone(), entry.redelivered);
                (Held::Transient { queue: id, entry: Box::new(entry) }, message, redelivered)
            }
        };
        let (from, marks) = (Some(&*queue.figures.destination), Marks { redelivered, first_of_group });
        self.clients.deliver((subscriber, subscription), held, from, message, marks);
    }
}

/// A message on its way to a consumer.
struct Outgoing {
    subscriber: SubscriberId,
    next: Next,
    group: Option<Group>,
}
