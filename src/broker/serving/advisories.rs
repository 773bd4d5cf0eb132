//! Advisory topics, by ActiveMQ's names: they tell whoever wants to hear of it that a connection, a consumer, a producer or a
//! destination has come or gone. JMS clients answer to nobody else's temporary queue before they have heard that it is there; other
//! brokers learn here what they have to forward. Whoever begins to listen is told of all that is there already. A listener
//! hears of those destinations only that it may read.

use std::fmt::Write;

use crate::broker::destination::is_advisory;
use crate::broker::subscription::{Source, SubscriberId};
use crate::broker::{Principal, SessionId};
use crate::model::{
    BodyKind, Destination, DestinationId, DestinationKind, Encoding, Field, Happening, Message,
    MessageBuilder, Pattern, PropertyValue, ToldBroker, ToldConnection, ToldConsumer, ToldDestination,
    ToldProducer,
};
use crate::security::Permission;

use super::Serving;

/// Messages that wait for a listener which does not take them; then, or when memory is short, it is told no more.
const WAITING_MAX: usize = 65_536;
/// What the names of all of these topics begin with.
const PREFIX: &str = "ActiveMQ.Advisory.";
/// All of these topics.
const ALL: &str = "ActiveMQ.Advisory.>";
/// What ActiveMQ calls these messages.
const TYPE: &str = "Advisory";

/// One thing that is told.
#[derive(Debug)]
pub(super) struct Advisory {
    topic: Destination,
    /// What a listener must be allowed to read.
    about: Option<Destination>,
    happening: Option<Happening>,
    /// A property that says more.
    property: Option<(&'static str, Told)>,
}

/// The value of a property.
#[derive(Debug)]
enum Told {
    Count(usize),
    Text(String),
}

/// The topic of this name; none for what nobody may hear of, and for names that get too long.
fn topic(name: String) -> Option<Destination> {
    Destination::new(DestinationKind::Topic, name).ok()
}

/// `Queue.NAME` or `Topic.NAME` behind what is told of it.
fn topic_of(what: &str, destination: &Destination) -> Option<Destination> {
    if is_advisory(destination) {
        return None;
    }
    let kind = if destination.kind.is_queue() { "Queue" } else { "Topic" };
    topic(format!("{PREFIX}{what}.{kind}.{}", destination.name))
}

impl Advisory {
    fn new(topic: Option<Destination>, about: Option<Destination>, happening: Happening) -> Option<Advisory> {
        Some(Advisory { topic: topic?, about, happening: Some(happening), property: None })
    }

    fn with(self, name: &'static str, value: Told) -> Advisory {
        Advisory { property: Some((name, value)), ..self }
    }

    /// A destination has come or gone; `connection` is the owner's if it is temporary.
    pub(super) fn destination(
        destination: &Destination,
        connection: &str,
        is_gone: bool,
    ) -> Option<Advisory> {
        let what = match destination.kind {
            DestinationKind::Queue => "Queue",
            DestinationKind::Topic => "Topic",
            DestinationKind::TemporaryQueue => "TempQueue",
            DestinationKind::TemporaryTopic => "TempTopic",
            DestinationKind::Subscription => return None,
        };
        if is_advisory(destination) {
            return None;
        }
        let told = ToldDestination::owned(destination, connection);
        let happening =
            if is_gone { Happening::DestinationRemoved(told) } else { Happening::DestinationMade(told) };
        Advisory::new(topic(format!("{PREFIX}{what}")), Some(destination.clone()), happening)
    }

    /// A consumer has come or gone; `consumers` are left at its destination.
    pub(super) fn consumer(told: &ToldConsumer, is_gone: bool, consumers: usize) -> Option<Advisory> {
        let destination = told.destination.read().ok()?;
        let happening = match is_gone {
            true => Happening::ConsumerWent(told.clone()),
            false => Happening::ConsumerCame(told.clone()),
        };
        let topic = topic_of("Consumer", &destination);
        let advisory = Advisory::new(topic, Some(destination), happening)?;
        Some(advisory.with("consumerCount", Told::Count(consumers)))
    }

    /// A producer has come or gone; `producers` are left at its destination. Nothing is told of those that send anywhere.
    pub(super) fn producer(told: &ToldProducer, is_gone: bool, producers: usize) -> Option<Advisory> {
        let destination = told.destination.as_ref()?.read().ok()?;
        let happening = match is_gone {
            true => Happening::ProducerWent(told.clone()),
            false => Happening::ProducerCame(told.clone()),
        };
        let topic = topic_of("Producer", &destination);
        let advisory = Advisory::new(topic, Some(destination), happening)?;
        Some(advisory.with("producerCount", Told::Count(producers)))
    }

