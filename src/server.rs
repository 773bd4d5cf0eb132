//! Builds everything once, starts it, stops it.

mod plan;
mod resources;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::admin::{Admin, AdminOptions, Shown};
use crate::broker::{BrokerNames, BrokerOptions, CensusOptions, Gate};
use crate::config::{Config, Replicated, Security, StoreConfig, Tls, TransportConnector, ZkAcl};
use crate::coordination::{
    Coordinator, CoordinatorEvent, FixedCoordinator, Process, ZooKeeperCoordinator, ZooKeeperOptions,
};
use crate::env::{Clock, ConnectionLimit, Disk, Names, PatientDisk, SimDisk, SystemClock, random_u128};
use crate::model::{Epoch, GroupId, Known, Voter};
use crate::node::{Node, NodeError, NodeParts, Request, Snapshot};
use crate::protocol::{Listener, ListenerError};
use crate::replication::{Access, PeerOptions, ReplicaSettings, TlsError, TlsFiles};
use crate::security::{Logins, Users};
use crate::storage::{IndexHandle, Log, LogEvent, LogOptions, SpaceOptions, StorageError, Store};
use plan::{Memory, Volume};
use resources::{Resources, bytes, shrunk, temporary};

/// How long clients may take to go when the node stops.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// Which part of the memory limit may be taken by messages that wait to be carried out.
const WAITING_SHARE: usize = 4;
/// Silence after which a lone broker would suspect its master; it has none.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);

/// Why a node did not start, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: StorageError,
    },
    /// A lone broker's log is damaged; there is nobody to repair it from.
    #[error("the log in {} is damaged at {at}: {reason}. There is no other copy to repair it from: `quorate store repair {}` says what is lost, and cuts it off when it is told to", path.display(), path.display())]
    Damaged {
        /// Its directory.
        path: PathBuf,
        /// Where.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// A port is taken.
    #[error("{0}")]
    Port(String),
    /// ZooKeeper did not answer.
    #[error("ZooKeeper at {address} did not let the node in within {seconds} s: {reason}")]
    ZooKeeper {
        /// Where it was sought.
        address: String,
        /// How long.
        seconds: u64,
        /// What came instead.
        reason: String,
    },
    /// The node cannot be part of its group, or its store failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The certificates of the replication port cannot be used.
    #[error("store.replicated.tls: {0}")]
    Tls(#[from] TlsError),
    /// The system refused something that every process needs.
    #[error("the system refuses to start the node: {0}")]
    System(#[from] std::io::Error),
}

impl ServerError {
    /// The process's exit code for it; README.md lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServerError::System(_) => 1,
            ServerError::Tls(_) => 3,
            ServerError::ZooKeeper { .. } => 4,
            ServerError::Directory { .. }
            | ServerError::Damaged { .. }
            | ServerError::Node(NodeError::Group(_) | NodeError::Damaged { .. }) => 5,
            ServerError::Port(_) => 6,
            ServerError::Node(NodeError::Store(_)) => 7,
        }
    }
}

/// Runs a node until it is told to stop by SIGTERM or SIGINT. ZooKeeper is waited for, at the start for
/// `zookeeper_wait` at most if that is given.
///
/// # Errors
/// [`ServerError`] says why it could not start or had to stop.
pub async fn run(config: Config, zookeeper_wait: Option<Duration>) -> Result<(), ServerError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    for connector in served(&config) {
        probe(connector).await?;
    }
    let resources = Resources::of(&config)?;
    let (gate, inbound) = Gate::bounded(bytes(resources.memory.limit) / WAITING_SHARE);
    let address = config.transport_connectors.iter().find(|it| it.is_served()).map_or("", |it| it.address());
    let names = BrokerNames::new(&config.broker.name, address);
    let gate = gate.of(names.clone());
    let gate = if config.security.asks() { gate.asking(logins(&config)) } else { gate };
    let patient = resources.disk.clone();
    let limit = ConnectionLimit::new(resources.files.clients);
    let (body_bytes_max, side_max) = (resources.body_bytes_max(), resources.files.half_open);
    let config = Arc::new(config);
    let opening = {
        let (config, clock) = (Arc::clone(&config), Arc::clone(&clock));
        tokio::task::spawn_blocking(move || parts(&config, &resources, clock, inbound, names))
    };
    let parts = tokio::select! {
        opened = opening => opened.map_err(std::io::Error::other)??,
        // What is being opened is as good after any end of the process.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let mut node = Node::start(parts);
    let console = AdminOptions::of(&config, side_max);
    let admin = match Admin::start(console, Shown::of(&node, gate.clone())).await {
        Ok(admin) => admin,
        Err(error) => {
            node.stop();
            node.ended().await?;
            return Err(ServerError::Port(format!(
                "the console cannot listen on {}: {error}",
                config.console.bind
            )));
        }
    };
    let waiting = zookeeper_answers(node.snapshot.clone(), &config, zookeeper_wait);
    tokio::pin!(waiting);
    let mut serving = node.serving.clone();
    let mut doors = Doors { config: &config, gate, limit, body_bytes_max, clock, open: Vec::new() };
    let mut answered = false;
    let result = loop {
        tokio::select! {
            _ = terminate.recv() => stop(&node, &patient),
            _ = interrupt.recv() => stop(&node, &patient),
            ended = node.ended() => break ended.map_err(ServerError::from),
            answer = &mut waiting, if !answered => {
                answered = true;
                if let Err(error) = answer {
                    node.stop();
                    // Its own end has nothing to add.
                    let _ = node.ended().await;
                    break Err(error);
                }
            }
            Ok(()) = serving.changed() => {
                let serves = *serving.borrow_and_update();
                if let Err(error) = doors.follow(&node, serves).await {
                    break Err(error);
                }
            }
        }
    };
    if tokio::time::timeout(STOP_TIME_MAX, doors.close()).await.is_err() {
        tracing::warn!("some clients did not go in time");
    }
    admin.stop().await;
    result
}

