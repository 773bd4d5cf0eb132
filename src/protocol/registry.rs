//! The protocols that this version speaks.

use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpStream;

use crate::broker::Gate;
use crate::config::{ConnectionOptions, Scheme};
use crate::env::Clock;

use super::connection::{self, Handshake, Shared, Transport};
use super::half_open::Admission;
use super::stomp::StompHandshake;

/// A connection being served.
pub(super) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wire protocol, as a listener knows it.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    /// Its name in the URIs of log lines.
    pub(super) name: &'static str,
    serve: fn(TcpStream, String, Shared) -> Serving,
}

impl Protocol {
    /// The protocol of a connector; none if this version does not speak it.
    pub(super) fn of(scheme: Scheme) -> Option<Protocol> {
        match scheme {
            Scheme::Stomp => Some(Protocol::by::<StompHandshake>()),
            _ => None,
        }
    }

    /// The protocol that begins with this handshake.
    fn by<H: Handshake>() -> Protocol {
        Protocol { name: H::NAME, serve: |stream, remote, shared| Box::pin(tcp::<H>(stream, remote, shared)) }
    }

    /// Serves a connection from its first byte until it ends; dropping the future closes the connection.
    pub(super) fn serve(self, stream: TcpStream, remote: String, shared: Shared) -> Serving {
        (self.serve)(stream, remote, shared)
    }
}

async fn tcp<H: Handshake>(mut stream: TcpStream, remote: String, shared: Shared) {
    let (reader, writer) = stream.split();
    connection::serve::<H>(Transport { reader, writer }, remote, shared).await;
}

/// Serves one connection without a listener, from its first byte until it ends; bodies have at most so many bytes. One of a
/// protocol that this version does not speak is closed.
pub async fn serve(
    scheme: Scheme,
    stream: TcpStream,
    remote: String,
    gate: Gate,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
) {
    let Some(protocol) = Protocol::of(scheme) else { return };
    let (options, admission) = (ConnectionOptions::default(), Admission::default());
    protocol.serve(stream, remote, Shared { gate, clock, body_bytes_max, options, admission }).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransportConnector;
    use crate::protocol::tests::connector;

    #[test]
    fn the_configuration_lets_those_connectors_in_that_are_served() {
        use Scheme::{Amqp, Auto, Mqtt, OpenWire, Stomp, WebSocket};
        for scheme in [OpenWire, Stomp, Amqp, Mqtt, WebSocket, Auto] {
            let connector = TransportConnector { scheme, ..connector(1) };
            assert_eq!(connector.is_served(), Protocol::of(scheme).is_some(), "{scheme:?}");
        }
    }
}
