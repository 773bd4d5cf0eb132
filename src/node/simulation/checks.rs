//! What must hold, whatever happens: the invariants of ARCHITECTURE.md, looked at after every step of a node.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::NODES;
use super::world::World;
use crate::model::{DestinationId, DestinationKind, Epoch, Offset, Record, RecordKind};
use crate::node::core::Core;
use crate::state::{Applied, State};
use crate::storage::{RecordView, records};

/// What everybody knows who looks from outside.
#[derive(Default)]
pub(super) struct Checks {
    /// End and checksum of every record that anybody ever committed; the checksum covers all before it.
    chosen: BTreeMap<u64, u32>,
    /// Where the last of them begins.
    last_at: Offset,
    pub(super) chosen_end: Offset,
    open: Vec<(Offset, Record)>,
    /// The fold of all that, from the first record on.
    pub(super) reference: State,
    /// Digests at offsets, from whoever came there first.
    digests: BTreeMap<u64, (u64, usize)>,
    /// Where each message stands that is in a committed group.
    pub(super) entered: BTreeMap<u64, (DestinationId, u64)>,
    /// Messages whose senders were told that they are stored.
    pub(super) confirmed: BTreeSet<u64>,
    /// Messages that a consumer tried to settle, and those where it was told that they are.
    pub(super) settling: BTreeSet<u64>,
    pub(super) settled: BTreeSet<u64>,
    /// Messages of one transaction.
    pub(super) together: Vec<(u64, u64)>,
    pub(super) dispatched: u64,
    /// Messages that a consumer has had.
    pub(super) seen: BTreeSet<u64>,
}

/// The number in a message's body.
pub(super) fn number(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    text.split(' ').next()?.parse().ok()
}

impl Checks {
    /// A record is committed that nobody had committed before.
    fn choose(&mut self, view: &RecordView) -> Result<(), String> {
        if view.offset != self.chosen_end {
            return Err(format!("L3: committed from {} on, was up to {}", view.offset, self.chosen_end));
        }
        self.chosen.insert(view.end.0, view.crc);
        (self.last_at, self.chosen_end) = (view.offset, view.end);
        if view.kind == RecordKind::EpochStart as u8 {
            self.open.clear();
        }
        let record = Record::decode(view.kind, view.payload.clone()).map_err(|e| e.to_string())?;
        self.open.push((view.offset, record));
        if view.more {
            return Ok(());
        }
        let mut sent = Vec::new();
        for (offset, record) in std::mem::take(&mut self.open) {
            let applied = self.reference.apply(offset, &record);
            let Record::Message { places, message } = &record else { continue };
            let Some(number) = number(&message.body()).filter(|_| applied != Applied::Entered(0)) else {
                continue;
            };
            for (number, place) in (number..).zip(places.iter()) {
                let before = self.entered.insert(number, (place.destination, place.sequence.0));
                if before.is_some_and(|(destination, _)| !self.is_schedule(destination)) {
                    return Err(format!("M3: message {number} is stored twice"));
                }
                sent.extend(before);
            }
        }
        let stays = |(destination, sequence): &(DestinationId, u64)| {
            !self.reference.destination(*destination).is_some_and(|it| it.is_settled(*sequence))
        };
        match sent.iter().find(|it| stays(it)) {
            Some((_, sequence)) => Err(format!("M6: message {sequence} of the schedule is sent and stays")),
            None => Ok(()),
        }
    }

    fn is_schedule(&self, id: DestinationId) -> bool {
        let found = self.reference.destination(id);
        found.is_some_and(|it| it.destination().kind == DestinationKind::Schedule)
    }

    /// Whether a message is gone from the fold of all that is committed.
    pub(super) fn is_gone(&self, state: &State, number: u64) -> bool {
        let Some((destination, sequence)) = self.entered.get(&number) else { return false };
        state.destination(*destination).is_some_and(|it| it.is_settled(*sequence))
    }

    /// A message that nobody has consumed.
    pub(super) fn left(&self) -> Option<u64> {
        self.entered.keys().copied().find(|it| !self.is_gone(&self.reference, *it))
    }