/// Who may come in. Read at the start only.
fn logins(config: &Config) -> Arc<Logins> {
    let Security { users, rights, .. } = &config.security;
    Arc::new(Logins::new(Users::new(users, rights)))
}

/// Asks the node to stop; what waits for a descriptor then would hold up the end.
fn stop(node: &Node, disk: &PatientDisk) {
    node.stop();
    disk.give_up();
}

/// The client ports: open while the node serves.
struct Doors<'a> {
    config: &'a Config,
    gate: Gate,
    limit: ConnectionLimit,
    body_bytes_max: usize,
    clock: Arc<dyn Clock>,
    open: Vec<Listener>,
}

impl Doors<'_> {
    /// Opens or closes the client ports as the node serves or not. A lone broker whose port is taken cannot go on; a
    /// master gives way to another node.
    async fn follow(&mut self, node: &Node, serves: bool) -> Result<(), ServerError> {
        if !serves {
            self.close().await;
            node.listening.send_replace(Vec::new());
            return Ok(());
        }
        for connector in served(self.config) {
            let (gate, limit, clock) = (self.gate.clone(), self.limit.clone(), Arc::clone(&self.clock));
            match Listener::start(connector, gate, limit, self.body_bytes_max, clock).await {
                Ok(listener) => self.open.push(listener),
                Err(error) => {
                    tracing::error!("{error}");
                    self.close().await;
                    if !matches!(self.config.store, StoreConfig::Replicated(_)) {
                        return Err(ServerError::Port(error.to_string()));
                    }
                    // A node that is ending takes no requests, and serves no more either.
                    let _ = node.requests.send(Request::CannotServe { reason: error.to_string() }).await;
                    return Ok(());
                }
            }
        }
        let shown = served(self.config).zip(&self.open);
        let shown = shown.map(|(c, l)| {
            let (scheme, tls) = (c.scheme.name().to_lowercase(), if c.tls { "+ssl" } else { "" });
            format!("{scheme}{tls}://{}:{}", c.host, l.address().port())
        });
        node.listening.send_replace(shown.collect());
        Ok(())
    }

    async fn close(&mut self) {
        for listener in self.open.drain(..) {
            listener.stop().await;
        }
    }
}

/// The connectors that this version opens.
fn served(config: &Config) -> impl Iterator<Item = &TransportConnector> {
    config.transport_connectors.iter().filter(|c| c.is_served())
}

/// Finds a taken port at the start, not only at the first promotion.
async fn probe(connector: &TransportConnector) -> Result<(), ServerError> {
    Listener::probe(connector).await.map_err(|error: ListenerError| ServerError::Port(error.to_string()))
}

/// Waits until ZooKeeper has been heard once, if there is a limit to that.
async fn zookeeper_answers(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    config: &Config,
    limit: Option<Duration>,
) -> Result<(), ServerError> {
    let (StoreConfig::Replicated(replicated), Some(limit)) = (&config.store, limit) else { return Ok(()) };
    let heard = snapshots.wait_for(|s| s.group.as_ref().is_some_and(|g| g.zk_connected));
    // A node that has ended tells why by itself.
    if tokio::time::timeout(limit, heard).await.is_ok() {
        return Ok(());
    }
    let alarms = &snapshots.borrow().status.alarms;
    let reason = alarms.iter().find(|alarm| alarm.name == "zookeeper-unreachable");
    Err(ServerError::ZooKeeper {
        address: replicated.zk_address.clone(),
        seconds: limit.as_secs(),
        reason: reason.map_or("no answer".to_owned(), |alarm| alarm.message.clone()),
    })
}

