//! Who consumes a queue, and who of them is served next.
//!
//! Consumers that may have credit stand in rings, one for each priority and taste: choosing one looks at the fronts of rings,
//! however many consumers there are. Who turns out to have none leaves its ring, and comes back when it gets some.

use std::collections::VecDeque;

use crate::broker::subscription::SubscriberId;
use crate::broker::table::Table;

use super::{Stalled, Taste, Wanted};

/// A subscription that competes for a queue's messages.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Consumer {
    pub(in crate::broker) subscriber: SubscriberId,
    pub(in crate::broker) priority: i8,
    pub(in crate::broker) exclusive: bool,
    pub(in crate::broker) taste: Taste,
}

#[derive(Debug)]
struct Member {
    consumer: Consumer,
    /// Whether it stands in its ring.
    ready: bool,
}

/// Consumers of one priority and taste that may have credit; who was served last stands last.
#[derive(Debug)]
struct Ring {
    priority: i8,
    taste: Taste,
    members: VecDeque<SubscriberId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Consumers {
    members: Table<SubscriberId, Member>,
    /// Highest priority first.
    rings: Vec<Ring>,
    /// Those that want the queue for themselves: the highest priority first, among equals in the order in which they came. Only
    /// the first one is served while there is one.
    exclusive: Vec<Consumer>,
}

impl Consumers {
    pub(in crate::broker) fn len(&self) -> usize {
        self.members.len()
    }

    pub(in crate::broker) fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    pub(in crate::broker) fn subscribers(&self) -> impl Iterator<Item = SubscriberId> {
        self.members.keys().copied()
    }

    /// Adds a consumer; it may have credit.
    pub(in crate::broker) fn add(&mut self, consumer: Consumer) {
        self.members.insert(consumer.subscriber, Member { consumer, ready: false });
        if consumer.exclusive {
            let at = self.exclusive.partition_point(|it| it.priority >= consumer.priority);
            self.exclusive.insert(at, consumer);
        }
        self.wake(consumer.subscriber);
    }

    /// Removes a consumer, if it is one.
    pub(in crate::broker) fn remove(&mut self, subscriber: SubscriberId) -> Option<Consumer> {
        let Member { consumer, ready } = self.members.remove(&subscriber)?;
        self.exclusive.retain(|it| it.subscriber != subscriber);
        if ready && let Some(at) = self.ring(&consumer) {
            self.rings[at].members.retain(|it| *it != subscriber);
        }
        self.rings.retain(|it| !it.members.is_empty());
        Some(consumer)
    }

    fn ring(&self, consumer: &Consumer) -> Option<usize> {
        self.rings.iter().position(|it| it.priority == consumer.priority && it.taste == consumer.taste)
    }

    /// A consumer may have credit.
    pub(in crate::broker) fn wake(&mut self, subscriber: SubscriberId) {
        let Some(member) = self.members.get_mut(&subscriber).filter(|it| !it.ready) else { return };
        member.ready = true;
        let Consumer { priority, taste, .. } = member.consumer;
        match self.rings.iter_mut().find(|it| it.priority == priority && it.taste == taste) {
            Some(ring) => ring.members.push_back(subscriber),
            None => {
                let at = self.rings.partition_point(|it| it.priority >= priority);
                self.rings.insert(at, Ring { priority, taste, members: VecDeque::from([subscriber]) });
            }
        }
    }

    /// The consumer that is served next among those who want what has this signature and are not stalled; what is not sorted
    /// is for everybody.
    pub(in crate::broker) fn next(
        &mut self,
        (wanted, stalled): (Option<&Wanted>, &Stalled),
        has_credit: impl Fn(SubscriberId) -> bool,
    ) -> Option<SubscriberId> {
        let wants = |taste| wanted.is_none_or(|wanted| wanted.has(taste)) && !stalled.has_taste(taste);
        if let Some(owner) = self.exclusive.first() {
            let may = wants(owner.taste) && !stalled.has(owner.subscriber) && has_credit(owner.subscriber);
            return may.then_some(owner.subscriber);
        }
        for ring in self.rings.iter_mut().filter(|it| wants(it.taste)) {
            let mut at = 0;
            while let Some(next) = ring.members.get(at).copied() {
                if stalled.has(next) {
                    at += 1;
                } else if has_credit(next) {
                    return Some(next);
                } else {
                    ring.members.remove(at);
                    if let Some(member) = self.members.get_mut(&next) {
                        member.ready = false;
                    }
                }
            }
        }
        None
    }

    /// A consumer was served: it is the last one to be served again.
    pub(in crate::broker) fn served(&mut self, subscriber: SubscriberId) {
        let Some(member) = self.members.get(&subscriber) else { return };
        let Some(ring) = self.ring(&member.consumer).map(|at| &mut self.rings[at].members) else { return };
        // Almost always it is the first one.
        if let Some(at) = ring.iter().position(|it| *it == subscriber) {
            ring.remove(at);
            ring.push_back(subscriber);
        }
    }

    /// Whether this consumer may be served now.
    pub(in crate::broker) fn may_serve(&self, subscriber: SubscriberId) -> bool {
        let alone = self.exclusive.first().is_none_or(|owner| owner.subscriber == subscriber);
        alone && self.members.get(&subscriber).is_some_and(|it| it.ready)
    }

    /// Whether somebody who wants what has this signature may be served now.
    pub(in crate::broker) fn may_serve_any(&self, wanted: &Wanted) -> bool {
        match self.exclusive.first() {
            Some(owner) => wanted.has(owner.taste),
            None => self.rings.iter().any(|it| wanted.has(it.taste) && !it.members.is_empty()),
        }
    }

    /// What a consumer wants.
    pub(in crate::broker) fn taste(&self, subscriber: SubscriberId) -> Option<Taste> {
        self.members.get(&subscriber).map(|it| it.consumer.taste)
    }

    /// Panics when a consumer stands in no ring or in a wrong one.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self) {
        let mut ready: Vec<_> = self.rings.iter().flat_map(|it| &it.members).copied().collect();
        let marked: Vec<_> = self.members.iter().filter(|(_, it)| it.ready).map(|(id, _)| *id).collect();
        ready.sort_unstable();
        assert_eq!(ready.len(), marked.len(), "consumers that may have credit");
        assert!(marked.iter().all(|it| ready.binary_search(it).is_ok()), "a consumer in no ring");
        assert!(self.rings.iter().map(|it| std::cmp::Reverse(it.priority)).is_sorted(), "rings' order");
    }
}
