//! Whole groups of replicas over a simulated coordinator, network and disk: one seed, one run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::coordination::{GroupRecord, Member, MemberId, MemberRecord, View};
use crate::model::{Epoch, Identity, Offset, Position, Promise, StoreId};

use super::{
    Action, BatchExtent, ConnectionId, Event, History, LogState, Replica, ReplicaSettings, StreamId,
};

/// Every record of the simulated log takes so many bytes.
const RECORD: u64 = 10;
const NODES: usize = 3;
type Entry = (Epoch, u64);

struct Rng(u64);

impl Rng {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next(100) < percent
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.next(most * 1000))
    }
}

#[derive(Clone)]
struct Disk {
    identity: Identity,
    log: Vec<Entry>,
    synced: usize,
}

impl Disk {
    fn blank(store: u128, node: usize) -> Disk {
        let node = format!("n{node}");
        let identity = Identity { store: StoreId(store), node, promise: Promise::default(), known: None };
        Disk { identity, log: Vec::new(), synced: 0 }
    }

    fn history(&self) -> Vec<(Epoch, Offset)> {
        let mut ends: Vec<(Epoch, Offset)> = Vec::new();
        for (n, (epoch, _)) in self.log.iter().enumerate() {
            let end = Offset((n as u64 + 1) * RECORD);
            match ends.last_mut() {
                Some(last) if last.0 == *epoch => last.1 = end,
                _ => ends.push((*epoch, end)),
            }
        }
        ends
    }
}

struct Node {
    disk: Disk,
    replica: Option<Replica>,
    /// Counts the lives of this node: events for an earlier life are dropped.
    life: u64,
    /// Counts the cuts of this log: the shell drains notices of syncs from before a cut.
    log_life: u64,
    bound: bool,
    serving: bool,
    paused: bool,
    session: Option<(MemberId, StoreId)>,
    member: Option<MemberRecord>,
    answered: u64,
    dispatching: bool,
}

struct Connection {
    slave: usize,
    master: usize,
    stream: StreamId,
    next: Option<Offset>,
    /// When the last thing on this connection arrives, in either direction: nothing overtakes.
    to_slave: Duration,
    to_master: Duration,
}

enum What {
    Event(usize, u64, Event),
    /// Records under way: their content is what the master had when it sent them.
    Records(usize, u64, StreamId, Offset, Vec<Entry>, Offset),
    /// A node looks at the tree.
    Look(usize, u64),
    Synced(usize, u64, u64, usize),
}

