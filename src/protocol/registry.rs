//! The protocols that this version speaks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpStream, UnixStream};
use tracing::debug;

use crate::broker::Gate;
use crate::config::{ConnectionOptions, Scheme, WireFormatOptions};
use crate::env::Clock;

use super::connection::{self, Handshake, Shared, Transport};
use super::half_open::Admission;
use super::openwire::OpenWireHandshake;
use super::stomp::StompHandshake;

/// A connection being served.
pub(super) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wire protocol, as a listener knows it.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    /// Its name in the URIs of log lines.
    pub(super) name: &'static str,
    serve: fn(TcpStream, String, Shared, Option<Arc<ServerConfig>>) -> Serving,
}

impl Protocol {
    /// The protocol of a connector; none if this version does not speak it.
    pub(super) fn of(scheme: Scheme) -> Option<Protocol> {
        match scheme {
            Scheme::OpenWire => Some(Protocol::by::<OpenWireHandshake>()),
            Scheme::Stomp => Some(Protocol::by::<StompHandshake>()),
            _ => None,
        }
    }

    /// The protocol that begins with this handshake.
    fn by<H: Handshake>() -> Protocol {
        let serve = |stream, remote, shared, tls| -> Serving {
            match tls {
                None => Box::pin(tcp::<H>(stream, remote, shared)),
                Some(config) => Box::pin(tls_over_tcp::<H>(stream, remote, shared, config)),
            }
        };
        Protocol { name: H::NAME, serve }
    }

    /// Serves a connection from its first byte until it ends, under TLS if there is a configuration of it; dropping the
    /// future closes the connection.
    pub(super) fn serve(
        self,
        stream: TcpStream,
        remote: String,
        shared: Shared,
        tls: Option<Arc<ServerConfig>>,
    ) -> Serving {
        (self.serve)(stream, remote, shared, tls)
    }
}

async fn tcp<H: Handshake>(mut stream: TcpStream, remote: String, shared: Shared) {
    let (reader, writer) = stream.split();
    connection::serve::<H>(Transport { reader, writer }, remote, shared).await;
}

async fn tls_over_tcp<H: Handshake>(
    stream: TcpStream,
    remote: String,
    shared: Shared,
    config: Arc<ServerConfig>,
) {
    match connection::accept(stream, config, shared.options.connect_timeout).await {
        Ok((transport, certificate)) => {
            connection::serve::<H>(transport, remote, Shared { certificate, ..shared }).await;
        }
        Err(error) => debug!(%remote, "no TLS handshake: {error}"),
    }
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
    let shared = Shared { gate, clock, body_bytes_max, options, admission, certificate: None };
    protocol.serve(stream, remote, shared, None).await;
}

/// Opens a connection of OpenWire that never leaves the process, for a part of the broker that is a client of it; `name` says
/// which, where a client's address would stand. Serving it ends with the stream.
///
/// # Errors
/// The system gives no more sockets.
pub fn connect_inside(
    name: String,
    gate: Gate,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
) -> io::Result<UnixStream> {
    let (ours, mut theirs) = UnixStream::pair()?;
    let wire_format = WireFormatOptions { inactivity_max: Duration::ZERO, ..WireFormatOptions::default() };
    let options = ConnectionOptions { wire_format, allow_anonymous: true, ..ConnectionOptions::default() };
    let shared =
        Shared { gate, clock, body_bytes_max, options, admission: Admission::default(), certificate: None };
    tokio::spawn(async move {
        let (reader, writer) = theirs.split();
        connection::serve::<OpenWireHandshake>(Transport { reader, writer }, name, shared).await;
    });
    Ok(ours)
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
