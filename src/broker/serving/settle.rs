//! Settling: what becomes of deliveries.

use std::collections::{BTreeMap, HashSet};

use crate::broker::deliveries::{Delivery, Held};
use crate::broker::destination::{Dead, Group, Transient};
use crate::broker::{DeliveryId, SessionId, Verdict};
use crate::model::{DestinationId, Outcome};

use super::Serving;
use super::sessions::Waiter;

/// In which state a message comes back to its queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Nobody has looked at it.
    Unseen,
    /// A consumer may have seen it.
    Seen,
    /// A consumer has failed with it.
    Failed,
}

impl Serving {
    /// Settles deliveries; the waiter is answered when the outcome is committed, if it goes through the log.
    pub(super) fn settle(&mut self, deliveries: &[DeliveryId], verdict: Verdict, waiter: Waiter) {
        let mut logged = false;
        let mut dead = Vec::new();
        for id in deliveries {
            if verdict == Verdict::Rejected && self.is_dead_already(waiter.session, *id) {
                continue;
            }
            if verdict == Verdict::Retried {
                logged |= self.count_failure(waiter.session, *id);
                continue;
            }
            let Some(delivery) = self.take_delivery(waiter.session, *id) else { continue };
            match (verdict, delivery.held) {
                (_, Held::Copy) => {}
                (Verdict::Consumed, Held::Stored { queue, sequence, group, .. }) => {
                    self.landed(queue, group);
                    self.acknowledgements.consume(queue, sequence);
                    logged = true;
                }
                (Verdict::Released { counted: true }, held) => logged |= self.release(held, Return::Failed),
                (Verdict::Released { counted: false }, held) => logged |= self.release(held, Return::Seen),
                (Verdict::Unseen, held) => logged |= self.release(held, Return::Unseen),
                (Verdict::Rejected, Held::Stored { queue, sequence, group, .. }) => {
                    self.landed(queue, group);
                    dead.push((queue, sequence, Outcome::Rejected));
                }
                (Verdict::Expired, Held::Stored { queue, sequence, group, .. }) => {
                    self.landed(queue, group);
                    dead.push((queue, sequence, Outcome::Expired));
                }
                // It was counted above.
                (Verdict::Retried, _) => {}
                (Verdict::Rejected, Held::Transient { queue, entry }) => {
                    self.landed(queue, Group::of(&entry.message));
                    self.lose(queue, &entry.message, Outcome::Rejected);
                }
                (Verdict::Expired, Held::Transient { queue, entry }) => {
                    self.landed(queue, Group::of(&entry.message));
                    self.lose(queue, &entry.message, Outcome::Expired);
                }
                (Verdict::Consumed, Held::Transient { queue, entry }) => {
                    self.landed(queue, Group::of(&entry.message));
                    self.forget_transient(queue, entry.message.encoded().len());
                }
            }
        }
        self.settle_end(dead, logged, waiter);
    }

    /// Sends the dead ones on their way, and sees that the waiter is answered once.
    fn settle_end(&mut self, mut dead: Vec<(DestinationId, u64, Outcome)>, logged: bool, waiter: Waiter) {
        let quiet = Waiter { correlation: None, ..waiter };
        let last = dead.pop();
        for (queue, sequence, outcome) in dead {
            self.doom(queue, sequence, Dead { outcome, waiter: quiet });
        }
        match last {
            Some((queue, sequence, outcome)) => self.doom(queue, sequence, Dead { outcome, waiter }),
            None if logged => {
                self.clients.begin_pending(waiter, 0);
                self.acknowledgements.wait(self.now, waiter);
            }
            None => self.clients.answer(waiter, Ok(())),
        }
    }

