//! Which destinations mean each other: the subscriptions that mean some by wildcards, and where the messages of a topic are
//! kept beside its subscribers, in durable subscriptions and in the queues of virtual consumers (a queue
//! `Consumer.NAME.TOPIC` gets what is sent to the topic `TOPIC`). Pure: it knows names, not messages that wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::broker::subscription::SubscriberId;
use crate::model::{Destination, DestinationId, DestinationKind, DurableSubscription, Message, Pattern};
use crate::selector::Selector;

/// What the names of topics with virtual consumers begin with, and those of the consumers' queues, as in ActiveMQ.
const VIRTUAL_TOPIC: &str = "VirtualTopic.";
const VIRTUAL_CONSUMER: &str = "Consumer.";
/// The topics that tell of the broker itself, as in ActiveMQ.
const ADVISORIES: &str = "ActiveMQ.Advisory.>";
const ADVISORY: &str = "ActiveMQ.Advisory.";

/// Whether a destination is an advisory topic, or stands for some.
pub(in crate::broker) fn is_advisory(destination: &Destination) -> bool {
    destination.kind == DestinationKind::Topic && destination.name.starts_with(ADVISORY)
}

/// A durable subscription, read.
#[derive(Debug)]
struct Durable {
    subscription: Arc<DurableSubscription>,
    topics: Pattern,
    selector: Option<Selector>,
}

