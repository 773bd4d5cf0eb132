//! The steps of a world: which are possible in a state, and what each does.

use std::collections::HashSet;
use std::sync::Arc;

use stateright::{Model, Property};

use quorate::coordination::{GroupRecord, Member, View};
use quorate::model::{Claim, Epoch, Offset};
use quorate::replication::{Action, ConnectionId, Event, StreamId, Timer};

use super::bounds::Bounds;
use super::live::{Calm, Graph};
use super::world::{Disk, Node, Tree, World};

/// A world to explore.
pub(super) struct Explored {
    pub(super) bounds: Bounds,
    pub(super) start: World,
    /// Where what leads where is written down, if it is asked for.
    pub(super) graph: Option<Arc<Graph>>,
    /// States that were found to be stuck, to tell how one gets there.
    pub(super) stuck: Option<Arc<HashSet<u64>>>,
}

/// One step. Numbers are nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A node registers in a tree that does not show it.
    Register(usize),
    /// A node reads the tree.
    Look(usize),
    /// A timer is over.
    RunOut(usize, Timer),
    /// A group write arrives and is answered.
    Land(usize),
    /// The answer of a group write is lost, and its request is still under way.
    Lose(usize),
    /// Such a request arrives.
    LandLate(usize),
    /// Somebody starts an election.
    Bump,
    /// A slave dials, and the master answers its hello.
    Attach(usize),
    /// The next record reaches a slave.
    Records(usize),
    /// A master ticks, and its sign of life is under way to one slave; without leases it arrives at once.
    Heartbeat(usize),
    /// A sign of life reaches a slave.
    Beat(usize),
    /// All leases given so far run out.
    Time,
    /// An acknowledgement reaches the master.
    Ack(usize),
    /// The acknowledgement of a stream that its slave has left reaches the master.
    StaleAck(usize),
    /// The master finds that a slave has left.
    SlaveGone(usize),
    /// A slave finds that its master has left.
    MasterGone(usize),
    Sync(usize),
    Write(usize),
    // Faults.
    /// A process is killed, keeps so many records, and starts again.
    Crash(usize, usize),
    Expire(usize),
    /// The oldest member of a dead session goes.
    Reap,
    Wipe(usize),
    DiskReturns(usize),
    EmptyTree,
    /// A slave that could not take what it was sent ends its stream to begin another.
    Redial(usize),
    /// An operator, or a clean stop, wants another master.
    HandOver(usize),
    // From here on nothing breaks any more.
    Calm(Calm),
    /// The session of a node that is away ends.
    Depart(usize),
}

impl Bounds {
    fn timers(&self, w: &World, n: usize, out: &mut Vec<Step>) {
        let mut may = |timer: Timer, allowed: bool| {
            if allowed && w.nodes[n].replica.runs(timer) {
                out.push(Step::RunOut(n, timer));
            }
        };
        may(Timer::Turn, true);
        may(Timer::Silence, w.used.cuts < self.cuts);
        may(Timer::Deadline, w.used.deadlines < self.deadlines);
        may(Timer::Quorum, w.used.deadlines < self.deadlines);
        may(Timer::Unfit, w.used.calm.is_none());
    }

