//! One machine: its disk and clock, and the node that runs on it, which is the shipped one but for the ports.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::broker::BrokerOptions;
use crate::coordination::{Coordinator, CoordinatorRequest, Process};
use crate::env::{Clock, Keep, Names, SimDisk};
use crate::model::{Epoch, Offset, Promise, StoreId};
use crate::node::core::{Core, Outside, Ports};
use crate::node::reads::Job;
use crate::node::scrub::Scrub;
use crate::node::{NodeParts, Request, Snapshot, Temporary};
use crate::replication::{
    Access, Ack, ConnectionId, Event, Heartbeat, Hello, PeerOptions, ReplicaSettings, StreamId, Streams,
    ToSlave, Welcome,
};
use crate::storage::{Checkpoint, IndexHandle, LogEvent, LogOptions, StorageError, Store};

pub(super) const NODES: usize = 3;
/// Small segments, so that every run rolls, cleans and drops.
const OPTIONS: LogOptions = LogOptions { segment_bytes: 12 << 10, tail_bytes: 2 << 10 };

/// What a node says to the network.
pub(super) enum Word {
    Bind,
    Unbind,
    Welcome(ConnectionId, Box<Welcome>),
    Refuse(ConnectionId, String),
    Heartbeat(Heartbeat),
    Dial(StreamId, String, Box<Hello>),
    HangUp(StreamId),
    Ack(StreamId, Ack),
}

/// Something that one part hands to another, on one thread.
pub(super) struct Tray<T>(Arc<Mutex<VecDeque<T>>>);

impl<T> Clone for Tray<T> {
    fn clone(&self) -> Tray<T> {
        Tray(self.0.clone())
    }
}

impl<T> Tray<T> {
    fn new() -> Tray<T> {
        Tray(Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, it: T) {
        self.lock().push_back(it);
    }

    pub(super) fn take(&self) -> Option<T> {
        self.lock().pop_front()
    }
}

/// The port to the network: what the node says is carried on by the world.
struct Wire {
    node: usize,
    words: Tray<Word>,
}

impl Streams for Wire {
    fn bind(&mut self) -> Event {
        self.words.put(Word::Bind);
        Event::Bound(format!("n{}", self.node))
    }

    fn unbind(&mut self) {
        self.words.put(Word::Unbind);
    }

    fn connected(&mut self, _: ConnectionId, _: mpsc::Sender<ToSlave>) {}

    fn disconnected(&mut self, _: ConnectionId) {}

    fn welcome(&mut self, connection: ConnectionId, welcome: Box<Welcome>) {
        self.words.put(Word::Welcome(connection, welcome));
    }

    fn refuse(&mut self, connection: ConnectionId, reason: String) {
        self.words.put(Word::Refuse(connection, reason));
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.words.put(Word::Heartbeat(heartbeat.clone()));
    }

    fn advance(&self, _: Offset, _: Offset) {}

    fn dial(&mut self, stream: StreamId, address: &str, hello: &Hello) {
        self.words.put(Word::Dial(stream, address.to_owned(), Box::new(hello.clone())));
    }

    fn hang_up(&mut self, stream: StreamId) {
        self.words.put(Word::HangUp(stream));
    }

