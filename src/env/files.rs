//! How many files and connections the system lets this process have open, and how connections share their part of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit to what the system allows at most, as every connection takes one; gives the limit, or none if there
/// is none.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => limit.maximum,
        // The system has a lower bound of its own.
        Err(_) => before,
    }
}

/// How many connections several listeners may have together. Clones are the same limit.
#[derive(Clone, Debug)]
pub struct ConnectionLimit {
    most: usize,
    open: Arc<AtomicUsize>,
}

/// One of these connections: counts until it is dropped.
#[derive(Debug)]
pub struct ConnectionPermit(Arc<AtomicUsize>);

impl ConnectionLimit {
    /// So many.
    pub fn new(most: usize) -> ConnectionLimit {
        ConnectionLimit { most, open: Arc::default() }
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether a newcomer has to be refused, or somebody has to go for it.
    pub fn is_reached(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.most
    }

    /// Counts one more, also one too many: for whom another one goes at this moment.
    pub fn take(&self) -> ConnectionPermit {
        self.open.fetch_add(1, Ordering::Relaxed);
        ConnectionPermit(Arc::clone(&self.open))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_system_allows() {
        let raised = raise_file_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!((limit.current, raised), (limit.maximum, limit.maximum));
    }

    #[test]
    fn a_connection_that_has_ended_counts_no_more() {
        let limit = ConnectionLimit::new(2);
        let (first, other) = (limit.take(), limit.clone());
        assert!(!other.is_reached());
        let second = other.take();
        assert!(limit.is_reached());
        drop(first);
        assert!(!limit.is_reached());
        drop(second);
    }
}
