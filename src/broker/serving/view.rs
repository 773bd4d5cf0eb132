//! What operators see. Only what is committed counts.

use crate::broker::destination::{Queue, Topic};
use crate::broker::output::{DestinationView, SessionView};
use crate::state::{DestinationState, State};

use super::Serving;
use super::directory::is_temporary;

impl DestinationView {
    /// A destination as a slave knows it.
    pub(in crate::broker) fn of_state(state: &DestinationState) -> DestinationView {
        DestinationView {
            destination: state.destination().clone(),
            size: state.size(),
            consumers: 0,
            enqueued: state.enqueued(),
            dequeued: state.dequeued(),
            dispatched: 0,
            in_flight: 0,
        }
    }

    fn with_queue(mut self, queue: &Queue) -> DestinationView {
        let transient = &queue.transient;
        self.size += transient.enqueued - transient.dequeued;
        self.enqueued += transient.enqueued;
        self.dequeued += transient.dequeued;
        self.consumers = queue.consumers.len();
        self.dispatched = queue.dispatched;
        self.in_flight = queue.in_flight;
        self
    }

    fn with_topic(mut self, topic: &Topic) -> DestinationView {
        self.enqueued += topic.enqueued;
        self.dequeued += topic.enqueued;
        self.consumers = topic.subscribers.len();
        self.dispatched = topic.dispatched;
        self
    }
}

impl Serving {
    pub(in crate::broker) fn destination_views(&self, state: &State) -> Vec<DestinationView> {
        let committed = state.destinations().map(|(id, it)| {
            let view = DestinationView::of_state(it);
            match (self.queues.get(&id), self.topics.get(&id)) {
                (Some(queue), _) => view.with_queue(queue),
                (None, Some(topic)) => view.with_topic(topic),
                (None, None) => view,
            }
        });
        let blank =
            |destination: &_| DestinationView::of_state(&DestinationState::new(Clone::clone(destination)));
        let queues = self.queues.iter().filter(|(id, _)| is_temporary(**id));
        let topics = self.topics.iter().filter(|(id, _)| is_temporary(**id));
        let mut views: Vec<_> = committed
            .chain(queues.map(|(_, it)| blank(&it.destination).with_queue(it)))
            .chain(topics.map(|(_, it)| blank(&it.destination).with_topic(it)))
            .collect();
        views.sort_by(|a, b| a.destination.cmp(&b.destination));
        views
    }

    pub(in crate::broker) fn session_views(&self) -> Vec<SessionView> {
        let mut views: Vec<_> = self
            .clients
            .iter()
            .map(|(session, client)| SessionView {
                session,
                info: client.info.clone(),
                subscriptions: client.subscriptions.len(),
                in_flight: client.deliveries.len(),
                waiting: client.waiting.len(),
            })
            .collect();
        views.sort_by_key(|it| it.session);
        views
    }
}
