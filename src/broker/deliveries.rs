//! What a session holds and has not settled.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::model::DestinationId;

use super::DeliveryId;
use super::destination::{Group, Transient};
use super::figures::SessionFigures;
use super::subscription::SubscriberId;

/// What was delivered.
#[derive(Debug)]
pub(super) enum Held {
    /// A message of the log; its body is read again when it is needed.
    Stored { queue: DestinationId, sequence: u64, failures: u32, expiry: i64, group: Option<Group> },
    /// A message in memory.
    Transient { queue: DestinationId, entry: Box<Transient> },
    /// A topic's message or a browsed one: nothing to settle, it only takes credit.
    Copy,
}

/// One delivery that is not settled.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) subscriber: SubscriberId,
    pub(super) held: Held,
}

/// Unsettled deliveries in the order of their ids. Most are settled from the front, so a settled one in the middle
/// leaves a hole; when half of it is holes, they are closed.
#[derive(Debug)]
pub(super) struct Deliveries {
    entries: VecDeque<(DeliveryId, Option<Delivery>)>,
    /// Its `in_flight` counts those that are no holes.
    figures: Arc<SessionFigures>,
    last: u64,
}

impl Deliveries {
    /// Holes that are left alone, as closing them costs a pass.
    const HOLES_MIN: usize = 64;

    pub(super) fn new(figures: Arc<SessionFigures>) -> Deliveries {
        Deliveries { entries: VecDeque::new(), figures, last: 0 }
    }

    fn live(&self) -> usize {
        self.figures.in_flight.get() as usize
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.entries.iter().filter_map(|(_, delivery)| delivery.as_ref())
    }

    pub(super) fn insert(&mut self, delivery: Delivery) -> DeliveryId {
        self.last += 1;
        let id = DeliveryId(self.last);
        self.entries.push_back((id, Some(delivery)));
        self.figures.in_flight.add(1);
        id
    }

    fn position(&self, id: DeliveryId) -> Option<usize> {
        let first = self.entries.front()?.0;
        let guess = id.0.checked_sub(first.0)? as usize;
        match self.entries.get(guess) {
            Some((found, _)) if *found == id => Some(guess),
            _ => self.entries.binary_search_by_key(&id, |(id, _)| *id).ok(),
        }
    }

    /// A delivery; `None` if it is unknown or was settled.
    pub(super) fn get(&self, id: DeliveryId) -> Option<&Delivery> {
        self.entries.get(self.position(id)?)?.1.as_ref()
    }

    /// Counts that its consumer has failed with a delivery that stays. Gives queue, sequence and counter of a message of the log.
    pub(super) fn count_failure(&mut self, id: DeliveryId) -> Option<(DestinationId, u64, u32)> {
        let at = self.position(id)?;
        match &mut self.entries.get_mut(at)?.1.as_mut()?.held {
            Held::Stored { queue, sequence, failures, .. } => {
                *failures = failures.saturating_add(1);
                Some((*queue, *sequence, *failures))
            }
            Held::Transient { entry, .. } => {
                entry.failures = entry.failures.saturating_add(1);
                None
            }
            Held::Copy => None,
        }
    }

    /// Takes a delivery; `None` if it is unknown or was settled.
    pub(super) fn remove(&mut self, id: DeliveryId) -> Option<Delivery> {
        let at = self.position(id)?;
        let taken = self.entries[at].1.take()?;
        self.figures.in_flight.sub(1);
        while self.entries.front().is_some_and(|(_, delivery)| delivery.is_none()) {
            self.entries.pop_front();
        }
        if self.entries.len() > 2 * self.live() + Deliveries::HOLES_MIN {
            self.entries.retain(|(_, delivery)| delivery.is_some());
        }
        Some(taken)
    }

    /// Takes every delivery of one subscription but those of `kept`, in order.
    pub(super) fn remove_of(&mut self, subscriber: SubscriberId, kept: &[DeliveryId]) -> Vec<Delivery> {
        let kept: HashSet<&DeliveryId> = kept.iter().collect();
        self.remove_where(|id, delivery| delivery.subscriber == subscriber && !kept.contains(&id))
    }

    /// Takes every delivery that `gone` is true for, in order.
    pub(super) fn remove_where(&mut self, gone: impl Fn(DeliveryId, &Delivery) -> bool) -> Vec<Delivery> {
        let mut taken = Vec::new();
        for (id, delivery) in &mut self.entries {
            taken.extend(delivery.take_if(|delivery| gone(*id, delivery)));
        }
        self.entries.retain(|(_, delivery)| delivery.is_some());
        self.figures.in_flight.sub(taken.len() as u64);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{SessionId, SessionInfo};

    fn none() -> Deliveries {
        Deliveries::new(Arc::new(SessionFigures::new(SessionId(1), SessionInfo::default())))
    }

    fn copy(subscriber: u64) -> Delivery {
        Delivery { subscriber: SubscriberId(subscriber), held: Held::Copy }
    }

    #[test]
    fn one_delivery_that_is_never_settled_keeps_no_others_in_memory() {
        let mut deliveries = none();
        let stuck = deliveries.insert(copy(1));
        for _ in 0..10_000 {
            let id = deliveries.insert(copy(2));
            assert!(deliveries.remove(id).is_some());
            assert!(deliveries.remove(id).is_none(), "settled twice");
        }
        assert!(deliveries.entries.len() <= Deliveries::HOLES_MIN + 3);
        assert_eq!(deliveries.live(), 1);
        assert!(deliveries.remove(stuck).is_some());
        assert!(deliveries.remove(DeliveryId(77)).is_none());
    }

    #[test]
    fn the_deliveries_of_one_subscription_come_back_in_order() {
        let mut deliveries = none();
        let ids: Vec<_> = (0..6).map(|n| deliveries.insert(copy(n % 2))).collect();
        deliveries.remove(ids[2]);
        assert_eq!(deliveries.remove_of(SubscriberId(0), &[ids[0]]).len(), 1);
        assert_eq!(deliveries.remove_of(SubscriberId(0), &[]).len(), 1);
        assert_eq!(deliveries.live(), 3);
        assert!(deliveries.remove(ids[4]).is_none());
        assert!(deliveries.remove(ids[5]).is_some());
    }
}