    pub(super) fn of_node(&self, w: &World, n: usize, out: &mut Vec<Step>) {
        let node = &w.nodes[n];
        let member = w.member_of(n).is_some();
        out.push(if member { Step::Look(n) } else { Step::Register(n) });
        self.timers(w, n, out);
        if node.writing.is_some() {
            out.push(Step::Land(n));
            if w.used.lost < self.lost {
                out.push(Step::Lose(n));
            }
        }
        if node.late.is_some() {
            out.push(Step::LandLate(n));
        }
        match &node.link {
            _ if !self.streams => {}
            None if node
                .replica
                .view()
                .is_some_and(|view| view.group.as_ref().is_some_and(|(g, _)| g.master.is_some())) =>
            {
                out.push(Step::Attach(n));
            }
            None => {}
            Some(link) if !link.open => out.push(Step::MasterGone(n)),
            Some(link) if !link.standing && w.nodes[link.master].bound => out.push(Step::Attach(n)),
            Some(link) if !link.standing => {}
            Some(link) => {
                let master = &w.nodes[link.master];
                if link.next < master.disk.log.len() {
                    out.push(Step::Records(n));
                }
                let behind =
                    master.replica.committed().min(node.replica.log().end) > node.replica.committed();
                let behind = behind || node.disk.synced < node.disk.log.len();
                if behind || self.wipes > 0 || self.leases || !self.any_bump {
                    out.push(Step::Heartbeat(n));
                }
                if link.beat.is_some() {
                    out.push(Step::Beat(n));
                }
                if link.ack.is_some() {
                    out.push(Step::Ack(n));
                }
            }
        }
        if let Some(stale) = &node.stale {
            if !self.any_bump {
                out.push(Step::SlaveGone(n));
            }
            if stale.ack.is_some() {
                out.push(Step::StaleAck(n));
            }
        }
        if node.disk.synced < node.disk.log.len() {
            out.push(Step::Sync(n));
        }
        if node.serving && w.used.writes < self.writes {
            out.push(Step::Write(n));
        }
        if node.serving && w.used.steps_down < self.steps_down {
            out.push(Step::HandOver(n));
        }
    }

    fn faults(&self, w: &World, n: usize, out: &mut Vec<Step>) {
        let node = &w.nodes[n];
        if w.used.crashes < self.crashes {
            out.push(Step::Crash(n, node.disk.synced));
            if node.disk.log.len() > node.disk.synced {
                out.push(Step::Crash(n, node.disk.log.len()));
            }
        }
        if w.used.cuts < self.cuts && node.link.as_ref().is_some_and(|link| link.standing && link.open) {
            out.push(Step::Redial(n));
        }
        if node.session.is_some() && w.used.expiries < self.expiries {
            out.push(Step::Expire(n));
        }
        if w.used.wipes < self.wipes {
            out.push(Step::Wipe(n));
        }
        if w.used.returns < self.returns && !node.shelf.is_empty() {
            out.push(Step::DiskReturns(n));
        }
    }

    /// All that may happen while things still break.
    fn stormy_steps(&self, w: &World, out: &mut Vec<Step>) {
        for n in w.ids() {
            self.of_node(w, n, out);
            self.faults(w, n, out);
        }
        let room = w.used.bumps < self.bumps;
        if self.any_bump && room && w.tree.group.as_ref().is_some_and(|g| g.epoch.0 < u64::from(self.epochs))
        {
            out.push(Step::Bump);
        }
        if self.leases && !self.live && w.used.time < 2 {
            out.push(Step::Time);
        }
        if self.linger {
            out.push(Step::Reap);
        }
        if w.used.empties < self.empties {
            out.push(Step::EmptyTree);
        }
        if self.live {
            self.calms(w, out);
        }
    }

    /// The world after a step; `None` if the step is not possible or changes nothing.
    pub(super) fn after(&self, old: &World, step: Step) -> Option<World> {
        let mut w = old.clone();
        w.apply(self, step)?;
        if self.any_bump {
            // Without suspicion it does not matter when a slave finds that its master has left.
            while let Some(n) = w.ids().find(|n| w.nodes[*n].link.as_ref().is_some_and(|link| !link.open)) {
                w.apply(self, Step::MasterGone(n))?;
            }
        }
        w.spend(self);
        w.seal(self);
        (w != *old).then_some(w)
    }

    /// Where the exploration begins: blank nodes, or a group that serves with everybody attached.
    pub(super) fn start(&self) -> World {
        let mut w = World::blank(self);
        for n in w.ids() {
            w.step(self, n, Event::Tick);
        }
        w.seal(self);
        if self.blank {
            return w;
        }
        loop {
            let before = w.clone();
            for n in w.ids() {
                let mut steps = Vec::new();
                Bounds { epochs: 1, streams: true, ..*self }.of_node(&w, n, &mut steps);
                for step in steps {
                    let fault = matches!(
                        step,
                        Step::Write(_) | Step::Lose(_) | Step::LandLate(_) | Step::HandOver(_)
                    ) || matches!(step, Step::RunOut(_, t) if t != Timer::Turn);
                    if !fault && let Some(next) = self.after(&w, step) {
                        w = next;
                    }
                }
            }
            while let Some(next) =
                w.ids().flat_map(|n| [Step::Beat(n), Step::Ack(n)]).find_map(|step| self.after(&w, step))
            {
                w = next;
            }
            if w == before {
                break;
            }
        }
        // Version numbers of two trees may be alike: the old one's begin where a new one's will.
        w.used = Default::default();
        let version = w.tree.version;
        w.tree.edit().version = 0;
        for n in w.ids() {
            if let Some(view) = w.node(n).replica.view_mut() {
                view.version -= version;
                if let Some((_, v)) = &mut view.group {
                    *v -= version;
                }
            }
        }
        if self.kept > 0 {
            w.recover(self);
        }
        w.seal(self);
        w
    }
}

