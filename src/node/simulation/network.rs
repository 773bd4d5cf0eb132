//! The network: streams whose words come in order, late or never.

use std::time::Duration;

use tokio::sync::mpsc;

use super::machine::Word;
use super::world::{What, World};
use crate::model::Offset;
use crate::replication::{ConnectionId, Event, Hello, PeerEvent, StreamId};

/// Pieces that one round of a sender makes at most.
const PIECES_MAX: usize = 6;

pub(super) struct Connection {
    pub(super) slave: usize,
    pub(super) master: usize,
    pub(super) stream: StreamId,
    next: Option<Offset>,
    /// When the last word in each direction arrives: nothing overtakes.
    to_slave: Duration,
    to_master: Duration,
}

impl World {
    /// From where to where an event at node `n` comes.
    pub(super) fn link(&self, n: usize, event: &PeerEvent) -> (usize, usize) {
        let of_stream = |stream: &StreamId| {
            let found = self.connections.values().find(|c| c.slave == n && c.stream == *stream);
            found.map_or((n, n), |c| (c.master, n))
        };
        let of_connection =
            |connection: &ConnectionId| self.connections.get(connection).map_or((n, n), |c| (c.slave, n));
        match event {
            PeerEvent::Records { stream, .. }
            | PeerEvent::Event(Event::Welcome(stream, _) | Event::Heartbeat(stream, _)) => of_stream(stream),
            PeerEvent::Slave(connection, ..) | PeerEvent::Event(Event::Ack(connection, _)) => {
                of_connection(connection)
            }
            PeerEvent::Event(_) => (n, n),
        }
    }

    pub(super) fn take_words(&mut self, n: usize) {
        while let Some(word) = self.machines[n].running.as_ref().and_then(|running| running.words.take()) {
            match word {
                Word::Bind => {
                    self.bound.insert(n);
                }
                Word::Unbind => {
                    self.bound.remove(&n);
                    let gone: Vec<_> = self.ids(|c| c.master == n);
                    gone.into_iter().for_each(|c| self.close(c, "the port was closed"));
                }
                Word::Welcome(connection, welcome) => {
                    let Some(c) = self.connections.get_mut(&connection) else { continue };
                    c.next = Some(welcome.truncate_to);
                    let event = Event::Welcome(c.stream, welcome);
                    self.for_slave(connection, PeerEvent::Event(event));
                }
                Word::Refuse(connection, reason) => self.close(connection, &reason),
                Word::Heartbeat(heartbeat) => {
                    for connection in self.ids(|c| c.master == n && c.next.is_some()) {
                        let stream = self.connections[&connection].stream;
                        let event = Event::Heartbeat(stream, heartbeat.clone());
                        self.for_slave(connection, PeerEvent::Event(event));
                    }
                }
                Word::Dial(stream, address, hello) => self.dial(n, stream, &address, hello),
                Word::HangUp(stream) => {
                    for connection in self.ids(|c| c.slave == n && c.stream == stream) {
                        if let Some(c) = self.connections.remove(&connection) {
                            let delay = self.rng.ms(3);
                            let gone = PeerEvent::Event(Event::SlaveGone(connection));
                            self.after(delay, c.master, What::Peer(gone));
                        }
                    }
                }
                Word::Ack(stream, ack) => {
                    for connection in self.ids(|c| c.slave == n && c.stream == stream) {
                        self.for_master(connection, PeerEvent::Event(Event::Ack(connection, ack)));
                    }
                }
            }
        }
        if self.bound.contains(&n) {
            self.pump(n);
        }
    }

    pub(super) fn ids(&self, wanted: impl Fn(&Connection) -> bool) -> Vec<ConnectionId> {
        self.connections.iter().filter(|(_, c)| wanted(c)).map(|(id, _)| *id).collect()
    }

    fn dial(&mut self, n: usize, stream: StreamId, address: &str, hello: Box<Hello>) {
        let master = address.trim_start_matches('n').parse().unwrap_or(n);
        let reached = self.bound.contains(&master)
            && !self.cut.contains(&(n, master))
            && !self.cut.contains(&(master, n));
        if !reached {
            let delay = self.rng.ms(4);
            let gone = Event::MasterGone(stream, "refused".into());
            self.after(delay, n, What::Peer(PeerEvent::Event(gone)));
            return;
        }
        // A node has one stream to a master.
        for older in self.ids(|c| c.slave == n) {
            if let Some(c) = self.connections.remove(&older) {
                self.after(Duration::ZERO, c.master, What::Peer(PeerEvent::Event(Event::SlaveGone(older))));
            }
        }
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        let (to_slave, to_master) = (self.now, self.now);
        self.connections
            .insert(connection, Connection { slave: n, master, stream, next: None, to_slave, to_master });
        let (way, _) = mpsc::channel(1);
        self.for_master(connection, PeerEvent::Slave(connection, hello, way));
    }

    fn for_master(&mut self, connection: ConnectionId, event: PeerEvent) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_master = c.to_master.max(self.now + delay);
        let (delay, master) = (c.to_master - self.now, c.master);
        self.after(delay, master, What::Peer(event));
    }

    fn for_slave(&mut self, connection: ConnectionId, event: PeerEvent) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_slave = c.to_slave.max(self.now + delay);
        let (delay, slave) = (c.to_slave - self.now, c.slave);
        self.after(delay, slave, What::Peer(event));
    }

    /// Sends what slaves lack, in pieces, from where the node's own log says it is.
    pub(super) fn pump(&mut self, n: usize) {
        for connection in self.ids(|c| c.master == n) {
            for _ in 0..PIECES_MAX {
                let (c, Some(core)) = (&self.connections[&connection], self.machines[n].core()) else {
                    return;
                };
                let (stream, Some(at)) = (c.stream, c.next) else { break };
                if at >= core.log.end() {
                    break;
                }
                let most = 100 + self.rng.below(6000) as usize;
                let Some(core) = self.machines[n].core() else { return };
                let commit = core.replica.committed();
                let read = core.log.read_recent(at, most).map_or_else(|| core.log.read(at, most), Ok);
                let Ok(mut bytes) = read else {
                    self.close(connection, "the log does not hold this any more");
                    break;
                };
                if let Some(c) = self.connections.get_mut(&connection) {
                    c.next = Some(at.plus(bytes.len()));
                }
                if self.rng.below(3000) == 0 && !self.calm {
                    let mut bad = bytes.to_vec();
                    let place = self.rng.below(bad.len() as u64) as usize;
                    bad[place] ^= 4;
                    bytes = bad.into();
                }
                self.for_slave(connection, PeerEvent::Records { stream, at, bytes, commit });
            }
        }
    }

    pub(super) fn close(&mut self, connection: ConnectionId, why: &str) {
        let Some(c) = self.connections.remove(&connection) else { return };
        let (soon, later) = (self.rng.ms(2), self.rng.ms(2));
        let gone = Event::MasterGone(c.stream, why.to_owned());
        self.after(soon, c.slave, What::Peer(PeerEvent::Event(gone)));
        self.after(later, c.master, What::Peer(PeerEvent::Event(Event::SlaveGone(connection))));
    }

    pub(super) fn close_all(&mut self, n: usize, why: &str) {
        let gone = self.ids(|c| c.slave == n || c.master == n);
        gone.into_iter().for_each(|c| self.close(c, why));
    }
}
