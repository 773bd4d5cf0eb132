//! Producers of sessions, where a protocol has them: they are counted at their destination and told of, and bound nothing.

use crate::broker::{ProducerKey, Refusal, SessionId};
use crate::model::{Destination, ToldDestination, ToldProducer};

use super::Serving;
use super::advisories::Advisory;
use super::sessions::Waiter;

impl Serving {
    /// A producer begins. Its destination is made, as by a first message.
    pub(super) fn produce(&mut self, waiter: Waiter, key: ProducerKey, destination: Option<Destination>) {
        let result = self.add_producer(waiter.session, key, destination);
        self.clients.answer(waiter, result);
    }

    fn add_producer(
        &mut self,
        session: SessionId,
        key: ProducerKey,
        destination: Option<Destination>,
    ) -> Result<(), Refusal> {
        let producers_max = self.options.subscriptions_max;
        let producers = self.clients.get(session).map_or(0, |client| client.producers().len());
        if producers >= producers_max {
            return Err(Refusal::Limit(format!("a connection has at most {producers_max} producers")));
        }
        if let Some(destination) = &destination {
            if self.known(destination).is_none() {
                self.may_make(session, destination)?;
            }
            self.find_or_create(destination)?;
        }
        let told = destination.as_ref().map(ToldDestination::of);
        let Some(client) = self.clients.get_mut(session) else { return Ok(()) };
        if !client.add_producer(key, told.clone()) {
            return Err(Refusal::Invalid("the producer exists already".into()));
        }
        let came =
            ToldProducer { connection: client.connection().to_owned(), number: key.0, destination: told };
        let producers = self.count_producer(&came, true);
        self.announce(Advisory::producer(&came, false, producers), Some(session));
        Ok(())
    }

    /// A producer ends.
    pub(super) fn end_producer(&mut self, session: SessionId, key: ProducerKey) {
        let Some(gone) = self.clients.get_mut(session).and_then(|it| it.remove_producer(key)) else { return };
        let producers = self.count_producer(&gone, false);
        self.announce(Advisory::producer(&gone, true, producers), Some(session));
    }

    /// The producers of a session end with it.
    pub(super) fn end_producers(&mut self, session: SessionId) {
        let Some(client) = self.clients.get(session) else { return };
        let keys: Vec<_> = client.producers().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.end_producer(session, key));
    }

    /// Producers of a producer's destination.
    pub(super) fn producers_at(&self, told: &ToldProducer) -> usize {
        let destination = told.destination.as_ref().and_then(|it| it.read().ok());
        let id = destination.and_then(|it| self.known(&it));
        id.and_then(|id| self.figures_of(id)).map_or(0, |it| it.producers.get() as usize)
    }

    /// One more or one less at its destination; returns how many there are now.
    fn count_producer(&self, told: &ToldProducer, came: bool) -> usize {
        let destination = told.destination.as_ref().and_then(|it| it.read().ok());
        let id = destination.and_then(|it| self.known(&it));
        let Some(figures) = id.and_then(|id| self.figures_of(id)) else { return 0 };
        // A destination may have been deleted and made anew under its producers.
        let before = figures.producers.get();
        let now = if came { before + 1 } else { before.saturating_sub(1) };
        figures.producers.set(now);
        now as usize
    }
}