impl World {
    fn apply(&mut self, b: &Bounds, step: Step) -> Option<()> {
        match step {
            Step::Register(n) => self.register(n),
            Step::Look(n) => {
                let view = self.view(n, b);
                if self.nodes[n].replica.view() == Some(&view) {
                    return None;
                }
                self.step(b, n, Event::View(Box::new(view)));
            }
            Step::RunOut(n, timer) => self.run_out(b, n, timer)?,
            Step::Land(n) => {
                let (version, record) = self.nodes[n].writing.clone()?;
                if record.epoch.0 > b.epochs_max(self) {
                    return None;
                }
                let node = self.node(n);
                (node.writing, node.answered) = (None, node.answered + 1);
                self.land(b, version, record);
            }
            Step::Lose(n) => {
                self.used.lost += 1;
                let node = self.node(n);
                (node.late, node.answered) = (node.writing.take(), node.answered + 1);
            }
            Step::LandLate(n) => {
                let (version, record) = self.node(n).late.take()?;
                if record.epoch.0 > b.epochs_max(self) {
                    return None;
                }
                self.land(b, version, record);
            }
            Step::Bump => self.bump(b)?,
            Step::Attach(n) => self.attach(b, n)?,
            Step::Sync(n) => {
                let disk = &mut self.node(n).disk;
                disk.synced = disk.log.len();
                let durable = Offset(disk.synced as u64);
                self.step(b, n, Event::Durable(durable));
            }
            Step::Write(n) => {
                self.used.writes += 1;
                let entry = (self.nodes[n].replica.promise().epoch.0 as u8, self.used.writes);
                let end = self.push(n, entry);
                let durable = self.synced(b, n);
                self.step(b, n, Event::Appended(end));
                if let Some(durable) = durable {
                    self.step(b, n, durable);
                }
            }
            other => self.of_stream(b, other)?,
        }
        Some(())
    }

    fn of_stream(&mut self, b: &Bounds, step: Step) -> Option<()> {
        match step {
            Step::Records(n) => self.deliver(b, n).then_some(())?,
            Step::Heartbeat(n) => self.heartbeat(b, n)?,
            Step::Beat(n) => {
                let heartbeat = self.node(n).link.as_mut()?.beat.take()?;
                self.step(b, n, Event::Heartbeat(StreamId(1), heartbeat));
            }
            Step::Time => self.used.time += 1,
            Step::Ack(n) => {
                let link = self.node(n).link.as_mut()?;
                let (master, connection, ack) =
                    (link.master, ConnectionId(link.connection), link.ack.take()?);
                self.step(b, master, Event::Ack(connection, ack));
            }
            Step::StaleAck(n) => {
                let stale = self.node(n).stale.as_mut()?;
                let (master, connection, ack) =
                    (stale.master, ConnectionId(stale.connection), stale.ack.take()?);
                self.step(b, master, Event::Ack(connection, ack));
            }
            Step::SlaveGone(n) => {
                let stale = self.node(n).stale.take()?;
                self.step(b, stale.master, Event::SlaveGone(ConnectionId(stale.connection)));
            }
            Step::MasterGone(n) => {
                self.node(n).link = None;
                self.step(b, n, Event::MasterGone(StreamId(1), String::new()));
            }
            fault => self.fault(b, fault)?,
        }
        Some(())
    }

