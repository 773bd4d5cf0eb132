//! The shell of each node: carries out what its replica decides, and checks what must hold meanwhile.

use super::*;

impl World {
    pub(super) fn step(&mut self, n: usize, event: Event) {
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

    pub(super) fn records(
        &mut self,
        n: usize,
        stream: StreamId,
        at: Offset,
        entries: &[Entry],
        commit: Offset,
    ) {
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

    pub(super) fn sync_later(&mut self, n: usize) {
        let (delay, node) = (self.rng.ms(3), &self.nodes[n]);
        let (life, log_life, to) = (node.life, node.log_life, node.disk.log.len());
        self.at(delay, What::Synced(n, life, log_life, to));
    }

    pub(super) fn act(&mut self, n: usize, action: Action) -> Option<Event> {
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

    pub(super) fn connection_of(&self, n: usize, stream: StreamId) -> Option<ConnectionId> {
        self.connections.iter().find(|(_, c)| c.slave == n && c.stream == stream).map(|(c, _)| *c)
    }

    pub(super) fn act_on_streams(&mut self, n: usize, action: Action) -> Option<Event> {
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

    pub(super) fn act_on_roles(&mut self, n: usize, action: Action) {
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

    pub(super) fn committed(&mut self, n: usize, to: Offset) {
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

    pub(super) fn append(&mut self, n: usize, entry: Entry) -> Event {
        self.nodes[n].disk.log.push(entry);
        self.sync_later(n);
        self.pump(n);
        Event::Appended(Offset(self.nodes[n].disk.log.len() as u64 * RECORD))
    }

    pub(super) fn dial(
        &mut self,
        n: usize,
        stream: StreamId,
        address: &str,
        hello: crate::replication::Hello,
    ) {
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

    pub(super) fn send_to_master(&mut self, connection: ConnectionId, event: Event) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_master = c.to_master.max(self.now + delay);
        let (due, master) = (c.to_master, c.master);
        let life = self.nodes[master].life;
        self.at(due - self.now, What::Event(master, life, event));
    }

    pub(super) fn send_to_slave(&mut self, connection: ConnectionId, what: impl FnOnce(usize, u64) -> What) {
        let delay = self.rng.ms(3);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        c.to_slave = c.to_slave.max(self.now + delay);
        let (due, slave) = (c.to_slave, c.slave);
        let life = self.nodes[slave].life;
        self.at(due - self.now, what(slave, life));
    }

    /// Sends what slaves lack, in pieces.
    pub(super) fn pump(&mut self, n: usize) {
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

    pub(super) fn close(&mut self, connection: ConnectionId, why: &str) {
        let Some(c) = self.connections.remove(&connection) else { return };
        let (slave, master) = (self.nodes[c.slave].life, self.nodes[c.master].life);
        let (soon, later) = (self.rng.ms(2), self.rng.ms(2));
        self.at(soon, What::Event(c.slave, slave, Event::MasterGone(c.stream, why.into())));
        self.at(later, What::Event(c.master, master, Event::SlaveGone(connection)));
    }

    pub(super) fn write_group(&mut self, n: usize, version: i32, record: GroupRecord) {
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

    pub(super) fn deliver(&mut self, what: What) {
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
}
