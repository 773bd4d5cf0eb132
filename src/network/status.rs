//! What bridges show of themselves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// How a bridge stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgeState {
    /// It is being made.
    #[default]
    Connecting,
    /// It carries messages.
    Bridging,
    /// It has failed, and is tried again after a pause.
    Waiting,
}

/// A bridge as operators see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeStatus {
    /// Name of its network connector.
    pub connector: String,
    /// Where the other broker is; several addresses of a `masterslave` list are separated by commas.
    pub uri: String,
    /// `out`: messages go to the other broker; `in`: they come from it.
    pub direction: String,
    /// How it stands.
    pub state: BridgeState,
    /// Since when, in ms since 1970.
    pub since_ms: i64,
    /// Name of the other broker; empty before it was reached.
    pub broker: String,
    /// Its id.
    pub broker_id: String,
    /// Why it failed last; empty if it never has.
    pub last_error: String,
    /// How often it has failed since it was started.
    pub failures: u64,
    /// Subscriptions that it has for consumers on the other side.
    pub subscriptions: u64,
    /// Messages that the other side has confirmed, since it was started.
    pub forwarded: u64,
    /// Messages that went to the dead-letter queue because the other side does not take them.
    pub dead_lettered: u64,
    /// Messages that are sent and not confirmed.
    pub under_way: u64,
}

/// What one bridge counts, over all of its connections.
#[derive(Debug, Default)]
pub(super) struct Counts {
    forwarded: AtomicU64,
    dead_lettered: AtomicU64,
    under_way: AtomicUsize,
    subscriptions: AtomicUsize,
}

impl Counts {
    pub(super) fn forward(&self) {
        self.forwarded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn give_up(&self) {
        self.dead_lettered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_under_way(&self, messages: usize) {
        self.under_way.store(messages, Ordering::Relaxed);
    }

    pub(super) fn set_subscriptions(&self, subscriptions: usize) {
        self.subscriptions.store(subscriptions, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Entry {
    status: BridgeStatus,
    counts: Arc<Counts>,
}

/// All bridges of a node. Cheap to clone; who reads it asks nobody.
#[derive(Clone, Debug, Default)]
pub struct Bridges(Arc<Mutex<BTreeMap<usize, Entry>>>);

impl Bridges {
    /// All bridges, in the order of the configuration.
    pub fn all(&self) -> Vec<BridgeStatus> {
        let shown = |entry: &Entry| {
            let Entry { status, counts } = entry;
            let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed) as u64;
            BridgeStatus {
                subscriptions: count(&counts.subscriptions),
                under_way: count(&counts.under_way),
                forwarded: counts.forwarded.load(Ordering::Relaxed),
                dead_lettered: counts.dead_lettered.load(Ordering::Relaxed),
                ..status.clone()
            }
        };
        self.lock().values().map(shown).collect()
    }

    /// A bridge is there, under this number.
    pub(super) fn add(&self, number: usize, status: BridgeStatus, counts: Arc<Counts>) {
        self.lock().insert(number, Entry { status, counts });
    }

    /// Something about it is other than before.
    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut BridgeStatus)) {
        if let Some(entry) = self.lock().get_mut(&number) {
            change(&mut entry.status);
        }
    }

    /// There are none any more.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// A panic elsewhere leaves a map that is whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
