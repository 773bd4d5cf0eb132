//! Destinations come and go.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::destination::{Queue, Standing, Topic};
use crate::broker::figures::DestinationFigures;
use crate::broker::subscription::{Source, SubscriberId};
use crate::broker::{Refusal, SessionEvent, SessionId};
use crate::bugs;
use crate::model::{CatalogueChange, Destination, DestinationId, DestinationKind, Outcome, Pattern, Record};
use crate::state::{DestinationState, State};

use super::acknowledge::settle_ranges;
use super::applied::Pending;
use super::sessions::Waiter;
use super::{Serving, TEMPORARY_FIRST};

/// Whether a destination lives in the master's memory only.
pub(super) fn is_temporary(id: DestinationId) -> bool {
    id.0 >= TEMPORARY_FIRST
}

impl Serving {
    /// Puts a destination in place, and joins every wildcard subscription that means it; to a temporary one, its owner's only.
    pub(super) fn install(
        &mut self,
        id: DestinationId,
        figures: Arc<DestinationFigures>,
        state: Option<&DestinationState>,
    ) {
        let destination = &figures.destination;
        let session = |subscriber| self.subscriptions.get(&subscriber).map(|it| it.session);
        let may_join =
            |subscriber| !is_temporary(id) || session(subscriber).is_some_and(|it| self.owns(it, id));
        let subscribers: Vec<_> = self.router.meaning(destination).filter(|it| may_join(*it)).collect();
        self.census.insert(destination, id);
        if is_temporary(id) {
            self.figures.insert(Arc::clone(&figures));
        }
        let subscription = state.and_then(DestinationState::subscription);
        if let Some(subscription) = subscription.filter(|_| !bugs::on("subscription_forgotten")) {
            self.install_durable(id, Arc::clone(subscription));
        }
        let next = state.map_or(1, DestinationState::next);
        if self.scheduler.install(id, &figures, next) {
            return;
        }
        if destination.kind.holds() {
            self.router.add_queue(id, destination, |topic| self.census.find_destination(topic));
            let standing = self.standing(id, destination, state);
            self.queues.insert(id, Queue::new(figures, state, standing));
        } else {
            self.router.add_topic(id, destination);
            let policy = self.options.policies.of(destination.kind, &destination.name);
            self.topics.insert(id, Topic::new(figures, policy));
        }
        if self.idle_max(id).is_some() {
            self.tended.watch(id, self.now);
        }
        subscribers.into_iter().for_each(|subscriber| self.attach(subscriber, id));
    }

    /// How a queue is to behave; what keeps the messages of topics behaves as those do.
    fn standing(
        &self,
        id: DestinationId,
        destination: &Destination,
        state: Option<&DestinationState>,
    ) -> Standing {
        let policies = &self.options.policies;
        let policy = match self.router.durable(id) {
            Some(kept) => policies.of(DestinationKind::Topic, &kept.topics),
            None => policies.of(destination.kind, &destination.name),
        };
        let takes_dead_letters =
            destination.kind == DestinationKind::Queue && policies.take_dead_letters(&destination.name);
        Standing::new(policy, takes_dead_letters, state.is_some_and(DestinationState::paused))
    }

    /// After which time a destination goes that nobody uses; none if it stays.
    fn idle_max(&self, id: DestinationId) -> Option<Duration> {
        let queue = self.queues.get(&id).filter(|it| it.figures.destination.kind == DestinationKind::Queue);
        let topic = self.topics.get(&id).filter(|_| !is_temporary(id));
        queue.map(|it| it.standing().policy()).or(topic.map(|it| it.policy()))?.idle_max
    }

    /// Deletes destinations that have had neither messages nor consumers for as long as their policies say.
    pub(super) fn delete_idle(&mut self, state: &State) {
        for id in self.tended.wants_a_look(self.now) {
            let (Some(idle_max), Some(figures)) = (self.idle_max(id), self.figures_of(id)) else { continue };
            let queue = self.queues.get(&id);
            // What is on its way through the log is not there yet.
            let awaits = queue.is_some_and(|it| {
                it.standing().is_paused()
                    || state.destination(id).is_none_or(|found| found.next() != it.assigned)
            });
            let is_kept = self.router.routes(id).is_some() || state.destination(id).is_none();
            let has_clients = figures.consumers.get() > 0 || figures.producers.get() > 0;
            let is_used = awaits || is_kept || figures.size() > 0 || has_clients;
            if self.tended.rested(id, (is_used, figures.enqueued.get()), self.now) >= idle_max {
                self.delete(id, Pending::Nobody);
            }
        }
    }

