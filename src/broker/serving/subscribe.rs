//! Subscriptions begin, change and end. A durable one is a destination in which messages wait as in a queue, and from which its
//! consumers take; what enters it, the router says.

use std::sync::Arc;

use crate::broker::destination::TASTES_MAX;
use crate::broker::figures::DestinationFigures;
use crate::broker::options::PREFETCH_MAX;
use crate::broker::subscription::{Backlog, Browse, Selection, Source, SubscriberId, Subscription};
use crate::broker::{DeliveryId, Refusal, SessionId, SubscribeOptions, SubscriptionKey};
use crate::model::{
    CatalogueChange, Destination, DestinationId, DestinationKind, DurableSubscription, Pattern, Record,
    ToldConsumer, ToldDestination,
};
use crate::state::State;

use super::Serving;
use super::applied::Pending;
use super::directory::is_temporary;
use super::sessions::{Client, Waiter};
use super::settle::Return;

/// What an unshared subscription's second consumer is told, as in ActiveMQ.
fn in_use(subscription: &DurableSubscription) -> Refusal {
    let DurableSubscription { client_id, name, .. } = subscription;
    Refusal::Invalid(format!(
        "Durable consumer is in use for client: {client_id} and subscriptionName: {name}"
    ))
}

impl Serving {
    /// Begins a subscription.
    pub(super) fn subscribe(
        &mut self,
        state: &State,
        waiter: Waiter,
        key: SubscriptionKey,
        destination: Destination,
        options: SubscribeOptions,
    ) {
        let joined = match options.durable_name.clone() {
            Some(name) => self.join_durable(waiter, key, destination, (options, name)),
            None => self.join(state, waiter.session, key, destination, options).map(|()| true),
        };
        match joined {
            Ok(true) => self.clients.answer(waiter, Ok(())),
            // It is answered when it is in the log.
            Ok(false) => {}
            Err(refusal) => self.clients.answer(waiter, Err(refusal)),
        }
    }

    /// Whether a session may have one more subscription, of this name.
    fn admit_subscription(&self, session: SessionId, key: SubscriptionKey) -> Result<(), Refusal> {
        let Some(client) = self.clients.get(session) else { return Ok(()) };
        if client.subscriptions.contains_key(&key) {
            return Err(Refusal::Invalid("the subscription exists already".into()));
        }
        if client.subscriptions.len() >= self.options.subscriptions_max {
            let max = self.options.subscriptions_max;
            return Err(Refusal::Limit(format!("a connection has at most {max} subscriptions")));
        }
        Ok(())
    }

    /// Begins a subscription that is not durable.
    fn join(
        &mut self,
        state: &State,
        session: SessionId,
        key: SubscriptionKey,
        destination: Destination,
        options: SubscribeOptions,
    ) -> Result<(), Refusal> {
        self.admit_subscription(session, key)?;
        let selection = Selection::read(&options.selector)?;
        let pattern = Pattern::parse(&destination.name);
        if options.browse && (pattern.is_some() || !destination.kind.is_queue()) {
            return Err(Refusal::Invalid(format!("{destination} is no single queue to browse")));
        }
        if destination.kind == DestinationKind::Subscription {
            return Err(Refusal::Invalid(format!("{destination} is nothing to subscribe to")));
        }
        let places = match &pattern {
            Some(pattern) => self.matching(session, &destination, pattern),
            None => vec![self.find_to_consume(session, &destination)?],
        };
        self.census.admit_joins(places.len(), &self.options.census)?;
        if let Some(selection) = selection.as_ref().filter(|_| !options.browse) {
            self.admit_taste(&places, selection)?;
        }
        self.census.admit_selection(selection.as_deref(), &self.options.census)?;
        let source = match (options.browse, destination.kind.is_queue()) {
            (true, _) => self.browse(state, places[0]),
            (false, true) => Source::Queues(Vec::new()),
            (false, false) => Source::Topics(Vec::new(), Backlog::default()),
        };
        let told = (&destination, String::new());
        let subscriber = self.add_subscription((session, key), &options, selection, (source, None), told);
        for id in places {
            self.attach(subscriber, id);
        }
        if let Some(pattern) = pattern {
            self.router.add_wildcard(destination.kind, pattern, subscriber);
        }
        self.announce_present(subscriber, &destination);
        self.announce_arrival(subscriber);
        Ok(())
    }

