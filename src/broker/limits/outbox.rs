//! Two bounds over many connections: what is delivered and not read or not settled, and what waits to be carried out.
//! Both count bytes and are shared between a connection's task and the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Bytes on their way to one client; beyond it nothing is delivered to any of its subscriptions. One message fits in any
/// case. More than a socket takes at once, so that a client that reads never waits for it.
pub(in crate::broker) const OUTBOX_BYTES_MAX: usize = 8 << 20;

/// What a delivery that is not settled takes in memory, without its message: here, in its session's adapter, and in the
/// tables that name it.
const DELIVERY_BYTES: usize = 256;

/// A client has to read within this time while what it does not read takes room that others lack.
const READ_PAUSE_MAX: Duration = Duration::from_secs(10);
/// One session takes at most this part of what is left of the room for all.
const SHARES: usize = 8;
/// It may take so much in any case.
const SHARE_BYTES_MIN: usize = 4 * 1024;

/// What the deliveries of all sessions take: bytes that have not reached their sockets, and entries that are not settled.
#[derive(Debug)]
pub(in crate::broker) struct Outboxes {
    limit: usize,
    /// Below zero for a moment when what is taken is counted after what is given back.
    used: AtomicIsize,
    /// Somebody was refused for want of what others take.
    contended: AtomicBool,
}

impl Outboxes {
    pub(in crate::broker) fn new(limit: usize) -> Arc<Outboxes> {
        Arc::new(Outboxes { limit, used: AtomicIsize::new(0), contended: AtomicBool::new(false) })
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed).max(0) as usize
    }

    /// Sessions are counted in steps of so many bytes, so that not each delivery of each session writes to one place.
    fn step(&self) -> usize {
        (self.limit >> 10).clamp(1024, 64 * 1024)
    }

    /// What one session may take now: a part of what is left, and a little when nothing is, so that those who came late are
    /// served whatever the others keep. Twice the limit is the end of that.
    fn share(&self) -> usize {
        let used = self.used();
        if used >= self.limit.saturating_mul(2) {
            return 0;
        }
        (self.limit.saturating_sub(used) / SHARES).max(SHARE_BYTES_MIN)
    }
}

/// What the deliveries of one session take. The default counts nothing, for a session without a socket.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Option<Arc<Counts>>);

#[derive(Debug)]
struct Counts {
    all: Arc<Outboxes>,
    /// Bytes of deliveries that have not reached the socket.
    unread: AtomicUsize,
    /// Deliveries that are not settled; only the core's task changes it.
    unsettled: AtomicUsize,
    /// What of both stands in the sum over all sessions.
    summed: AtomicUsize,
    /// The session was refused for want of room of its own.
    refused: AtomicBool,
}

impl Counts {
    fn taken(&self) -> usize {
        self.unread.load(Ordering::Relaxed) + self.unsettled.load(Ordering::Relaxed) * DELIVERY_BYTES
    }

    /// Brings the sum over all sessions up to date, as far as steps go.
    fn sum_up(&self) {
        let (taken, summed, step) = (self.taken(), self.summed.load(Ordering::Relaxed), self.all.step());
        if taken <= summed && summed <= taken + 2 * step {
            return;
        }
        let now = taken.div_ceil(step) * step;
        let before = self.summed.swap(now, Ordering::Relaxed);
        self.all.used.fetch_add(now as isize - before as isize, Ordering::Relaxed);
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        self.all.used.fetch_sub(*self.summed.get_mut() as isize, Ordering::Relaxed);
    }
}

impl Outbox {
    /// One that counts.
    pub(in crate::broker) fn counted(all: &Arc<Outboxes>) -> Outbox {
        Outbox(Some(Arc::new(Counts {
            all: Arc::clone(all),
            unread: AtomicUsize::new(0),
            unsettled: AtomicUsize::new(0),
            summed: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
        })))
    }

    /// Whether the client has to read or settle first, or others have.
    pub(in crate::broker) fn is_full(&self) -> bool {
        let Some(counts) = &self.0 else { return false };
        if counts.unread.load(Ordering::Relaxed) >= OUTBOX_BYTES_MAX {
            counts.refused.store(true, Ordering::Relaxed);
            return true;
        }
        let full = counts.taken() >= counts.all.share();
        if full {
            counts.all.contended.store(true, Ordering::Relaxed);
        }
        full
    }

