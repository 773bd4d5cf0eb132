//! Finished segments as the cleaner sees them: what the old end of the log still holds.

use super::log::Log;
use crate::model::{DestinationId, Offset};

/// A stretch of finished segments that may be dropped together: no group of records crosses its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its first offset.
    pub base: Offset,
    /// Its end, the first offset of the next one.
    pub end: Offset,
    /// What it holds.
    pub held: Vec<Held>,
}

/// What a stretch of the log holds of one destination, settled or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The destination.
    pub destination: DestinationId,
    /// Lowest sequence.
    pub first: u64,
    /// Highest sequence.
    pub last: u64,
    /// How many messages.
    pub count: u64,
    /// Bytes of their records.
    pub bytes: u64,
}

impl Log {
    /// The finished stretches, oldest first.
    pub fn finished(&self) -> Vec<Finished> {
        let sealed: Vec<_> = self.inner.shared.sealed().values().cloned().collect();
        let live = self.live_origin();
        let mut finished: Vec<Finished> = Vec::new();
        let mut whole = true;
        for (n, segment) in sealed.iter().enumerate() {
            let held = segment.held();
            match finished.last_mut() {
                Some(last) if !whole && last.end == segment.origin.base => {
                    last.end = segment.end;
                    last.held.extend(held);
                }
                _ => finished.push(Finished { base: segment.origin.base, end: segment.end, held }),
            }
            let next = sealed.get(n + 1).map_or(live, |next| next.origin);
            whole = next.group == next.base;
        }
        // A group that the live segment has not ended yet still needs the stretch before it.
        if !whole {
            finished.pop();
        }
        finished
    }
}
