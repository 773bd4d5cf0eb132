//! Wire protocols: listeners, codecs, and adapters from frames to sessions.
//!
//! To add a protocol: one folder, one line in `protocol()`.

mod half_open;
mod listener;
pub mod stomp;
#[cfg(test)]
pub(crate) mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::broker::Gate;
use crate::config::{ConnectionOptions, Scheme};
use crate::env::Clock;

pub use listener::{Listener, ListenerError};

/// What all connections of a connector share.
#[derive(Clone)]
struct Shared {
    gate: Gate,
    clock: Arc<dyn Clock>,
    /// Largest body of a message in bytes.
    body_bytes_max: usize,
    options: ConnectionOptions,
    /// One for each connection: to be told when its client is known.
    admission: half_open::Admission,
}

/// A connection being served.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wire protocol.
trait Protocol: Send + Sync {
    /// Its name in the URIs of log lines.
    fn name(&self) -> &'static str;

    /// Serves a connection from its first byte until it ends; dropping the future closes the connection.
    fn serve(&self, stream: TcpStream, remote: String, shared: Shared) -> Serving;
}

/// The registry: the protocols that this version speaks.
fn protocol(scheme: Scheme) -> Option<&'static dyn Protocol> {
    match scheme {
        Scheme::Stomp => Some(&stomp::Stomp),
        _ => None,
    }
}
