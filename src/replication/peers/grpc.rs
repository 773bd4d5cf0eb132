//! The streams over gRPC, as tasks.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::streams::{PeerEvent, Streams, ToSlave};
use super::{dialling, serving};
use crate::coordination::Process;
use crate::env::Names;
use crate::model::Offset;
use crate::replication::access::Access;
use crate::replication::access::registry::Caller;
use crate::replication::{Ack, ConnectionId, Event, Heartbeat, Hello, StreamId, Welcome};
use crate::storage::Log;

/// Longest text that a node sends about where it is.
const PLACE_BYTES_MAX: usize = 1 << 10;

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

/// The streams over gRPC. Owned by the node's task; streams are tasks of their own.
#[derive(Debug)]
pub struct Peers {
    options: PeerOptions,
    events: mpsc::Sender<PeerEvent>,
    tail: serving::Tail,
    end: watch::Sender<Offset>,
    server: Option<AbortHandle>,
    slaves: HashMap<ConnectionId, mpsc::Sender<ToSlave>>,
    master: Option<(StreamId, AbortHandle, watch::Sender<Ack>)>,
    connections: Arc<AtomicU64>,
}

impl Peers {
    /// No streams yet. Events go into `events`, bounded by [`super::PEER_EVENTS_MAX`].
    pub fn new(options: PeerOptions, log: Log, events: mpsc::Sender<PeerEvent>) -> Peers {
        let (end, receiver) = watch::channel(log.end());
        let tail = serving::Tail { log, end: receiver, committed: Arc::default() };
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