/// What differs between the kinds of store.
struct Kind<'a> {
    directory: PathBuf,
    log_size: u64,
    replicated: Option<&'a Replicated>,
    disk: Arc<dyn Disk>,
}

fn kind<'a>(config: &'a Config, resources: &Resources) -> Kind<'a> {
    let (directory, replicated) = match &config.store {
        StoreConfig::Replicated(it) => (it.directory.clone(), Some(&**it)),
        StoreConfig::Local(it) => (it.directory.clone(), None),
        StoreConfig::Memory => (PathBuf::from("memory"), None),
    };
    match resources.volume {
        Some(volume) => {
            let disk = Arc::new(resources.disk.clone());
            Kind { directory, log_size: volume.segment, replicated, disk }
        }
        // Its log holds epochs and names of destinations only.
        None => Kind { directory, log_size: 1 << 20, replicated, disk: Arc::new(SimDisk::default()) },
    }
}

fn parts(
    config: &Config,
    resources: &Resources,
    clock: Arc<dyn Clock>,
    gate: mpsc::Receiver<crate::broker::Inbound>,
    names: BrokerNames,
) -> Result<NodeParts, ServerError> {
    let kind = kind(config, resources);
    let settings = settings(config, kind.replicated);
    let (notify, log_events) = mpsc::unbounded_channel();
    let store = open_store(&kind, &settings.node, resources.memory, notify.clone())?;
    if let Some(volume) = resources.volume {
        watch_space(config, &kind, volume, &store.log, notify)?;
    }
    let (index, checkpoint) = match config.store {
        StoreConfig::Memory => (IndexHandle::none(), None),
        _ => Store::open_index(&kind.directory),
    };
    let (events, coordinator_events) = mpsc::unbounded_channel();
    let (hosts, process) = (Names::default(), Process::here(&kind.directory));
    let coordinator = coordinator(kind.replicated, hosts.clone(), process.clone(), events);
    let volatile = matches!(config.store, StoreConfig::Memory);
    let (temporary, temp_limit) = temporary(config, resources)?;
    let memory = resources.memory;
    let usual = BrokerOptions::within(bytes(memory.limit));
    let at_start = config.broker.destinations.clone();
    let broker = BrokerOptions {
        policies: config.policies.clone(),
        census: CensusOptions { at_start, ..usual.census },
        names,
        windows_bytes_max: bytes(memory.windows),
        temp_limit,
        volatile,
        ..usual
    };
    let peers = PeerOptions {
        access: access(kind.replicated)?.with_half_open_max(resources.files.half_open),
        bind: kind.replicated.map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |r| r.bind),
        hostname: kind.replicated.map_or("127.0.0.1".to_owned(), |r| r.hostname.clone()),
        names: hosts,
        process,
    };
    Ok(NodeParts {
        clock,
        settings,
        store_path: config.store.path(),
        zk_path: kind.replicated.map(|r| r.zk_path.clone()),
        open_to_all: config.open_to_all(),
        identity: (store.file, store.identity),
        log: (store.log, store.recovered),
        segment_bytes: kind.log_size,
        log_events,
        index: (index, checkpoint),
        coordinator: (coordinator, coordinator_events),
        peers,
        broker,
        temporary,
        gate,
    })
}

/// What the replication port asks for, and shows.
fn access(replicated: Option<&Replicated>) -> Result<Access, ServerError> {
    let mut access = Access::default();
    let Some(replicated) = replicated else { return Ok(access) };
    if let Some(secret) = &replicated.secret {
        access = access.with_secret(secret.expose());
    }
    if replicated.insecure {
        access = access.with_plain_text_anywhere();
    }
    if let Some(Tls { certificate, key, ca }) = replicated.tls.clone() {
        access = access.with_tls(TlsFiles { certificate, key, ca }, &replicated.hostname)?;
    }
    Ok(access)
}

fn settings(config: &Config, replicated: Option<&Replicated>) -> ReplicaSettings {
    ReplicaSettings {
        broker: config.broker.name.clone(),
        node: replicated.map_or("local".to_owned(), |r| r.node.clone()),
        replicas: replicated.map_or(1, |r| r.replicas),
        weight: replicated.map_or(1, |r| r.weight),
        suspect_after: replicated.map_or(SUSPECT_AFTER, |r| r.suspect_after),
    }
}

