//! Connections that have not said yet who they are. They may be many and stay silent: when a connector has all the
//! connections that it may have, the oldest of these goes, so that they keep nobody out who does say it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Entries that are not looked through again for those that are over.
const ENTRIES_MIN: usize = 64;
/// How often what strangers can cause at will is logged.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

/// Told by a connection that its client is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission(Arc<AtomicBool>);

impl Admission {
    /// The client is known.
    pub(super) fn admit(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_admitted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The connections of a connector whose clients are unknown, the oldest first; some that are over among them.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    entries: VecDeque<(AbortHandle, Admission)>,
    /// How many there may be before those that are over are looked for.
    look_at: usize,
}

impl HalfOpen {
    pub(super) fn push(&mut self, task: AbortHandle, admission: Admission) {
        if self.entries.len() >= self.look_at.max(ENTRIES_MIN) {
            self.entries.retain(is_open);
            self.look_at = 2 * self.entries.len();
        }
        self.entries.push_back((task, admission));
    }

    /// Ends the oldest one; false if there is none.
    pub(super) fn end_oldest(&mut self) -> bool {
        while let Some(entry) = self.entries.pop_front() {
            if is_open(&entry) {
                entry.0.abort();
                return true;
            }
        }
        false
    }
}

fn is_open((task, admission): &(AbortHandle, Admission)) -> bool {
    !admission.is_admitted() && !task.is_finished()
}

/// Says at most once a second what happens, and how often it did.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    told_at: Option<Instant>,
    untold: u64,
}

impl Complaint {
    /// How often it has happened since the last time that it was to be told; none if not now.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.untold += 1;
        let now = Instant::now();
        if self.told_at.is_some_and(|at| now - at < COMPLAIN_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> (AbortHandle, Admission) {
        (tokio::spawn(std::future::pending::<()>()).abort_handle(), Admission::default())
    }

    #[tokio::test]
    async fn the_oldest_one_that_is_still_unknown_goes() {
        let mut half_open = HalfOpen::default();
        let all: Vec<_> = (0..3).map(|_| silent()).collect();
        all.iter().for_each(|(task, admission)| half_open.push(task.clone(), admission.clone()));
        all[0].1.admit();
        assert!(half_open.end_oldest());
        while !all[1].0.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!all[0].0.is_finished() && !all[2].0.is_finished());
        assert!(half_open.end_oldest() && !half_open.end_oldest());
    }

    #[tokio::test]
    async fn those_that_are_known_take_no_room() {
        let mut half_open = HalfOpen::default();
        for _ in 0..100 * ENTRIES_MIN {
            let (task, admission) = silent();
            half_open.push(task, admission.clone());
            admission.admit();
        }
        assert!(half_open.entries.len() <= ENTRIES_MIN);
    }
}
