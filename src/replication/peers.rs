//! Replication streams over gRPC: the shell around what the replica decides. Slaves dial, the master serves.
//!
//! A slave's sender pulls: it reads the log from where the slave is, so a slow slave costs no memory and no other slave
//! waits for it. HTTP/2 flow control bounds what is under way.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::coordination::Process;
use crate::env::Names;
use crate::model::Offset;
use crate::storage::Log;

use super::access::Access;
use super::access::registry::Caller;
use super::{Ack, ConnectionId, Event, Heartbeat, Hello, StreamId, Welcome, dialling, serving};

/// Events that wait for the node, over all streams. Full means that the streams wait, and with them their senders.
pub const PEER_EVENTS_MAX: usize = 64;
/// HTTP/2 windows towards a slave: large enough to keep a 10 Gbit/s link with 1 ms round trips busy, small enough to bound a slow peer.
pub(super) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Longest frame taken from the wire: a chunk of the log and some room.
pub(super) const FRAME_BYTES_MAX: usize = 4 << 20;
/// Longest list of headers taken from the wire: ours fit many times over.
pub(super) const HEADER_BYTES_MAX: u32 = 8 << 10;
/// Longest text that a node sends about where it is.
const PLACE_BYTES_MAX: usize = 1 << 10;
/// How much of the log goes into one frame.
pub(super) const CHUNK_BYTES: usize = 512 << 10;
/// How long each address of the master may take to accept.
pub(super) const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the master's name is waited for in one attempt; the next one joins a look-up that goes on.
pub(super) const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(30);

/// What happened on a stream.
#[derive(Debug)]
pub enum PeerEvent {
    /// For the replica as it is.
    Event(Event),
    /// A slave has connected; what it is to be told goes into the channel.
    Slave(ConnectionId, Box<Hello>, mpsc::Sender<ToSlave>),
    /// Bytes of the log, to be verified before they are records.
    Records {
        /// The stream that they came on.
        stream: StreamId,
        /// Offset of the first byte.
        at: Offset,
        /// Whole records, if the master is sound.
        bytes: Bytes,
        /// What the master has committed.
        commit: Offset,
    },
}

/// What a slave's sender is told.
#[derive(Debug)]
pub enum ToSlave {
    /// Answer the hello, then stream from `truncate_to` on.
    Welcome(Box<Welcome>),
    /// Show life.
    Heartbeat(Heartbeat),
    /// End the stream, saying why.
    Refuse(String),
}

/// How far the master's log goes, for its senders.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) log: Log,
    pub(super) end: watch::Receiver<Offset>,
    pub(super) committed: Arc<AtomicU64>,
}

/// Where this node is reached, and from where it dials.
#[derive(Clone, Debug)]
pub struct PeerOptions {
    /// Address that the master binds.
    pub bind: SocketAddr,
    /// Host name or address that other nodes reach this node at.
    pub hostname: String,
    /// What this node shows to the others, and wants to see of them.
    pub access: Access,
    /// How the others' names are looked up.
    pub names: Names,
    /// This process.
    pub process: Process,
}

impl PeerOptions {
    /// The address to dial from: the advertised one, where it is an address, so that both directions of a node's
    /// traffic belong to one address.
    fn local(&self) -> Option<IpAddr> {
        self.hostname.parse().ok()
    }

    /// What this process says of itself.
    fn caller(&self) -> Caller {
        let mut place = self.process.to_string();
        place.truncate(place.floor_char_boundary(PLACE_BYTES_MAX));
        Caller { run: self.process.run.0, place }
    }
}

/// The replication streams of a node, as its task uses them: a port, so that a simulation can be the network.
pub trait Streams: Send + Sync {
    /// Opens the replication port. The answer is the event that the replica wants to hear.
    fn bind(&mut self) -> Event;
    /// Closes the replication port and every slave's stream.
    fn unbind(&mut self);
    /// Keeps the way to a slave that has just said hello.
    fn connected(&mut self, connection: ConnectionId, way: mpsc::Sender<ToSlave>);
    /// Forgets a slave whose stream has ended.
    fn disconnected(&mut self, connection: ConnectionId);
    /// Answers a slave's hello.
    fn welcome(&mut self, connection: ConnectionId, welcome: Box<Welcome>);
    /// Ends a slave's stream.
    fn refuse(&mut self, connection: ConnectionId, reason: String);
    /// Shows life to every slave.
    fn heartbeat(&mut self, heartbeat: &Heartbeat);
    /// The log goes up to here, and so much of it is committed: senders may read on.
    fn advance(&self, end: Offset, committed: Offset);
    /// Opens a stream to the master; its end is told as [`Event::MasterGone`].
    fn dial(&mut self, stream: StreamId, address: &str, hello: &Hello);
    /// Closes the stream to the master.
    fn hang_up(&mut self, stream: StreamId);
    /// Acknowledges to the master.
    fn ack(&self, stream: StreamId, ack: Ack);
}

