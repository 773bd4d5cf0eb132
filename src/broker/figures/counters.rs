//! The counters of one destination and of one session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::broker::{SessionId, SessionInfo};
use crate::model::{Destination, DurableSubscription};

use super::{ConnectionStatus, DestinationCounts, DestinationStatus, SubscriptionStatus};

/// A number that one task writes and any thread reads. To count is to load and to store: a second writer would lose counts.
/// What orders it for a reader is the answer that goes out after it.
#[derive(Debug, Default)]
pub(in crate::broker) struct Counter(AtomicU64);

impl Counter {
    pub(in crate::broker) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(in crate::broker) fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }

    pub(in crate::broker) fn add(&self, count: u64) {
        self.set(self.get() + count);
    }

    pub(in crate::broker) fn sub(&self, count: u64) {
        self.set(self.get() - count);
    }
}

/// What one destination counts. The names are those of [`DestinationStatus`].
#[derive(Debug)]
pub(in crate::broker) struct DestinationFigures {
    pub(in crate::broker) destination: Arc<Destination>,
    subscription: Option<Arc<DurableSubscription>>,
    pub(in crate::broker) enqueued: Counter,
    pub(in crate::broker) dequeued: Counter,
    pub(in crate::broker) consumers: Counter,
    pub(in crate::broker) producers: Counter,
    pub(in crate::broker) dispatched: Counter,
    pub(in crate::broker) in_flight: Counter,
    pub(in crate::broker) discarded: Counter,
    paused: AtomicBool,
}

impl DestinationFigures {
    pub(in crate::broker) fn new(destination: Destination) -> DestinationFigures {
        DestinationFigures::of(destination, None)
    }

    /// The figures of a destination in which what a durable subscription keeps waits, if it is such a one.
    pub(in crate::broker) fn of(
        destination: Destination,
        subscription: Option<Arc<DurableSubscription>>,
    ) -> DestinationFigures {
        DestinationFigures {
            destination: Arc::new(destination),
            subscription,
            enqueued: Counter::default(),
            dequeued: Counter::default(),
            consumers: Counter::default(),
            producers: Counter::default(),
            dispatched: Counter::default(),
            in_flight: Counter::default(),
            discarded: Counter::default(),
            paused: AtomicBool::new(false),
        }
    }

    /// Dispatch ends, or begins again.
    pub(super) fn pause(&self, paused: bool) {
        self.paused.store(paused, Relaxed);
    }

    /// Messages in the destination. The two counters are not read at one moment: what left in between never counts twice.
    pub(in crate::broker) fn size(&self) -> u64 {
        let dequeued = self.dequeued.get();
        self.enqueued.get().saturating_sub(dequeued)
    }

    /// Only what the log says is left of it: the mastership has ended.
    pub(super) fn fall_back_to(&self, enqueued: u64, dequeued: u64) {
        self.enqueued.set(enqueued);
        self.dequeued.set(dequeued);
        [&self.consumers, &self.producers, &self.dispatched, &self.in_flight, &self.discarded]
            .into_iter()
            .for_each(|counter| counter.set(0));
    }

    pub(super) fn counts(&self) -> DestinationCounts {
        DestinationCounts {
            size: self.size(),
            consumers: self.consumers.get(),
            producers: self.producers.get(),
            enqueued: self.enqueued.get(),
            dequeued: self.dequeued.get(),
            dispatched: self.dispatched.get(),
            in_flight: self.in_flight.get(),
            discarded: self.discarded.get(),
            paused: self.paused.load(Relaxed),
        }
    }

    pub(super) fn status(&self) -> DestinationStatus {
        DestinationStatus::of(&self.destination, self.counts())
    }

    pub(super) fn subscription_status(&self) -> SubscriptionStatus {
        let subscription = self.subscription.as_deref().cloned().unwrap_or_default();
        SubscriptionStatus::of(subscription, self.counts())
    }
}

/// What one session counts. The names are those of [`ConnectionStatus`].
#[derive(Debug)]
pub(in crate::broker) struct SessionFigures {
    pub(super) session: SessionId,
    info: SessionInfo,
    pub(in crate::broker) subscriptions: Counter,
    pub(in crate::broker) in_flight: Counter,
}

impl SessionFigures {
    pub(in crate::broker) fn new(session: SessionId, info: SessionInfo) -> SessionFigures {
        SessionFigures { session, info, subscriptions: Counter::default(), in_flight: Counter::default() }
    }

    /// Who the session belongs to.
    pub(in crate::broker) fn info(&self) -> &SessionInfo {
        &self.info
    }

    /// The client's name for itself; empty if it has none.
    pub(in crate::broker) fn client_id(&self) -> &str {
        &self.info.client_id
    }

    pub(super) fn status(&self) -> ConnectionStatus {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        ConnectionStatus {
            session: self.session.0,
            client_id: given(&self.info.client_id),
            user: given(self.info.principal.user()),
            remote: self.info.remote.clone(),
            subscriptions: self.subscriptions.get(),
            in_flight: self.in_flight.get(),
        }
    }
}
