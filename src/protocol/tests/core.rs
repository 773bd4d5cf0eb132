//! A core for tests: a lone node as it is shipped, on a disk in memory, with a wall clock that can be moved.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::broker::{BrokerNames, BrokerOptions, Gate, Inbound};
use crate::coordination::{FixedCoordinator, Process};
use crate::env::{Clock, Names, SimDisk, SystemClock};
use crate::node::{Node, NodeParts, Temporary};
use crate::replication::{Access, PeerOptions, ReplicaSettings};
use crate::storage::{IndexHandle, LogOptions, Store};

const LOG: LogOptions = LogOptions { segment_bytes: 4 << 20, tail_bytes: 64 << 10 };

/// Nodes run here: they block threads now and then, which a test's own runtime has only one of.
static NODES: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The machine's clocks, with the time of day moved forward.
pub(crate) struct MovedClock {
    system: SystemClock,
    ahead_ms: AtomicI64,
}

impl MovedClock {
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead_ms.fetch_add(time.as_millis() as i64, Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Duration {
        self.system.now()
    }

    fn wall_ms(&self) -> i64 {
        self.system.wall_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }
}

/// A node that serves until this is dropped.
pub(crate) struct Core {
    node: Option<Node>,
    pub(crate) clock: Arc<MovedClock>,
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            node.stop();
            NODES.spawn(async move { node.ended().await });
        }
    }
}

/// Starts a core.
pub(crate) async fn start() -> (Gate, Core) {
    start_bounded(usize::MAX).await
}

/// The same, of a broker that is called so.
pub(crate) async fn start_of(names: BrokerNames) -> (Gate, Core) {
    start_with(usize::MAX, names).await
}

/// The same, with so much memory for messages that wait.
pub(crate) async fn start_bounded(bytes_max: usize) -> (Gate, Core) {
    start_with(bytes_max, BrokerNames::default()).await
}

async fn start_with(bytes_max: usize, names: BrokerNames) -> (Gate, Core) {
    let (gate, inbound) = Gate::bounded(bytes_max);
    let gate = gate.of(names.clone());
    let clock = Arc::new(MovedClock { system: SystemClock::new(), ahead_ms: AtomicI64::new(0) });
    let shared = clock.clone();
    let started = NODES.spawn(async move {
        let mut node = Node::start(parts(shared, inbound, names));
        node.serving.wait_for(|serves| *serves).await.unwrap();
        node
    });
    (gate, Core { node: Some(started.await.unwrap()), clock })
}

fn parts(clock: Arc<dyn Clock>, gate: mpsc::Receiver<Inbound>, names: BrokerNames) -> NodeParts {
    let (notify, log_events) = mpsc::unbounded_channel();
    let tell = Box::new(move |event| drop(notify.send(event)));
    let store = Store::open(Arc::new(SimDisk::new()), Path::new("store"), "local", LOG, tell).unwrap();
    let (events, coordinator_events) = mpsc::unbounded_channel();
    let settings = ReplicaSettings {
        broker: "b".into(),
        node: "local".into(),
        replicas: 1,
        weight: 1,
        suspect_after: Duration::from_secs(1),
    };
    let peers = PeerOptions {
        bind: ([127, 0, 0, 1], 0).into(),
        hostname: "127.0.0.1".into(),
        access: Access::default(),
        names: Names::default(),
        process: Process::here(Path::new("/")),
    };
    NodeParts {
        clock,
        settings,
        store_path: String::new(),
        zk_path: None,
        open_to_all: Vec::new(),
        identity: (store.file, store.identity),
        log: (store.log, store.recovered),
        segment_bytes: LOG.segment_bytes,
        log_events,
        index: (IndexHandle::none(), None),
        coordinator: (FixedCoordinator::start(events), coordinator_events),
        peers,
        broker: BrokerOptions { names, ..BrokerOptions::default() },
        temporary: Temporary::new(Arc::new(SimDisk::new()), "tmp_storage".into(), 0),
        gate,
    }
}