fn open_store(
    kind: &Kind<'_>,
    node: &str,
    memory: Memory,
    notify: mpsc::UnboundedSender<LogEvent>,
) -> Result<Store, ServerError> {
    let unusable = |source| ServerError::Directory { path: kind.directory.clone(), source };
    let options = LogOptions { segment_bytes: kind.log_size, tail_bytes: bytes(memory.tail) };
    let tell = Box::new(move |event| {
        // The node has ended: nobody waits for it any more.
        let _ = notify.send(event);
    });
    let store =
        Store::open(Arc::clone(&kind.disk), &kind.directory, node, options, tell).map_err(unusable)?;
    if store.recovered.cut > 0 {
        let bytes = store.recovered.cut;
        tracing::warn!(bytes, "a torn tail of the log was cut; nobody had been told that it was durable");
    }
    let mut store = repair(kind, store)?;
    if kind.replicated.is_none() {
        own(&mut store);
    }
    Ok(store)
}

/// A lone broker's log is its own, also when it has lost the identity that says so.
fn own(store: &mut Store) {
    let Store { recovered, identity, .. } = store;
    if identity.known.is_none() && recovered.end.epoch > Epoch(0) {
        let voters = vec![Voter { node: identity.node.clone(), store: identity.store }];
        let (group_id, epoch) = (GroupId(random_u128()), recovered.end.epoch);
        identity.known = Some(Known { group_id, epoch, config: 0, voters });
    }
}

/// A damaged log takes back its vote, cuts what cannot be trusted, and the master sends it again. A lone broker has no
/// such master.
fn repair(kind: &Kind<'_>, mut store: Store) -> Result<Store, ServerError> {
    let Some(damage) = store.recovered.damage.clone() else { return Ok(store) };
    let (at, reason) = (damage.at, damage.reason);
    if kind.replicated.is_none() {
        return Err(ServerError::Damaged { path: kind.directory.clone(), at: at.0, reason });
    }
    tracing::error!(%at, reason, "the log is damaged: this node takes back its vote and repairs itself from the master");
    store.cut_damage().map_err(|source| ServerError::Directory { path: kind.directory.clone(), source })?;
    Ok(store)
}

fn coordinator(
    replicated: Option<&Replicated>,
    names: Names,
    process: Process,
    events: mpsc::UnboundedSender<CoordinatorEvent>,
) -> Coordinator {
    let Some(replicated) = replicated else { return FixedCoordinator::start(events) };
    let options = ZooKeeperOptions {
        address: replicated.zk_address.clone(),
        path: replicated.zk_path.clone(),
        session_timeout: replicated.zk_session_timeout,
        auth: replicated.zk_auth.as_ref().map(|secret| secret.expose().to_owned()),
        acl: acl(&replicated.zk_acl),
        names,
        process,
    };
    ZooKeeperCoordinator::start(options, events)
}

/// ZooKeeper's bits for the letters of `rwcda`.
fn acl(acl: &ZkAcl) -> Vec<(i32, String, String)> {
    let bits =
        |letters: &str| letters.chars().filter_map(|c| "rwcda".find(c)).fold(0, |sum, bit| sum | 1 << bit);
    match acl {
        ZkAcl::Open => Vec::new(),
        ZkAcl::Creator => vec![(bits("rwcda"), "auth".to_owned(), String::new())],
        ZkAcl::List(entries) => {
            entries.iter().map(|e| (bits(&e.permissions), e.scheme.clone(), e.id.clone())).collect()
        }
    }
}

/// Keeps a reserve on the disk, and the log within its limit; a limit that the disk cannot hold is shrunk to it.
fn watch_space(
    config: &Config,
    kind: &Kind<'_>,
    volume: Volume,
    log: &Log,
    notify: mpsc::UnboundedSender<LogEvent>,
) -> Result<(), ServerError> {
    let unusable = |source| ServerError::Directory { path: kind.directory.clone(), source };
    let disk = rustix::fs::statvfs(&kind.directory).map_err(std::io::Error::from)?;
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let usable = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(log.used_bytes());
    let asked = config.system_usage.store.bytes_of(total);
    let options = SpaceOptions {
        reserve_bytes: volume.reserve,
        free_bytes_min: volume.free,
        limit_bytes: shrunk("Store", asked, usable, &kind.directory),
    };
    let tell = Box::new(move |shortage| {
        // The node has ended: nobody waits for it any more.
        let _ = notify.send(LogEvent::Space(shortage));
    });
    log.watch_space(options, tell).map_err(unusable)
}