    /// Takes a subscription that was admitted; it is joined to nothing yet. `topics` are those that a durable one keeps.
    fn add_subscription(
        &mut self,
        (session, key): (SessionId, SubscriptionKey),
        options: &SubscribeOptions,
        selection: Option<Box<Selection>>,
        (source, topics): (Source, Option<Pattern>),
        (destination, durable_name): (&Destination, String),
    ) -> SubscriberId {
        self.subscriptions_made += 1;
        let subscriber = SubscriberId(self.subscriptions_made);
        let outbox = self.clients.get(session).map(|client| client.outbox.clone()).unwrap_or_default();
        let client = self.clients.get(session);
        let connection = client.map_or("", Client::connection).to_owned();
        let told = ToldConsumer {
            connection,
            number: subscriber.0,
            destination: ToldDestination::of(destination),
            client_id: client.map_or("", Client::client_id).to_owned(),
            durable_name,
            selector: options.selector.clone(),
            prefetch: options.prefetch,
            priority: options.priority.into(),
            browse: options.browse,
            exclusive: options.exclusive,
            no_local: options.no_local,
            bridge: options.bridge.clone(),
        };
        let made = Subscription {
            session,
            key,
            prefetch: options.prefetch.min(PREFETCH_MAX),
            outstanding: 0,
            outbox,
            priority: options.priority,
            exclusive: options.exclusive,
            no_local: options.no_local,
            selection,
            topics,
            source,
            told: Box::new(told),
        };
        self.subscriptions.insert(subscriber, made);
        if let Some(client) = self.clients.get_mut(session) {
            client.subscribe(key, subscriber);
        }
        self.refilled.push(subscriber);
        subscriber
    }

    /// The one destination that is meant. A temporary one is consumed by its owner only.
    fn find_to_consume(
        &mut self,
        session: SessionId,
        destination: &Destination,
    ) -> Result<DestinationId, Refusal> {
        if self.census.find_destination(destination).is_none() {
            self.may_make(session, destination)?;
        }
        let id = self.find_or_create(destination)?;
        if is_temporary(id) && !self.owns(session, id) {
            return Err(Refusal::Denied(format!("{destination} belongs to another connection")));
        }
        Ok(id)
    }

    /// Whether each of these queues has room for one more selector.
    fn admit_taste(&self, places: &[DestinationId], selection: &Selection) -> Result<(), Refusal> {
        let full = places
            .iter()
            .filter_map(|id| self.queues.get(id))
            .find(|it| it.has_no_room_for(&selection.selector));
        full.map_or(Ok(()), |queue| {
            let name = &queue.figures.destination;
            Err(Refusal::Limit(format!(
                "the consumers of {name} have {TASTES_MAX} different selectors already"
            )))
        })
    }

    /// Every destination that a pattern means now, by number.
    fn matching(&self, session: SessionId, wanted: &Destination, pattern: &Pattern) -> Vec<DestinationId> {
        let queues = self.queues.iter().map(|(id, it)| (*id, &it.figures.destination));
        let topics = self.topics.iter().map(|(id, it)| (*id, &it.figures.destination));
        let mut found: Vec<_> = queues
            .chain(topics)
            .filter(|(_, it)| it.kind == wanted.kind && pattern.matches(&it.name))
            .map(|(id, _)| id)
            .filter(|id| !is_temporary(*id) || self.owns(session, *id))
            .collect();
        found.sort_unstable();
        found
    }

    /// Changes how many unsettled deliveries a subscription may hold.
    pub(super) fn credit(&mut self, session: SessionId, key: SubscriptionKey, prefetch: u32) {
        let subscriber = self.clients.get(session).and_then(|client| client.subscriptions.get(&key)).copied();
        if let Some(subscriber) = subscriber
            && let Some(subscription) = self.subscriptions.get_mut(&subscriber)
        {
            subscription.prefetch = prefetch.min(PREFETCH_MAX);
            self.refilled.push(subscriber);
        }
    }

    /// Somebody wants to know when nothing more can be delivered to a subscription.
    pub(super) fn drain(&mut self, waiter: Waiter, key: SubscriptionKey) {
        let found = self.clients.get(waiter.session).and_then(|it| it.subscriptions.get(&key).copied());
        match found {
            Some(subscriber) => self.clients.drain(subscriber, waiter),
            None => self.clients.answer(waiter, Ok(())),
        }
    }

