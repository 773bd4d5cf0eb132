//! Where a scenario happens: a node that serves clients of one protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Scheme, TransportConnector};
use crate::env::{Clock, ConnectionLimit};
use crate::protocol::Listener;
use crate::protocol::tests::{Core, connector, start_core};

const CONNECTIONS_MAX: usize = 100;

pub(super) struct World {
    core: Core,
    listener: Listener,
}

impl World {
    pub(super) async fn start(scheme: Scheme) -> World {
        let (gate, core) = start_core().await;
        let connector = TransportConnector { scheme, ..connector(CONNECTIONS_MAX) };
        let (limit, clock) = (ConnectionLimit::new(CONNECTIONS_MAX), Arc::clone(&core.clock));
        let listener = Listener::start(&connector, gate, limit, usize::MAX, clock).await.unwrap();
        World { core, listener }
    }

    pub(super) async fn end(self) {
        self.listener.stop().await;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The broker's time of day.
    pub(super) fn wall_ms(&self) -> i64 {
        self.core.clock.wall_ms()
    }

    /// Moves it forward.
    pub(super) fn pass(&self, time: Duration) {
        self.core.clock.pass(time);
    }
}