    /// What a node that begins to serve must have in its state.
    fn served(&self, state: &State) -> Result<(), String> {
        for number in &self.confirmed {
            let Some((destination, sequence)) = self.entered.get(number) else { continue };
            let found = state.destination(*destination);
            if found.is_none_or(|it| it.next() <= *sequence) {
                return Err(format!("M1: message {number} is confirmed and not in the state"));
            }
            if !self.settling.contains(number) && self.is_gone(state, *number) {
                return Err(format!("M1: message {number} is confirmed, consumed by nobody and gone"));
            }
        }
        match self.settled.iter().find(|number| !self.is_gone(state, **number)) {
            Some(number) => Err(format!("M2: message {number} was settled and is there again")),
            None => Ok(()),
        }
    }

    fn digest(&mut self, n: usize, core: &Core) -> Result<(), String> {
        let (at, digest) = (core.applied.offset.0, core.broker.state().digest());
        match self.digests.insert(at, (digest, n)) {
            Some((other, by)) if other != digest => {
                Err(format!("L3: the states of n{by} and n{n} at {at} differ: {other:x}, {digest:x}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the log holds the record that ends at `end` with this checksum.
fn holds(core: &Core, at: Offset, end: Offset, crc: u32) -> bool {
    if core.log.base() >= end {
        return core.log.origin().0.offset > end || core.log.origin().1 == crc;
    }
    let Ok(bytes) = core.log.read(at, 1) else { return false };
    records(at, &bytes).next().is_some_and(|view| view.end == end && view.crc == crc)
}

impl World {
    /// Looks at a node after a step.
    pub(super) fn check_node(&mut self, n: usize) {
        self.check_epoch(n);
        self.check_commits(n);
        let Some(core) = self.machines[n].core() else { return };
        let (end, durable) = (core.log.end(), core.log.durable());
        let held = self.machines[n].held;
        // A slave that was away too long begins anew: what it held is below the committed base.
        if end < held && self.checks.reference.base() <= held {
            self.fail(&format!("L5: n{n} cuts to {end}, and {held} is committed"));
        }
        let machine = &mut self.machines[n];
        machine.durable = durable;
        machine.held = held.max(machine.seen.min(durable));
        let Some(core) = self.machines[n].core() else { return };
        if !core.broker.is_serving() {
            core.broker.check();
        }
        // A fold that began at the base knows nothing before the checkpoint.
        let whole = core.open_group.is_empty() && core.broker.state().base() >= core.log.base();
        if whole && self.rng.below(60) == 0 {
            let Some(core) = self.machines[n].running.as_ref().map(|running| &running.core) else { return };
            if let Err(why) = self.checks.digest(n, core) {
                self.fail(&why);
            }
        }
        self.check_serving(n);
    }

    /// The latest epoch that was ever led.
    pub(super) fn latest_epoch(&self) -> Epoch {
        self.leaders.keys().next_back().copied().unwrap_or_default()
    }

    fn check_epoch(&mut self, n: usize) {
        let Some(core) = self.machines[n].core().filter(|core| core.replica.leads()) else { return };
        let (epoch, who) = (core.replica.promise().epoch, (n, self.machines[n].life));
        if *self.leaders.entry(epoch).or_insert(who) != who {
            self.fail(&format!("E1: epoch {epoch} is led by n{} and n{n}", self.leaders[&epoch].0));
        }
    }

    fn check_commits(&mut self, n: usize) {
        let Some(running) = &self.machines[n].running else { return };
        let core = &running.core;
        let committed = core.replica.committed();
        let mut at = self.machines[n].seen.max(core.log.base());
        if self.machines[n].hurt {
            at = at.max(self.checks.chosen_end.min(committed));
        }
        let before = self.checks.chosen_end;
        while at < committed {
            let Ok(bytes) = core.log.read(at, 1 << 16) else {
                if self.machines[n].hurt {
                    // It will find out when it reads this itself.
                    return;
                }
                self.fail(&format!("n{n} has not what it takes for committed, at {at} of {committed}"));
            };
            if bytes.is_empty() {
                self.fail(&format!("n{n} commits {committed} and its log ends at {at}"));
            }
            for view in records(at, &bytes) {
                if view.offset >= committed {
                    break;
                }
                at = view.end;
                if view.end > self.checks.chosen_end {
                    if let Err(why) = self.checks.choose(&view) {
                        self.fail(&format!("n{n}: {why}"));
                    }
                } else if self.checks.chosen.get(&view.end.0) != Some(&view.crc) {
                    self.fail(&format!("L3: n{n} commits another record at {}", view.offset));
                }
            }
        }
        self.machines[n].seen = self.machines[n].seen.max(committed);
        if self.checks.chosen_end > before {
            self.check_quorum(n);
        }
    }

    /// Whoever commits first must have it on a quorum of disks (E5).
    fn check_quorum(&self, n: usize) {
        let Checks { last_at, chosen_end: end, chosen, .. } = &self.checks;
        let Some(crc) = chosen.get(&end.0) else { return };
        let epoch = self.machines[n].core().map_or(Epoch(0), |core| core.replica.promise().epoch);
        let held = |m: &usize| {
            let machine = &self.machines[*m];
            // Its acknowledgement may have been under way to a master of that time, for as long as that one stood still.
            if machine.lost.is_some_and(|(latest, had)| epoch <= latest && had >= *end) {
                return true;
            }
            match machine.core() {
                Some(core) => core.log.durable() >= *end && holds(core, *last_at, *end, *crc),
                None => machine.durable >= *end,
            }
        };
        let disks = (0..NODES).filter(held).count();
        if disks < NODES / 2 + 1 {
            self.fail(&format!("E5: n{n} commits {end}, which is on {disks} disks"));
        }
    }

    fn check_serving(&mut self, n: usize) {
        let serves = self.machines[n].serves();
        if serves == std::mem::replace(&mut self.machines[n].served, serves) || !serves {
            return;
        }
        self.note(|| format!("n{n} serves"));
        let Some(core) = self.machines[n].core() else { return };
        // A master that was held up may open its ports after a later one has: it commits and dispatches nothing any more.
        let own = core.replica.promise().epoch;
        if self.latest_epoch() > own {
            return;
        }
        let Checks { last_at, chosen_end, chosen, .. } = &self.checks;
        let whole = chosen.get(&chosen_end.0).is_none_or(|crc| holds(core, *last_at, *chosen_end, *crc));
        if !whole {
            self.fail(&format!("L2: n{n} serves without all that was committed, up to {chosen_end}"));
        }
        if let Err(why) = self.checks.served(core.broker.state()) {
            self.fail(&format!("n{n} serves, but {why}"));
        }
    }

    /// What must hold at the end of a run, when all is healed and quiet.
    pub(super) fn check_end(&mut self) {
        let digest = self.checks.reference.digest();
        for n in 0..NODES {
            let Some(core) = self.machines[n].core() else { self.fail("a healed node does not run") };
            let (applied, end) = (core.applied.offset, self.checks.chosen_end);
            if applied != end || core.log.end() != end {
                self.fail(&format!(
                    "V1: n{n} has applied {applied} of {end}, its log ends at {}",
                    core.log.end()
                ));
            }
            let own = core.broker.state().digest();
            if own != digest {
                self.fail(&format!("L3: n{n} has another state than the log says: {own:x}, {digest:x}"));
            }
            if !self.machines[n].hurt && core.log.verify(|_| ()).is_ok_and(|report| report.damage.is_some()) {
                self.fail(&format!("L6: the log of n{n} is damaged by nobody"));
            }
        }
        let checks = &self.checks;
        if let Some(lost) = checks.confirmed.iter().find(|it| !checks.entered.contains_key(it)) {
            self.fail(&format!("M1: message {lost} was confirmed and is nowhere"));
        }
        if let Some(left) = checks.left() {
            self.fail(&format!("V1: message {left} was never delivered and settled"));
        }
        let half =
            |(one, two): &&(u64, u64)| checks.entered.contains_key(one) != checks.entered.contains_key(two);
        if let Some((one, two)) = checks.together.iter().find(half) {
            self.fail(&format!("M5: of the transaction of {one} and {two} only one is stored"));
        }
    }
}