    fn fault(&mut self, b: &Bounds, step: Step) -> Option<()> {
        match step {
            Step::Crash(n, keep) => {
                self.used.crashes += 1;
                let disk = &mut self.node(n).disk;
                disk.log.truncate(keep);
                disk.synced = keep;
                self.restart(b, n);
            }
            Step::Expire(n) => {
                self.used.expiries += 1;
                self.end_session(b, n);
                self.register(n);
            }
            Step::Reap => {
                let live: Vec<_> = self.nodes.iter().filter_map(|n| n.session.map(|(id, _)| id)).collect();
                let at = self.tree.members.iter().position(|m| !live.contains(&m.id))?;
                self.tree.edit().members.remove(at);
            }
            Step::Wipe(n) | Step::DiskReturns(n) => self.replace_disk(b, n, matches!(step, Step::Wipe(_)))?,
            Step::EmptyTree => {
                self.used.empties += 1;
                self.tree.edit().clone_from(&Tree::default());
                self.forget_foundings();
            }
            Step::Redial(n) => {
                self.used.cuts += 1;
                self.step(b, n, Event::Redial(StreamId(1)));
            }
            Step::HandOver(n) => {
                self.used.steps_down += 1;
                self.step(b, n, Event::StepDown(String::new()));
            }
            Step::Calm(calm) => self.become_calm(calm),
            Step::Depart(n) => {
                let (id, _) = self.node(n).session.take()?;
                self.tree.edit().members.retain(|m| m.id != id);
            }
            _ => return None,
        }
        Some(())
    }

    fn run_out(&mut self, b: &Bounds, n: usize, timer: Timer) -> Option<()> {
        self.node(n).replica.run_out(timer);
        match timer {
            Timer::Silence => self.used.cuts += 1,
            Timer::Deadline | Timer::Quorum => self.used.deadlines += 1,
            Timer::Turn | Timer::Unfit => {}
        }
        self.step(b, n, Event::Tick);
        Some(())
    }

    fn bump(&mut self, b: &Bounds) -> Option<()> {
        let group = self.tree.group.as_ref()?;
        let members: Vec<Member> = self.tree.members.clone();
        let version = if b.empties_matter() { self.tree.version } else { 0 };
        let view = View { group: Some((group.clone(), version)), members, ..View::default() };
        let claim = self.claim(b, 3);
        let record = view.bump(group, Claim(claim), Epoch(0), "");
        if record.epoch.0 > u64::from(b.epochs) || self.tree.members.is_empty() {
            return None;
        }
        if b.bumps < u8::MAX {
            self.used.bumps += 1;
        }
        self.land(b, version, record);
        Some(())
    }

    /// A slave dials if it has not done so, its master takes the hello, and the slave the welcome.
    fn attach(&mut self, b: &Bounds, n: usize) -> Option<()> {
        if self.nodes[n].link.is_none() {
            self.step(b, n, Event::Tick);
        }
        let link = self.node(n).link.as_mut()?;
        let (master, hello) = (link.master, link.hello.take()?);
        if !self.nodes[master].bound {
            return None;
        }
        // The name of a stream is new as long as the master may know the one before.
        let first = 2 * n as u64;
        let connection = first + u64::from(self.nodes[master].replica.has_slave(ConnectionId(first)));
        let said = self.step(b, master, Event::Hello(ConnectionId(connection), Box::new(hello)));
        let welcome = said.into_iter().find_map(|action| match action {
            Action::Welcome(_, welcome) => Some(welcome),
            _ => None,
        })?;
        let (next, promise) = (welcome.truncate_to.0 as usize, welcome.promise);
        let link = self.node(n).link.as_mut()?;
        (link.connection, link.promise, link.next) = (connection, promise, next);
        self.step(b, n, Event::Welcome(StreamId(1), welcome));
        if self.nodes[n].replica.follows()
            && let Some(link) = &mut self.node(n).link
        {
            link.standing = true;
        }
        Some(())
    }

