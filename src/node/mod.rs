//! One node: the task that owns replica, state and dispatch, and the shell around what they decide.
//!
//! `core` takes what happens from the coordinator, the log, the other nodes and the sessions, one round after the other:
//! everything that waits, then one batch for the log, one wake-up for each session. `act` carries out what the replica
//! decides, `fold` applies what is committed, `propose` writes what the broker asks for, `status` shows it all.

mod act;
mod cleaner;
mod core;
mod fold;
mod propose;
mod reads;
mod scrub;
mod snapshot;
mod space;
mod spills;
mod status;
mod vigil;
mod weights;
#[cfg(test)]
mod simulation;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::broker::{BrokerOptions, Figures, Inbound};
use crate::coordination::{Coordinator, CoordinatorEvent};
use crate::env::Clock;
use crate::model::Identity;
use crate::replication::{PEER_EVENTS_MAX, PeerOptions, Peers, ReplicaSettings};
use crate::storage::{Checkpoint, IdentityFile, IndexHandle, Log, LogEvent, Recovered};

use scrub::Scrub;

pub use snapshot::{
    Alarm, ElectionStatus, Fsyncs, GroupStatus, MemberStatus, RecoveryPlan, Request, RequestError, Role,
    Snapshot, Status,
};
pub use spills::Temporary;

/// Requests of operators that wait.
const REQUESTS_MAX: usize = 16;

/// Why a node stopped, when nobody asked it to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The store cannot be written any more: nothing is acknowledged after a failed write or fsync.
    #[error("the store has failed: {0}")]
    Store(String),
    /// Durable bytes of the log are not what was written. The next start cuts them off and has the master send them again.
    #[error(
        "the log is damaged at offset {at}: {reason}; this node ends, and repairs itself from the master when it starts again"
    )]
    Damaged {
        /// First offset that cannot be trusted.
        at: crate::model::Offset,
        /// What is wrong there.
        reason: String,
    },
    /// This node cannot be part of its group as it is configured.
    #[error("{0}")]
    Group(String),
}

/// Everything that a node is made of.
pub struct NodeParts {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the node is configured to be.
    pub settings: ReplicaSettings,
    /// Where the store is, for status.
    pub store_path: String,
    /// The group's path in ZooKeeper, for status; `None` for a lone broker.
    pub zk_path: Option<String>,
    /// What each listener risks that everybody reaches, for status; an alarm each.
    pub open_to_all: Vec<String>,
    /// The store's identity and the file it is kept in.
    pub identity: (IdentityFile, Identity),
    /// The log, and what it held when it was opened.
    pub log: (Log, Recovered),
    /// Bytes of one of its segments.
    pub segment_bytes: u64,
    /// What the log tells.
    pub log_events: mpsc::UnboundedReceiver<LogEvent>,
    /// The index, and what it held.
    pub index: (IndexHandle, Option<Checkpoint>),
    /// The coordinator and what it tells.
    pub coordinator: (Coordinator, mpsc::UnboundedReceiver<CoordinatorEvent>),
    /// The replication port.
    pub peers: PeerOptions,
    /// The broker's bounds.
    pub broker: BrokerOptions,
    /// Where temporary files are.
    pub temporary: Temporary,
    /// What sessions ask.
    pub gate: mpsc::Receiver<Inbound>,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// For operators' requests.
    pub requests: mpsc::Sender<Request>,
    /// What the node looks like, renewed several times a second while something happens.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What its destinations and sessions count.
    pub figures: Figures,
    /// Whether clients are to be let in.
    pub serving: watch::Receiver<bool>,
    /// The addresses that clients are let in at, told back for the snapshot.
    pub listening: watch::Sender<Vec<String>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), NodeError>>,
}

impl Node {
    /// Starts a node. It runs until it is stopped or cannot go on.
    pub fn start(parts: NodeParts) -> Node {
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (serving, serves) = watch::channel(false);
        let (listening, listens) = watch::channel(Vec::new());
        let (stop, stops) = watch::channel(false);
        let outside = core::Outside { requests: inbox, snapshots, serving, listening: listens, stop: stops };
        let (events, peer_events) = mpsc::channel(PEER_EVENTS_MAX);
        let peers = Box::new(Peers::new(parts.peers.clone(), parts.log.0.clone(), events));
        let jobs = Arc::new(|job: reads::Job| drop(tokio::task::spawn_blocking(job)));
        let (found, damage) = mpsc::unbounded_channel();
        // What is in memory only has nothing to be repaired from.
        let volatile = parts.broker.volatile;
        let scrub = if volatile { Scrub::default() } else { Scrub::start(parts.log.0.clone(), found) };
        let ports = core::Ports { peers, peer_events, jobs, scrub: (scrub, damage) };
        let core = core::Core::new(parts, outside, ports);
        let figures = core.broker.figures().clone();
        let task = tokio::spawn(core.run());
        Node { requests, snapshot, figures, serving: serves, listening, stop, task }
    }

    /// Asks the node to stop: it gives the mastership away, leaves the group and closes the store.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the node's end. Cancel-safe.
    ///
    /// # Errors
    /// [`NodeError`]: the node ended because it could not go on.
    pub async fn ended(&mut self) -> Result<(), NodeError> {
        match (&mut self.task).await {
            Ok(result) => result,
            // A broken invariant has ended the task; what it owned must not be used again.
            Err(error) => Err(NodeError::Store(format!("the node's task has failed: {error}"))),
        }
    }
}
