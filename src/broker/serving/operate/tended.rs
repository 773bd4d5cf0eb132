//! Destinations that their policies have looked after: those that wait for consumers, and those that go when nobody uses them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::model::DestinationId;

/// How often destinations are looked at, and how many at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS_MAX: usize = 1000;

/// Since when a destination has rested, and how many messages had come in by then.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    since: Duration,
    enqueued: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker::serving) struct Tended {
    /// Until when queues wait for more consumers.
    gathering: BTreeMap<DestinationId, Duration>,
    resting: BTreeMap<DestinationId, Rest>,
    looked_at: Duration,
    /// The last one that was looked at.
    last: DestinationId,
}

impl Tended {
    /// A queue waits for more consumers.
    pub(in crate::broker::serving) fn gather(&mut self, queue: DestinationId, until: Duration) {
        self.gathering.insert(queue, until);
    }

    /// Those that have waited long enough.
    pub(in crate::broker::serving) fn gathered(&mut self, now: Duration) -> Vec<DestinationId> {
        let over: Vec<_> =
            self.gathering.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        over.iter().for_each(|id| {
            self.gathering.remove(id);
        });
        over
    }

    /// A destination goes when nobody uses it.
    pub(in crate::broker::serving) fn watch(&mut self, id: DestinationId, now: Duration) {
        self.resting.insert(id, Rest { since: now, enqueued: 0 });
    }

    pub(in crate::broker::serving) fn forget(&mut self, id: DestinationId) {
        self.gathering.remove(&id);
        self.resting.remove(&id);
    }

    /// Those that are to be looked at now.
    pub(in crate::broker::serving) fn wants_a_look(&mut self, now: Duration) -> Vec<DestinationId> {
        if self.resting.is_empty() || now.saturating_sub(self.looked_at) < LOOK_EVERY {
            return Vec::new();
        }
        self.looked_at = now;
        let behind = self.resting.range((Bound::Excluded(self.last), Bound::Unbounded));
        let next: Vec<_> = behind.map(|(id, _)| *id).take(LOOKS_MAX).collect();
        self.last = next.last().copied().filter(|_| next.len() == LOOKS_MAX).unwrap_or_default();
        next
    }

    /// How long a destination has rested in which nothing is, and to which so many messages have come.
    pub(in crate::broker::serving) fn rested(
        &mut self,
        id: DestinationId,
        (is_used, enqueued): (bool, u64),
        now: Duration,
    ) -> Duration {
        let Some(rest) = self.resting.get_mut(&id) else { return Duration::ZERO };
        if is_used || rest.enqueued != enqueued {
            *rest = Rest { since: now, enqueued };
        }
        now.saturating_sub(rest.since)
    }
}