    /// A connection has come or gone.
    pub(super) fn connection(told: ToldConnection, is_gone: bool) -> Option<Advisory> {
        let happening =
            if is_gone { Happening::ConnectionWent(told) } else { Happening::ConnectionCame(told) };
        Advisory::new(topic(format!("{PREFIX}Connection")), None, happening)
    }

    /// The broker serves.
    fn broker() -> Option<Advisory> {
        let happening = Happening::BrokerServes(ToldBroker {});
        Advisory::new(topic(format!("{PREFIX}MasterBroker")), None, happening)
    }

    /// Something has become of a message: `what` is ActiveMQ's word for it.
    pub(super) fn message(what: &str, destination: &Destination, message: &Message) -> Option<Advisory> {
        let topic = topic_of(what, destination)?;
        let id = message.text(Field::MessageId).unwrap_or_default().to_owned();
        // The name is misspelt in ActiveMQ, and read by that name.
        let property = Some(("orignalMessageId", Told::Text(id)));
        Some(Advisory { topic, about: Some(destination.clone()), happening: None, property })
    }
}

impl Serving {
    /// Whether anybody listens to any of these topics.
    pub(super) fn is_listened_to(&self) -> bool {
        self.router.listens_to_advisories()
    }

    /// Tells whoever wants to hear of it; the session that it comes from may want not to.
    pub(super) fn announce(&mut self, advisory: Option<Advisory>, from: Option<SessionId>) {
        let Some(advisory) = advisory.filter(|_| self.is_listened_to()) else { return };
        let id = self.census.find_destination(&advisory.topic);
        let listeners: Vec<_> = match id.and_then(|id| self.topics.get(&id)) {
            Some(topic) => topic.subscribers.clone(),
            None => self.router.listening(&advisory.topic.name).collect(),
        };
        if listeners.is_empty() {
            return;
        }
        let Some(message) = self.advise(&advisory) else { return };
        for subscriber in listeners {
            self.tell_of(subscriber, id, &advisory, &message, from);
        }
    }

    /// Tells of a destination that has come or gone; a temporary one is the session's.
    pub(super) fn announce_destination(
        &mut self,
        destination: &Destination,
        from: Option<SessionId>,
        is_gone: bool,
    ) {
        if self.is_listened_to() {
            let owner = from.and_then(|session| self.clients.get(session));
            let connection = owner.map_or("", |client| client.connection()).to_owned();
            self.announce(Advisory::destination(destination, &connection, is_gone), from);
        }
    }

    /// Tells of a consumer that has come or gone.
    pub(super) fn announce_consumer(&mut self, told: &ToldConsumer, from: SessionId, is_gone: bool) {
        if self.is_listened_to() {
            let consumers = self.consumers_at(&told.destination);
            self.announce(Advisory::consumer(told, is_gone, consumers), Some(from));
        }
    }

    /// Tells of a connection that has come or gone.
    pub(super) fn announce_connection(&mut self, session: SessionId, is_gone: bool) {
        if self.is_listened_to() {
            let told = self.clients.get(session).map(super::sessions::Client::told);
            self.announce(told.and_then(|told| Advisory::connection(told, is_gone)), Some(session));
        }
    }

    /// Tells of what has become of a message.
    pub(super) fn announce_message(&mut self, what: &str, destination: &Destination, message: &Message) {
        if self.is_listened_to() {
            self.announce(Advisory::message(what, destination, message), None);
        }
    }

