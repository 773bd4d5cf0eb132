//! The way back to service: from every state, with no further fault, a healed group can be reached.
//!
//! A world with [`Bounds::live`] may become calm at any moment. From then on nothing breaks any more, except that one node
//! may be away for good (stopped, cut off) or unable to open its port. In the calm a message is faster than a timer: a
//! timer of a second or more runs out only when nothing else can happen. Every order of the rest is explored, or, where
//! that is too much ([`Bounds::orderly`]), one. That a healed state can be reached from *every* state, calm ones included,
//! excludes states that are stuck and loops without a way out; it does not bound how long the way is.

use std::collections::HashSet;
use std::sync::Mutex;

use quorate::coordination::GroupState;
use quorate::model::quorum;
use quorate::replication::{Ack, ConnectionId, Timer};

use super::bounds::Bounds;
use super::steps::Step;
use super::world::{Node, Used, World};

/// What remains broken when nothing breaks any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Calm {
    Healthy,
    /// This node does nothing any more.
    Without(usize),
    /// This node cannot open its port.
    Unfit(usize),
}

impl Used {
    /// Nothing of what the bounds allow is left.
    fn spent(self, b: &Bounds) -> Used {
        Used {
            writes: b.writes,
            crashes: b.crashes,
            expiries: b.expiries,
            wipes: b.wipes,
            returns: b.returns,
            empties: b.empties,
            cuts: b.cuts,
            deadlines: b.deadlines,
            lost: b.lost,
            steps_down: b.steps_down,
            ..self
        }
    }
}

impl World {
    fn away(&self) -> Option<usize> {
        match self.used.calm {
            Some(Calm::Without(n)) => Some(n),
            _ => None,
        }
    }

    fn up(&self) -> impl Iterator<Item = usize> {
        let away = self.away();
        self.ids().filter(move |n| Some(*n) != away)
    }

    /// Whether this node cannot open its port.
    pub(super) fn unfit(&self, n: usize) -> bool {
        self.used.calm == Some(Calm::Unfit(n))
    }

    pub(super) fn become_calm(&mut self, calm: Calm) {
        self.used.calm = Some(calm);
        // What has been sent by a node that is away, or on a connection that is lost, has arrived before or never will.
        if let Calm::Without(n) = calm {
            self.node(n).writing = None;
        }
        for n in self.ids().filter(|n| self.nodes[*n].late.is_some()).collect::<Vec<_>>() {
            self.node(n).late = None;
        }
    }

    /// In the calm the counts of faults mean nothing.
    pub(super) fn spend(&mut self, b: &Bounds) {
        if self.used.calm.is_some() {
            self.used = self.used.spent(b);
        }
    }

    /// A step needs a node if that node takes it or answers it.
    fn needs(&self, step: Step, away: usize) -> bool {
        let linked = |n: usize| self.nodes[n].link.as_ref().is_some_and(|link| link.master == away);
        let left = |n: usize| self.nodes[n].stale.as_ref().is_some_and(|stale| stale.master == away);
        match step {
            Step::Attach(n) | Step::Records(n) | Step::Heartbeat(n) | Step::Ack(n) => n == away || linked(n),
            Step::StaleAck(n) | Step::SlaveGone(n) => left(n),
            _ => false,
        }
    }

    fn streams_to(&self, n: usize, m: usize) -> bool {
        self.nodes[n].link.as_ref().is_some_and(|l| l.master == m && l.standing && l.open)
    }

    /// Whether another sign of life would renew the lease or tell the slave something; they never end by themselves.
    fn heartbeat_tells(&self, n: usize) -> bool {
        let node = &self.nodes[n];
        let Some(link) = node.link.as_ref().filter(|link| link.beat.is_none() && link.ack.is_none()) else {
            return false;
        };
        let master = &self.nodes[link.master];
        let now = Ack { heard: self.now().as_nanos() as u64, ..Ack::default() };
        let config = |node: &Node| node.disk.identity.known.as_ref().map(|k| k.config);
        master.replica.is_news(ConnectionId(link.connection), &now)
            || master.replica.committed() > node.replica.committed()
            || config(master) > config(node)
    }

    /// Whether the group serves with everybody who is there: in step, voting, and no election due.
    pub(super) fn healed(&self, b: &Bounds) -> bool {
        let (Some(_), Some(group)) = (self.used.calm, &self.tree.group) else { return false };
        let serves = |n: &usize| {
            let node = &self.nodes[*n];
            let named = group.master.as_ref().is_some_and(|m| node.session.is_some_and(|s| s.1 == m.guid));
            named && node.serving && node.replica.serving() && node.replica.promise() == group.promise()
        };
        let Some(m) = self.up().find(serves).filter(|_| group.state == GroupState::Serving) else {
            return false;
        };
        let master = &self.nodes[m];
        let end = master.replica.log().end;
        let in_step = |n: usize| {
            let node = &self.nodes[n];
            let known = node.disk.identity.known.as_ref().map(|k| k.config);
            let follows = n == m || node.replica.follows() && self.streams_to(n, m);
            follows
                && node.replica.promise() == group.promise()
                && node.replica.committed() == end
                && node.disk.synced as u64 == end.0
                && group.votes(node.disk.identity.store)
                && known == Some(group.config)
        };
        let dispatches = !b.leases || master.replica.may_dispatch(self.now());
        self.up().all(in_step) && dispatches && self.shown().due(group).is_none()
    }
}

