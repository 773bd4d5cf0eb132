//! What a node's shell does with the actions of its replica, and what must hold whenever it does it.

use std::panic::AssertUnwindSafe;

use quorate::bugs;
use quorate::coordination::{GroupRecord, GroupState, Member, MemberId, MemberRecord};
use quorate::model::{Epoch, Identity, Offset, StoreId, Voter, quorum};
use quorate::replication::{Action, BatchExtent, Event, Hello, StreamId};

use super::bounds::Bounds;
use super::properties::*;
use super::world::{CLAIM, Entry, Link, Node, Stale, World};

/// How many records two logs begin with alike.
pub(super) fn agree(a: &[Entry], b: &[Entry]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl World {
    pub(super) fn node(&mut self, n: usize) -> &mut Node {
        self.nodes[n].edit()
    }

    /// Gives an event to a replica and carries out what follows. What is to be said to slaves is returned.
    pub(super) fn step(&mut self, bounds: &Bounds, n: usize, event: Event) -> Vec<Action> {
        self.step_with(bounds, n, event, &[])
    }

    /// The same with the records that the event speaks of.
    pub(super) fn step_with(
        &mut self,
        bounds: &Bounds,
        n: usize,
        event: Event,
        entries: &[Entry],
    ) -> Vec<Action> {
        let (mut events, mut said) = (vec![event], Vec::new());
        while let Some(event) = events.pop() {
            CLAIM.set(self.claim(bounds, n));
            let now = self.now();
            let replica = &mut self.node(n).replica;
            let stepped = std::panic::catch_unwind(AssertUnwindSafe(|| replica.step(now, event)));
            let Ok(actions) = stepped else {
                self.broken |= PANIC;
                return said;
            };
            for action in actions {
                if matches!(action, Action::Welcome(..) | Action::Heartbeat(_)) {
                    said.push(action);
                } else {
                    self.carry_out(bounds, n, action, entries, &mut events);
                }
            }
        }
        said
    }

    /// A word that no other bump draws; a bump that failed may as well not have drawn it. Within one life of the tree the
    /// number of an epoch is enough.
    pub(super) fn claim(&self, bounds: &Bounds, n: usize) -> u64 {
        if bounds.empties_matter() { 1 + 4 * u64::from(self.used.claims) + n as u64 } else { 0 }
    }

    fn carry_out(
        &mut self,
        bounds: &Bounds,
        n: usize,
        action: Action,
        entries: &[Entry],
        events: &mut Vec<Event>,
    ) {
        match action {
            Action::SyncLog => {
                let disk = &mut self.node(n).disk;
                disk.synced = disk.log.len();
            }
            Action::SaveIdentity(identity) => self.save(n, *identity),
            Action::Truncate(to) => self.truncate(n, to.0 as usize),
            Action::Append => {
                self.receive(n, entries);
                events.extend(self.synced(bounds, n));
            }
            Action::AppendEpochStart(epoch) => {
                self.own(n, epoch);
                let end = self.push(n, (epoch.0 as u8, 0));
                events.extend(self.synced(bounds, n));
                events.push(Event::Appended(end));
            }
            Action::Commit(to) => self.commit(n, to.0 as usize),
            Action::Dial(_, address, hello) => self.dial(n, &address, *hello),
            Action::HangUp(_) => self.hang_up(n),
            Action::Ack(_, ack) => {
                let node = self.node(n);
                let promise = node.disk.identity.promise;
                let Some(link) = &mut node.link else { return };
                let stands = link.promise;
                if link.open {
                    link.ack = Some(ack);
                }
                if stands != promise {
                    self.broken |= E3;
                }
            }
            Action::Bind => {
                let unfit = self.unfit(n);
                self.node(n).bound = !unfit;
                events.push(match unfit {
                    true => Event::BindFailed("the port is in use".to_owned()),
                    false => Event::Bound(format!("n{n}")),
                });
            }
            Action::Unbind => self.unbind(n),
            Action::SetMember(record) => self.tell(bounds, n, *record),
            Action::WriteGroup(version, record) => {
                self.node(n).writing = Some((version, GroupRecord { cause: String::new(), ..*record }));
            }
            Action::Serve => self.serve(n),
            Action::Suspend(_) => self.node(n).serving = false,
            Action::Fatal(_) | Action::Reset(..) => self.broken |= FATAL,
            Action::Refuse(connection, _) => self.refuse(n, connection.0),
            // Streams are carried out by the steps that take them.
            Action::Welcome(..) | Action::Heartbeat(_) | Action::AllowDispatch(_) => {}
        }
    }

    fn save(&mut self, n: usize, identity: Identity) {
        let disk = &mut self.node(n).disk;
        let (old, new) = (disk.identity.promise, identity.promise);
        if new.epoch < old.epoch || new.epoch == old.epoch && new.claim != old.claim {
            self.broken |= E2;
        }
        self.node(n).disk.identity = identity;
    }

    fn truncate(&mut self, n: usize, keep: usize) {
        let node = &self.nodes[n];
        let chosen: Vec<Entry> = self.proof.chosen.iter().map(|c| c.0).collect();
        let votes = self.proof.voters.iter().any(|v| v.store == node.disk.identity.store);
        let known = node.replica.committed().0 as usize;
        let promised = node.link.as_ref().is_some_and(|link| link.promise == node.disk.identity.promise);
        // The strong form, for voters: a store that votes no more may lose its copy to a deposed master.
        if keep < known || !promised || votes && agree(&node.disk.log, &chosen) > keep {
            self.broken |= L5;
        }
        let disk = &mut self.node(n).disk;
        disk.log.truncate(keep);
        disk.synced = disk.synced.min(keep);
    }

    fn receive(&mut self, n: usize, entries: &[Entry]) {
        let node = self.node(n);
        let stands = node.link.as_ref().is_some_and(|link| link.promise == node.disk.identity.promise);
        node.disk.log.extend_from_slice(entries);
        if let Some(link) = &mut node.link {
            link.next += entries.len();
        }
        if !stands {
            self.broken |= E3;
        }
    }

    pub(super) fn push(&mut self, n: usize, entry: Entry) -> Offset {
        let log = &mut self.node(n).disk.log;
        log.push(entry);
        Offset(log.len() as u64)
    }

    /// Where write and fsync are one step, what was written is durable at once.
    pub(super) fn synced(&mut self, bounds: &Bounds, n: usize) -> Option<Event> {
        if bounds.unsynced {
            return None;
        }
        let disk = &mut self.node(n).disk;
        disk.synced = disk.log.len();
        Some(Event::Durable(Offset(disk.synced as u64)))
    }

    fn own(&mut self, n: usize, epoch: Epoch) {
        let epoch = epoch.0 as u8;
        if self.proof.owners.iter().any(|(e, _)| *e == epoch) {
            self.broken |= E1;
        }
        let owners = &mut self.proof.edit().owners;
        owners.push((epoch, n as u8));
        owners.sort_unstable();
    }

    /// Whether `voters` hold the first `to` records of `log` durably and have promised `epoch`.
    fn held(&self, voters: &[Voter], log: &[Entry], to: usize, epoch: u64) -> bool {
        let holds = |v: &&Voter| {
            self.disk_of(v.store).is_some_and(|disk| {
                disk.synced >= to && agree(&disk.log, log) >= to && disk.identity.promise.epoch.0 >= epoch
            })
        };
        let distinct: std::collections::BTreeSet<StoreId> =
            voters.iter().filter(holds).map(|v| v.store).collect();
        distinct.len() >= quorum(voters.len())
    }

    fn commit(&mut self, n: usize, to: usize) {
        let node = &self.nodes[n];
        let log = node.disk.log.clone();
        let promise = node.disk.identity.promise;
        let epoch = promise.epoch.0;
        let Some(known) = node.disk.identity.known.clone().filter(|_| to <= log.len() && to > 0) else {
            self.broken |= R1;
            return;
        };
        let leads = node.replica.leads();
        let chosen = &self.proof.chosen;
        let alike = chosen.iter().zip(&log).take(to).all(|(c, e)| c.0 == *e);
        if !alike {
            self.broken |= L3;
        }
        if !leads {
            if to > chosen.len() {
                self.broken |= R1;
            }
            return;
        }
        if u64::from(log[to - 1].0) != epoch {
            self.broken |= L4;
        }
        let recorded = self.tree.group.as_ref().filter(|g| g.promise() == promise).map(|g| g.voters.clone());
        let held = self.held(&known.voters, &log, to, epoch)
            && recorded.is_none_or(|voters| self.held(&voters, &log, to, epoch));
        if !held {
            self.broken |= E5;
        }
        let chosen = &mut self.proof.edit().chosen;
        for (at, entry) in log[..to].iter().enumerate() {
            match chosen.get_mut(at) {
                Some(known) => known.1 = known.1.min(epoch as u8),
                None => chosen.push((*entry, epoch as u8)),
            }
        }
    }

    fn serve(&mut self, n: usize) {
        let node = self.node(n);
        node.serving = true;
        let epoch = node.disk.identity.promise.epoch.0;
        let log = node.disk.log.clone();
        let complete = self
            .proof
            .chosen
            .iter()
            .enumerate()
            .all(|(at, (entry, by))| u64::from(*by) > epoch || log.get(at) == Some(entry));
        if !complete {
            self.broken |= L2;
        }
    }

    fn dial(&mut self, n: usize, address: &str, hello: Hello) {
        let master = address.strip_prefix('n').and_then(|m| m.parse().ok()).unwrap_or(n);
        let promise = Default::default();
        self.node(n).link = Some(Link {
            master,
            hello: Some(hello),
            connection: 0,
            promise,
            standing: false,
            open: true,
            next: 0,
            beat: None,
            ack: None,
        });
    }

    /// The master closes a stream.
    fn refuse(&mut self, master: usize, connection: u64) {
        for i in self.ids() {
            let node = &self.nodes[i];
            if node
                .link
                .as_ref()
                .is_some_and(|l| l.standing && (l.master, l.connection) == (master, connection))
                && let Some(link) = &mut self.node(i).link
            {
                (link.open, link.ack) = (false, None);
            }
            if self.nodes[i].stale.as_ref().is_some_and(|s| (s.master, s.connection) == (master, connection))
            {
                self.node(i).stale = None;
            }
        }
    }

    /// The slave leaves; what it has sent may still arrive.
    pub(super) fn hang_up(&mut self, n: usize) {
        let node = self.node(n);
        let Some(link) = node.link.take() else { return };
        if link.open && link.standing {
            node.stale = Some(Stale { master: link.master, connection: link.connection, ack: link.ack });
        }
    }

    pub(super) fn unbind(&mut self, n: usize) {
        self.node(n).bound = false;
        self.node(n).serving = false;
        for i in self.ids() {
            let other = &self.nodes[i];
            if other.link.as_ref().is_some_and(|link| link.master == n && link.standing && link.open)
                && let Some(link) = &mut self.node(i).link
            {
                link.open = false;
                link.ack = None;
            }
            if self.nodes[i].stale.as_ref().is_some_and(|stale| stale.master == n) {
                self.node(i).stale = None;
            }
        }
    }

    /// The member record goes into the tree as soon as there is a session for it.
    fn tell(&mut self, bounds: &Bounds, n: usize, record: MemberRecord) {
        let promise = self.nodes[n].disk.identity.promise;
        if record.promise() != promise {
            self.broken |= E2;
        }
        let known = record.known.filter(|_| bounds.empties_matter());
        let mut record = MemberRecord { role: String::new(), reason: None, elected: None, known, ..record };
        if bounds.any_bump {
            record.suspects = Epoch(0);
        }
        if !bounds.lateness() {
            record.address = None;
        }
        if self.nodes[n].told.as_ref() == Some(&record) {
            return;
        }
        self.node(n).told = Some(record.clone());
        let Some((id, guid)) = self.nodes[n].session else { return };
        if let Some(member) =
            self.tree.edit().members.iter_mut().find(|m| m.id == id && m.record.guid == guid)
        {
            member.record = MemberRecord { guid, ..record };
        }
    }

    /// A new member for the record that was told last.
    pub(super) fn register(&mut self, n: usize) {
        let Some(record) = self.nodes[n].told.clone() else { return };
        let tree = self.tree.edit();
        tree.next += 1;
        let id = MemberId(tree.next);
        let guid = match self.nodes[n].session {
            // A session that has to register again, in an emptied tree.
            Some((_, guid)) if bugs::on("member_keeps_its_guid") => guid,
            _ => {
                let node = self.nodes[n].edit();
                node.guids += 1;
                StoreId(1000 + 100 * n as u128 + node.guids)
            }
        };
        self.nodes[n].edit().session = Some((id, guid));
        let record = MemberRecord { guid, ..record };
        self.tree.edit().members.push(Member { id, record });
    }

    /// A group write arrives.
    pub(super) fn land(&mut self, bounds: &Bounds, version: i32, record: GroupRecord) {
        let expected = if bounds.empties_matter() { self.tree.version } else { 0 };
        if version != expected {
            return;
        }
        let chosen =
            record.master.clone().filter(|_| self.tree.group.as_ref().is_none_or(|g| g.master.is_none()));
        self.used.claims += u8::from(record.master.is_none() && bounds.empties_matter());
        if self.tree.group.as_ref().is_some_and(|g| g.config < record.config && g.epoch == record.epoch) {
            let chosen: Vec<Entry> = self.proof.chosen.iter().map(|c| c.0).collect();
            if !self.held(&record.voters, &chosen, chosen.len(), 0) {
                self.broken |= L6;
            }
        }
        let proof = self.proof.edit();
        proof.voters = record.voters.clone();
        proof.config = record.config;
        if let Some(master) = chosen {
            self.check_choice(&record, master.guid);
        }
        // Where no deadline passes, nobody looks at whether the master serves yet.
        let state =
            if !bounds.lateness() && record.master.is_some() { GroupState::Serving } else { record.state };
        self.tree.edit().group = Some(GroupRecord { state, ..record });
        if bounds.empties_matter() {
            self.tree.edit().version += 1;
            return;
        }
        // What was read before is stale now, however old it is.
        for n in self.ids() {
            let current = |v: i32| v == 0;
            let node = &self.nodes[n];
            if node.replica.view().is_some_and(|view| current(view.version))
                && let Some(view) = self.node(n).replica.view_mut()
            {
                view.version = -1;
                if let Some((_, version)) = &mut view.group {
                    *version = -1;
                }
            }
            let node = &self.nodes[n];
            if node.writing.as_ref().is_some_and(|(v, _)| current(*v))
                && let Some((version, _)) = &mut self.node(n).writing
            {
                *version = -1;
            }
            if self.nodes[n].late.is_some() {
                self.node(n).late = None;
            }
        }
    }

    /// E4 against the truth on the disks: the winner is at least as high as a quorum of voters that promised.
    fn check_choice(&mut self, record: &GroupRecord, guid: StoreId) {
        let Some(winner) = self.nodes.iter().find(|n| n.session.is_some_and(|(_, g)| g == guid)) else {
            return;
        };
        let top = winner.disk.position(winner.disk.log.len());
        let below = |v: &&Voter| {
            self.disk_of(v.store).is_some_and(|disk| {
                let promise = disk.identity.promise;
                (promise == record.promise() && disk.position(disk.synced) <= top)
                    || promise.epoch > record.epoch
            })
        };
        let stores: std::collections::BTreeSet<StoreId> =
            record.voters.iter().filter(below).map(|v| v.store).collect();
        if stores.len() < quorum(record.voters.len()) {
            self.broken |= E4;
        }
    }

    /// The next record of its master's log reaches a slave.
    pub(super) fn deliver(&mut self, bounds: &Bounds, n: usize) -> bool {
        let Some(link) = self.nodes[n].link.clone().filter(|link| link.standing && link.open) else {
            return false;
        };
        let master = &self.nodes[link.master];
        let Some(entry) = master.disk.log.get(link.next).copied() else { return false };
        let batch = BatchExtent {
            at: Offset(link.next as u64),
            ends: vec![(Epoch(u64::from(entry.0)), Offset(link.next as u64 + 1))],
            commit: master.replica.committed(),
        };
        self.step_with(bounds, n, Event::Records(StreamId(1), Box::new(batch)), &[entry]);
        true
    }
}