    /// Queues have waited for their consumers long enough.
    pub(super) fn end_gathering(&mut self) {
        for id in self.tended.gathered(self.now) {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.standing_mut().end_gathering();
                self.touch(id);
            }
        }
    }

    /// Joins a subscription to a destination.
    pub(super) fn attach(&mut self, subscriber: SubscriberId, id: DestinationId) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        match &mut subscription.source {
            Source::Queues(queues) => {
                let Some(queue) = self.queues.get_mut(&id) else { return };
                let selector = subscription.selection.as_ref().map(|it| &it.selector);
                let before = queue.loaded_bytes();
                let is_queue = queue.figures.destination.kind.is_queue();
                let exclusive = subscription.exclusive || is_queue && queue.standing().policy().exclusive;
                queue.add_consumer((subscriber, subscription.priority, exclusive), selector);
                self.window_bytes -= before - queue.loaded_bytes();
                let count = queue.consumers.len();
                if is_queue && let Some(time) = queue.standing_mut().joined(count) {
                    self.tended.gather(id, self.now + time);
                }
                queues.push(id);
                self.census.join();
                self.touch(id);
            }
            Source::Topics(topics, _) => {
                let Some(topic) = self.topics.get_mut(&id) else { return };
                topic.add_subscriber(subscriber);
                topics.push(id);
                self.census.join();
            }
            Source::Browse(_) => {}
        }
    }

    /// Whether there may be this destination beside all others.
    pub(super) fn admit(&self, destination: &Destination) -> Result<(), Refusal> {
        self.census.admit(destination, self.router.meaning(destination).count(), &self.options.census)
    }

    /// Whether a session may have a destination made by its first use.
    pub(super) fn may_make(&self, session: SessionId, destination: &Destination) -> Result<(), Refusal> {
        self.clients.get(session).map_or(Ok(()), |client| client.may_make(destination))
    }

    /// Whether one more destination is allowed, and this one can be made on first use.
    pub(super) fn may_create(&self, destination: &Destination) -> Result<(), Refusal> {
        if Pattern::parse(&destination.name).is_some() {
            return Err(Refusal::Invalid(format!(
                "{destination} has wildcards: it stands for no one destination"
            )));
        }
        self.admit(destination)?;
        if matches!(destination.kind, DestinationKind::TemporaryQueue | DestinationKind::TemporaryTopic) {
            return Err(Refusal::Invalid(format!("{destination} does not exist")));
        }
        Ok(())
    }

    /// Makes a destination of the log. It is usable at once: what enters it stands behind its creation in the log.
    pub(super) fn create(&mut self, destination: Destination, pending: Pending) -> DestinationId {
        let id = DestinationId(self.numbers.destination);
        self.numbers.destination += 1;
        let change = CatalogueChange::CreateDestination { id, destination: destination.clone() };
        self.propose(vec![Record::Catalogue(change)], pending);
        self.install(id, Arc::new(DestinationFigures::new(destination.clone())), None);
        self.announce_destination(&destination, None, false);
        id
    }

    /// The destination's number; makes it on first use.
    pub(super) fn find_or_create(&mut self, destination: &Destination) -> Result<DestinationId, Refusal> {
        if let Some(id) = self.census.find_destination(destination) {
            return Ok(id);
        }
        self.may_create(destination)?;
        Ok(self.create(destination.clone(), Pending::Nobody))
    }

    /// A session wants a destination; a temporary one is its own.
    pub(super) fn create_by(&mut self, waiter: Waiter, destination: Destination) {
        let known = self.census.find_destination(&destination);
        let temporary =
            matches!(destination.kind, DestinationKind::TemporaryQueue | DestinationKind::TemporaryTopic);
        let result = match (known, temporary) {
            (Some(id), true) if !self.owns(waiter.session, id) => {
                Err(Refusal::Invalid(format!("{destination} belongs to another connection")))
            }
            (Some(_), _) => Ok(()),
            (None, true) if Pattern::parse(&destination.name).is_some() => {
                Err(Refusal::Invalid(format!("{destination} has wildcards")))
            }
            (None, true) => self.admit(&destination).map(|()| {
                let id = DestinationId(self.numbers.temporary);
                self.numbers.temporary += 1;
                if let Some(client) = self.clients.get_mut(waiter.session) {
                    client.temporary.push(id);
                }
                self.install(id, Arc::new(DestinationFigures::new(destination.clone())), None);
                self.announce_destination(&destination, Some(waiter.session), false);
            }),
            (None, false) => match self.may_create(&destination) {
                Ok(()) => {
                    self.clients.begin_pending(waiter, 0);
                    self.create(destination, Pending::One { waiter, bytes: 0 });
                    return;
                }
                Err(refusal) => Err(refusal),
            },
        };
        self.clients.answer(waiter, result);
    }

    /// Whether a temporary destination belongs to this session.
    pub(super) fn owns(&self, session: SessionId, id: DestinationId) -> bool {
        self.clients.get(session).is_some_and(|client| client.temporary.contains(&id))
    }

    /// A session wants a destination gone.
    pub(super) fn delete_by(&mut self, waiter: Waiter, destination: &Destination, if_empty: bool) {
        let Some(id) = self.census.find_destination(destination) else {
            return self
                .clients
                .answer(waiter, Err(Refusal::Invalid(format!("{destination} does not exist"))));
        };
        let queue = self.queues.get(&id).map_or(0, |it| it.consumers.len());
        let consumers = self.topics.get(&id).map_or(queue, |it| it.subscribers.len());
        if consumers > 0 {
            let refusal = Refusal::Invalid(format!("{destination} has {consumers} consumers"));
            return self.clients.answer(waiter, Err(refusal));
        }
        let size = self.queues.get(&id).map_or(0, |queue| queue.figures.size());
        if if_empty && size > 0 {
            let refusal = Refusal::Invalid(format!("{destination} has {size} messages"));
            return self.clients.answer(waiter, Err(refusal));
        }
        if is_temporary(id) {
            if !self.owns(waiter.session, id) {
                let refusal = Refusal::Denied(format!("{destination} belongs to another connection"));
                return self.clients.answer(waiter, Err(refusal));
            }
            if let Some(client) = self.clients.get_mut(waiter.session) {
                client.temporary.retain(|it| *it != id);
            }
            self.remove_temporary(id, waiter.session);
            return self.clients.answer(waiter, Ok(()));
        }
        self.clients.begin_pending(waiter, 0);
        self.delete(id, Pending::One { waiter, bytes: 0 });
    }

    fn delete(&mut self, id: DestinationId, pending: Pending) {
        let change = CatalogueChange::RemoveDestination { id };
        self.propose(vec![Record::Catalogue(change)], pending);
        let gone = self.figures_of(id);
        self.remove(id);
        if let Some(gone) = gone {
            self.announce_destination(&gone.destination, None, true);
        }
    }

    /// Takes everything out of a queue that waits in it: by one record of ranges, without reading it. What consumers hold, and what
    /// is on its way to the dead-letter queue, stays.
    pub(super) fn purge(&mut self, state: &State, waiter: Waiter, destination: &Destination) {
        let found = self.known(destination).and_then(|id| Some((id, self.queues.get_mut(&id)?)));
        let Some((id, queue)) = found else {
            let refusal = Refusal::Invalid(format!("there is no queue {}", destination.name));
            return self.clients.answer(waiter, Err(refusal));
        };
        let before = queue.loaded_bytes();
        let waiting = queue.take_waiting(state.destination(id));
        self.window_bytes -= before - queue.loaded_bytes();
        let memory = queue.transient.memory();
        let files = queue.transient.files().collect();
        let transient = queue.transient.clear();
        queue.figures.dequeued.add(transient);
        self.memory -= memory;
        self.freed = true;
        self.forget_files(files);
        if let Some(correlation) = waiter.correlation {
            let messages = waiting.len() + transient;
            self.clients.tell(waiter.session, SessionEvent::Affected { correlation, messages });
        }
        let mut group = Vec::new();
        settle_ranges(id, Outcome::Purged, &waiting.iter().collect::<Vec<_>>(), &mut group);
        if group.is_empty() {
            return self.clients.answer(waiter, Ok(()));
        }
        self.clients.begin_pending(waiter, 0);
        self.propose(group, Pending::One { waiter, bytes: 0 });
    }

    /// What a destination counts, if it is here.
    pub(super) fn figures_of(&self, id: DestinationId) -> Option<Arc<DestinationFigures>> {
        let topic = || self.topics.get(&id).map(|topic| &topic.figures);
        let schedule = || self.scheduler.figures(id);
        self.queues.get(&id).map(|queue| &queue.figures).or_else(topic).or_else(schedule).cloned()
    }

    /// Forgets a temporary destination of this session's.
    pub(super) fn remove_temporary(&mut self, id: DestinationId, from: SessionId) {
        let gone = self.figures_of(id);
        self.remove(id);
        if let Some(gone) = gone {
            self.announce_destination(&gone.destination, Some(from), true);
        }
    }

    /// Forgets a destination. What is in the log's pipeline for it is dropped when it is applied.
    pub(super) fn remove(&mut self, id: DestinationId) {
        if let Some(figures) = self.figures_of(id).filter(|_| is_temporary(id)) {
            self.figures.remove(&figures.destination);
        }
        self.scheduler.remove(id);
        self.tended.forget(id);
        let mut subscribers = Vec::new();
        if let Some(subscription) = self.router.durable(id) {
            self.census.forget_selector(subscription.selector.len());
        }
        if let Some(queue) = self.queues.remove(&id) {
            self.census.remove(&queue.figures.destination);
            self.router.remove(id, &queue.figures.destination);
            self.window_bytes -= queue.loaded_bytes();
            self.memory -= queue.transient.memory();
            self.forget_files(queue.transient.files().collect());
            subscribers.extend(queue.consumers.subscribers());
            for dead in queue.dead.into_values() {
                self.clients.end_pending(dead.waiter, 0);
            }
        }
        if let Some(topic) = self.topics.remove(&id) {
            self.census.remove(&topic.figures.destination);
            self.router.remove(id, &topic.figures.destination);
            subscribers.extend(topic.subscribers);
        }
        self.census.part(subscribers.len());
        for subscriber in subscribers {
            match self.subscriptions.get_mut(&subscriber).map(|it| &mut it.source) {
                Some(Source::Queues(ids) | Source::Topics(ids, _)) => ids.retain(|it| *it != id),
                Some(Source::Browse(_)) | None => {}
            }
        }
        self.freed = true;
    }
}