impl Bounds {
    /// The highest epoch that may begin.
    pub(super) fn epochs_max(&self, w: &World) -> u64 {
        u64::from(self.epochs + if w.used.calm.is_some() { self.further } else { 0 })
    }

    /// How the calm may begin here. A node may be away only if the others are a clean quorum that knows of its group: of
    /// less the design promises no service (L6).
    pub(super) fn calms(&self, w: &World, out: &mut Vec<Step>) {
        out.push(Step::Calm(Calm::Healthy));
        for n in w.ids() {
            if self.unfit {
                out.push(Step::Calm(Calm::Unfit(n)));
            }
            let others = || w.ids().filter(|other| *other != n).map(|other| &w.nodes[other].disk.identity);
            let votes = others().all(|i| w.proof.voters.iter().any(|v| v.store == i.store));
            let told =
                others().filter(|i| i.known.as_ref().is_some_and(|k| k.config == w.proof.config)).count();
            let known = w.tree.group.is_some() || told > 0;
            let told = w.proof.config == 0 || told >= quorum(self.nodes);
            if !self.unfit && self.nodes > quorum(self.nodes) && votes && told && known {
                out.push(Step::Calm(Calm::Without(n)));
            }
        }
    }

    /// What happens in the calm: anything that need not wait, and only if there is none, what waits for a timer.
    pub(super) fn calm_steps(&self, w: &World, out: &mut Vec<Step>) {
        for n in w.up() {
            self.of_node(w, n, out);
        }
        if let Some(away) = w.away() {
            out.retain(|step| !w.needs(*step, away));
        }
        if self.leases {
            out.retain(|step| !matches!(step, Step::Heartbeat(n) if !w.heartbeat_tells(*n)));
        }
        if let Some(first) = out.iter().position(|step| self.after(w, *step).is_some()) {
            if self.orderly {
                *out = vec![out[first]];
            }
            return;
        }
        out.clear();
        for n in w.up() {
            self.late_timers(w, n, out);
        }
        if let Some(away) = w.away().filter(|away| w.nodes[*away].session.is_some()) {
            out.push(Step::Depart(away));
        }
        out.push(Step::Reap);
        // Leases only delay dispatch: when they run out is no choice, so that the count of such moments stays small.
        if self.leases && w.used.time < 4 && out.iter().all(|step| self.after(w, *step).is_none()) {
            out.push(Step::Time);
        }
    }

    fn late_timers(&self, w: &World, n: usize, out: &mut Vec<Step>) {
        let node = &w.nodes[n];
        let mut may = |timer: Timer, allowed: bool| {
            if allowed && node.replica.runs(timer) {
                out.push(Step::RunOut(n, timer));
            }
        };
        let silent = node.link.as_ref().is_some_and(|link| Some(link.master) == w.away());
        let heard = w.up().filter(|other| *other == n || w.streams_to(*other, n)).count();
        may(Timer::Silence, silent);
        may(Timer::Quorum, heard < quorum(self.nodes));
        may(Timer::Deadline, true);
        may(Timer::Unfit, true);
    }
}

/// The graph of an exploration: enough to walk it backwards.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: [Mutex<Vec<(u64, u64)>>; 16],
    healed: Mutex<Vec<u64>>,
}

impl Graph {
    pub(super) fn edge(&self, from: u64, to: u64) {
        if let Ok(mut edges) = self.edges[(from % 16) as usize].lock() {
            edges.push((to, from));
        }
    }

    pub(super) fn healed(&self, state: u64) {
        if let Ok(mut healed) = self.healed.lock() {
            healed.push(state);
        }
    }

    /// The states from which no healed one can be reached, and how many of those there are.
    pub(super) fn stuck(&self) -> (HashSet<u64>, usize) {
        let mut edges = Vec::new();
        for shard in &self.edges {
            edges.append(&mut shard.lock().map(|mut shard| std::mem::take(&mut *shard)).unwrap_or_default());
        }
        edges.sort_unstable();
        let mut todo = self.healed.lock().map(|healed| healed.clone()).unwrap_or_default();
        let mut leads: HashSet<u64> = todo.iter().copied().collect();
        let healed = leads.len();
        while let Some(state) = todo.pop() {
            let first = edges.partition_point(|(to, _)| *to < state);
            for (_, from) in edges[first..].iter().take_while(|(to, _)| *to == state) {
                if leads.insert(*from) {
                    todo.push(*from);
                }
            }
        }
        let all = edges.iter().flat_map(|(to, from)| [*to, *from]);
        (all.filter(|state| !leads.contains(state)).collect(), healed)
    }
}
