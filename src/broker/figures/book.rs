//! The figures of the destinations that the log knows, by number: what the fold counts in, on every node.

use std::sync::Arc;

use crate::broker::table::Table;
use crate::model::{CatalogueChange, DestinationId, Record};
use crate::state::{Applied, State};

use super::{DestinationFigures, Figures};

/// See the module. On the serving master queues and topics hold the same figures and count in them themselves.
#[derive(Debug, Default)]
pub(in crate::broker) struct Book {
    figures: Figures,
    destinations: Table<DestinationId, Arc<DestinationFigures>>,
}

impl Book {
    pub(in crate::broker) fn new(state: &State) -> Book {
        let mut book = Book::default();
        book.begin_anew(state);
        book
    }

    /// The registry.
    pub(in crate::broker) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The figures of a destination, if the log knows it.
    pub(in crate::broker) fn get(&self, id: DestinationId) -> Option<&Arc<DestinationFigures>> {
        self.destinations.get(&id)
    }

    /// Another state has come in the place of the one before.
    pub(in crate::broker) fn begin_anew(&mut self, state: &State) {
        self.figures.clear_destinations();
        self.destinations.clear();
        for (id, destination) in state.destinations() {
            let figures = DestinationFigures::of(
                destination.destination().clone(),
                destination.subscription().cloned(),
            );
            figures.fall_back_to(destination.enqueued(), destination.dequeued());
            figures.pause(destination.paused());
            self.put(id, Arc::new(figures));
        }
    }

    fn put(&mut self, id: DestinationId, figures: Arc<DestinationFigures>) {
        self.figures.insert(Arc::clone(&figures));
        self.destinations.insert(id, figures);
    }

    /// A slave has applied a record, with this verdict.
    pub(in crate::broker) fn follow(&mut self, state: &State, record: &Record, verdict: Applied) {
        match (record, verdict) {
            (Record::Message { places, .. }, Applied::Entered(1..)) => {
                for place in places.iter() {
                    let destination = state.destination(place.destination);
                    if let (Some(figures), Some(it)) = (self.get(place.destination), destination) {
                        figures.fall_back_to(it.enqueued(), it.dequeued());
                    }
                }
            }
            (Record::Settle { destination, .. }, Applied::Settled(count)) => {
                if let Some(figures) = self.get(*destination) {
                    figures.dequeued.add(count);
                }
            }
            (Record::Catalogue(change), Applied::Done) => self.change(change, |_| None),
            // The fold began above offset 0, and has met the checkpoint that stands for all before it.
            (Record::Checkpoint(_), Applied::Done) => self.begin_anew(state),
            _ => {}
        }
    }

    /// A destination has come or gone. One that the master has made before its creation was committed has figures already.
    pub(in crate::broker) fn change(
        &mut self,
        change: &CatalogueChange,
        made: impl FnOnce(DestinationId) -> Option<Arc<DestinationFigures>>,
    ) {
        match change {
            CatalogueChange::CreateDestination { id, destination } => {
                let blank = || Arc::new(DestinationFigures::new(destination.clone()));
                self.put(*id, made(*id).unwrap_or_else(blank));
            }
            CatalogueChange::RemoveDestination { id } => {
                if let Some(gone) = self.destinations.remove(id) {
                    self.figures.remove(&gone.destination);
                }
            }
            CatalogueChange::PauseDestination { id, paused } => {
                if let Some(figures) = self.get(*id) {
                    figures.pause(*paused);
                }
            }
            CatalogueChange::CreateSubscription { id, subscription } => {
                let blank = || {
                    let destination = subscription.destination().ok()?;
                    Some(Arc::new(DestinationFigures::of(destination, Some(Arc::new(subscription.clone())))))
                };
                if let Some(figures) = made(*id).or_else(blank) {
                    self.put(*id, figures);
                }
            }
        }
    }

    /// The mastership is over: what the log says is left.
    pub(in crate::broker) fn end_mastership(&mut self, state: &State) {
        self.figures.end_mastership();
        for (id, destination) in state.destinations() {
            if let Some(figures) = self.get(id) {
                figures.fall_back_to(destination.enqueued(), destination.dequeued());
            }
        }
    }

    /// Panics when a slave's figures are not what its state says.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self, state: &State) {
        let shown = |it: &DestinationFigures| {
            let live = [&it.consumers, &it.dispatched, &it.in_flight].map(|counter| counter.get());
            (it.enqueued.get(), it.dequeued.get(), live, it.counts().paused)
        };
        for (id, destination) in state.destinations() {
            let figures = self.get(id).map(|it| shown(it));
            let (enqueued, dequeued) = (destination.enqueued(), destination.dequeued());
            let known = (enqueued, dequeued, [0; 3], destination.paused());
            assert_eq!(figures, Some(known), "the figures of {}", destination.destination());
        }
        let count = state.destinations().count();
        assert_eq!(
            (self.destinations.len(), self.figures.destination_count() + self.figures.inner_count()),
            (count, count),
            "destinations"
        );
        assert_eq!(self.figures.connection_count(), 0, "connections of a slave");
    }
}
