//! Views of a running node and commands to it, over HTTP, on the console's port of every node.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a few lines for people |
//! | `GET /api/status` | [`Status`](crate::node::Status) |
//! | `GET /api/group` | [`GroupStatus`](crate::node::GroupStatus), 404 for a lone broker |
//! | `GET /api/queues`, `GET /api/topics` | list of [`DestinationStatus`](crate::node::DestinationStatus) |
//! | `GET /api/connections` | list of [`ConnectionStatus`](crate::node::ConnectionStatus) |
//! | `POST /api/group/step-down` | 202; 409 with `{"error": ..}` if refused |
//! | `GET /api/group/recover` | [`RecoveryPlan`](crate::node::RecoveryPlan); 409 if there is nothing to recover |
//! | `POST /api/group/recover` | the same with 202: it is being done |
//!
//! A request that changes something carries the header `X-Quorate: 1`: no form of a foreign web page can send it.

mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::node::{Request, Snapshot};

/// The running admin interface. Dropping it without [`Admin::stop`] leaves it running.
pub struct Admin {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Admin {
    /// Binds the console's port and serves `snapshots`.
    ///
    /// # Errors
    /// The port cannot be bound: in use, or not ours to bind. The caller does not start.
    pub async fn start(
        bind: SocketAddr,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        requests: mpsc::Sender<Request>,
    ) -> std::io::Result<Admin> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let router = routes::router(snapshots, requests);
        let task = tokio::spawn(async move {
            let ended = axum::serve(listener, router).with_graceful_shutdown(async {
                // An error means that the handle is gone, which ends nothing.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            });
            if let Err(error) = ended.await {
                tracing::error!("The console stopped: {error}");
            }
        });
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
    pub const STOP_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);
}

#[cfg(test)]
mod tests;