struct World {
    rng: Rng,
    now: Duration,
    nodes: Vec<Node>,
    queue: BTreeMap<(Duration, u64), What>,
    sequence: u64,
    tree_group: Option<GroupRecord>,
    tree_version: i32,
    members: BTreeMap<MemberId, (StoreId, MemberRecord)>,
    next_member: u64,
    connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    /// Everything that was ever committed by anybody.
    chosen: Vec<Entry>,
    leaders: BTreeMap<Epoch, (usize, u64)>,
    /// Streams that are cut now, by slave and master.
    cut: BTreeSet<(usize, usize)>,
    written: u64,
    stores: u128,
    trace: VecDeque<String>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut world = World {
            rng: Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            now: Duration::from_secs(1),
            nodes: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            tree_group: None,
            tree_version: 0,
            members: BTreeMap::new(),
            next_member: 0,
            connections: BTreeMap::new(),
            next_connection: 0,
            chosen: Vec::new(),
            leaders: BTreeMap::new(),
            cut: BTreeSet::new(),
            written: 0,
            stores: NODES as u128,
            trace: VecDeque::new(),
        };
        for n in 0..NODES {
            world.nodes.push(Node {
                disk: Disk::blank(n as u128 + 1, n),
                replica: None,
                life: 0,
                log_life: 0,
                bound: false,
                serving: false,
                paused: false,
                session: None,
                member: None,
                answered: 0,
                dispatching: false,
            });
        }
        (0..NODES).for_each(|n| world.start(n));
        world
    }

    fn note(&mut self, text: String) {
        if self.trace.len() == 400 {
            self.trace.pop_front();
        }
        let text = format!("{:>9.3} {text}", self.now.as_secs_f64());
        self.trace.push_back(text);
    }

    fn fail(&self, why: &str) -> ! {
        let trace: Vec<_> = self.trace.iter().cloned().collect();
        panic!("{why}\n{}", trace.join("\n"));
    }

    fn at(&mut self, delay: Duration, what: What) -> Duration {
        self.sequence += 1;
        let due = self.now + delay;
        self.queue.insert((due, self.sequence), what);
        due
    }

    fn start(&mut self, n: usize) {
        self.note(format!("n{n} starts"));
        let node = &mut self.nodes[n];
        node.life += 1;
        let history = node.disk.history();
        let end = Offset(node.disk.log.len() as u64 * RECORD);
        node.disk.synced = node.disk.log.len();
        let log = LogState {
            base: Position::default(),
            base_previous: 0,
            end,
            durable: end,
            history: History::new(history).unwrap(),
        };
        let settings = ReplicaSettings {
            broker: "g".into(),
            node: format!("n{n}"),
            replicas: NODES,
            weight: 1,
            suspect_after: Duration::from_secs(1),
        };
        node.replica = Some(Replica::new(settings, node.disk.identity.clone(), log, rand::random::<u64>));
        (node.bound, node.serving, node.paused, node.dispatching) = (false, false, false, false);
        node.answered = 0;
        (node.session, node.member) = (None, None);
        self.step(n, Event::Tick);
    }

    fn stop(&mut self, n: usize, keep_unsynced: bool) {
        self.note(format!("n{n} is killed"));
        let node = &mut self.nodes[n];
        node.replica = None;
        node.life += 1;
        node.serving = false;
        if !keep_unsynced {
            node.disk.log.truncate(node.disk.synced);
        }
        let gone: Vec<_> =
            self.connections.iter().filter(|(_, c)| c.slave == n || c.master == n).map(|(c, _)| *c).collect();
        gone.into_iter().for_each(|c| self.close(c, "the peer died"));
    }

    fn expire(&mut self, n: usize) {
        if let Some((id, _)) = self.nodes[n].session.take() {
            self.members.remove(&id);
            self.note(format!("n{n} loses its session"));
            self.tree_changed();
            if let Some(record) = self.nodes[n].member.clone() {
                self.set_member(n, record);
            }
        }
    }

    /// Members of dead processes go.
    fn expire_dead(&mut self) {
        let live: BTreeSet<_> = self
            .nodes
            .iter()
            .filter(|n| n.replica.is_some())
            .filter_map(|n| n.session)
            .map(|s| s.0)
            .collect();
        let before = self.members.len();
        self.members.retain(|id, _| live.contains(id));
        if self.members.len() != before {
            self.tree_changed();
        }
    }

    fn tree_changed(&mut self) {
        for n in 0..NODES {
            let (delay, life) = (self.rng.ms(12), self.nodes[n].life);
            self.at(delay, What::Look(n, life));
        }
    }

    fn set_member(&mut self, n: usize, mut record: MemberRecord) {
        self.nodes[n].member = Some(record.clone());
        let (id, guid) = match self.nodes[n].session {
            Some(session) => session,
            None => {
                self.next_member += 1;
                let session = (MemberId(self.next_member), StoreId(rand::random()));
                self.nodes[n].session = Some(session);
                session
            }
        };
        record.guid = guid;
        self.members.insert(id, (guid, record));
        self.tree_changed();
    }

    fn view(&self, n: usize) -> View {
        let members = self.members.iter().map(|(id, (_, r))| Member { id: *id, record: r.clone() }).collect();
        View {
            group: self.tree_group.clone().map(|g| (g, self.tree_version)),
            version: self.tree_version,
            members,
            mine: self.nodes[n].session.map(|s| s.0),
            answered: self.nodes[n].answered,
        }
    }

    fn step(&mut self, n: usize, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = self.now;
            let Some(replica) = &mut self.nodes[n].replica else { return };
            let records = matches!(event, Event::Records(..));
            assert!(!records, "records go through `records`");
            for action in replica.step(now, event) {
                events.extend(self.act(n, action));
            }
        }
    }

    fn records(&mut self, n: usize, stream: StreamId, at: Offset, entries: &[Entry], commit: Offset) {
        let end = Offset(self.nodes[n].disk.log.len() as u64 * RECORD);
        let mut ends: Vec<(Epoch, Offset)> = Vec::new();
        for (k, (epoch, _)) in entries.iter().enumerate() {
            let to = Offset(at.0 + (k as u64 + 1) * RECORD);
            match ends.last_mut() {
                Some(last) if last.0 == *epoch => last.1 = to,
                _ => ends.push((*epoch, to)),
            }
        }
        let now = self.now;
        let batch = BatchExtent { at, ends, commit };
        let Some(replica) = &mut self.nodes[n].replica else { return };
        let actions = replica.step(now, Event::Records(stream, Box::new(batch)));
        for action in actions {
            if matches!(action, Action::Append) {
                assert_eq!(at, end);
                self.nodes[n].disk.log.extend_from_slice(entries);
                self.sync_later(n);
            } else {
                let more = self.act(n, action);
                assert!(more.is_none());
            }
        }
    }

    fn sync_later(&mut self, n: usize) {
        let (delay, node) = (self.rng.ms(3), &self.nodes[n]);
        let (life, log_life, to) = (node.life, node.log_life, node.disk.log.len());
        self.at(delay, What::Synced(n, life, log_life, to));
    }

    fn act(&mut self, n: usize, action: Action) -> Option<Event> {
        match action {
            Action::SyncLog => self.nodes[n].disk.synced = self.nodes[n].disk.log.len(),
            Action::SaveIdentity(identity) => {
                let old = &self.nodes[n].disk.identity;
                assert!(identity.promise.epoch >= old.promise.epoch, "E2");
                self.nodes[n].disk.identity = *identity;
            }
            Action::Truncate(to) => {
                let keep = (to.0 / RECORD) as usize;
                let voter =
                    self.tree_group.as_ref().is_some_and(|g| g.votes(self.nodes[n].disk.identity.store));
                let log = &self.nodes[n].disk.log;
                let agreed = log.iter().zip(&self.chosen).take_while(|(a, b)| a == b).count();
                if voter && agreed > keep {
                    self.fail("L5: a voter cuts what is committed");
                }
                self.note(format!("n{n} cuts to {to}"));
                self.nodes[n].disk.log.truncate(keep);
                self.nodes[n].disk.synced = self.nodes[n].disk.synced.min(keep);
                self.nodes[n].log_life += 1;
            }
            Action::AppendEpochStart(epoch) => {
                let life = self.nodes[n].life;
                if let Some(other) = self.leaders.insert(epoch, (n, life)) {
                    self.fail(&format!("E1: epoch {epoch} is led by n{} and n{n}", other.0));
                }
                self.note(format!("n{n} leads epoch {epoch}"));
                return Some(self.append(n, (epoch, 0)));
            }
            Action::Commit(to) => self.committed(n, to),
            other => return self.act_on_streams(n, other),
        }
        None
    }

    fn connection_of(&self, n: usize, stream: StreamId) -> Option<ConnectionId> {
        self.connections.iter().find(|(_, c)| c.slave == n && c.stream == stream).map(|(c, _)| *c)
    }

    fn act_on_streams(&mut self, n: usize, action: Action) -> Option<Event> {
        match action {
            Action::Dial(stream, address, hello) => self.dial(n, stream, &address, *hello),
            Action::HangUp(stream) => {
                let found = self.connection_of(n, stream);
                if let Some(connection) = found {
                    let c = self.connections.remove(&connection)?;
                    let (delay, life) = (self.rng.ms(3), self.nodes[c.master].life);
                    self.at(delay, What::Event(c.master, life, Event::SlaveGone(connection)));
                }
            }
            Action::Ack(stream, ack) => {
                let found = self.connection_of(n, stream);
                if let Some(connection) = found {
                    self.send_to_master(connection, Event::Ack(connection, ack));
                }
            }
            Action::Bind => {
                self.nodes[n].bound = true;
                return Some(Event::Bound(format!("n{n}")));
            }
            Action::Unbind => {
                self.nodes[n].bound = false;
                let gone: Vec<_> =
                    self.connections.iter().filter(|(_, c)| c.master == n).map(|(c, _)| *c).collect();
                gone.into_iter().for_each(|c| self.close(c, "unbound"));
            }
            Action::Welcome(connection, welcome) => {
                if let Some(c) = self.connections.get_mut(&connection) {
                    c.next = Some(welcome.truncate_to);
                    let stream = c.stream;
                    self.send_to_slave(connection, |n, life| {
                        What::Event(n, life, Event::Welcome(stream, welcome))
                    });
                    self.pump(n);
                }
            }
            Action::Refuse(connection, reason) => self.close(connection, &reason),
            Action::Heartbeat(heartbeat) => {
                let all: Vec<_> = self
                    .connections
                    .iter()
                    .filter(|(_, c)| c.master == n && c.next.is_some())
                    .map(|(c, _)| *c)
                    .collect();
                for connection in all {
                    let stream = self.connections[&connection].stream;
                    let heartbeat = heartbeat.clone();
                    self.send_to_slave(connection, |n, life| {
                        What::Event(n, life, Event::Heartbeat(stream, heartbeat))
                    });
                }
                self.pump(n);
            }
            other => self.act_on_roles(n, other),
        }
        None
    }

    fn act_on_roles(&mut self, n: usize, action: Action) {
        match action {
            Action::SetMember(record) => self.set_member(n, *record),
            Action::WriteGroup(version, record) => self.write_group(n, version, *record),
            Action::Serve => {
                self.note(format!("n{n} serves"));
                let log = &self.nodes[n].disk.log;
                if log.len() < self.chosen.len() || log[..self.chosen.len()] != self.chosen[..] {
                    self.fail("L2: a master serves without everything that was committed");
                }
                self.nodes[n].serving = true;
            }
            Action::Suspend(why) => {
                self.note(format!("n{n} stops to serve: {why}"));
                self.nodes[n].serving = false;
            }
            Action::AllowDispatch(allowed) => {
                self.nodes[n].dispatching = allowed;
                let others = (0..NODES)
                    .filter(|o| *o != n && self.nodes[*o].replica.is_some() && !self.nodes[*o].paused);
                if allowed && others.clone().any(|o| self.nodes[o].dispatching) {
                    self.fail("M2: two masters dispatch");
                }
            }
            Action::Fatal(reason) => self.fail(&format!("n{n}: {reason}")),
            _ => self.fail("not in this simulation"),
        }
    }

    fn committed(&mut self, n: usize, to: Offset) {
        let log = &self.nodes[n].disk.log;
        let to = (to.0 / RECORD) as usize;
        if to > log.len() {
            self.fail("committed above the log's end");
        }
        let known = to.min(self.chosen.len());
        if log[..known] != self.chosen[..known] {
            let text =
                format!("L3: n{n} commits {:?}, chosen was {:?}", &log[..known], &self.chosen[..known]);
            self.fail(&text);
        }
        if to > self.chosen.len() {
            // E5: whoever commits first must have it durable on a quorum of disks that are there now.
            let held = |node: &Node| node.disk.synced >= to && node.disk.log[..to] == log[..to];
            if self.nodes.iter().filter(|node| held(node)).count() < NODES / 2 + 1 {
                self.fail("E5: committed without a quorum of disks");
            }
            self.chosen = log[..to].to_vec();
        }
    }

    fn append(&mut self, n: usize, entry: Entry) -> Event {
        self.nodes[n].disk.log.push(entry);
        self.sync_later(n);
        self.pump(n);
        Event::Appended(Offset(self.nodes[n].disk.log.len() as u64 * RECORD))
    }

    fn dial(&mut self, n: usize, stream: StreamId, address: &str, hello: super::Hello) {
        let master: usize = address[1..].parse().unwrap();
        let (delay, life) = (self.rng.ms(4), self.nodes[n].life);
        let reached = self.nodes[master].bound
            && self.nodes[master].replica.is_some()
            && !self.cut.contains(&(n, master));
        if !reached {
            self.at(delay, What::Event(n, life, Event::MasterGone(stream, "refused".into())));
            return;
        }
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        let (to_slave, to_master) = (self.now, self.now);
        self.connections
            .insert(connection, Connection { slave: n, master, stream, next: None, to_slave, to_master });
        self.send_to_master(connection, Event::Hello(connection, Box::new(hello)));
    }

    fn send_to_master(&mut self, connection: ConnectionId, event: Event) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_master = c.to_master.max(self.now + delay);
        let (due, master) = (c.to_master, c.master);
        let life = self.nodes[master].life;
        self.at(due - self.now, What::Event(master, life, event));
    }

    fn send_to_slave(&mut self, connection: ConnectionId, what: impl FnOnce(usize, u64) -> What) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_slave = c.to_slave.max(self.now + delay);
        let (due, slave) = (c.to_slave, c.slave);
        let life = self.nodes[slave].life;
        self.at(due - self.now, what(slave, life));
    }

    /// Sends what slaves lack, in pieces.
    fn pump(&mut self, n: usize) {
        let all: Vec<_> = self.connections.iter().filter(|(_, c)| c.master == n).map(|(c, _)| *c).collect();
        for connection in all {
            let c = &self.connections[&connection];
            let (stream, Some(next)) = (c.stream, c.next) else { continue };
            let log = &self.nodes[n].disk.log;
            let from = (next.0 / RECORD) as usize;
            if from >= log.len() {
                continue;
            }
            let to = (from + 1 + self.rng.next(4) as usize).min(log.len());
            let entries = log[from..to].to_vec();
            let commit = self.nodes[n].replica.as_ref().map_or(Offset(0), Replica::committed);
            if let Some(c) = self.connections.get_mut(&connection) {
                c.next = Some(Offset(to as u64 * RECORD));
            }
            self.send_to_slave(connection, |n, life| What::Records(n, life, stream, next, entries, commit));
        }
    }

    fn close(&mut self, connection: ConnectionId, why: &str) {
        let Some(c) = self.connections.remove(&connection) else { return };
        let (slave, master) = (self.nodes[c.slave].life, self.nodes[c.master].life);
        let (soon, later) = (self.rng.ms(2), self.rng.ms(2));
        self.at(soon, What::Event(c.slave, slave, Event::MasterGone(c.stream, why.into())));
        self.at(later, What::Event(c.master, master, Event::SlaveGone(connection)));
    }

    fn write_group(&mut self, n: usize, version: i32, record: GroupRecord) {
        self.nodes[n].answered += 1;
        if version == self.tree_version {
            self.note(format!(
                "n{n} writes epoch {} master {:?}: {}",
                record.epoch,
                record.master.as_ref().map(|m| &m.node),
                record.cause
            ));
            self.tree_version += 1;
            self.tree_group = Some(record);
        }
        self.tree_changed();
    }

    fn deliver(&mut self, what: What) {
        let paused = |w: &World, n: usize| w.nodes[n].paused;
        match what {
            What::Event(n, life, _)
            | What::Records(n, life, ..)
            | What::Look(n, life)
            | What::Synced(n, life, ..)
                if self.nodes[n].life != life =>
            {
                // Messages for an earlier life of a process, or of its log.
            }
            What::Event(n, ..) | What::Records(n, ..) | What::Look(n, _) | What::Synced(n, ..)
                if paused(self, n) =>
            {
                self.at(Duration::from_millis(20), what);
            }
            What::Event(n, _, event) => self.step(n, event),
            What::Records(n, _, stream, at, entries, commit) => self.records(n, stream, at, &entries, commit),
            What::Look(n, _) => {
                let view = self.view(n);
                self.step(n, Event::View(Box::new(view)));
            }
            What::Synced(n, _, log_life, _) if self.nodes[n].log_life != log_life => {}
            What::Synced(n, _, _, to) => {
                let node = &mut self.nodes[n];
                node.disk.synced = node.disk.synced.max(to.min(node.disk.log.len()));
                let durable = Offset(node.disk.synced as u64 * RECORD);
                self.step(n, Event::Durable(durable));
            }
        }
    }

    /// Runs for a while, ticking every 20 ms and writing on whoever serves.
    fn run(&mut self, time: Duration, write: bool) {
        let until = self.now + time;
        let mut tick = self.now;
        while self.now < until {
            tick += Duration::from_millis(20);
            while let Some(entry) = self.queue.first_entry()
                && entry.key().0 <= tick
            {
                let ((due, _), what) = entry.remove_entry();
                self.now = self.now.max(due);
                self.deliver(what);
            }
            self.now = tick;
            for n in 0..NODES {
                if self.nodes[n].replica.is_none() || self.nodes[n].paused {
                    continue;
                }
                self.step(n, Event::Tick);
                self.pump(n);
                if write && self.nodes[n].serving && self.rng.chance(60) {
                    self.written += 1;
                    let epoch = self.nodes[n].replica.as_ref().unwrap().promise().epoch;
                    let event = self.append(n, (epoch, self.written));
                    self.step(n, event);
                }
            }
        }
    }

    fn fault(&mut self) {
        let n = self.rng.next(NODES as u64) as usize;
        let other = (n + 1 + self.rng.next(NODES as u64 - 1) as usize) % NODES;
        match self.rng.next(9) {
            0 | 1 => {
                if self.nodes[n].replica.is_some() {
                    let keep = self.rng.chance(50);
                    self.stop(n, keep);
                } else {
                    self.start(n);
                }
            }
            2 => {
                if let Some(master) = (0..NODES).find(|n| self.nodes[*n].serving) {
                    self.stop(master, false);
                }
            }
            3 => self.expire_dead(),
            4 => self.expire(n),
            5 => {
                self.cut.insert((n, other));
                self.note(format!("the link from n{n} to n{other} is cut"));
                let cut: Vec<_> = self
                    .connections
                    .iter()
                    .filter(|(_, c)| c.slave == n && c.master == other)
                    .map(|(c, _)| *c)
                    .collect();
                cut.into_iter().for_each(|c| self.close(c, "cut"));
            }
            6 => self.cut.clear(),
            7 => self.nodes[n].paused = !self.nodes[n].paused && self.nodes[n].replica.is_some(),
            _ => self.wipe(n),
        }
    }

    /// A disk is lost, if no other is: every earlier replacement has been finished and told.
    fn wipe(&mut self, n: usize) {
        let Some(group) = self.tree_group.clone() else { return };
        let clean = |node: &Node| {
            group.votes(node.disk.identity.store)
                && node.disk.identity.known.as_ref().is_some_and(|k| k.config == group.config)
        };
        if !self.nodes.iter().all(clean) || self.nodes[n].replica.is_some() {
            return;
        }
        self.stores += 1;
        self.note(format!("n{n} loses its disk"));
        self.nodes[n].disk = Disk::blank(self.stores, n);
    }

    fn heal(&mut self) {
        self.cut.clear();
        self.expire_dead();
        for n in 0..NODES {
            self.nodes[n].paused = false;
            if self.nodes[n].replica.is_none() {
                self.start(n);
            }
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    world.run(Duration::from_secs(2), true);
    if world.chosen.is_empty() {
        world.fail("three blank nodes found no group");
    }
    for _ in 0..30 {
        world.fault();
        let time = Duration::from_millis(50 + world.rng.next(1500));
        world.run(time, true);
        if world.rng.chance(20) {
            world.heal();
        }
    }
    world.heal();
    world.run(Duration::from_secs(25), true);
    let before = world.chosen.len();
    world.run(Duration::from_secs(1), true);
    if world.chosen.len() <= before {
        world.fail("V1: the healed group commits nothing");
    }
    let epoch = world.tree_group.as_ref().unwrap().epoch;
    world.run(Duration::from_secs(5), true);
    if world.tree_group.as_ref().unwrap().epoch != epoch {
        world.fail("V1: the healed group goes on electing");
    }
    world.run(Duration::from_secs(1), false);
    let logs: Vec<_> = world.nodes.iter().map(|n| n.disk.log.len()).collect();
    if world.nodes.iter().any(|n| n.disk.log != world.nodes[0].disk.log) {
        world.fail(&format!("the logs of the quiet group differ: {logs:?}"));
    }
    let group = world.tree_group.clone().unwrap();
    if !world.nodes.iter().all(|n| group.votes(n.disk.identity.store)) {
        world.fail("a replaced store did not become a voter");
    }
}

#[test]
fn a_group_survives_random_faults_and_serves_again() {
    let first: u64 = std::env::var("QUORATE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let seeds: u64 = std::env::var("QUORATE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    for seed in first..first + seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        if let Err(error) = result {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(error);
        }
    }
}

#[test]
fn a_master_knows_who_has_no_room_and_a_slave_that_asks_again_suspects_nobody() {
    let mut world = World::new(3);
    world.run(Duration::from_secs(3), true);
    let epoch = world.tree_group.as_ref().unwrap().epoch;
    let master = (0..NODES).find(|n| world.nodes[*n].serving).unwrap();
    let slaves: Vec<usize> = (0..NODES).filter(|n| *n != master).collect();
    // (who, whether its disk is full now, whether producers are held then)
    let one_by_one = [
        (slaves[0], true, false),
        (slaves[1], true, true),
        (slaves[0], false, false),
        (master, true, true),
        (slaves[1], false, true),
        (master, false, false),
    ];
    for (n, full, held) in one_by_one {
        world.step(n, Event::Space(full.then(|| "the disk is full".to_owned())));
        world.run(Duration::from_millis(500), true);
        assert_eq!(world.nodes[n].member.as_ref().unwrap().reason.is_some(), full, "node {n} tells it");
        let lacks_room = world.nodes[master].replica.as_ref().unwrap().lacks_room();
        assert_eq!(lacks_room, held, "the disk of node {n} is full: {full}");
    }
    for n in slaves {
        let connection = world.connections.values().find(|it| it.slave == n).unwrap();
        world.step(n, Event::Redial(connection.stream));
    }
    let before = world.chosen.len();
    world.run(Duration::from_secs(2), true);
    assert_eq!(world.tree_group.as_ref().unwrap().epoch, epoch, "nobody suspects the master");
    assert!(world.chosen.len() > before, "and it goes on");
}