    fn ack(&self, stream: StreamId, ack: Ack) {
        self.words.put(Word::Ack(stream, ack));
    }
}

/// The clocks of one machine: the monotonic one runs a little fast or slow, the other one jumps.
#[derive(Clone, Default)]
pub(super) struct SimClock {
    now: Arc<AtomicU64>,
    wall: Arc<AtomicI64>,
    /// The furthest that it ever was ahead.
    latest: Arc<AtomicI64>,
}

impl SimClock {
    pub(super) fn set(&self, now: Duration) {
        self.now.store(now.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn jump(&self, ms: i64) {
        let ahead = self.wall.fetch_add(ms, Ordering::Relaxed) + ms;
        self.latest.fetch_max(ahead, Ordering::Relaxed);
    }

    pub(super) fn latest(&self) -> i64 {
        self.latest.load(Ordering::Relaxed)
    }

    /// It is so far ahead from now on.
    pub(super) fn put_right(&self, ahead: i64) {
        self.wall.store(ahead, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        1_700_000_000_000 + self.wall.load(Ordering::Relaxed) + (self.now().as_millis() as i64)
    }
}

/// A machine, whether its node runs or not.
pub(super) struct Machine {
    pub(super) number: usize,
    pub(super) disk: SimDisk,
    pub(super) clock: SimClock,
    pub(super) running: Option<Running>,
    /// Counts the lives of this node: what was for an earlier one is dropped.
    pub(super) life: u64,
    pub(super) paused: bool,
    /// Bits of it were flipped: a start may find damage.
    pub(super) hurt: bool,
    /// That was after a power cut: the store may not know that what it synced last was durable.
    pub(super) unsure: bool,
    /// The index as it was last written.
    pub(super) index: Option<Checkpoint>,
    /// What was told of promises by the store that is on the disk.
    pub(super) told: (StoreId, Promise),
    /// Store and promise as they were found on the disk.
    pub(super) opened: (StoreId, Promise),
    /// How much of what was ever committed this store held, durably.
    pub(super) held: Offset,
    /// What is durable on the disk, as last seen.
    pub(super) durable: Offset,
    /// The latest epoch that was led when its disk lost something, and what was durable there before.
    pub(super) lost: Option<(Epoch, Offset)>,
    /// How far its commits were compared with those of all, in this life.
    pub(super) seen: Offset,
    pub(super) served: bool,
    /// Its log's writer has its turn soon.
    pub(super) write_due: bool,
    /// Calls of its disk fail, or will.
    pub(super) bad: bool,
    /// What is kept when they do, because the power fails.
    pub(super) keep: Option<Keep>,
}

/// A node that runs.
pub(super) struct Running {
    pub(super) core: Core,
    pub(super) serving: watch::Receiver<bool>,
    pub(super) words: Tray<Word>,
    pub(super) notices: Tray<LogEvent>,
    pub(super) jobs: Tray<Job>,
    pub(super) requests: mpsc::UnboundedReceiver<CoordinatorRequest>,
    pub(super) answers: mpsc::UnboundedReceiver<crate::node::reads::ReadDone>,
    /// The log is to be read for damage.
    pub(super) nudges: std::sync::mpsc::Receiver<()>,
    _ends: Ends,
}

/// What the core would miss if it were closed.
type Ends =
    (mpsc::Sender<Request>, watch::Receiver<Arc<Snapshot>>, watch::Sender<Vec<String>>, watch::Sender<bool>);

impl Machine {
    pub(super) fn new(number: usize) -> Machine {
        Machine {
            number,
            disk: SimDisk::new(),
            clock: SimClock::default(),
            running: None,
            life: 0,
            paused: false,
            hurt: false,
            unsure: false,
            index: None,
            told: Default::default(),
            opened: Default::default(),
            held: Offset(0),
            durable: Offset(0),
            lost: None,
            seen: Offset(0),
            served: false,
            write_due: false,
            bad: false,
            keep: None,
        }
    }

    /// Starts the node over what the disk holds. The text says whether damage was found.
    pub(super) fn start(&mut self, index: bool) -> Result<Option<String>, StorageError> {
        let (words, notices, jobs) = (Tray::new(), Tray::new(), Tray::new());
        let name = format!("n{}", self.number);
        let told = notices.clone();
        let tell = Box::new(move |event| told.put(event));
        let mut store = Store::open(Arc::new(self.disk.clone()), Path::new("store"), &name, OPTIONS, tell)?;
        let damage = store.recovered.damage.clone().map(|it| format!("{}: {}", it.at, it.reason));
        store.cut_damage()?;
        self.opened = (store.identity.store, store.identity.promise);
        (self.seen, self.served, self.write_due) = (Offset(0), false, false);
        let checkpoint = self.index.clone().filter(|_| index);
        let (coordinator, requests) = Coordinator::by_hand();
        let (asks, inbox) = mpsc::channel(1);
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (serving, serves) = watch::channel(false);
        let (listening, listens) = watch::channel(Vec::new());
        let (stop, stops) = watch::channel(false);
        let outside = Outside { requests: inbox, snapshots, serving, listening: listens, stop: stops };
        let (_, peer_events) = mpsc::channel(1);
        let work = jobs.clone();
        let (scrub, nudges) = Scrub::by_hand();
        let ports = Ports {
            peers: Box::new(Wire { node: self.number, words: words.clone() }),
            peer_events,
            jobs: Arc::new(move |job| work.put(job)),
            scrub: (scrub, mpsc::unbounded_channel().1),
        };
        let parts = self.parts(store, checkpoint, coordinator);
        let mut core = Core::new(parts, outside, ports);
        let Some(answers) = core.take_answers() else { return Ok(damage) };
        let ends = (asks, snapshot, listening, stop);
        self.life += 1;
        self.paused = false;
        self.running = Some(Running {
            core,
            serving: serves,
            words,
            notices,
            jobs,
            requests,
            answers,
            nudges,
            _ends: ends,
        });
        Ok(damage)
    }

    fn parts(&self, store: Store, checkpoint: Option<Checkpoint>, coordinator: Coordinator) -> NodeParts {
        let settings = ReplicaSettings {
            broker: "g".into(),
            node: format!("n{}", self.number),
            replicas: NODES,
            weight: 1,
            suspect_after: Duration::from_secs(1),
        };
        let peers = PeerOptions {
            bind: ([127, 0, 0, 1], 0).into(),
            hostname: String::new(),
            access: Access::default(),
            names: Names::default(),
            process: Process::here("/".as_ref()),
        };
        NodeParts {
            clock: Arc::new(self.clock.clone()),
            settings,
            store_path: String::new(),
            zk_path: None,
            open_to_all: Vec::new(),
            identity: (store.file, store.identity),
            log: (store.log, store.recovered),
            segment_bytes: OPTIONS.segment_bytes,
            log_events: mpsc::unbounded_channel().1,
            index: (IndexHandle::none(), checkpoint),
            coordinator: (coordinator, mpsc::unbounded_channel().1),
            peers,
            broker: BrokerOptions { window_entries_max: 8, ..BrokerOptions::default() },
            temporary: Temporary::new(Arc::new(SimDisk::default()), "tmp_storage".into(), 0),
            gate: mpsc::channel(1).1,
        }
    }

    pub(super) fn core(&self) -> Option<&Core> {
        self.running.as_ref().map(|running| &running.core)
    }

    /// Whether this node believes that it is master and lets clients in.
    pub(super) fn serves(&self) -> bool {
        self.running.as_ref().is_some_and(|running| *running.serving.borrow())
    }
}
