//! Real processes under load: clusters, clients, histories and what can be said against them.

pub(crate) mod checker;
pub(crate) mod cluster;
pub(crate) mod gaps;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod ports;
pub(crate) mod python;
pub(crate) mod stomp;

use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; panics with `what` when `limit` has passed.
pub(crate) async fn eventually<T, F, R>(what: &str, limit: Duration, mut look: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// A number from the environment: the long runs of `scripts/long` ask for more than `scripts/check`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}
