//! The world of a group: its coordinator, its clock, its faults.

use super::*;

impl World {
    pub(super) fn new(seed: u64) -> World {
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

    pub(super) fn note(&mut self, text: String) {
        if self.trace.len() == 400 {
            self.trace.pop_front();
        }
        let text = format!("{:>9.3} {text}", self.now.as_secs_f64());
        self.trace.push_back(text);
    }

    pub(super) fn fail(&self, why: &str) -> ! {
        let trace: Vec<_> = self.trace.iter().cloned().collect();
        panic!("{why}\n{}", trace.join("\n"));
    }

    pub(super) fn at(&mut self, delay: Duration, what: What) -> Duration {
        self.sequence += 1;
        let due = self.now + delay;
        self.queue.insert((due, self.sequence), what);
        due
    }

    pub(super) fn start(&mut self, n: usize) {
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

    pub(super) fn stop(&mut self, n: usize, keep_unsynced: bool) {
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

    pub(super) fn expire(&mut self, n: usize) {
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
    pub(super) fn expire_dead(&mut self) {
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

    pub(super) fn tree_changed(&mut self) {
        for n in 0..NODES {
            let (delay, life) = (self.rng.ms(12), self.nodes[n].life);
            self.at(delay, What::Look(n, life));
        }
    }

    pub(super) fn set_member(&mut self, n: usize, mut record: MemberRecord) {
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

    pub(super) fn view(&self, n: usize) -> View {
        let members = self.members.iter().map(|(id, (_, r))| Member { id: *id, record: r.clone() }).collect();
        View {
            group: self.tree_group.clone().map(|g| (g, self.tree_version)),
            version: self.tree_version,
            members,
            mine: self.nodes[n].session.map(|s| s.0),
            answered: self.nodes[n].answered,
        }
    }

    /// Runs for a while, ticking every 20 ms and writing on whoever serves.
    pub(super) fn run(&mut self, time: Duration, write: bool) {
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

    pub(super) fn fault(&mut self) {
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
    pub(super) fn wipe(&mut self, n: usize) {
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

    pub(super) fn heal(&mut self) {
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
