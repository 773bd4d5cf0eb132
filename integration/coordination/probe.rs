//! A coordinator under test: what it was asked, what it has told, and the tree as others see it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use quorate::coordination::{
    Coordinator, CoordinatorEvent, CoordinatorEvents, CoordinatorRequest, GroupRecord, GroupState, Member,
    MemberRecord, Process, View, ZooKeeperCoordinator, ZooKeeperOptions,
};
use quorate::env::Names;
use quorate::model::{Claim, Epoch, GroupId, StoreId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zookeeper_client::Client;

use crate::harness::cluster::{Cluster, Options};

/// How long anything may take before a test gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A coordinator and its events.
pub(crate) struct Probe {
    coordinator: Coordinator,
    events: mpsc::UnboundedReceiver<CoordinatorEvent>,
    /// The newest view.
    pub(crate) view: View,
    /// Every reason that it gave for being unreachable.
    pub(crate) reasons: Vec<String>,
    /// Another process that says that it is this node, as last told.
    pub(crate) twin: Option<String>,
    /// Why it was refused.
    pub(crate) refused: Option<String>,
}

impl Probe {
    /// Starts a coordinator.
    pub(crate) fn start(start: impl FnOnce(CoordinatorEvents) -> Coordinator) -> Probe {
        let (sender, events) = mpsc::unbounded_channel();
        Probe {
            coordinator: start(sender),
            events,
            view: View::default(),
            reasons: Vec::new(),
            twin: None,
            refused: None,
        }
    }

    /// Starts one on ZooKeeper and registers a node.
    pub(crate) async fn join(options: ZooKeeperOptions, node: &str) -> Probe {
        let mut probe = Probe::start(|events| ZooKeeperCoordinator::start(options, events));
        probe.set(member(node));
        probe
            .until("the member is registered", |view| view.members.iter().any(|m| m.record.node == node))
            .await;
        probe
    }

    /// Sets the member record.
    pub(crate) fn set(&self, record: MemberRecord) {
        self.coordinator.request(CoordinatorRequest::SetMember(Box::new(record)));
    }

    /// Writes the group record at a version.
    pub(crate) fn write(&self, version: i32, epoch: u64) {
        let record = Box::new(group(epoch));
        self.coordinator.request(CoordinatorRequest::WriteGroup { version, record });
    }

    /// Takes one event; `None` after the last.
    async fn event(&mut self, what: &str) -> Option<CoordinatorEvent> {
        self.event_before(what, Instant::now() + LIMIT).await
    }

    async fn event_before(&mut self, what: &str, deadline: Instant) -> Option<CoordinatorEvent> {
        let next = match deadline.checked_duration_since(Instant::now()) {
            Some(left) => timeout(left, self.events.recv()).await.ok(),
            None => None,
        };
        let Some(event) = next else {
            panic!("not within {LIMIT:?}: {what}; {:?}, {:?}", self.reasons, self.view);
        };
        match &event {
            Some(CoordinatorEvent::View(view)) => self.view = *view.clone(),
            Some(CoordinatorEvent::Unreachable(reason)) => self.reasons.push(reason.clone()),
            Some(CoordinatorEvent::Twin(twin)) => self.twin.clone_from(twin),
            Some(CoordinatorEvent::Refused(reason)) => self.refused = Some(reason.clone()),
            _ => {}
        }
        event
    }

    /// Waits until the view is as `looks` wants it.
    pub(crate) async fn until(&mut self, what: &str, looks: impl Fn(&View) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !looks(&self.view) {
            assert!(self.event_before(what, deadline).await.is_some(), "it ended before: {what}");
        }
    }

    /// Waits until it has told what `told` looks for.
    pub(crate) async fn until_told(&mut self, what: &str, told: impl Fn(&Probe) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !told(self) {
            assert!(self.event_before(what, deadline).await.is_some(), "it ended before: {what}");
        }
    }

    /// Waits until it says that it is cut off.
    pub(crate) async fn until_unreachable(&mut self) -> String {
        let before = self.reasons.len();
        while self.reasons.len() == before {
            assert!(self.event("it says why").await.is_some());
        }
        self.reasons[before].clone()
    }

    /// Leaves, and waits for the last event.
    pub(crate) async fn leave(&mut self) {
        self.coordinator.request(CoordinatorRequest::Leave);
        while !matches!(self.event("it leaves").await, Some(CoordinatorEvent::Left)) {}
        assert!(self.event("nothing follows").await.is_none());
    }

    /// Its own member as the view shows it.
    pub(crate) fn mine(&self) -> &Member {
        self.view.members.iter().find(|m| Some(m.id) == self.view.mine).unwrap()
    }
}

/// The nodes that a view shows, lowest member first.
pub(crate) fn nodes(view: &View) -> Vec<&str> {
    view.members.iter().map(|m| m.record.node.as_str()).collect()
}

/// Weight of a node in a view: what the tests change in records.
pub(crate) fn weight(view: &View, node: &str) -> Option<i32> {
    view.members.iter().find(|m| m.record.node == node).map(|m| m.record.weight)
}

/// A member record.
pub(crate) fn member(node: &str) -> MemberRecord {
    MemberRecord {
        id: "broker".into(),
        container: None,
        address: None,
        position: 0,
        weight: 1,
        elected: None,
        guid: StoreId(0),
        node: node.into(),
        store: StoreId(7),
        promised: Epoch(0),
        claim: Claim(0),
        position_epoch: Epoch(0),
        role: "waiting".into(),
        suspects: Epoch(0),
        reason: None,
        unfit: false,
        replicas: 3,
        format: 1,
        known: None,
        process: None,
    }
}

/// The same with another weight.
pub(crate) fn weighing(node: &str, weight: i32) -> MemberRecord {
    MemberRecord { weight, ..member(node) }
}

/// A group record.
pub(crate) fn group(epoch: u64) -> GroupRecord {
    GroupRecord {
        id: "broker".into(),
        epoch: Epoch(epoch),
        claim: Claim(epoch),
        state: GroupState::Electing,
        master: None,
        voters: Vec::new(),
        config: 0,
        replicas: 3,
        group_id: GroupId(9),
        format: 1,
        released: Epoch(0),
        cause: "a test".into(),
    }
}

/// Options for a path on the servers at `address`.
pub(crate) fn options(address: impl ToString, path: &str) -> ZooKeeperOptions {
    ZooKeeperOptions {
        address: address.to_string(),
        path: path.into(),
        session_timeout: Duration::from_secs(4),
        auth: None,
        acl: Vec::new(),
        names: Names::default(),
        process: Process::here(Path::new("/")),
    }
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

/// A ZooKeeper server that tests share while they overlap; each uses a path of its own, and none stops it.
pub(crate) fn server() -> Arc<Cluster> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster =
            Arc::new(Cluster::prepare("coordination", Options { zk_servers: 1, ..Options::default() }));
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

/// Somebody else's view of the tree.
pub(crate) async fn observer(cluster: &Cluster) -> Client {
    Client::connect(&cluster.zookeeper(1).to_string()).await.unwrap()
}

/// Empties the tree: `deleteall`. Members that come back meanwhile are removed too.
pub(crate) async fn empty(client: &Client, path: &str) {
    loop {
        for name in client.list_children(path).await.unwrap() {
            client.delete(&format!("{path}/{name}"), None).await.ok();
        }
        match client.delete(path, None).await {
            Err(zookeeper_client::Error::NotEmpty) => {}
            other => return other.unwrap(),
        }
    }
}
