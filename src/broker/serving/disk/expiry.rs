//! Expired messages leave their queue wherever they stand, with and without consumers. Those in memory are looked at; of those
//! in the log the sidecars say which have expired, and only these are read. One read is under way at a time, of a part of
//! one queue, and none for a queue of which nothing expires.

use std::time::Duration;

use crate::broker::output::{ReadId, ReadRequest};
use crate::model::{DestinationId, Outcome};
use crate::state::{DestinationState, State};
use crate::storage::{Expired, Loaded};

use crate::broker::serving::Serving;
use crate::broker::serving::applied::Pending;

/// How often queues are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Sequences that one read looks at, and ranges of them.
const SEQUENCES_MAX: u64 = 16_384;
const RANGES_MAX: usize = 256;
/// Expired messages in one read, and bytes of their bodies.
const EXPIRED_MAX: usize = 256;
const EXPIRED_BYTES_MAX: usize = 1 << 20;

/// What the search for expired messages is at.
#[derive(Debug, Default)]
pub(in crate::broker::serving) struct Expirer {
    looked_at: Duration,
    /// The queue that is being searched; after it comes the next one by number.
    queue: Option<DestinationId>,
    /// The read that is under way, and the last sequence that it looks at.
    reading: Option<(ReadId, u64)>,
    asked: Option<(ReadId, ReadRequest, i64)>,
}

impl Expirer {
    pub(in crate::broker::serving) fn take_asked(&mut self) -> Option<(ReadId, ReadRequest, i64)> {
        self.asked.take()
    }
}

impl Serving {
    /// Time has passed: non-persistent messages go, and a search begins.
    pub(in crate::broker::serving) fn look_for_expired(&mut self) {
        if self.now.saturating_sub(self.expiry.looked_at) < LOOK_EVERY {
            return;
        }
        self.expiry.looked_at = self.now;
        let wall = self.wall;
        let mut gone = Vec::new();
        for (id, queue) in &mut self.queues {
            let messages = queue.transient.drop_expired(wall);
            gone.extend(messages.into_iter().map(|message| (*id, message)));
        }
        gone.into_iter().for_each(|(id, message)| self.lose(id, &message, Outcome::Expired));
        if self.expiry.queue.is_none() {
            self.expiry.queue = self.next_to_search(None);
        }
    }

    /// The first queue after this one that may hold expired messages.
    fn next_to_search(&mut self, after: Option<DestinationId>) -> Option<DestinationId> {
        let wall = self.wall;
        let later = self.queues.iter_mut().filter(|(id, _)| after.is_none_or(|after| **id > after));
        later.filter_map(|(id, queue)| queue.expiry.search(wall).map(|_| *id)).min()
    }

    /// Goes on with the search.
    pub(in crate::broker::serving) fn read_expired(&mut self, state: &State) {
        while let Some(id) = self.expiry.queue
            && self.expiry.reading.is_none()
        {
            let Some(queue) = self.queues.get_mut(&id).filter(|queue| !queue.standing().is_damaged()) else {
                self.expiry.queue = self.next_to_search(Some(id));
                continue;
            };
            if queue.expiry.leaving() >= EXPIRED_MAX {
                return;
            }
            let from = queue.expiry.search(self.wall);
            let ranges = from.zip(state.destination(id)).map(|(from, found)| part(found, from));
            let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) else {
                queue.expiry.end_search();
                self.expiry.queue = self.next_to_search(Some(id));
                continue;
            };
            let last = ranges.last().map_or(0, |(_, last)| *last);
            let request = ReadRequest {
                destination: id,
                ranges,
                entries_max: EXPIRED_MAX,
                bytes_max: EXPIRED_BYTES_MAX,
            };
            let read = self.reads.name();
            self.expiry.reading = Some((read, last));
            self.expiry.asked = Some((read, request, self.wall));
        }
    }

    /// Expired messages have come: they move to the dead-letter queue.
    pub(in crate::broker) fn expired(
        &mut self,
        state: &State,
        read: ReadId,
        result: Result<Expired, String>,
    ) {
        let Some((_, last)) = self.expiry.reading.take_if(|(asked, _)| *asked == read) else { return };
        let Some(id) = self.expiry.queue else { return };
        let Expired { messages, whole, next } = match result {
            Ok(expired) => expired,
            Err(reason) => return self.damage(id, &reason),
        };
        let to = messages.last().map(|it| it.sequence.0).filter(|_| !whole).unwrap_or(last);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.expiry.searched(to, next);
        }
        for Loaded { sequence, message, .. } in messages {
            let (Some(queue), Some(found)) = (self.queues.get_mut(&id), state.destination(id)) else {
                return;
            };
            let before = queue.loaded_bytes();
            if !found.is_settled(sequence.0) && queue.pull(sequence.0) {
                queue.expiry.leaves(sequence.0);
                self.window_bytes -= before - queue.loaded_bytes();
                self.bury(id, sequence.0, &message, Outcome::Expired, Pending::Nobody);
            }
        }
    }
}

/// Ranges of unsettled messages from `from` on, as many as one read looks at.
fn part(state: &DestinationState, from: u64) -> Vec<(u64, u64)> {
    let mut left = SEQUENCES_MAX;
    let ranges = state.unsettled(from, RANGES_MAX).into_iter();
    ranges
        .map_while(|(first, last)| {
            let last = last.min(first.checked_add(left.checked_sub(1)?)?);
            left -= last - first + 1;
            Some((first, last))
        })
        .collect()
}