    /// A master ticks, and one slave hears of it.
    fn heartbeat(&mut self, b: &Bounds, n: usize) -> Option<()> {
        let master = self.nodes[n].link.as_ref().filter(|link| link.standing && link.open)?.master;
        let said = self.step(b, master, Event::Tick);
        let heartbeat = said.into_iter().find_map(|action| match action {
            Action::Heartbeat(heartbeat) => Some(heartbeat),
            _ => None,
        })?;
        if b.leases {
            self.node(n).link.as_mut()?.beat = Some(heartbeat);
        } else {
            self.step(b, n, Event::Heartbeat(StreamId(1), heartbeat));
        }
        Some(())
    }

    /// What an operator's recovery writes who finds only the first voters in sight. The old master is one of them: what
    /// others have committed meanwhile is what a recovery may lose.
    fn recover(&mut self, b: &Bounds) {
        let Some(group) = self.tree.group.clone() else { return };
        let version = if b.empties_matter() { self.tree.version } else { 0 };
        let voters = group.voters[..b.kept].to_vec();
        let bumped = self.shown().bump(&group, Claim(self.claim(b, 3)), Epoch(0), "");
        self.land(b, version, GroupRecord { voters, config: group.config + 1, ..bumped });
    }

    fn end_session(&mut self, b: &Bounds, n: usize) {
        if let Some((id, _)) = self.node(n).session.take()
            && !b.linger
        {
            self.tree.edit().members.retain(|m| m.id != id);
        }
    }

    /// Left out: a founding by a node that has seen no record yet, at a version of the tree before it was emptied, which
    /// lands beside the group that the others have founded. (Those stop then, and say why.)
    fn forget_foundings(&mut self) {
        for n in self.ids() {
            if let Some((version, record)) = &mut self.node(n).writing
                && record.epoch == Epoch(1)
            {
                *version = -1;
            }
            if let Some(view) = self.node(n).replica.view_mut()
                && view.group.is_none()
            {
                view.version = -1;
            }
        }
    }

    /// The process of a node begins anew with what its disk holds.
    fn restart(&mut self, b: &Bounds, n: usize) {
        self.hang_up(n);
        self.unbind(n);
        self.end_session(b, n);
        let node = self.node(n);
        node.replica = Node::replica_of(&node.disk, n, b);
        (node.answered, node.told) = (0, None);
        // A request of the process that is gone may still arrive.
        if let Some(request) = node.writing.take()
            && b.lost > 0
        {
            node.late = Some(request);
        }
        self.step(b, n, Event::Tick);
        self.register(n);
    }

    /// At most a minority is out of order at a time: every replacement so far has been finished and told.
    fn replace_disk(&mut self, b: &Bounds, n: usize, wipe: bool) -> Option<()> {
        let voters = self.proof.voters.clone();
        let votes = |node: &Node| voters.iter().any(|v| v.store == node.disk.identity.store);
        let others = self.ids().filter(|&o| o != n).all(|o| votes(&self.nodes[o]));
        let config = self.proof.config;
        let told =
            self.nodes.iter().filter(|o| o.disk.identity.known.as_ref().is_some_and(|k| k.config == config));
        if !others || told.count() < quorate::model::quorum(b.nodes) || wipe && !votes(&self.nodes[n]) {
            return None;
        }
        let node = self.node(n);
        node.disk.log.truncate(node.disk.synced);
        let fresh = if wipe {
            node.generation += 1;
            Disk::blank(n, node.generation)
        } else {
            node.shelf.pop()?
        };
        let lost = std::mem::replace(&mut node.disk, fresh);
        node.shelf.push(lost);
        if wipe {
            self.used.wipes += 1;
        } else {
            self.used.returns += 1;
        }
        self.restart(b, n);
        Some(())
    }
}

impl Model for Explored {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.start.clone()]
    }

    fn actions(&self, w: &World, out: &mut Vec<Step>) {
        let bounds = &self.bounds;
        if w.broken != 0 {
            return;
        }
        if w.used.calm.is_none() {
            bounds.stormy_steps(w, out);
        } else if !w.healed(bounds) {
            bounds.calm_steps(w, out);
        } else if let Some(graph) = &self.graph {
            graph.healed(w.print());
        }
    }

    fn next_state(&self, w: &World, step: Step) -> Option<World> {
        let next = self.bounds.after(w, step)?;
        if let Some(graph) = &self.graph {
            graph.edge(w.print(), next.print());
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        super::properties::properties(&self.bounds)
    }
}
