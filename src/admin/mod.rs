//! Views of a running node and commands to it, over HTTP, on the console's port of every node.
//!
//! | request | answer |
//! |---|---|
//! | `GET /`, `/admin/..` | pages for people (`console`) |
//! | `GET /health/..` | whether the node lives, is ready, serves (`health`) |
//! | `GET`, `POST /api/jolokia` | ActiveMQ's beans for tools that were made for it (`jolokia`) |
//! | `GET /metrics` | what Prometheus collects (`metrics`) |
//! | `GET /api/v1/openapi.json` | the description of what follows |
//! | `GET /api/v1/broker` | [`Status`](crate::node::Status) |
//! | `GET /api/v1/group` | [`GroupStatus`](crate::node::GroupStatus), 404 for a lone broker |
//! | `GET /api/v1/queues`, `GET /api/v1/topics` | a [`Page`](crate::broker::Page) of [`DestinationStatus`](crate::broker::DestinationStatus) |
//! | `GET /api/v1/subscriptions` | a `Page` of [`SubscriptionStatus`](crate::broker::SubscriptionStatus) |
//! | `POST /api/v1/subscriptions/remove` | ends one; needs the token |
//! | `GET /api/v1/queues/{name}`, `GET /api/v1/topics/{name}` | the `DestinationStatus`; 404 |
//! | `POST /api/v1/queues/{name}/purge`, `/move`, `/copy`, `/retry` | `{"messages": ..}`; 409 with `{"error": ..}` if refused, or elsewhere |
//! | `POST /api/v1/queues/{name}/pause`, `/resume` | `{"paused": ..}`; 409 as above |
//! | `DELETE /api/v1/queues/{name}?with_messages=true` | `{"deleted": true}`; 409 as above |
//! | `GET /api/v1/connections` | a page of [`ConnectionStatus`](crate::broker::ConnectionStatus) |
//! | `GET /api/v1/bridges` | one page of [`BridgeStatus`](crate::network::BridgeStatus) |
//! | `POST /api/v1/group/step-down` | 202; 409 with `{"error": ..}` if refused |
//! | `GET /api/v1/group/recover` | [`RecoveryPlan`](crate::node::RecoveryPlan); 409 if there is nothing to recover |
//! | `POST /api/v1/group/recover` with that plan as JSON | the same with 202: it is being done; 409 with the new one as `plan` if it has changed |
//!
//! Lists come in pages: `paging` says which part is asked for with `after` and `limit`, and a page's `next` is the request for
//! the one behind it. Destinations are also filtered by a part of the `name` and sorted by a number (`sort`), see `listing`. They are read from the node's shared [`Figures`](crate::broker::Figures) without asking it; the rest is asked for.
//!
//! Figures show all that the node had answered before it was asked. The port answers to names of its own only; `door` says who
//! is let in how far: where there are users, nobody without a login; changes always need one, or the console's token.

mod console;
mod door;
mod health;
mod jolokia;
mod listener;
mod listing;
mod metrics;
mod operator;
mod paging;
mod rest;
mod routes;
mod shared;
mod shown;
mod sums;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{Config, StoreConfig};
use crate::security::Logins;

pub use door::{TOKEN_FILE, Token};
pub use shown::Shown;

use door::{Access, Guard, Roles};

/// What the console's port is and who may use it.
#[derive(Debug)]
pub struct AdminOptions {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Names that it answers to beside those of loopback and the address that a request has come in at.
    pub hosts: Vec<String>,
    /// What a change has to show; without one nothing can be changed.
    pub token: Option<Token>,
    /// Connections at once; the oldest idle one goes when there is another.
    pub connections_max: usize,
    /// The broker's users, who may log in.
    logins: Arc<Logins>,
    /// Whether there are any: then nothing but health is shown without a login.
    asks: bool,
    roles: Roles,
}

impl AdminOptions {
    /// The options of a node. Without a token of the operator's a new one is drawn and kept in the store's directory, which
    /// is open and locked by now; a store in memory has none, and nothing that could be changed.
    pub fn of(config: &Config, connections_max: usize, logins: Arc<Logins>) -> AdminOptions {
        let console = &config.console;
        let hostname = match &config.store {
            StoreConfig::Replicated(replicated) => Some(&replicated.hostname),
            _ => None,
        };
        let drawn = |directory: &Path| {
            let drawn = Token::drawn_in(directory);
            if let Err(error) = &drawn {
                let path = directory.join(TOKEN_FILE);
                tracing::warn!(
                    "{} cannot be written: {error}; nothing can be changed over the console without console.token",
                    path.display()
                );
            }
            drawn.ok()
        };
        AdminOptions {
            bind: console.bind,
            hosts: console.hosts.iter().cloned().chain(hostname.cloned()).collect(),
            token: match &console.token {
                Some(token) => Some(Token::given(token.expose())),
                None => config.store.directory().and_then(drawn),
            },
            connections_max,
            logins,
            asks: config.security.asks(),
            roles: Roles::of(console),
        }
    }
}

/// The running admin interface. Dropping it without [`Admin::stop`] leaves it running.
pub struct Admin {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Admin {
    /// Binds the console's port and serves what the node shows.
    ///
    /// # Errors
    /// The port cannot be bound: in use, or not ours to bind. The caller does not start.
    pub async fn start(options: AdminOptions, shown: Shown) -> std::io::Result<Admin> {
        let listener = TcpListener::bind(options.bind).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let guard = Guard::new(&options.hosts);
        let access = Access::new(options.logins, options.asks, options.roles, options.token);
        let router = routes::router(guard, access, shown);
        let task = tokio::spawn(listener::accept(listener, options.connections_max, router, stopped));
        Ok(Admin { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port. Requests under way have [`Admin::STOP_WITHIN`] to end.
    pub async fn stop(mut self) {
        let _ = self.stop.send(());
        if tokio::time::timeout(Admin::STOP_WITHIN, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }

    /// Bound of [`Admin::stop`]; a client that holds a connection open must not hold up the stop.
    pub const STOP_WITHIN: Duration = Duration::from_millis(500);
}

#[cfg(test)]
mod tests;
