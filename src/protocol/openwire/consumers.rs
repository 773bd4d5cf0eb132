//! The consumers of a connection, by the ids that the client gave them and by the broker's keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::time::Instant;

use crate::broker::{Command, Refusal, SubscriptionKey, TransactionKey};

use super::codec::ConsumerId;
use super::consumer::Consumer;
use super::places::PLACES_MAX;

/// Consumers of one connection.
pub(super) const CONSUMERS_MAX: usize = 10_000;

/// The connection's own number of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConsumerNumber(u64);

impl ConsumerNumber {
    /// The broker's key for one of its destinations.
    pub(super) fn part(self, part: usize) -> SubscriptionKey {
        SubscriptionKey(self.0 * PLACES_MAX as u64 + part as u64)
    }

    /// Whose key it is.
    pub(super) fn of(key: SubscriptionKey) -> ConsumerNumber {
        ConsumerNumber(key.0 / PLACES_MAX as u64)
    }
}

/// A consumer with its name, and what its client waits for.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: ConsumerId,
    pub(super) consumer: Consumer,
    /// Subscriptions that are not confirmed yet, and the refusal of one of them.
    pub(super) joining: usize,
    pub(super) refusal: Option<Refusal>,
    /// Drains that are not answered yet.
    pub(super) drains: usize,
    /// Until when its client waits for a message.
    until: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// Looked up for each delivery.
    by_number: BTreeMap<ConsumerNumber, Known>,
    by_id: HashMap<ConsumerId, ConsumerNumber>,
    made: u64,
    /// Whose time to wait for a message ends when.
    waits: BTreeSet<(Instant, ConsumerNumber)>,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// A number for the next consumer.
    pub(super) fn number(&mut self) -> ConsumerNumber {
        self.made += 1;
        ConsumerNumber(self.made)
    }

    /// A consumer begins; its subscriptions are not confirmed.
    pub(super) fn insert(&mut self, number: ConsumerNumber, id: ConsumerId, consumer: Consumer) {
        let joining = consumer.parts.len();
        self.by_id.insert(id.clone(), number);
        let known = Known { id, consumer, joining, refusal: None, drains: 0, until: None };
        self.by_number.insert(number, known);
    }

    pub(super) fn find(&self, id: &ConsumerId) -> Option<ConsumerNumber> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get_mut(&mut self, number: ConsumerNumber) -> Option<&mut Known> {
        self.by_number.get_mut(&number)
    }

    pub(super) fn remove(&mut self, number: ConsumerNumber) -> Option<Known> {
        let gone = self.by_number.remove(&number)?;
        self.by_id.remove(&gone.id);
        gone.until.map(|until| self.waits.remove(&(until, number)));
        Some(gone)
    }

    /// Those whose ids are like this.
    pub(super) fn like(&self, is_meant: impl Fn(&ConsumerId) -> bool) -> Vec<ConsumerNumber> {
        self.by_number.iter().filter(|(_, known)| is_meant(&known.id)).map(|(number, _)| *number).collect()
    }

    /// The client of a consumer waits for a message until then, or not any more.
    pub(super) fn wait(&mut self, number: ConsumerNumber, until: Option<Instant>) {
        let Some(known) = self.by_number.get_mut(&number) else { return };
        let before = std::mem::replace(&mut known.until, until);
        before.map(|before| self.waits.remove(&(before, number)));
        until.map(|until| self.waits.insert((until, number)));
    }

    /// When the first one has waited long enough.
    pub(super) fn first_wait(&self) -> Option<Instant> {
        self.waits.first().map(|(until, _)| *until)
    }

    /// One that has waited long enough.
    pub(super) fn take_waited(&mut self, now: Instant) -> Option<ConsumerNumber> {
        let (_, number) = self.waits.first().copied().filter(|(until, _)| *until <= now)?;
        self.wait(number, None);
        Some(number)
    }

    /// A transaction is about to be committed.
    pub(super) fn commit(&mut self, transaction: TransactionKey) {
        self.by_number.values_mut().for_each(|known| known.consumer.commit(transaction));
    }

    /// A transaction is over.
    pub(super) fn finish(&mut self, transaction: TransactionKey, commit: bool) {
        self.by_number.values_mut().for_each(|known| known.consumer.finish(transaction, commit));
    }

    /// Tells the broker of every bound that has changed.
    pub(super) fn regrant_all(&mut self, commands: &mut Vec<Command>) {
        self.by_number.values_mut().for_each(|known| known.regrant(commands));
    }
}

impl Known {
    /// Tells the broker of the consumer's bound, if that has changed.
    pub(super) fn regrant(&mut self, commands: &mut Vec<Command>) {
        // Until all of them are confirmed, none has any.
        if self.joining > 0 {
            return;
        }
        if let Some(prefetch) = self.consumer.regrant() {
            let parts = self.consumer.parts.iter();
            commands.extend(parts.map(|part| Command::Credit { subscription: *part, prefetch }));
        }
    }
}