    /// Answers those who wait for a subscription to which nothing more can be delivered: dispatch has just been tried.
    pub(super) fn answer_drains(&mut self) {
        if !self.allowed {
            return;
        }
        for (subscriber, waiter) in self.clients.take_drains() {
            if self.is_under_way(subscriber) {
                self.clients.drain(subscriber, waiter);
            } else {
                self.clients.answer(waiter, Ok(()));
            }
        }
    }

    /// Whether messages are being read that may be delivered to a subscription.
    fn is_under_way(&self, subscriber: SubscriberId) -> bool {
        let Some(subscription) = self.subscriptions.get(&subscriber).filter(|it| it.credit() > 0) else {
            return false;
        };
        match &subscription.source {
            Source::Queues(ids) => {
                let mut queues = ids.iter().filter_map(|id| self.queues.get(id));
                queues.any(|queue| queue.backlog.reading.is_some())
            }
            Source::Topics(..) => false,
            Source::Browse(browse) => !browse.ended,
        }
    }

    /// Ends a subscription. What it holds goes back, not counted, but for what open transactions have settled; its backlog
    /// is gone, as it was its own.
    pub(super) fn end_subscription(&mut self, subscriber: SubscriberId, transacted: &[DeliveryId]) {
        let Some(gone) = self.subscriptions.remove(&subscriber) else { return };
        let held = match self.clients.get_mut(gone.session) {
            Some(client) => {
                client.unsubscribe(gone.key);
                let held = client.deliveries.remove_of(subscriber, transacted);
                client.outbox.settled(held.len());
                held
            }
            None => Vec::new(),
        };
        for delivery in held {
            self.release(delivery.held, Return::Seen);
        }
        match &gone.source {
            Source::Queues(queues) => {
                self.census.part(queues.len());
                for id in queues {
                    if let Some(queue) = self.queues.get_mut(id) {
                        queue.remove_consumer(subscriber);
                    }
                    self.touch(*id);
                }
            }
            Source::Topics(topics, backlog) => {
                self.census.part(topics.len());
                for id in topics {
                    if let Some(topic) = self.topics.get_mut(id) {
                        topic.remove_subscriber(subscriber);
                    }
                }
                self.memory -= backlog.bytes;
                self.freed = true;
            }
            Source::Browse(_) => {}
        }
        self.census.forget_selection(gone.selection.as_deref());
        self.router.remove_wildcard(subscriber);
        self.announce_consumer(&gone.told, gone.session, true);
    }

    /// Tells of a consumer that has just come.
    fn announce_arrival(&mut self, subscriber: SubscriberId) {
        let found = self.subscriptions.get(&subscriber).filter(|_| self.is_listened_to());
        if let Some((told, session)) = found.map(|it| (it.told.clone(), it.session)) {
            self.announce_consumer(&told, session, false);
        }
    }

    /// What a browser sees: what is in the queue now, but for non-persistent messages in temporary files.
    fn browse(&self, state: &State, id: DestinationId) -> Source {
        let queue = self.queues.get(&id);
        let shown_last = queue.map_or((0, 0), |queue| queue.transient.last());
        let last = state.destination(id).map_or(0, |it| it.next() - 1);
        let browse = Browse {
            queue: id,
            next: 1,
            last,
            shown: (0, 0),
            shown_last,
            reading: false,
            asked: 0,
            ended: false,
        };
        Source::Browse(Box::new(browse))
    }

    /// The number of a destination, if it is known.
    pub(super) fn known(&self, destination: &Destination) -> Option<DestinationId> {
        self.census.find_destination(destination)
    }

