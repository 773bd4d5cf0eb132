//! Accepts the connections of one transport connector.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet, yield_now};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::broker::Gate;
use crate::config::{Scheme, TransportConnector};
use crate::env::{Clock, ConnectionLimit, ConnectionPermit};
use crate::security::ServerTlsError;

use super::connection::Shared;
use super::half_open::{Admission, Complaint, HalfOpen};
use super::registry::Protocol;

/// How often a newcomer for whom there is no place lets the other connections have their turn first: one that has just been
/// closed by its client may have made a place.
const TURNS_BEFORE_REFUSAL: usize = 8;
/// How long to wait when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a taken port is waited for. A process that was killed keeps its sockets until the kernel is done with its last
/// thread, as it keeps the lock of its store.
const TAKEN_TIME_MAX: Duration = Duration::from_secs(2);
/// Pause between two tries.
const TAKEN_PAUSE: Duration = Duration::from_millis(10);

/// Why a connector did not start.
#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    /// The address cannot be bound: in use, or not of this machine.
    #[error("connector {name} cannot listen on {address}: {source}")]
    Bind {
        /// The connector.
        name: String,
        /// Its host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// This version does not speak the protocol.
    #[error("connector {name}: {scheme:?} is not supported yet")]
    Unsupported {
        /// The connector.
        name: String,
        /// Its protocol.
        scheme: Scheme,
    },
    /// Its certificate cannot be used.
    #[error("connector {name}: {source}")]
    Tls {
        /// The connector.
        name: String,
        /// Which file, and why.
        source: ServerTlsError,
    },
}

impl ListenerError {
    fn bind(connector: &TransportConnector, source: io::Error) -> ListenerError {
        let (name, address) = (connector.name.clone(), authority(&connector.host, connector.port));
        ListenerError::Bind { name, address, source }
    }
}

/// What stands between a socket and its session.
struct Door {
    protocol: Protocol,
    tls: Option<Arc<ServerConfig>>,
}

