//! The replica as a master: welcome slaves, count what is durable, commit, serve, and know when not to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::campaign::known;
use super::leading::{Leading, Slave, Stage};
use super::machine::{Reason, Replica, Role};
use super::quorum::{joint_offset, quorum_offset};
use super::{HEARTBEAT_EVERY, LACK_TIME, LEASE, LEASE_DRIFT, QUORUM_SILENCE_MAX, WINNER_TIME_MAX};
use crate::bugs;
use crate::coordination::{GroupRecord, GroupState, Master, View};
use crate::model::{Epoch, FORMAT, Offset, StoreId, Voter, quorum};
use crate::replication::{Ack, Action, ConnectionId, Heartbeat, Hello, Welcome};

impl Replica {
    fn leading(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leading(leading) => Some(leading),
            _ => None,
        }
    }

    /// This very member of this very process was chosen: it leads.
    pub(super) fn lead(&mut self, view: &View, group: &GroupRecord) {
        assert_eq!(group.promise(), self.identity.promise, "only a promised epoch can be led");
        self.end_role("this node was chosen as master");
        tracing::info!(epoch = %group.epoch, "Promoted to master");
        // The promises have been read, so they were made before now; every lease given earlier runs out until then. A
        // group of one is its own and only quorum: nobody else can hold a lease.
        let released = group.released.next() == group.epoch && group.released > Epoch(0);
        let alone = view.newest().count() == 1 && group.replicas == 1;
        let dispatch_from = if released || alone || bugs::on("lease_not_outlived") {
            self.now
        } else {
            self.now + LEASE + LEASE_DRIFT
        };
        self.role = Role::Leading(Box::new(Leading {
            stage: Stage::Starting,
            since: self.now,
            address: None,
            start: None,
            voters: group.voters.clone(),
            config: group.config,
            slaves: BTreeMap::new(),
            change: None,
            dispatch_from,
            dispatching: false,
            leaving: None,
            heartbeat_at: Duration::ZERO,
            reduced: None,
        }));
        self.reason = None;
        self.act(Action::Bind);
        if bugs::on("no_epoch_start") {
            let end = self.log.end;
            if let Some(leading) = self.leading() {
                leading.start = Some(end);
            }
            return;
        }
        self.act(Action::AppendEpochStart(group.epoch));
    }

    /// The master's own records are in the log up to `end`; the first of them is the one that starts the epoch.
    pub(super) fn appended(&mut self, end: Offset) {
        let epoch = self.identity.promise.epoch;
        let Some(leading) = self.leading() else { return };
        leading.start.get_or_insert(end);
        self.log.end = end;
        self.log.history.extend(epoch, end);
        self.advance();
    }

    pub(super) fn bound(&mut self, address: String) {
        if let Some(leading) = self.leading() {
            tracing::info!(%address, "Master started");
            leading.address = Some(address);
        }
    }

    /// A winner that cannot serve says why, and asks for another.
    pub(super) fn resign(&mut self, why: &str) {
        if self.leading().is_none() {
            return;
        }
        tracing::error!(why, "this node was chosen as master and cannot serve");
        self.unfit(why.to_owned());
        self.bump(Epoch(0), why);
    }

    /// Gives the mastership away: dispatch stops first, so the next master need not wait for the lease.
    pub(super) fn step_down(&mut self, why: &str) {
        let epoch = self.identity.promise.epoch;
        let Some(leading) = self.leading().filter(|leading| leading.leaving.is_none()) else { return };
        let held_lease = leading.dispatching;
        leading.dispatching = false;
        leading.dispatch_from = Duration::MAX;
        leading.leaving = Some((if held_lease { epoch } else { Epoch(0) }, why.to_owned()));
        self.act(Action::AllowDispatch(false));
        self.leave();
    }

    /// Asks for another master, as often as it takes, one write at a time.
    fn leave(&mut self) {
        let leaving = self.leading().and_then(|leading| leading.leaving.clone());
        if let Some((released, why)) = leaving.filter(|_| !self.writing()) {
            self.unfit(why.clone());
            self.bump(released, &why);
        }
    }

    fn bump(&mut self, released: Epoch, why: &str) {
        let Some((group, version)) = self.group() else { return };
        let Some(view) = self.view.as_deref() else { return };
        let record = view.bump(group, self.claim(), released, why);
        self.write_group(version, record);
    }

    pub(super) fn hello(&mut self, connection: ConnectionId, hello: &Hello) {
        if let Some(reason) = self.cannot_follow(hello) {
            self.act(Action::Refuse(connection, reason));
            return;
        }
        let Some(group_id) = self.identity.known.as_ref().map(|k| k.group_id) else { return };
        let mut common = self.log.history.common(&hello.history);
        if bugs::on("truncate_below_commit") {
            let ends = self.log.history.ends().iter().rev().map(|(_, end)| *end);
            common = ends.into_iter().find(|end| *end < common).unwrap_or_default();
        }
        let base = self.log.base;
        let behind = common < base.offset;
        let truncate_to = if behind { base.offset } else { common };
        let (promise, commit, previous) = (self.identity.promise, self.committed, self.log.base_previous);
        let Some(leading) = self.leading() else { return };
        let welcome = Welcome {
            promise,
            group_id,
            config: leading.config,
            voters: leading.voters.clone(),
            truncate_to,
            reset: behind.then_some((base.epoch, previous)),
            commit,
        };
        // A slave that promised less first promises, then dials again: this stream never counts.
        if hello.promised == promise {
            let older: Vec<_> = leading
                .slaves
                .iter()
                .filter(|(_, s)| s.node == hello.node && !bugs::on("slave_counted_twice"))
                .map(|(c, _)| *c)
                .collect();
            leading.slaves.retain(|_, s| s.node != hello.node || bugs::on("slave_counted_twice"));
            tracing::info!(node = %hello.node, from = %truncate_to, "Slave has connected");
            let (node, store, config) = (hello.node.clone(), hello.store, hello.config);
            let (durable, heard, short, in_step) = (Offset(0), None, false, false);
            leading.slaves.insert(connection, Slave { node, store, durable, heard, config, short, in_step });
            for stale in older {
                self.act(Action::Refuse(stale, "the same node has connected again".to_owned()));
            }
        }
        self.act(Action::Welcome(connection, Box::new(welcome)));
    }

    fn cannot_follow(&self, hello: &Hello) -> Option<String> {
        let mine = &self.settings;
        let group = self.identity.known.as_ref().map(|k| k.group_id);
        let differs = |what: &str, here: &dyn std::fmt::Display, there: &dyn std::fmt::Display| {
            Some(format!("the master has {what} {here}, node {} has {there}", hello.node))
        };
        match &self.role {
            Role::Leading(_) => {}
            _ => return Some("this node is not master".to_owned()),
        }
        if let (Some(here), Some(there)) = (group, hello.group_id)
            && here != there
        {
            return differs("group", &here, &there);
        }
        if hello.broker != mine.broker {
            return differs("broker name", &mine.broker, &hello.broker);
        }
        if hello.replicas != mine.replicas {
            return differs("replicas =", &mine.replicas, &hello.replicas);
        }
        if hello.format < FORMAT {
            return differs("record format", &FORMAT, &hello.format);
        }
        if hello.node == mine.node {
            return Some(format!("node {} is the master itself", hello.node));
        }
        if hello.promised > self.identity.promise {
            return differs("promise", &self.identity.promise, &hello.promised);
        }
        None
    }

    pub(super) fn slave_gone(&mut self, connection: ConnectionId) {
        if let Some(slave) = self.leading().and_then(|l| l.slaves.remove(&connection)) {
            tracing::warn!(node = %slave.node, "Slave has disconnected");
        }
    }

    pub(super) fn acknowledged(&mut self, connection: ConnectionId, ack: Ack) {
        let (end, now, committed) = (self.log.end, self.now, self.committed);
        let Some(leading) = self.leading() else { return };
        let Some(slave) = leading.slaves.get_mut(&connection) else { return };
        if ack.durable > end {
            leading.slaves.remove(&connection);
            self.act(Action::Refuse(
                connection,
                format!("acknowledged {}, the log ends at {end}", ack.durable),
            ));
            return;
        }
        slave.durable = slave.durable.max(ack.durable);
        slave.config = slave.config.max(ack.config);
        slave.short = ack.short;
        slave.in_step |= slave.durable >= committed;
        // Nobody can have heard what has not been sent yet.
        slave.heard = slave.heard.max((ack.heard > 0).then(|| Duration::from_nanos(ack.heard).min(now)));
        self.advance();
        self.hold_lease();
    }

    /// Moves the commit offset to what a quorum holds, but never by counting copies of an older epoch's records alone.
    pub(super) fn advance(&mut self) {
        let (durable, end, store, committed) =
            (self.log.durable, self.log.end, self.identity.store, self.committed);
        let Some(leading) = self.leading() else { return };
        let Some(start) = leading.start else { return };
        let held = |s: StoreId| {
            if s == store { Some(durable) } else { leading.slave_of(s).map(|slave| slave.durable) }
        };
        let quorum = match leading.next_voters() {
            _ if bugs::on("acknowledge_before_quorum") => durable,
            _ if bugs::on("slave_counted_twice") || bugs::on("non_voter_counted") => {
                leading.quorum_of_streams(durable)
            }
            Some(next) if bugs::on("voter_replaced_without_joint_quorum") => quorum_offset(&next, held),
            Some(next) => joint_offset(&leading.voters, &next, held),
            None => quorum_offset(&leading.voters, held),
        };
        let commit = quorum.min(end);
        if commit < start && !bugs::on("old_epoch_commits_by_count") || commit <= committed {
            return;
        }
        let first = leading.stage == Stage::Starting && commit >= start;
        self.committed = commit;
        self.act(Action::Commit(commit));
        if first {
            self.serve();
        }
    }

    fn serve(&mut self) {
        let Some(leading) = self.leading() else { return };
        leading.stage = Stage::Serving;
        leading.reduced = None;
        self.content();
        self.show_position();
        self.act(Action::Serve);
        self.hold_lease();
    }

    /// Regular duties: heartbeats, lease, quorum, deadline, voters.
    pub(super) fn lead_on(&mut self) {
        let now = self.now;
        let commit = self.committed;
        let Some(leading) = self.leading() else { return };
        if now.saturating_sub(leading.heartbeat_at) >= HEARTBEAT_EVERY
            || leading.heartbeat_at == Duration::ZERO
        {
            leading.heartbeat_at = now;
            let (config, voters) = (leading.config, leading.voters.clone());
            let sent = now.as_nanos() as u64;
            self.act(Action::Heartbeat(Heartbeat { sent, commit, config, voters }));
        }
        self.hold_lease();
        self.watch_quorum();
        self.leave();
        self.change_voters();
        self.watch_redundancy();
    }

    /// When the oldest of the newest words of a quorum of voters was asked for. This node always hears itself.
    fn quorum_heard(&self, leading: &Leading, now: Duration) -> Duration {
        let heard = |v: &Voter| {
            if v.store == self.identity.store { Some(now) } else { leading.slave_of(v.store)?.heard }
        };
        let mut times: Vec<_> = leading.voters.iter().filter_map(heard).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(quorum(leading.voters.len()) - 1).copied().unwrap_or(leading.since)
    }

    /// Whether messages may be dispatched at this moment: a quorum has answered what was sent within a lease.
    pub fn may_dispatch(&self, now: Duration) -> bool {
        let Role::Leading(leading) = &self.role else { return false };
        let held = now.saturating_sub(self.quorum_heard(leading, now)) < LEASE;
        let held = held || bugs::on("deposed_master_dispatches");
        leading.serving() && held && now >= leading.dispatch_from
    }

    /// Whether this master's disk, or those of so many voters that the others are no quorum, should take nothing but
    /// what makes room. A voter that is not attached has no say.
    pub fn lacks_room(&self) -> bool {
        let Role::Leading(leading) = &self.role else { return false };
        if self.short.is_some() {
            return true;
        }
        let short = |v: &Voter| leading.slave_of(v.store).map(|slave| slave.short);
        let has_room = |v: &&Voter| v.store == self.identity.store || short(v) == Some(false);
        let able = leading.voters.iter().filter(has_room).count();
        able < quorum(leading.voters.len()) && leading.voters.iter().any(|v| short(v) == Some(true))
    }

    /// The nodes whose disks should take nothing but what makes room, as far as this one knows.
    pub fn nodes_short(&self) -> Vec<&str> {
        let own = self.short.is_some().then_some(self.settings.node.as_str());
        let slaves = match &self.role {
            Role::Leading(leading) => leading.slaves.values().filter(|s| s.short).collect(),
            _ => Vec::new(),
        };
        own.into_iter().chain(slaves.into_iter().map(|s| s.node.as_str())).collect()
    }

    /// Below which offset no slave reads any more that follows. One that is `far` bytes behind, or `far_when_short` when
    /// its disk is full, is not waited for: it would keep the log of the others as long as it takes. It goes on behind
    /// the base, where it would have come anyway, and what it skips is of no use.
    pub fn read_by_slaves(&self, far: u64, far_when_short: u64) -> Option<Offset> {
        let Role::Leading(leading) = &self.role else { return None };
        let follows = |s: &&Slave| {
            let far = if s.short { far.min(far_when_short) } else { far };
            s.durable.0.saturating_add(far) >= self.log.end.0
        };
        leading.slaves.values().filter(follows).map(|s| s.durable).min()
    }

    fn hold_lease(&mut self) {
        let may = self.may_dispatch(self.now);
        if let Some(leading) = self.leading()
            && leading.dispatching != may
        {
            leading.dispatching = may;
            self.act(Action::AllowDispatch(may));
        }
    }

    fn watch_quorum(&mut self) {
        let (now, end) = (self.now, self.log.end);
        let Role::Leading(leading) = &self.role else { return };
        let silence = now.saturating_sub(self.quorum_heard(leading, now));
        match leading.stage {
            Stage::Starting if now.saturating_sub(leading.since) > WINNER_TIME_MAX && !self.writing() => {
                self.resign("no quorum has followed this node in time");
            }
            Stage::Serving if silence > QUORUM_SILENCE_MAX => {
                let line = format!(
                    "the quorum is lost: fewer than {} of {} voters answer",
                    quorum(leading.voters.len()),
                    leading.voters.len()
                );
                if let Some(leading) = self.leading() {
                    leading.stage = Stage::Suspended;
                }
                tracing::error!("{line}; client ports and connections are closed");
                self.reason = Some(Reason { text: line.clone(), unfit_until: None });
                self.hold_lease();
                self.act(Action::Suspend(line));
            }
            // What was under way has been committed by now, or the log would not have ended there.
            Stage::Suspended if silence < LEASE && self.committed == end => {
                tracing::info!("the quorum is back");
                self.serve();
            }
            _ => {}
        }
    }

    /// Says, in the log and in the member record, when the group holds fewer copies than it should, and when it no longer
    /// does. Not at once: every stream needs a moment to stand again after an election.
    fn watch_redundancy(&mut self) {
        let (now, own, replicas) = (self.now, self.identity.store, self.settings.replicas);
        let Some(leading) = self.leading().filter(|leading| leading.serving()) else { return };
        let answers = |s: &Slave| s.heard.is_some_and(|at| now.saturating_sub(at) < QUORUM_SILENCE_MAX);
        let in_step =
            |v: &&Voter| v.store == own || leading.slave_of(v.store).is_some_and(|s| s.in_step && answers(s));
        let here = leading.voters.iter().filter(in_step).count();
        if here >= replicas {
            if leading.reduced.take().is_some_and(|(_, said)| !said.is_empty()) {
                tracing::info!("all {replicas} voters are in step again");
                self.content();
            }
            return;
        }
        let missing: Vec<&str> =
            leading.voters.iter().filter(|v| !in_step(v)).map(|v| v.node.as_str()).collect();
        let mut line = format!("redundancy is reduced: {here} of {replicas} voters are in step");
        if !missing.is_empty() {
            line = format!("{line}; missing: {}", missing.join(", "));
        }
        let (since, said) = leading.reduced.get_or_insert_with(|| (now, String::new()));
        if now.saturating_sub(*since) >= LACK_TIME && *said != line {
            tracing::warn!("{line}");
            said.clone_from(&line);
            if self.reason.as_ref().is_none_or(|reason| reason.unfit_until.is_none()) {
                self.reason = Some(Reason { text: line, unfit_until: None });
            }
        }
    }

    /// Makes caught-up new stores voters, one at a time.
    fn change_voters(&mut self) {
        let (committed, replicas) = (self.committed, self.settings.replicas);
        if self.writing() {
            return;
        }
        let known = self.identity.known.as_ref().map_or(0, |k| k.config);
        let Some(leading) = self.leading().filter(|l| l.serving()) else { return };
        if leading.change.is_none() {
            let told = |v: &&Voter| leading.slave_of(v.store).is_some_and(|s| s.config >= leading.config);
            let here = usize::from(known >= leading.config);
            if here + leading.voters.iter().filter(told).count() < quorum(leading.voters.len()) {
                return;
            }
            let new = leading
                .slaves
                .values()
                .find(|s| leading.wants_vote(s, replicas) && s.durable >= committed && s.heard.is_some());
            let Some(new) = new else { return };
            tracing::info!(node = %new.node, store = %new.store, "Slave has now caught up: its new store becomes a voter");
            leading.change = Some(Voter { node: new.node.clone(), store: new.store });
        }
        self.write_voters();
    }

    /// Tries to write the new voters at the version in which this node read itself as master of its epoch.
    fn write_voters(&mut self) {
        let Role::Leading(leading) = &self.role else { return };
        let Some(voters) = leading.next_voters() else { return };
        let Some((group, version)) = self.group() else { return };
        let own =
            group.promise() == self.identity.promise && group.master.as_ref().is_some_and(|m| self.is_me(m));
        if own && group.config == leading.config {
            let grown = voters.len() > group.voters.len();
            let cause = if grown {
                "a store was added to the voters"
            } else {
                "a new store took the place of a lost one"
            };
            let cause = cause.to_owned();
            let record = GroupRecord { voters, config: group.config + 1, cause, ..group.clone() };
            self.write_group(version, record);
        }
    }

    /// The record of the own epoch, read while leading: take over its voters, and keep master and state true.
    pub(super) fn keep_record(&mut self, view: &View, group: &GroupRecord, version: i32) {
        let Some(leading) = self.leading() else { return };
        if group.config > leading.config {
            leading.voters = group.voters.clone();
            leading.config = group.config;
            leading.change = None;
            self.remember(known(group));
            self.advance();
        }
        if view.answered < self.writes {
            return;
        }
        let Role::Leading(leading) = &self.role else { return };
        let state = if leading.serving() { GroupState::Serving } else { GroupState::Electing };
        let Some(mine) = view.members.iter().find(|m| Some(m.id) == view.mine) else { return };
        let master = Master { member: mine.id, guid: mine.record.guid, node: mine.record.node.clone() };
        let renamed = group.master.as_ref() != Some(&master);
        // The state never goes back: a suspended master is still the epoch's master.
        if renamed || state == GroupState::Serving && group.state != state {
            let state = if state == GroupState::Serving { state } else { group.state };
            self.write_group(version, GroupRecord { master: Some(master), state, ..group.clone() });
        }
    }
}