    /// Tells a new listener of what is there. `wanted` is the topic, or the pattern of topics, that it listens to.
    pub(super) fn announce_present(&mut self, subscriber: SubscriberId, wanted: &Destination) {
        let pattern = Pattern::of(&wanted.name);
        if wanted.kind != DestinationKind::Topic || !pattern.meets(&Pattern::of(ALL)) {
            return;
        }
        let wants = |what: &str| {
            let mut name = String::with_capacity(PREFIX.len() + what.len());
            // Writing to a String does not fail.
            let _ = write!(name, "{PREFIX}{what}");
            pattern.meets(&Pattern::of(&name))
        };
        let mut present = Vec::new();
        if wants("Connection") {
            present.extend(self.clients.iter().map(|(_, it)| Advisory::connection(it.told(), false)));
        }
        if wants("TempQueue") || wants("TempTopic") {
            for (_, client) in self.clients.iter() {
                let made = client.temporary.iter().filter_map(|id| self.figures_of(*id));
                present.extend(
                    made.map(|it| Advisory::destination(&it.destination, client.connection(), false)),
                );
            }
        }
        if wants("Queue") {
            let queues = self.queues.values().map(|it| &*it.figures.destination);
            let queues = queues.filter(|it| it.kind == DestinationKind::Queue);
            present.extend(queues.map(|it| Advisory::destination(it, "", false)));
        }
        if wants("Topic") {
            let topics = self.topics.values().map(|it| &*it.figures.destination);
            let topics = topics.filter(|it| it.kind == DestinationKind::Topic);
            present.extend(topics.map(|it| Advisory::destination(it, "", false)));
        }
        if wants("Consumer.>") {
            let consumers = self.subscriptions.iter().filter(|(id, _)| **id != subscriber);
            let told = consumers
                .map(|(_, it)| Advisory::consumer(&it.told, false, self.consumers_at(&it.told.destination)));
            present.extend(told);
        }
        if wants("Producer.>") {
            let producers = self.clients.iter().flat_map(|(_, client)| client.producers());
            let told = producers.map(|(_, it)| Advisory::producer(&it, false, self.producers_at(&it)));
            present.extend(told);
        }
        if wants("MasterBroker") {
            present.push(Advisory::broker());
        }
        for advisory in present.into_iter().flatten().filter(|it| pattern.matches(&it.topic.name)) {
            if let Some(message) = self.advise(&advisory) {
                let id = self.census.find_destination(&advisory.topic);
                self.tell_of(subscriber, id, &advisory, &message, None);
            }
        }
    }

    /// Consumers of a destination; of a pattern, those of all that it means now are not counted.
    pub(super) fn consumers_at(&self, told: &ToldDestination) -> usize {
        let id = told.read().ok().and_then(|it| self.census.find_destination(&it));
        let figures = id.and_then(|id| self.figures_of(id));
        figures.map_or(0, |it| it.consumers.get() as usize)
    }

    fn advise(&self, advisory: &Advisory) -> Option<Message> {
        let names = &self.options.names;
        let mut builder = MessageBuilder::new(Encoding::Native);
        builder.body_kind = BodyKind::None;
        builder.timestamp = self.wall;
        builder.destination(Field::Destination, &advisory.topic);
        builder.field(Field::Type, TYPE);
        if let Some(happening) = &advisory.happening {
            builder.field(Field::Happening, happening.to_field());
        }
        builder.property("originBrokerId", PropertyValue::String(&names.id().to_string()));
        builder.property("originBrokerName", PropertyValue::String(names.name()));
        builder.property("originBrokerURL", PropertyValue::String(names.address()));
        match &advisory.property {
            Some((name, Told::Count(count))) => {
                builder.property(name, PropertyValue::Int(i32::try_from(*count).unwrap_or(i32::MAX)));
            }
            Some((name, Told::Text(text))) => {
                builder.property(name, PropertyValue::String(text));
            }
            None => {}
        }
        builder.build().ok()
    }

    /// Lets a message wait for a listener, which gets it as soon as it has credit; unless it may not or does not want to hear.
    fn tell_of(
        &mut self,
        subscriber: SubscriberId,
        topic: Option<DestinationId>,
        advisory: &Advisory,
        message: &Message,
        from: Option<SessionId>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        let is_own = subscription.no_local && Some(subscription.session) == from;
        if is_own || !subscription.selects(message, 0) {
            return;
        }
        let client = self.clients.get(subscription.session);
        let principal = client.map(super::sessions::Client::principal);
        if let (Some(Principal::Known(account)), Some(about)) = (principal, &advisory.about)
            && !account.may(Permission::Read, about.kind, &about.name)
        {
            return;
        }
        let Source::Topics(_, backlog) = &mut subscription.source else { return };
        if backlog.messages.len() >= WAITING_MAX || self.memory >= self.options.memory_limit {
            return;
        }
        let bytes = message.encoded().len();
        backlog.bytes += bytes;
        self.memory += bytes;
        backlog.messages.push_back((topic, message.clone()));
        self.refilled.push(subscriber);
    }
}
