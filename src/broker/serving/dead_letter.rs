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

/// Properties of dead letters, as ActiveMQ names them: why they are dead, and when they would have expired.
pub(super) const CAUSE: &str = "dlqDeliveryFailureCause";
pub(super) const ORIGINAL_EXPIRATION: &str = "originalExpiration";

impl Serving {
    /// The record that puts a copy of a message into the dead-letter queue; `None` if there can be no such queue.
    pub(super) fn dead_copy(
        &mut self,
        id: DestinationId,
        message: &Message,
        outcome: Outcome,
    ) -> Option<Record> {
        let origin = came_from(&self.queues.get(&id)?.figures.destination, message);
        if outcome == Outcome::Expired {
            self.announce_message("Expired", &origin, message);
        }
        let queue = self.queues.get(&id)?;
        let policy = queue.standing().policy();
        if outcome == Outcome::Expired && !policy.dead_letters.expired {
            return None;
        }
        let name = match queue.standing().takes_dead_letters() {
            true => queue.figures.destination.name.clone(),
            false => policy.dead_letter_queue(&origin)?,
        };
        self.dead_copy_in(name, &origin, message, outcome)
    }

    /// The same for a message that came from there and is in no queue.
    pub(super) fn unsent_copy(&mut self, origin: &Destination, message: &Message) -> Option<Record> {
        let name = self.options.policies.of(origin.kind, &origin.name).dead_letter_queue(origin)?;
        self.dead_copy_in(name, origin, message, Outcome::Rejected)
    }

    fn dead_copy_in(
        &mut self,
        name: String,
        origin: &Destination,
        message: &Message,
        outcome: Outcome,
    ) -> Option<Record> {
        let target = Destination::new(DestinationKind::Queue, name).ok()?;
        let destination = match self.known(&target) {
            Some(id) => id,
            None => self.create(target.clone(), Pending::Nobody),
        };
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
        let mut group = Vec::with_capacity(2);
        settle_records(id, outcome, vec![sequence], &mut group);
        group.extend(self.dead_copy(id, message, outcome));
        self.propose(group, pending);
    }

    /// A non-persistent message that nobody could consume is gone. It becomes a dead letter if its queue's policy says so.
    pub(super) fn lose(&mut self, id: DestinationId, message: &Message, outcome: Outcome) {
        self.forget_transient(id, message.encoded().len());
        let standing = self.queues.get(&id).map(|queue| queue.standing());
        let is_kept =
            standing.is_some_and(|it| it.policy().dead_letters.non_persistent && !it.takes_dead_letters());
        if is_kept && !self.options.volatile {
            if let Some(record) = self.dead_copy(id, message, outcome) {
                self.propose(vec![record], Pending::Nobody);
            }
        } else if outcome == Outcome::Expired
            && let Some(figures) = self.figures_of(id).filter(|_| self.is_listened_to())
        {
            self.announce_message("Expired", &figures.destination, message);
        }
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

/// Where a message was sent to that waits here: what a durable subscription kept comes from a topic.
pub(super) fn came_from(place: &Destination, message: &Message) -> Destination {
    let topic = || message.destinations(Field::Destination).find(|it| it.kind.is_topic());
    let topic = if place.kind == DestinationKind::Subscription { topic() } else { None };
    topic.unwrap_or_else(|| place.clone())
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
        builder.destination(Field::OriginalDestination, origin);
    }
    if !message.persistent() {
        builder.persistent = true;
        builder.property("originalDeliveryMode", PropertyValue::String("NON_PERSISTENT"));
    }
    if message.expiry() != 0 {
        builder.property(ORIGINAL_EXPIRATION, PropertyValue::Long(message.expiry()));
    }
    builder.expiry = 0;
    builder.property(CAUSE, PropertyValue::String(cause));
    builder.build().ok()
}