    /// A delivery of so many bytes was made.
    pub(in crate::broker) fn put(&self, bytes: usize) {
        if let Some(counts) = &self.0 {
            counts.unread.fetch_add(bytes, Ordering::Relaxed);
            counts.unsettled.store(counts.unsettled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            counts.sum_up();
        }
    }

    /// So many deliveries are settled, or over.
    pub(in crate::broker) fn settled(&self, count: usize) {
        if let Some(counts) = &self.0 {
            counts.unsettled.store(counts.unsettled.load(Ordering::Relaxed) - count, Ordering::Relaxed);
            counts.sum_up();
        }
    }

    /// So many bytes have reached the socket; returns whether that made room of its own where there was none.
    pub(in crate::broker) fn take(&self, bytes: usize) -> bool {
        let Some(counts) = &self.0 else { return false };
        // Only here they become fewer; what was never counted cannot be taken.
        let bytes = bytes.min(counts.unread.load(Ordering::Relaxed));
        let before = counts.unread.fetch_sub(bytes, Ordering::Relaxed);
        counts.sum_up();
        before - bytes < OUTBOX_BYTES_MAX && counts.refused.swap(false, Ordering::Relaxed)
    }

    /// Whether somebody was refused since the last call, for want of what others take. One answer for all sessions.
    pub(in crate::broker) fn was_contended(&self) -> bool {
        self.0.as_ref().is_some_and(|counts| counts.all.contended.swap(false, Ordering::Relaxed))
    }

    /// Whether what the client has not read for so long has to go, because others lack the room: at once when nobody can be
    /// served any more, after [`READ_PAUSE_MAX`] when it is short.
    pub(in crate::broker) fn is_in_the_way(&self, unread_for: Duration) -> bool {
        let Some(counts) = &self.0 else { return false };
        let (used, limit) = (counts.all.used(), counts.all.limit);
        counts.unread.load(Ordering::Relaxed) > 0
            && (used >= limit.saturating_mul(2) || used >= limit && unread_for >= READ_PAUSE_MAX)
    }
}

/// Bytes of messages that all sessions have submitted and the broker has not carried out.
#[derive(Debug)]
pub(in crate::broker) struct Pool {
    limit: usize,
    used: AtomicUsize,
    room: Notify,
}

impl Pool {
    pub(in crate::broker) fn new(limit: usize) -> Arc<Pool> {
        Arc::new(Pool { limit, used: AtomicUsize::new(0), room: Notify::new() })
    }

    /// Takes so many bytes, whether there is room or not: whoever reads on without room is bounded elsewhere.
    pub(in crate::broker) fn take(self: &Arc<Pool>, bytes: usize) -> Share {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Share { pool: Arc::clone(self), bytes }
    }

    fn has_room(&self) -> bool {
        self.used.load(Ordering::Acquire) < self.limit
    }

    /// Completes when there is room. Cancel-safe.
    pub(in crate::broker) async fn room(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }
}

/// Bytes taken from a pool; given back when dropped.
#[derive(Debug)]
pub(in crate::broker) struct Share {
    pool: Arc<Pool>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let before = self.pool.used.fetch_sub(self.bytes, Ordering::AcqRel);
        if before >= self.pool.limit && before - self.bytes < self.pool.limit {
            self.pool.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outbox_tells_once_that_it_has_room_again() {
        let outbox = Outbox::counted(&Outboxes::new(usize::MAX));
        outbox.put(OUTBOX_BYTES_MAX + 10);
        assert!(outbox.is_full() && !outbox.take(5) && outbox.take(10) && !outbox.take(5));
        assert!(!outbox.is_full());
    }

    #[test]
    fn those_that_do_not_read_leave_room_to_newcomers_and_are_in_the_way_when_there_is_none() {
        let all = Outboxes::new(1 << 20);
        let sessions: Vec<_> = (0..100).map(|_| Outbox::counted(&all)).collect();
        for session in &sessions {
            assert!(!session.is_full(), "a newcomer is served");
            while !session.is_full() {
                session.put(1000);
            }
        }
        assert!(sessions[0].was_contended() && !sessions[0].was_contended());
        let least = 100 * SHARE_BYTES_MIN;
        assert!(all.used() < (1 << 20) + 2 * least, "{} bytes", all.used());
        let newcomer = Outbox::counted(&all);
        assert!(!newcomer.is_full());
        newcomer.put(1 << 20);
        let [soon, late] = [Duration::ZERO, READ_PAUSE_MAX];
        assert!(newcomer.is_full() && Outbox::counted(&all).is_full(), "twice the limit is the end");
        assert!(sessions[0].is_in_the_way(soon) && !Outbox::counted(&all).is_in_the_way(late));
        newcomer.take(1 << 20);
        newcomer.settled(1);
        assert!(!newcomer.is_full());
        assert!(!sessions[0].is_in_the_way(soon) && sessions[0].is_in_the_way(late));
        drop(sessions);
        drop(newcomer);
        assert_eq!(all.used(), 0, "what ends gives all back");
    }

    #[tokio::test]
    async fn whoever_waits_for_the_pool_goes_on_when_it_has_room() {
        let pool = Pool::new(100);
        pool.room().await;
        let (first, second) = (pool.take(60), pool.take(60));
        let waits = pool.room();
        tokio::pin!(waits);
        assert!(futures::poll!(&mut waits).is_pending());
        drop(first);
        waits.await;
        drop(second);
        assert_eq!(pool.used.load(Ordering::Relaxed), 0);
    }
}