impl Durable {
    fn wants(&self, message: &Message, client_id: &str) -> bool {
        let is_own = self.subscription.no_local && self.subscription.client_id == client_id;
        !is_own && self.selector.as_ref().is_none_or(|selector| selector.matches(message, 0))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Router {
    wildcards: Vec<(DestinationKind, Pattern, SubscriberId)>,
    /// Those of them that mean advisory topics, which are listened to before there are any.
    listeners: Vec<(Pattern, SubscriberId)>,
    /// How many advisory topics there are.
    advisory_topics: usize,
    durables: BTreeMap<DestinationId, Durable>,
    /// By the topic's name: the queues of its virtual consumers.
    consumers: HashMap<Box<str>, Vec<DestinationId>>,
    /// By the topic: what keeps its messages, by number. A topic that nothing keeps is not here.
    routes: BTreeMap<DestinationId, Arc<[DestinationId]>>,
}

impl Router {
    /// A subscription means all destinations of this kind and pattern.
    pub(in crate::broker) fn add_wildcard(
        &mut self,
        kind: DestinationKind,
        pattern: Pattern,
        by: SubscriberId,
    ) {
        if kind == DestinationKind::Topic && pattern.meets(&Pattern::of(ADVISORIES)) {
            self.listeners.push((pattern.clone(), by));
        }
        self.wildcards.push((kind, pattern, by));
    }

    /// A subscription has ended.
    pub(in crate::broker) fn remove_wildcard(&mut self, by: SubscriberId) {
        self.wildcards.retain(|(_, _, it)| *it != by);
        self.listeners.retain(|(_, it)| *it != by);
    }

    /// The subscriptions that mean a destination by their wildcards.
    pub(in crate::broker) fn meaning(&self, destination: &Destination) -> impl Iterator<Item = SubscriberId> {
        let is_meant = |(kind, pattern, _): &&(DestinationKind, Pattern, _)| {
            *kind == destination.kind && pattern.matches(&destination.name)
        };
        self.wildcards.iter().filter(is_meant).map(|(_, _, subscriber)| *subscriber)
    }

    /// Whether there is anybody who listens to an advisory topic.
    pub(in crate::broker) fn listens_to_advisories(&self) -> bool {
        self.advisory_topics > 0 || !self.listeners.is_empty()
    }

    /// The subscriptions that mean an advisory topic by their wildcards.
    pub(in crate::broker) fn listening(&self, topic: &str) -> impl Iterator<Item = SubscriberId> {
        self.listeners.iter().filter(|(pattern, _)| pattern.matches(topic)).map(|(_, subscriber)| *subscriber)
    }

    /// A durable subscription exists; `topics` are all that there are. A selector that cannot be read any more selects all:
    /// to keep too much loses nothing.
    pub(in crate::broker) fn add_durable<'a>(
        &mut self,
        id: DestinationId,
        subscription: Arc<DurableSubscription>,
        topics: impl Iterator<Item = (DestinationId, &'a Destination)>,
    ) {
        let read = Pattern::of(&subscription.topics);
        let selector = Selector::parse(&subscription.selector).ok();
        for (topic, destination) in topics {
            if destination.kind == DestinationKind::Topic && read.matches(&destination.name) {
                self.route(topic, id);
            }
        }
        self.durables.insert(id, Durable { subscription, topics: read, selector });
    }

    /// The durable subscription whose messages wait in this destination.
    pub(in crate::broker) fn durable(&self, id: DestinationId) -> Option<&Arc<DurableSubscription>> {
        self.durables.get(&id).map(|it| &it.subscription)
    }

    /// A queue exists; `topic` finds a topic.
    pub(in crate::broker) fn add_queue(
        &mut self,
        id: DestinationId,
        destination: &Destination,
        topic: impl FnOnce(&Destination) -> Option<DestinationId>,
    ) {
        let Some(name) = topic_of(destination) else { return };
        self.consumers.entry(name.into()).or_default().push(id);
        let found = topic(&Destination { kind: DestinationKind::Topic, name: name.to_owned() });
        if let Some(topic) = found {
            self.route(topic, id);
        }
    }

    /// A topic exists.
    pub(in crate::broker) fn add_topic(&mut self, id: DestinationId, destination: &Destination) {
        if destination.kind != DestinationKind::Topic {
            return;
        }
        self.advisory_topics += usize::from(is_advisory(destination));
        let durables = self.durables.iter().filter(|(_, it)| it.topics.matches(&destination.name));
        let consumers = self.consumers.get(&*destination.name).into_iter().flatten();
        let mut found: Vec<_> = durables.map(|(id, _)| id).chain(consumers).copied().collect();
        if !found.is_empty() {
            found.sort_unstable();
            self.routes.insert(id, found.into());
        }
    }

    /// A destination of any kind is gone.
    pub(in crate::broker) fn remove(&mut self, id: DestinationId, destination: &Destination) {
        self.routes.remove(&id);
        self.advisory_topics -= usize::from(is_advisory(destination));
        let was_durable = self.durables.remove(&id).is_some();
        let topic = topic_of(destination);
        if let Some(consumers) = topic.and_then(|topic| self.consumers.get_mut(topic)) {
            consumers.retain(|it| *it != id);
        }
        if was_durable || topic.is_some() {
            for routes in self.routes.values_mut().filter(|it| it.contains(&id)) {
                *routes = routes.iter().filter(|it| **it != id).copied().collect();
            }
            self.routes.retain(|_, routes| !routes.is_empty());
            self.consumers.retain(|_, queues| !queues.is_empty());
        }
    }

    /// What keeps a topic's messages.
    pub(in crate::broker) fn routes(&self, topic: DestinationId) -> Option<&Arc<[DestinationId]>> {
        if self.routes.is_empty() { None } else { self.routes.get(&topic) }
    }

    /// Whether what keeps a topic's messages keeps this one, which a client with this id has sent.
    pub(in crate::broker) fn wants(&self, route: DestinationId, message: &Message, client_id: &str) -> bool {
        self.durables.get(&route).is_none_or(|it| it.wants(message, client_id))
    }

    fn route(&mut self, topic: DestinationId, to: DestinationId) {
        let before = self.routes.get(&topic).map_or(&[][..], |routes| routes);
        let mut routes: Vec<_> = before.iter().copied().filter(|it| *it != to).collect();
        routes.insert(routes.partition_point(|it| *it < to), to);
        self.routes.insert(topic, routes.into());
    }

    /// Bytes of the texts of all selectors.
    #[cfg(test)]
    pub(in crate::broker) fn selector_bytes(&self) -> usize {
        self.durables.values().map(|it| it.subscription.selector.len()).sum()
    }
}

/// The name of the topic whose messages a queue gets as a virtual consumer.
fn topic_of(queue: &Destination) -> Option<&str> {
    if queue.kind != DestinationKind::Queue {
        return None;
    }
    let (_, topic) = queue.name.strip_prefix(VIRTUAL_CONSUMER)?.split_once('.')?;
    topic.starts_with(VIRTUAL_TOPIC).then_some(topic)
}