    /// Begins to consume from the durable subscription of this name, which is made if there is none, and made anew if it was
    /// another one; returns whether nothing of that has to be committed first.
    fn join_durable(
        &mut self,
        waiter: Waiter,
        key: SubscriptionKey,
        topics: Destination,
        (options, name): (SubscribeOptions, String),
    ) -> Result<bool, Refusal> {
        self.admit_subscription(waiter.session, key)?;
        let Some(client) = self.clients.get(waiter.session) else { return Ok(true) };
        let client_id = client.client_id().to_owned();
        if client_id.is_empty() && !options.shared {
            return Err(Refusal::Invalid("a durable subscription needs a client id".into()));
        }
        if topics.kind != DestinationKind::Topic || options.browse {
            return Err(Refusal::Invalid(format!("{topics} cannot have a durable subscription")));
        }
        let selector =
            Selection::read(&options.selector)?.map_or(String::new(), |_| options.selector.clone());
        let (no_local, shared) = (options.no_local, options.shared);
        let told_name = name.clone();
        let wanted =
            DurableSubscription { client_id, name, topics: topics.name.clone(), selector, no_local, shared };
        let destination = wanted.destination().map_err(|error| Refusal::Invalid(error.to_string()))?;
        let known = self.census.find_destination(&destination);
        self.census.admit_joins(1, &self.options.census)?;
        let found = known.and_then(|id| Some((id, self.router.durable(id)?)));
        let same = found.filter(|(_, it)| ***it == wanted).map(|(id, _)| id);
        if let Some((id, it)) = found {
            let consumers = self.queues.get(&id).map_or(0, |queue| queue.consumers.len());
            if consumers > 0 && (same.is_none() || !it.shared) {
                return Err(in_use(it));
            }
            if it.shared != wanted.shared {
                return Err(Refusal::Invalid(format!("the subscription {} is shared, or is not", it.name)));
            }
        }
        let id = match same {
            Some(id) => id,
            None => self.make_durable(waiter, wanted, destination, known)?,
        };
        // The router has seen to selector and noLocal.
        let options = SubscribeOptions { no_local: false, ..options };
        let told = (&topics, told_name);
        let source = (Source::Queues(Vec::new()), Some(Pattern::of(&topics.name)));
        let subscriber = self.add_subscription((waiter.session, key), &options, None, source, told);
        self.attach(subscriber, id);
        self.announce_arrival(subscriber);
        Ok(same.is_some())
    }

    /// Makes a durable subscription, in the place of one that it replaces.
    fn make_durable(
        &mut self,
        waiter: Waiter,
        made: DurableSubscription,
        destination: Destination,
        replaced: Option<DestinationId>,
    ) -> Result<DestinationId, Refusal> {
        if replaced.is_none() {
            self.admit(&destination)?;
        }
        self.census.admit_selector(made.selector.len(), &self.options.census)?;
        if Pattern::parse(&made.topics).is_none() {
            let topic = Destination { kind: DestinationKind::Topic, name: made.topics.clone() };
            if self.census.find_destination(&topic).is_none() {
                self.may_make(waiter.session, &topic)?;
            }
            self.find_or_create(&topic)?;
        }
        let id = DestinationId(self.numbers.destination);
        self.numbers.destination += 1;
        let removal = replaced.map(|id| Record::Catalogue(CatalogueChange::RemoveDestination { id }));
        let creation = CatalogueChange::CreateSubscription { id, subscription: made.clone() };
        let group = removal.into_iter().chain([Record::Catalogue(creation)]).collect();
        self.clients.begin_pending(waiter, 0);
        self.propose(group, Pending::One { waiter, bytes: 0 });
        if let Some(replaced) = replaced {
            self.remove(replaced);
        }
        let made = Arc::new(made);
        self.install_durable(id, Arc::clone(&made));
        self.install(id, Arc::new(DestinationFigures::of(destination, Some(made))), None);
        Ok(id)
    }

    /// Has the router know of a durable subscription.
    pub(super) fn install_durable(&mut self, id: DestinationId, subscription: Arc<DurableSubscription>) {
        self.census.keep_selector(subscription.selector.len());
        let topics = self.topics.iter().map(|(id, topic)| (*id, &*topic.figures.destination));
        self.router.add_durable(id, subscription, topics);
    }

    /// Ends a durable subscription.
    pub(super) fn remove_durable(&mut self, waiter: Waiter, client_id: Option<String>, name: &str) {
        let own = || self.clients.get(waiter.session).map_or("", |client| client.client_id()).to_owned();
        let client_id = client_id.unwrap_or_else(own);
        let destination = DurableSubscription::destination_of(&client_id, name).ok();
        let found = destination.and_then(|it| self.census.find_destination(&it));
        let Some((id, subscription)) = found.and_then(|id| Some((id, self.router.durable(id)?))) else {
            let refusal = Refusal::Invalid(format!("No durable subscription exists for: {name}"));
            return self.clients.answer(waiter, Err(refusal));
        };
        if self.queues.get(&id).is_some_and(|queue| !queue.consumers.is_empty()) {
            let refusal = in_use(subscription);
            return self.clients.answer(waiter, Err(refusal));
        }
        self.clients.begin_pending(waiter, 0);
        let change = CatalogueChange::RemoveDestination { id };
        self.propose(vec![Record::Catalogue(change)], Pending::One { waiter, bytes: 0 });
        self.remove(id);
    }
}
