//! Messages that nobody could consume: they move to the dead-letter queue, in one group of the log with their leaving.

use crate::model::{
    Destination, DestinationId, DestinationKind, Field, Message, MessageBuilder, Outcome, Place,
    PropertyValue, Record, Sequence,
};
use crate::state::State;
use crate::storage::Loaded;

use super::Serving;
use super::acknowledge::settle_records;
use super::applied::Pending;

impl Serving {
    /// The record that puts a copy of a message into the dead-letter queue; `None` if there can be no such queue.
    pub(super) fn dead_copy(
        &mut self,
        origin: &Destination,
        message: &Message,
        outcome: Outcome,
    ) -> Option<Record> {
        let name = self.options.dead_letter_queue.clone();
        let target = Destination::new(DestinationKind::Queue, name).ok()?;
        let destination = match self.known(&target) {
            Some(id) => id,
            None => self.create(target.clone(), Pending::Nobody),
        };
        if outcome == Outcome::Expired {
            self.announce_message("Expired", origin, message);
        }
        self.announce_message("MessageDLQd", origin, message);
        let message = dead_message(message, origin, &target, outcome)?;
        let sequence = Sequence(self.queues.get_mut(&destination)?.assign());
        Some(Record::Message { places: Place { destination, sequence }.into(), message })
    }

    /// Moves a message to the dead-letter queue.
    pub(super) fn bury(
        &mut self,
        id: DestinationId,
        sequence: u64,
        message: &Message,
        outcome: Outcome,
        pending: Pending,
    ) {
        let Some(origin) = self.queues.get(&id).map(|queue| queue.figures.destination.clone()) else {
            return;
        };
        let mut group = Vec::with_capacity(2);
        settle_records(id, outcome, vec![sequence], &mut group);
        group.extend(self.dead_copy(&origin, message, outcome));
        self.propose(group, pending);
    }

    /// Bodies of messages that are to be buried have come.
    pub(super) fn loaded_dead(
        &mut self,
        state: &State,
        id: DestinationId,
        result: Result<Vec<Loaded>, String>,
    ) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        queue.dead_reading = false;
        let loaded = match result {
            Ok(loaded) if loaded.is_empty() => Err("a dead message is not in the log".to_owned()),
            other => other,
        };
        match loaded {
            Ok(loaded) => {
                for Loaded { sequence, message, .. } in loaded {
                    let Some(queue) = self.queues.get_mut(&id) else { return };
                    let Some(dead) = queue.dead.remove(&sequence.0) else { continue };
                    if state.destination(id).is_none_or(|it| it.is_settled(sequence.0)) {
                        queue.outstanding -= 1;
                        self.clients.end_pending(dead.waiter, 0);
                        continue;
                    }
                    let pending = Pending::One { waiter: dead.waiter, bytes: 0 };
                    self.bury(id, sequence.0, &message, dead.outcome, pending);
                }
                self.read_dead(id);
            }
            Err(reason) => self.damage(id, &reason),
        }
    }
}

/// The copy: as it was, but that it never expires, is nobody's repetition, and says where it comes from.
fn dead_message(
    message: &Message,
    origin: &Destination,
    target: &Destination,
    outcome: Outcome,
) -> Option<Message> {
    let cause = match outcome {
        Outcome::Expired => "Message Expired",
        _ => "Poison message: a consumer refused it",
    };
    let mut builder = MessageBuilder::from_message(message);
    builder.remove(Field::Destination).destination(Field::Destination, target);
    builder.remove(Field::DuplicateId).remove(Field::ProducerId);
    builder.producer_sequence = 0;
    if message.field(Field::OriginalDestination).is_none() {
        // What a durable subscription kept comes from a topic.
        let topic = || message.destinations(Field::Destination).find(|it| it.kind.is_topic());
        let topic = if origin.kind == DestinationKind::Subscription { topic() } else { None };
        builder.destination(Field::OriginalDestination, topic.as_ref().unwrap_or(origin));
    }
    if message.expiry() != 0 {
        builder.property("originalExpiration", PropertyValue::Long(message.expiry()));
    }
    builder.expiry = 0;
    builder.property("dlqDeliveryFailureCause", PropertyValue::String(cause));
    builder.build().ok()
}
