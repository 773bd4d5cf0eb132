//! What happens to temporary destinations is told on ActiveMQ's advisory topics: JMS clients answer to nobody else's temporary
//! queue before they have heard that it is there.

use crate::broker::SessionId;
use crate::broker::subscription::{Source, SubscriberId};
use crate::model::{
    BodyKind, Destination, DestinationId, DestinationKind, Encoding, Field, Happening, Message,
    MessageBuilder,
};

use super::Serving;
use super::directory::is_temporary;

/// Messages that wait for a subscriber which does not take them; then it is told no more.
const WAITING_MAX: usize = 65_536;
/// Topics of queues and of topics that last as long as a connection.
const TEMPORARY_QUEUES: &str = "ActiveMQ.Advisory.TempQueue";
const TEMPORARY_TOPICS: &str = "ActiveMQ.Advisory.TempTopic";
/// What ActiveMQ calls these messages.
const TYPE: &str = "Advisory";

fn topic(name: &str) -> Option<Destination> {
    Destination::new(DestinationKind::Topic, name).ok()
}

/// The topic that tells of a destination of this kind.
fn place(kind: DestinationKind) -> Option<Destination> {
    match kind {
        DestinationKind::TemporaryQueue => topic(TEMPORARY_QUEUES),
        DestinationKind::TemporaryTopic => topic(TEMPORARY_TOPICS),
        DestinationKind::Queue | DestinationKind::Topic => None,
    }
}

impl Serving {
    /// Tells whoever wants to hear of it what has happened to a temporary destination of the session `from`.
    pub(super) fn announce(&mut self, happening: Happening, destination: &Destination, from: SessionId) {
        let Some(place) = place(destination.kind) else { return };
        let Some(id) = self.census.find_destination(&place) else { return };
        let Some(message) = self.announcement(&place, happening, destination) else { return };
        let listeners: Vec<_> =
            self.topics.get(&id).map(|it| it.subscribers.iter().copied().collect()).unwrap_or_default();
        for subscriber in listeners {
            let subscription = self.subscriptions.get(&subscriber);
            if subscription.is_some_and(|it| !(it.no_local && it.session == from) && it.selects(&message, 0))
            {
                self.tell_of(subscriber, id, message.clone());
            }
        }
    }

    /// Tells a new subscriber of a topic what temporary destinations there are.
    pub(super) fn announce_present(&mut self, subscriber: SubscriberId, id: DestinationId) {
        let Some(name) = self.topics.get(&id).map(|it| it.figures.destination.name.clone()) else { return };
        let kind = match &*name {
            TEMPORARY_QUEUES => DestinationKind::TemporaryQueue,
            TEMPORARY_TOPICS => DestinationKind::TemporaryTopic,
            _ => return,
        };
        let Some(place) = topic(&name) else { return };
        let queues = self.queues.iter().map(|(id, it)| (*id, &it.figures.destination));
        let topics = self.topics.iter().map(|(id, it)| (*id, &it.figures.destination));
        let present = queues.chain(topics).filter(|(id, it)| is_temporary(*id) && it.kind == kind);
        let present: Vec<_> = present.map(|(_, it)| it.clone()).collect();
        for destination in present {
            let message = self.announcement(&place, Happening::Made, &destination);
            let selects =
                |it: &Message| self.subscriptions.get(&subscriber).is_some_and(|own| own.selects(it, 0));
            if let Some(message) = message.filter(selects) {
                self.tell_of(subscriber, id, message);
            }
        }
    }

    fn announcement(
        &self,
        place: &Destination,
        happening: Happening,
        destination: &Destination,
    ) -> Option<Message> {
        let mut builder = MessageBuilder::new(Encoding::Native);
        builder.body_kind = BodyKind::None;
        builder.timestamp = self.wall;
        builder.destination(Field::Destination, place);
        builder.field(Field::Type, TYPE).field(Field::Happening, happening.to(destination));
        builder.build().ok()
    }

    /// Lets a message wait for a subscriber of a topic, which gets it as soon as it has credit.
    fn tell_of(&mut self, subscriber: SubscriberId, topic: DestinationId, message: Message) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        let Source::Topics(_, backlog) = &mut subscription.source else { return };
        if backlog.messages.len() >= WAITING_MAX {
            return;
        }
        let bytes = message.encoded().len();
        backlog.bytes += bytes;
        self.memory += bytes;
        backlog.messages.push_back((topic, message));
        self.refilled.push(subscriber);
    }
}
