//! Where the console finds what it shows of a node.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::broker::Figures;
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
}

impl Shown {
    /// What is shown of a running node.
    pub fn of(node: &Node) -> Shown {
        Shown {
            figures: node.figures.clone(),
            snapshots: node.snapshot.clone(),
            requests: node.requests.clone(),
        }
    }
}
