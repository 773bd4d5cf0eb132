//! Two bounds over many connections: what is on its way to a client that does not read, and what waits to be carried out
//! for all clients together. Both count bytes of messages and are shared between a connection's task and the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Bytes on their way to one client; beyond it nothing is delivered to any of its subscriptions. One message fits in any
/// case. More than a socket takes at once, so that a client that reads never waits for it.
pub(in crate::broker) const OUTBOX_BYTES_MAX: usize = 8 << 20;

/// Bytes of deliveries that were made to a session and have not reached its socket. The default counts nothing, for a
/// session without a socket.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Option<Arc<AtomicUsize>>);

impl Outbox {
    /// One that counts.
    pub(in crate::broker) fn counted() -> Outbox {
        Outbox(Some(Arc::default()))
    }

    /// Whether the client has to read first.
    pub(in crate::broker) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|bytes| bytes.load(Ordering::Relaxed) >= OUTBOX_BYTES_MAX)
    }

    pub(super) fn put(&self, bytes: usize) {
        if let Some(count) = &self.0 {
            count.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// So many bytes have reached the socket; returns whether that made room where there was none.
    pub(in crate::broker) fn take(&self, bytes: usize) -> bool {
        let before = self.0.as_ref().map_or(0, |count| count.fetch_sub(bytes, Ordering::Relaxed));
        before >= OUTBOX_BYTES_MAX && before - bytes < OUTBOX_BYTES_MAX
    }
}

/// Bytes of messages that all sessions have submitted and the broker has not carried out.
#[derive(Debug)]
pub(super) struct Pool {
    limit: usize,
    used: AtomicUsize,
    room: Notify,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Arc<Pool> {
        Arc::new(Pool { limit, used: AtomicUsize::new(0), room: Notify::new() })
    }

    /// Takes so many bytes, whether there is room or not: whoever reads on without room is bounded elsewhere.
    pub(super) fn take(self: &Arc<Pool>, bytes: usize) -> Share {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Share { pool: Arc::clone(self), bytes }
    }

    fn has_room(&self) -> bool {
        self.used.load(Ordering::Acquire) < self.limit
    }

    /// Completes when there is room. Cancel-safe.
    pub(super) async fn room(&self) {
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
pub(super) struct Share {
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
        let outbox = Outbox::counted();
        outbox.put(OUTBOX_BYTES_MAX + 10);
        assert!(outbox.is_full() && !outbox.take(5) && outbox.take(10) && !outbox.take(5));
        assert!(!outbox.is_full());
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