/// The streams over gRPC. Owned by the node's task; streams are tasks of their own.
#[derive(Debug)]
pub struct Peers {
    options: PeerOptions,
    events: mpsc::Sender<PeerEvent>,
    tail: Tail,
    end: watch::Sender<Offset>,
    server: Option<AbortHandle>,
    slaves: HashMap<ConnectionId, mpsc::Sender<ToSlave>>,
    master: Option<(StreamId, AbortHandle, watch::Sender<Ack>)>,
    connections: Arc<AtomicU64>,
}

impl Peers {
    /// No streams yet. Events go into `events`, bounded by [`PEER_EVENTS_MAX`].
    pub fn new(options: PeerOptions, log: Log, events: mpsc::Sender<PeerEvent>) -> Peers {
        let (end, receiver) = watch::channel(log.end());
        let tail = Tail { log, end: receiver, committed: Arc::default() };
        let (slaves, connections) = (HashMap::new(), Arc::default());
        Peers { options, events, tail, end, server: None, slaves, master: None, connections }
    }

    /// A sender that does not keep up with heartbeats misses some; it is found silent, not waited for.
    fn tell(&mut self, connection: ConnectionId, what: ToSlave) {
        if let Some(way) = self.slaves.get(&connection) {
            let _ = way.try_send(what);
        }
    }
}

impl Streams for Peers {
    fn bind(&mut self) -> Event {
        self.unbind();
        match serving::listen(self.options.bind) {
            Ok((listener, port)) => {
                let server = serving::Server::new(
                    self.events.clone(),
                    self.tail.clone(),
                    Arc::clone(&self.connections),
                    self.options.access.clone(),
                );
                self.server = Some(tokio::spawn(server.run(listener)).abort_handle());
                Event::Bound(format!("tcp://{}:{port}", self.options.hostname))
            }
            Err(error) => Event::BindFailed(format!("cannot bind {}: {error}", self.options.bind)),
        }
    }

    fn unbind(&mut self) {
        self.slaves.clear();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    fn connected(&mut self, connection: ConnectionId, way: mpsc::Sender<ToSlave>) {
        self.slaves.insert(connection, way);
    }

    fn disconnected(&mut self, connection: ConnectionId) {
        self.slaves.remove(&connection);
    }

    fn welcome(&mut self, connection: ConnectionId, welcome: Box<Welcome>) {
        self.tell(connection, ToSlave::Welcome(welcome));
    }

    fn refuse(&mut self, connection: ConnectionId, reason: String) {
        tracing::warn!(reason, "a slave cannot follow");
        self.tell(connection, ToSlave::Refuse(reason));
        self.slaves.remove(&connection);
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        for connection in self.slaves.keys().copied().collect::<Vec<_>>() {
            self.tell(connection, ToSlave::Heartbeat(heartbeat.clone()));
        }
    }

    fn advance(&self, end: Offset, committed: Offset) {
        self.tail.committed.store(committed.0, Ordering::Release);
        self.end.send_if_modified(|at| std::mem::replace(at, end) != end);
    }

    fn dial(&mut self, stream: StreamId, address: &str, hello: &Hello) {
        let (acks, receiver) = watch::channel(Ack::default());
        let way = dialling::Way {
            address: address.to_owned(),
            local: self.options.local(),
            access: self.options.access.clone(),
            names: self.options.names.clone(),
            caller: self.options.caller(),
        };
        let task = dialling::follow(stream, way, hello.clone(), receiver, self.events.clone());
        if let Some((_, task, _)) = self.master.replace((stream, tokio::spawn(task).abort_handle(), acks)) {
            task.abort();
        }
    }

    fn hang_up(&mut self, stream: StreamId) {
        if let Some((current, task, _)) = &self.master
            && *current == stream
        {
            task.abort();
            self.master = None;
        }
    }

    fn ack(&self, stream: StreamId, ack: Ack) {
        if let Some((current, _, acks)) = &self.master
            && *current == stream
        {
            acks.send_replace(ack);
        }
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.unbind();
        if let Some((_, task, _)) = self.master.take() {
            task.abort();
        }
    }
}