/// A running connector. [`Listener::stop`] ends it; dropping it does too, without waiting.
#[derive(Debug)]
pub struct Listener {
    name: String,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds the connector's address and serves connections by sessions of `gate`: as many as the connector may have and
    /// as `limit` allows all together, with messages of at most `body_bytes_max` bytes or what the connector says.
    ///
    /// # Errors
    /// [`ListenerError`]: the operator has to change the configuration or free the port.
    pub async fn start(
        connector: &TransportConnector,
        gate: Gate,
        limit: ConnectionLimit,
        body_bytes_max: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Listener, ListenerError> {
        let name = connector.name.clone();
        let Some(protocol) = Protocol::of(connector.scheme) else {
            return Err(ListenerError::Unsupported { name, scheme: connector.scheme });
        };
        let tls = match &connector.server_tls {
            Some(files) if connector.tls => {
                let loaded = files.load(connector.connection.client_certificate);
                Some(loaded.map_err(|source| ListenerError::Tls { name: name.clone(), source })?)
            }
            _ if connector.tls => {
                return Err(ListenerError::Unsupported { name, scheme: connector.scheme });
            }
            _ => None,
        };
        let options = connector.connection;
        let listen = |address| claim(address)?.listen(options.backlog);
        let bound = bind(&connector.host, connector.port, listen).await;
        let socket = bound.map_err(|source| ListenerError::bind(connector, source))?;
        let address = socket.local_addr().map_err(|source| ListenerError::bind(connector, source))?;
        let (body_bytes_max, admission) =
            (connector.frame_bytes_max.min(body_bytes_max), Admission::default());
        let shared = Shared { gate, clock, body_bytes_max, options, admission, certificate: None };
        let (stop, stopped) = oneshot::channel();
        let door = Door { protocol, tls };
        let task =
            tokio::spawn(accept(socket, door, shared, (connector.maximum_connections, limit), stopped));
        let shown = authority(&connector.host, address.port());
        info!(
            "Listening for connections at: {}{}://{shown}",
            protocol.name,
            if connector.tls { "+ssl" } else { "" }
        );
        info!("Connector {name} started");
        Ok(Listener { name, address, stop, task })
    }

    /// Whether the connector's address could be bound now. A slave finds a taken port at its start, not when it is
    /// promoted. Waits a moment for an owner of the port that is just ending.
    ///
    /// # Errors
    /// As [`Listener::start`].
    pub async fn probe(connector: &TransportConnector) -> Result<(), ListenerError> {
        let begun = Instant::now();
        loop {
            match bind(&connector.host, connector.port, claim).await {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < TAKEN_TIME_MAX => {
                    sleep(TAKEN_PAUSE).await;
                }
                Err(source) => return Err(ListenerError::bind(connector, source)),
            }
        }
    }

    /// The address that is bound: tells the port where the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and all its connections, and waits until they are closed.
    pub async fn stop(self) {
        // A closed channel means the same as a message: the task ends.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            warn!("Connector {} failed: {error}", self.name);
        }
        info!("Connector {} stopped", self.name);
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Binds the first address of a host that can be bound, by `how`.
async fn bind<T>(host: &str, port: u16, how: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        match how(address) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Takes an address without listening there: a client that came in meanwhile would be cut off.
fn claim(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A node that is promoted again at once must get its port again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts until told to stop, then closes everything.
async fn accept(
    socket: TcpListener,
    door: Door,
    shared: Shared,
    (connections_max, limit): (usize, ConnectionLimit),
    mut stopped: oneshot::Receiver<()>,
) {
    let protocol = door.protocol;
    let mut connections = JoinSet::new();
    let mut half_open = HalfOpen::default();
    let mut complaint = Complaint::default();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = connections.join_next() => note(&ended, protocol),
            accepted = socket.accept() => match accepted {
                Ok((stream, remote)) => {
                    let place = has_place(&mut connections, protocol, connections_max, &limit).await;
                    if !place && !half_open.end_oldest() {
                        if let Some(times) = complaint.count() {
                            let full = connections.len() >= connections_max;
                            let most = if full { connections_max } else { limit.most() };
                            let bound = if full { "maximumConnections" } else { "the limit of open files" };
                            warn!(%remote, connections_max = most, times, "refused: {bound} is reached");
                        }
                        continue;
                    }
                    let admission = Admission::default();
                    let shared = Shared { admission: admission.clone(), ..shared.clone() };
                    let task = start(&mut connections, &door, (stream, limit.take()), remote, shared);
                    half_open.push(task, admission);
                }
                Err(error) => {
                    if let Some(times) = complaint.count() {
                        warn!(times, "Could not accept connection: {error}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(socket);
    connections.shutdown().await;
}

/// Whether there may be one more, when those that have just ended are not counted any more.
async fn has_place(
    connections: &mut JoinSet<()>,
    protocol: Protocol,
    connections_max: usize,
    limit: &ConnectionLimit,
) -> bool {
    for _ in 0..TURNS_BEFORE_REFUSAL {
        if connections.len() < connections_max && !limit.is_reached() {
            return true;
        }
        yield_now().await;
        while let Some(ended) = connections.try_join_next() {
            note(&ended, protocol);
        }
    }
    connections.len() < connections_max && !limit.is_reached()
}

fn note(ended: &Result<(), JoinError>, protocol: Protocol) {
    // One that was ended to make room is no failure.
    if let Err(error) = ended
        && !error.is_cancelled()
    {
        warn!("a {} connection failed: {error}", protocol.name);
    }
}

fn start(
    connections: &mut JoinSet<()>,
    door: &Door,
    (stream, permit): (TcpStream, ConnectionPermit),
    remote: SocketAddr,
    shared: Shared,
) -> AbortHandle {
    if let Err(error) = shared.options.socket.set(&stream) {
        debug!(%remote, "socket options: {error}");
    }
    let scheme = if door.tls.is_some() { "ssl" } else { "tcp" };
    let served = door.protocol.serve(stream, format!("{scheme}://{remote}"), shared, door.tls.clone());
    connections.spawn(async move {
        let _permit = permit;
        served.await;
    })
}
