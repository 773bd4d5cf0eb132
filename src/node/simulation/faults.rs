//! What goes wrong, and how it is mended.

use std::time::Duration;

use super::machine::NODES;
use super::world::{What, World, at_once};
use crate::env::{Keep, SimDisk};
use crate::model::Offset;
use crate::replication::Event;

impl World {
    fn keep(&mut self) -> Keep {
        match self.rng.below(4) {
            0 => Keep::All,
            1 => Keep::Nothing,
            _ => Keep::Some(self.rng.word()),
        }
    }

    fn start_later(&mut self, n: usize) {
        let delay = self.rng.ms(3000);
        self.after(delay, n, What::Start);
    }

    pub(super) fn fault(&mut self) {
        let n = self.rng.below(NODES as u64) as usize;
        let other = (n + 1 + self.rng.below(NODES as u64 - 1) as usize) % NODES;
        let master = self.master().unwrap_or(n);
        let kind = self.rng.below(22);
        let name = match kind {
            0 | 1 => self.kill(n),
            2 | 3 => self.kill(master),
            4 => self.power_off(n),
            5 => self.power_off(master),
            6 => self.power_off_all(),
            7 | 8 => self.fail_a_call(if kind == 7 { n } else { master }),
            9 => self.fill(n),
            10 => self.flip(n),
            11 => self.wipe_stopped(n),
            12 => self.cut_link(n, other, true),
            13 => self.cut_link(n, other, false),
            14 => self.reset(n, other),
            15 => self.pause(if other < n { master } else { n }),
            16 => self.slow_down(n),
            17 => self.lose_session(n),
            18 => self.lose_coordinator(),
            19 => self.step_down(master),
            20 => self.jump(n),
            _ => self.empty(),
        };
        self.note(|| format!("fault: {name} (n{n}, other n{other}, master n{master})"));
        *self.faults.entry(name).or_default() += 1;
    }

