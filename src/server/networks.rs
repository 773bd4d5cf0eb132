//! The bridges of a node: they stand while it serves.

use std::sync::Arc;

use crate::broker::Gate;
use crate::config::{Config, NetworkConnector};
use crate::env::{Clock, Names};
use crate::network::{Bridges, Network, OwnBroker};

/// See the module.
pub(super) struct Networks {
    connectors: Vec<NetworkConnector>,
    own: OwnBroker,
    bridges: Bridges,
    standing: Option<Network>,
}

impl Networks {
    /// Those of a configuration; none stands yet. Bridges come in at `gate`, where nobody asks them who they are.
    pub(super) fn new(config: &Config, gate: Gate, clock: Arc<dyn Clock>, body_bytes_max: usize) -> Networks {
        Networks {
            connectors: config.network_connectors.clone(),
            own: OwnBroker { gate, clock, body_bytes_max, names: Names::default() },
            bridges: Bridges::default(),
            standing: None,
        }
    }

    /// Where they show themselves.
    pub(super) fn shown(&self) -> Bridges {
        self.bridges.clone()
    }

    /// The node serves.
    pub(super) fn start(&mut self) {
        self.standing = Some(Network::start(&self.connectors, &self.own, self.bridges.clone()));
    }

    /// It serves no more.
    pub(super) async fn stop(&mut self) {
        if let Some(standing) = self.standing.take() {
            standing.stop().await;
        }
    }
}
