//! The world: three machines, the time, and everything that is under way between them. One seed, one run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use super::checks::Checks;
use super::clients::Client;
use super::machine::{Machine, NODES};
use super::network::Connection;
use super::tree::{Session, Tree};
use crate::broker::{Inbound, SessionId};
use crate::coordination::GroupRecord;
use crate::env::Keep;
use crate::model::{Epoch, Offset};
use crate::node::NodeError;
use crate::node::core::Core;
use crate::node::reads::Job;
use crate::replication::{ConnectionId, PeerEvent};

/// How often a node looks at the time.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// Lines of the trace that are kept for a failure.
const TRACE_MAX: usize = 600;

/// Chance, from the seed.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.word() >> 16) % n.max(1)
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.below(most * 1000))
    }
}

/// How often a step may let the streams to the slaves go first.
const YIELDS_MAX: usize = 64;

/// Runs what never waits for anything outside: a node's loop does that between its steps only.
pub(super) fn at_once(step: impl Future<Output = ()>) {
    let (mut step, mut context) = (pin!(step), Context::from_waker(Waker::noop()));
    let done = (0..YIELDS_MAX).any(|_| step.as_mut().poll(&mut context).is_ready());
    assert!(done, "a step of the node's loop waits");
}

/// What arrives at a node, at the tree or at a disk.
pub(super) enum What {
    Peer(PeerEvent),
    /// The node looks at the tree.
    View,
    /// The log's writer has its turn.
    Write,
    Read(Job),
    /// A group write reaches the tree.
    GroupWrite(i32, Box<GroupRecord>),
    /// And its answer, or the news that there will be none.
    Answered,
    /// A client has hung up.
    Close(SessionId),
    /// The power fails, if it has not failed before.
    PowerOff(Keep),
    Start,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Duration,
    pub(super) machines: Vec<Machine>,
    pub(super) queue: BTreeMap<(Duration, u64), (usize, u64, What)>,
    sequence: u64,
    pub(super) tree: Tree,
    pub(super) sessions: Vec<Session>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) next_connection: u64,
    pub(super) bound: BTreeSet<usize>,
    /// One-way: nothing goes from the first to the second.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// Machines whose disk takes long.
    pub(super) slow: BTreeSet<usize>,
    /// No more bits are flipped on the way.
    pub(super) calm: bool,
    pub(super) checks: Checks,
    pub(super) clients: Vec<Client>,
    pub(super) leaders: BTreeMap<Epoch, (usize, u64)>,
    pub(super) names: u64,
    pub(super) faults: BTreeMap<&'static str, u64>,
    trace: VecDeque<String>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut world = World {
            rng: Rng::new(seed),
            now: Duration::from_secs(1),
            machines: (0..NODES).map(Machine::new).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            tree: Tree::default(),
            sessions: (0..NODES).map(|_| Session::default()).collect(),
            connections: BTreeMap::new(),
            next_connection: 0,
            calm: false,
            bound: BTreeSet::new(),
            cut: BTreeSet::new(),
            slow: BTreeSet::new(),
            checks: Checks::default(),
            clients: (0..4).map(Client::new).collect(),
            leaders: BTreeMap::new(),
            names: 0,
            faults: BTreeMap::new(),
            trace: VecDeque::new(),
        };
        (0..NODES).for_each(|n| world.start(n));
        world
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        let text = format!("{:>9.3} {}", self.now.as_secs_f64(), text());
        self.trace.push_back(text);
    }

    pub(super) fn trace(&self) -> String {
        self.trace.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// The run has broken a rule.
    pub(super) fn fail(&self, why: &str) -> ! {
        panic!("{why}")
    }

    pub(super) fn after(&mut self, delay: Duration, n: usize, what: What) -> Duration {
        self.sequence += 1;
        let due = self.now + delay;
        self.queue.insert((due, self.sequence), (n, self.machines[n].life, what));
        due
    }

    pub(super) fn up(&self, n: usize) -> bool {
        self.machines[n].running.is_some()
    }

    pub(super) fn start(&mut self, n: usize) {
        if self.up(n) {
            return;
        }
        self.set_clock(n);
        self.sessions[n].begin();
        let index = self.rng.chance(60);
        let before = self.machines[n].opened.0;
        let damage = match self.machines[n].start(index) {
            Ok(damage) => damage,
            Err(error) => return self.not_started(n, &error.to_string()),
        };
        self.note(|| {
            format!("n{n} starts{}", damage.as_ref().map_or(String::new(), |d| format!(", damaged at {d}")))
        });
        if let Some(damage) = damage
            && !self.machines[n].hurt
        {
            self.fail(&format!("L6: n{n} finds damage that nobody did: {damage}"));
        }
        let machine = &mut self.machines[n];
        let end = machine.core().map_or(machine.held, |core| core.log.end());
        let unsure = std::mem::take(&mut machine.unsure);
        if machine.hurt && machine.opened.0 != before {
            // Another store, which has no vote.
            (machine.held, machine.hurt) = (Offset(0), false);
        } else if unsure && end < machine.held {
            machine.held = end;
            self.note(|| format!("n{n} takes damage above {end} for a torn tail"));
        }
        self.check_promise_kept(n);
        self.drive(n, |core| at_once(core.tick()));
    }

    fn not_started(&mut self, n: usize, error: &str) {
        if !self.machines[n].bad {
            self.fail(&format!("n{n} cannot start: {error}"));
        }
        self.note(|| format!("n{n} cannot start: {error}"));
        let again = self.machines[n].disk.after_crash(Keep::All);
        self.machines[n].disk = again;
        self.machines[n].bad = false;
        self.machines[n].life += 1;
        self.after(Duration::from_millis(300), n, What::Start);
    }

    /// Ends the process, and with it the machine unless everything is kept.
    pub(super) fn stop(&mut self, n: usize, keep: Keep) {
        if !self.up(n) {
            return;
        }
        self.note(|| format!("n{n} ends, {keep:?}"));
        let machine = &mut self.machines[n];
        machine.durable = machine.core().map_or(machine.durable, |core| core.log.durable());
        machine.running = None;
        machine.life += 1;
        machine.paused = false;
        machine.disk = machine.disk.after_crash(keep);
        (machine.bad, machine.keep) = (false, None);
        self.bound.remove(&n);
        self.sessions[n].ended(self.now);
        self.close_all(n, "the peer died");
        self.clients.iter_mut().filter(|it| it.at == Some(n)).for_each(Client::lose);
    }

    pub(super) fn set_clock(&mut self, n: usize) {
        // 0.1 % between the fastest and the slowest.
        let now = self.now + self.now * n as u32 / 2000 + Duration::from_secs(n as u64);
        self.machines[n].clock.set(now);
    }

    /// Does something on a node and carries on what comes of it.
    pub(super) fn drive(&mut self, n: usize, work: impl FnOnce(&mut Core)) {
        self.set_clock(n);
        let whole = !self.rng.chance(20);
        let Some(running) = &mut self.machines[n].running else { return };
        work(&mut running.core);
        if whole {
            at_once(running.core.conclude());
        }
        self.carry_on(n);
    }

    fn carry_on(&mut self, n: usize) {
        if self.machines[n].core().is_some_and(|core| core.failure.is_none()) {
            self.check_node(n);
        }
        self.take_words(n);
        self.take_requests(n);
        while let Some(job) = self.machines[n].running.as_ref().and_then(|running| running.jobs.take()) {
            let delay = self.rng.ms(4);
            self.after(delay, n, What::Read(job));
        }
        let Some(core) = self.machines[n].core() else { return };
        if core.log.durable() < core.log.end() && !self.machines[n].write_due {
            let delay = if self.slow.contains(&n) { self.rng.ms(400) } else { self.rng.ms(3) };
            self.machines[n].write_due = true;
            self.after(delay, n, What::Write);
        }
        let failure = self.machines[n].core().and_then(|core| core.failure.clone());
        match failure {
            None => {}
            Some(NodeError::Group(reason)) => self.fail(&format!("n{n} leaves the group: {reason}")),
            Some(NodeError::Store(reason) | NodeError::Damaged { reason, .. }) => {
                if !self.machines[n].bad && !self.machines[n].hurt {
                    self.fail(&format!("n{n} fails by itself: {reason}"));
                }
                self.note(|| format!("n{n} leaves: {reason}"));
                let keep = self.machines[n].keep.take().unwrap_or(Keep::All);
                self.stop(n, keep);
                let delay = self.rng.ms(1500);
                self.after(delay, n, What::Start);
            }
        }
    }

    /// Tells a node what its log has told.
    pub(super) fn tell_log(&mut self, n: usize) {
        while let Some(notice) = self.machines[n].running.as_ref().and_then(|running| running.notices.take())
        {
            self.drive(n, |core| at_once(core.take_log(notice)));
        }
    }

    fn deliver(&mut self, n: usize, life: u64, what: What) {
        let machine = &self.machines[n];
        match what {
            What::GroupWrite(version, record) => return self.write_group(n, life, version, *record),
            _ if machine.life != life => return,
            What::Start => return self.start(n),
            What::PowerOff(keep) => {
                let delay = self.rng.ms(2000);
                self.stop(n, keep);
                self.after(delay, n, What::Start);
                return;
            }
            _ if machine.paused => {
                self.after(TICK, n, what);
                return;
            }
            _ => {}
        }
        match what {
            What::Peer(event) => {
                // The loop takes what the log tells first, but not between the events of one round.
                if !self.rng.chance(10) {
                    self.tell_log(n);
                }
                self.drive(n, |core| at_once(core.take_peer(event)));
            }
            What::View => self.look(n),
            What::Write => {
                self.machines[n].write_due = false;
                if let Some(core) = self.machines[n].core() {
                    core.log.write_now();
                }
                if self.rng.chance(90) {
                    self.tell_log(n);
                }
            }
            What::Read(job) => {
                job();
                let done =
                    self.machines[n].running.as_mut().and_then(|running| running.answers.try_recv().ok());
                if let Some(done) = done {
                    self.drive(n, |core| at_once(core.take_read(done)));
                }
            }
            What::Answered => self.answered(n),
            What::Close(session) => self.drive(n, |core| core.take_inbound(Inbound::Close { session })),
            What::GroupWrite(..) | What::Start | What::PowerOff(_) => {}
        }
    }

    /// Runs for a while.
    pub(super) fn run(&mut self, time: Duration, load: bool) {
        let until = self.now + time;
        while self.now < until {
            let tick = self.now + TICK;
            while let Some(entry) = self.queue.first_entry()
                && entry.key().0 <= tick
            {
                let ((due, _), (n, life, what)) = entry.remove_entry();
                self.now = self.now.max(due);
                let (from, to) = match &what {
                    What::Peer(event) => self.link(n, event),
                    _ => (n, n),
                };
                if self.cut.contains(&(from, to)) {
                    // Held back in the socket: it comes when the link does, or never.
                    self.sequence += 1;
                    self.queue.insert((tick + TICK, self.sequence), (n, life, what));
                    continue;
                }
                self.deliver(n, life, what);
            }
            self.now = tick;
            self.expire_sessions();
            for n in 0..NODES {
                if !self.up(n) || self.machines[n].paused {
                    continue;
                }
                if !self.slow.contains(&n)
                    && self.rng.chance(30)
                    && let Some(core) = self.machines[n].core()
                {
                    core.log.write_now();
                    core.log.write_sidecars_now();
                }
                self.tell_log(n);
                self.drive(n, |core| at_once(core.tick()));
                self.pump(n);
                self.scrub(n);
                if self.rng.chance(2) {
                    self.keep_index(n);
                }
            }
            self.work_clients(load);
        }
    }

    /// Reads the log of a node that has met damage.
    fn scrub(&mut self, n: usize) {
        let Some(running) = &self.machines[n].running else { return };
        if running.nudges.try_iter().count() == 0 {
            return;
        }
        if let Ok(Some(damage)) = running.core.log.verify(|_| ()).map(|report| report.damage) {
            self.drive(n, |core| core.take_damage(damage));
        }
    }

    fn keep_index(&mut self, n: usize) {
        let Some(running) = &mut self.machines[n].running else { return };
        running.core.checkpoint_now();
        if let Some(index) = running.core.index.take() {
            self.machines[n].index = Some(index);
        }
    }

    /// The node that clients find, if there is one.
    pub(super) fn master(&self) -> Option<usize> {
        (0..NODES).find(|n| self.machines[*n].serves() && !self.machines[*n].paused)
    }

    /// Highest epoch of the tree.
    pub(super) fn epoch(&self) -> Epoch {
        self.tree.group.as_ref().map_or(Epoch(0), |group| group.epoch)
    }
}