    fn kill(&mut self, n: usize) -> &'static str {
        self.stop(n, Keep::All);
        self.start_later(n);
        "kill"
    }

    /// The power fails at one of the next calls, in the middle of whatever that belongs to.
    fn power_off(&mut self, n: usize) -> &'static str {
        if !self.up(n) {
            return "nothing";
        }
        let (calls, keep) = (self.rng.below(12), self.keep());
        let machine = &mut self.machines[n];
        machine.disk.power_until(machine.disk.calls() + calls);
        (machine.bad, machine.keep) = (true, Some(keep));
        self.after(Duration::from_millis(150), n, What::PowerOff(keep));
        "power cut"
    }

    fn power_off_all(&mut self) -> &'static str {
        for n in 0..NODES {
            let keep = self.keep();
            self.stop(n, keep);
            let delay = self.rng.ms(1000);
            self.after(delay, n, What::Start);
        }
        "power cut of all"
    }

    fn fail_a_call(&mut self, n: usize) -> &'static str {
        let calls = self.rng.below(8);
        let machine = &mut self.machines[n];
        machine.disk.fail_at(machine.disk.calls() + calls);
        machine.bad = true;
        "EIO"
    }

    fn fill(&mut self, n: usize) -> &'static str {
        let machine = &mut self.machines[n];
        machine.disk.set_full(true);
        machine.bad = true;
        "ENOSPC"
    }

    /// Damage and loss of what was durable are borne by one store at a time, while the others have everything.
    fn may_lose(&self, n: usize) -> bool {
        let Some(group) = &self.tree.group else { return false };
        let sound = |m: &usize| {
            let machine = &self.machines[*m];
            !machine.hurt
                && group.votes(machine.opened.0)
                && machine.core().is_none_or(|core| {
                    core.replica
                        .member()
                        .and_then(|it| it.known.as_ref())
                        .is_some_and(|k| k.config == group.config)
                })
        };
        (0..NODES).all(|m| sound(&m)) && (0..NODES).all(|m| m == n || self.up(m))
    }

    /// Whether the others hold all that this store ever made durable.
    fn others_hold_all(&self, n: usize) -> bool {
        let had = self.machines[n].durable.max(self.machines[n].held);
        self.machines
            .iter()
            .filter(|it| it.number != n)
            .all(|it| it.core().is_some_and(|core| core.log.durable() >= had))
    }

    fn flip(&mut self, n: usize) -> &'static str {
        // Damage to what the store does not know to be durable looks like a torn tail, and the store keeps its vote.
        let unsure = !self.up(n);
        if !self.may_lose(n) || unsure && !self.others_hold_all(n) {
            return "nothing";
        }
        self.stop(n, Keep::All);
        let ending =
            [".log", ".log", ".log", "durable", ".sidecar", "identity.json"][self.rng.below(6) as usize];
        let word = self.rng.word();
        let flipped = self.machines[n].disk.flip(ending, word);
        let latest = self.latest_epoch();
        let machine = &mut self.machines[n];
        (machine.hurt, machine.unsure) = (flipped.is_some(), unsure);
        machine.lost = Some((latest, machine.durable));
        self.note(|| format!("a bit of {flipped:?} of n{n} is flipped"));
        self.start_later(n);
        "bit flip"
    }

    fn wipe_stopped(&mut self, n: usize) -> &'static str {
        if !self.may_lose(n) {
            return "nothing";
        }
        self.stop(n, Keep::All);
        self.wipe(n);
        self.start_later(n);
        "wiped disk"
    }

    fn wipe(&mut self, n: usize) {
        let latest = self.latest_epoch();
        let machine = &mut self.machines[n];
        machine.lost = Some((latest, machine.durable));
        machine.disk = SimDisk::new();
        (machine.index, machine.hurt) = (None, false);
        (machine.held, machine.durable) = (Offset(0), Offset(0));
        machine.opened = Default::default();
    }

    fn cut_link(&mut self, n: usize, other: usize, both: bool) -> &'static str {
        self.cut.insert((n, other));
        if both {
            self.cut.insert((other, n));
        }
        if both { "partition" } else { "one-way partition" }
    }

    fn reset(&mut self, n: usize, other: usize) -> &'static str {
        let between = self.ids(|c| (c.slave, c.master) == (n, other) || (c.slave, c.master) == (other, n));
        between.into_iter().for_each(|c| self.close(c, "reset"));
        "reset"
    }

    fn pause(&mut self, n: usize) -> &'static str {
        if self.up(n) {
            self.machines[n].paused = true;
            self.cut_session(n);
        }
        "pause"
    }

    fn slow_down(&mut self, n: usize) -> &'static str {
        self.slow.insert(n);
        "slow disk"
    }

    fn lose_session(&mut self, n: usize) -> &'static str {
        if self.rng.chance(50) {
            self.expire(n);
            return "expired session";
        }
        self.cut_session(n);
        "lost session"
    }

    fn lose_coordinator(&mut self) -> &'static str {
        (0..NODES).for_each(|n| self.cut_session(n));
        "coordinator away"
    }

    fn step_down(&mut self, n: usize) -> &'static str {
        if self.machines[n].serves() && !self.machines[n].paused {
            self.drive(n, |core| at_once(core.step(Event::StepDown("asked".into()))));
        }
        "step-down"
    }

    fn jump(&mut self, n: usize) -> &'static str {
        let ms = self.rng.below(20_000_000) as i64 - 10_000_000;
        self.machines[n].clock.jump(ms);
        "clock jump"
    }

    fn empty(&mut self) -> &'static str {
        // Twice in a row it would be an operator's night.
        if self.tree.group.is_none() || self.rng.chance(50) {
            return "nothing";
        }
        self.empty_tree();
        "emptied tree"
    }

    /// Takes back some of what lasts.
    pub(super) fn mend(&mut self) {
        match self.rng.below(4) {
            0 => self.cut.clear(),
            1 => self.slow.clear(),
            2 => (0..NODES).for_each(|n| self.join_session(n)),
            _ => (0..NODES).for_each(|n| self.resume(n)),
        }
    }

    fn resume(&mut self, n: usize) {
        if std::mem::replace(&mut self.machines[n].paused, false) {
            self.join_session(n);
        }
    }

    /// Mends everything.
    pub(super) fn heal(&mut self) {
        self.note(|| "all is mended".to_owned());
        self.cut.clear();
        self.slow.clear();
        // What was scheduled by the clock that was furthest ahead is sent within the time that is left.
        let latest = self.machines.iter().map(|it| it.clock.latest()).max().unwrap_or_default();
        for n in 0..NODES {
            self.machines[n].clock.put_right(latest);
            self.machines[n].disk.mend();
            self.resume(n);
            self.join_session(n);
            self.start(n);
        }
    }
}
