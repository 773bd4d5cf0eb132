//! Durable subscriptions: each is a destination of its own in which messages wait as in a queue, and from which its
//! consumers take. What enters it, the router says.

use std::sync::Arc;

use crate::broker::figures::DestinationFigures;
use crate::broker::subscription::Source;
use crate::broker::{Refusal, SubscribeOptions, SubscriptionKey};
use crate::model::{
    CatalogueChange, Destination, DestinationId, DestinationKind, DurableSubscription, Pattern, Record,
};

use super::Serving;
use super::applied::Pending;
use super::sessions::Waiter;
use super::subscribe::read_selection;

/// What an unshared subscription's second consumer is told, as in ActiveMQ.
fn in_use(subscription: &DurableSubscription) -> Refusal {
    let DurableSubscription { client_id, name, .. } = subscription;
    Refusal::Invalid(format!(
        "Durable consumer is in use for client: {client_id} and subscriptionName: {name}"
    ))
}

impl Serving {
    /// Begins to consume from the durable subscription of this name, which is made if there is none, and made anew if it was
    /// another one; returns whether nothing of that has to be committed first.
    pub(super) fn join_durable(
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
        let selector = read_selection(&options)?.map_or(String::new(), |_| options.selector.clone());
        let (no_local, shared) = (options.no_local, options.shared);
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
        let subscriber = self.add_subscription(
            (waiter.session, key),
            &SubscribeOptions { no_local: false, ..options },
            None,
            Source::Queues(Vec::new()),
        );
        if let Some(subscription) = self.subscriptions.get_mut(&subscriber) {
            subscription.topics = Some(Pattern::of(&topics.name));
        }
        self.attach(subscriber, id);
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
        self.census.admit_kept_selector(made.selector.len(), &self.options.census)?;
        if Pattern::parse(&made.topics).is_none() {
            let topic = Destination { kind: DestinationKind::Topic, name: made.topics.clone() };
            if self.census.find_destination(&topic).is_none() {
                self.may_make(waiter.session, &topic)?;
            }
            self.find_or_create(&topic)?;
        }
        let id = DestinationId(self.next_destination);
        self.next_destination += 1;
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