    /// Takes deliveries as consumed without a record; returns the sequences that one has to be written for.
    pub(super) fn consume<'a>(
        &mut self,
        session: SessionId,
        deliveries: impl Iterator<Item = &'a DeliveryId>,
    ) -> BTreeMap<DestinationId, Vec<u64>> {
        let mut consumed: BTreeMap<DestinationId, Vec<u64>> = BTreeMap::new();
        for id in deliveries {
            match self.take_delivery(session, *id).map(|it| it.held) {
                Some(Held::Stored { queue, sequence, group, .. }) => {
                    self.landed(queue, group);
                    consumed.entry(queue).or_default().push(sequence);
                }
                Some(Held::Transient { queue, entry }) => {
                    self.landed(queue, Group::of(&entry.message));
                    self.forget_transient(queue, entry.message.encoded().len());
                }
                Some(Held::Copy) | None => {}
            }
        }
        consumed
    }

    /// Whether this is a message of the dead-letter queue. There is nowhere else to move it, and whoever refused it would
    /// get it again at once, for ever: it stays with the subscription until that ends.
    fn is_dead_already(&self, session: SessionId, id: DeliveryId) -> bool {
        let delivery = self.clients.get(session).and_then(|client| client.deliveries.get(id));
        match delivery.map(|it| &it.held) {
            Some(Held::Stored { queue, .. }) => {
                self.queues.get(queue).is_some_and(|queue| queue.standing().takes_dead_letters())
            }
            _ => false,
        }
    }

    /// Takes a delivery off its session and gives its subscription the credit back.
    fn take_delivery(&mut self, session: SessionId, id: DeliveryId) -> Option<Delivery> {
        let client = self.clients.get_mut(session)?;
        let delivery = client.deliveries.remove(id)?;
        client.outbox.settled(1);
        if let Some(subscription) = self.subscriptions.get_mut(&delivery.subscriber) {
            subscription.outstanding -= 1;
            if self.refilled.last() != Some(&delivery.subscriber) {
                self.refilled.push(delivery.subscriber);
            }
        }
        Some(delivery)
    }

    /// Gives a message back to its queue, at its old place; returns whether the log is told.
    pub(super) fn release(&mut self, held: Held, how: Return) -> bool {
        let counted = how == Return::Failed;
        match held {
            Held::Stored { queue: id, sequence, failures, expiry, group } => {
                self.landed(id, group);
                let Some(queue) = self.queues.get_mut(&id) else { return false };
                queue.outstanding -= 1;
                queue.backlog.returned.insert(sequence, sequence);
                if how != Return::Unseen {
                    queue.history.came_back(sequence);
                }
                queue.expiry.expect(expiry);
                if counted {
                    let failures = failures.saturating_add(1);
                    queue.history.failures.insert(sequence, failures);
                    self.acknowledgements.count(id, sequence, failures);
                }
                self.touch(id);
                counted
            }
            Held::Transient { queue: id, mut entry } => {
                self.landed(id, Group::of(&entry.message));
                let Some(queue) = self.queues.get_mut(&id) else {
                    self.memory -= entry.message.encoded().len();
                    return false;
                };
                entry.failures = entry.failures.saturating_add(u32::from(counted));
                queue.put_back(Transient {
                    redelivered: entry.redelivered || how != Return::Unseen,
                    ..*entry
                });
                self.touch(id);
                false
            }
            Held::Copy => false,
        }
    }

    /// A consumer keeps a message that it failed with; returns whether the log is told.
    fn count_failure(&mut self, session: SessionId, id: DeliveryId) -> bool {
        let counted = self.clients.get_mut(session).and_then(|it| it.deliveries.count_failure(id));
        let Some((id, sequence, failures)) = counted else { return false };
        let Some(queue) = self.queues.get_mut(&id) else { return false };
        queue.history.failures.insert(sequence, failures);
        self.acknowledgements.count(id, sequence, failures);
        true
    }

    /// A transaction that had settled these deliveries has not happened.
    pub(super) fn abandon(&mut self, session: SessionId, deliveries: &[DeliveryId]) {
        let settled: HashSet<&DeliveryId> = deliveries.iter().collect();
        self.release_orphans(session, |id| settled.contains(&id));
    }

    /// Gives back deliveries whose subscription has ended: a transaction had them until now.
    pub(super) fn release_orphans(&mut self, session: SessionId, which: impl Fn(DeliveryId) -> bool) {
        let subscriptions = &self.subscriptions;
        let Some(client) = self.clients.get_mut(session) else { return };
        let is_orphan = |delivery: &Delivery| subscriptions.get(&delivery.subscriber).is_none();
        let orphans = client.deliveries.remove_where(|id, delivery| which(id) && is_orphan(delivery));
        client.outbox.settled(orphans.len());
        orphans.into_iter().for_each(|delivery| {
            self.release(delivery.held, Return::Seen);
        });
    }

    /// A delivery is with no consumer any more. What waits for that of its group may go out.
    fn landed(&mut self, id: DestinationId, group: Option<Group>) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.landed(group);
            if group.is_some() {
                self.touch(id);
            }
        }
    }

    /// A non-persistent message is gone.
    pub(super) fn forget_transient(&mut self, queue: DestinationId, bytes: usize) {
        self.memory -= bytes;
        self.freed = true;
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.figures.dequeued.add(1);
        }
    }
}
