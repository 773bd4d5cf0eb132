//! Where the console finds what it shows of a node.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::broker::{Figures, Gate};
use crate::network::Bridges;
use crate::node::{Node, Request, Snapshot};

/// See the module.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What destinations and sessions count.
    pub figures: Figures,
    /// What the node looked like last, for when it does not answer.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where the node is asked.
    pub requests: mpsc::Sender<Request>,
    /// Where operators come in: what they do to destinations, they do in sessions of their own.
    pub gate: Gate,
    /// The bridges to other brokers.
    pub bridges: Bridges,
}

impl Shown {
    /// What is shown of a running node.
    pub fn of(node: &Node, gate: Gate, bridges: Bridges) -> Shown {
        Shown {
            figures: node.figures.clone(),
            snapshots: node.snapshot.clone(),
            requests: node.requests.clone(),
            gate,
            bridges,
        }
    }
}
