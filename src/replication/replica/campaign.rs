//! What a replica does about the tree: found or recreate the group, promise, start an election, choose a winner, lead or
//! follow. Everything here may be done by several nodes at once; compare-and-set lets one of them through.

use std::time::Duration;

use super::following::Following;
use super::machine::{Intent, Replica, Role};
use crate::bugs;
use crate::coordination::{Due, GroupRecord, GroupState, Master, View};
use crate::model::{Epoch, FORMAT, GroupId, Known, Voter, quorum};
use crate::replication::Action;

/// How long an elector waits for a better candidate once a quorum has promised.
const SETTLE: Duration = Duration::from_millis(30);
/// How much later each next member acts, so that they do not all write at once and no single one can stall.
const RANK_DELAY: Duration = Duration::from_millis(60);

/// A group of which fewer than a quorum is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What is known of it.
    pub from: Known,
    /// Its voters that are in sight.
    pub voters: Vec<Voter>,
}

impl Replica {
    /// Looks at the tree and does what it calls for. Called after every view and every tick.
    pub(super) fn look(&mut self) {
        let Some(view) = self.view.take() else { return };
        if view.mine.is_some() && self.mine_is_in(&view) {
            match &view.group {
                Some((group, version)) => self.look_at(&view, group, *version),
                None => self.look_at_nothing(&view),
            }
        }
        // Only `look` takes the view, and it runs to its end before another event is taken.
        self.view = Some(view);
    }

    fn mine_is_in(&self, view: &View) -> bool {
        view.members.iter().any(|m| Some(m.id) == view.mine)
    }

    fn look_at(&mut self, view: &View, group: &GroupRecord, version: i32) {
        if let Some(conflict) = self.conflict(group) {
            self.act(Action::Fatal(conflict));
            return;
        }
        self.warn_of_strangers(view);
        if group.epoch > self.identity.promise.epoch {
            self.make_promise(group.promise(), known(group));
        }
        // A record older than a promise, or of another claim, binds nobody; it only calls for an election.
        if group.promise() == self.identity.promise {
            self.look_at_own_epoch(view, group, version);
        }
        if view.answered < self.writes {
            return;
        }
        if let Some(due) = view.due(group) {
            self.campaign(view, group, version, due);
        } else if group.master.is_none() && group.promise() == self.identity.promise {
            self.choose(view, group, version);
        } else {
            self.intent = None;
        }
    }

    /// The record is of the epoch that this node has promised: lead, follow, or go on.
    fn look_at_own_epoch(&mut self, view: &View, group: &GroupRecord, version: i32) {
        let newer =
            self.identity.known.as_ref().is_none_or(|k| (k.epoch, k.config) < (group.epoch, group.config));
        if newer {
            self.remember(known(group));
        }
        let Some(master) = &group.master else {
            if matches!(self.role, Role::Following(_)) && !bugs::on("lower_epoch_accepted") {
                self.end_role("the epoch has no master");
            }
            return;
        };
        if self.chosen_since.is_none_or(|(promise, _)| promise != group.promise()) {
            self.chosen_since = Some((group.promise(), self.now));
        }
        let me = view.members.iter().any(|m| Some(m.id) == view.mine && m.record.guid == master.guid)
            || bugs::on("earlier_run_leads_on") && master.node == self.settings.node;
        if matches!(self.role, Role::Leading(_)) {
            self.keep_record(view, group, version);
        } else if me {
            self.lead(view, group);
        } else {
            self.follow(view, master);
        }
    }

    fn follow(&mut self, view: &View, master: &Master) {
        if master.node == self.settings.node {
            // An earlier run of this very node was chosen. It leads no more, and nobody follows it.
            self.end_role("an earlier run of this node was chosen");
            return;
        }
        let address =
            view.members.iter().find(|m| m.record.guid == master.guid).and_then(|m| m.record.address.clone());
        match &mut self.role {
            Role::Following(following) if following.master.node == master.node => {
                following.master = master.clone();
                following.address = address.or(following.address.take());
            }
            Role::Leading(_) => return,
            _ => {
                self.end_role("another master was chosen");
                self.role = Role::Following(Following::new(master.clone(), address));
            }
        }
        self.follow_on();
    }

    /// No record: found a group, recreate a lost one, or say what is missing.
    fn look_at_nothing(&mut self, view: &View) {
        if view.answered < self.writes {
            return;
        }
        self.warn_of_strangers(view);
        let replicas = self.settings.replicas;
        if let Some(differing) = self.differing_member(view) {
            self.explain(differing);
        } else if let Some(lost) = view.lost_group() {
            if self.ready(view, Intent::Recreate, Duration::ZERO) {
                let lost = lost.clone();
                // A lone broker keeps its record in memory; it begins anew with each start.
                let cause = if replicas == 1 {
                    "the only node of the group has started"
                } else {
                    tracing::warn!(
                        "the group's record is gone from ZooKeeper; it is created anew with a new epoch"
                    );
                    "the group record was lost"
                };
                self.create(view, lost.group_id, lost.voters, lost.config, cause);
            }
        } else if view.may_found(replicas) {
            if self.ready(view, Intent::Found, Duration::ZERO) {
                let id = GroupId(u128::from((self.claims)()) << 64 | u128::from((self.claims)()));
                self.create(view, id, view.founders(), 0, "the group was founded");
            }
        } else {
            self.intent = None;
            self.explain(self.what_is_missing(view));
        }
    }

    fn create(&mut self, view: &View, id: GroupId, voters: Vec<Voter>, config: u64, cause: &str) {
        let record = GroupRecord {
            id: self.settings.broker.clone(),
            epoch: view.fresh_epoch(),
            claim: self.claim(),
            state: GroupState::Electing,
            master: None,
            voters,
            config,
            replicas: self.settings.replicas,
            group_id: id,
            format: FORMAT,
            released: Epoch(0),
            cause: cause.to_owned(),
        };
        self.write_group(view.version, record);
    }

    fn what_is_missing(&self, view: &View) -> String {
        let replicas = self.settings.replicas;
        let members = view.newest().count();
        let line = "Not enough cluster members connected to elect a master.";
        if let Some(known) = view.newest_known() {
            let (here, needed) = (view.survivors(&known.voters).count(), quorum(known.voters.len()));
            return format!("{line} {here} of the {needed} voters needed are here");
        }
        if let Some(stray) = view.strays().next() {
            return format!(
                "{line} A new group is founded by blank nodes; the data directory of {} has a log and has lost its identity",
                stray.record.node
            );
        }
        format!("{line} A new group is founded by all {replicas} of its nodes; {members} are here")
    }

    /// Another member that is configured for another group, if there is one.
    fn differing_member(&self, view: &View) -> Option<String> {
        let mine = &self.settings;
        view.newest().find_map(|m| {
            let r = &m.record;
            if r.id != mine.broker {
                Some(format!("node {} has broker name {:?}, this node has {:?}", r.node, r.id, mine.broker))
            } else if r.replicas != mine.replicas {
                Some(format!(
                    "node {} has replicas = {}, this node has {}",
                    r.node, r.replicas, mine.replicas
                ))
            } else {
                None
            }
        })
    }

    /// Why this node can never be part of the group that the record describes.
    fn conflict(&self, group: &GroupRecord) -> Option<String> {
        let mine = &self.settings;
        if let Some(known) = self.identity.known.as_ref().filter(|k| k.group_id != group.group_id) {
            return Some(format!(
                "the data directory belongs to group {}, but ZooKeeper shows group {}: \
                 check zk_path and data_directory",
                known.group_id, group.group_id
            ));
        }
        let differs = |what: &str, theirs: &dyn std::fmt::Display, ours: &dyn std::fmt::Display| {
            Some(format!("the group has {what} = {theirs}, this node is configured with {ours}"))
        };
        if group.id != mine.broker {
            return differs("broker name", &group.id, &mine.broker);
        }
        if group.replicas != mine.replicas {
            return differs("replicas", &group.replicas, &mine.replicas);
        }
        if group.format > FORMAT {
            return differs("record format", &group.format, &FORMAT);
        }
        None
    }

    fn warn_of_strangers(&mut self, view: &View) {
        let (most, here) = (self.settings.replicas, view.newest().count());
        if here > most {
            self.explain(format!(
                "Too many cluster members are connected.  Expected at most {most} members but there are {here} connected."
            ));
        }
    }

    /// What an operator's recovery would do now: for a group that has lost a quorum of its voters for good.
    ///
    /// # Errors
    /// Why there is nothing to recover, or nothing to recover it with; for people.
    pub fn recovery(&self) -> Result<Recovery, String> {
        let Some(view) = self.view.as_deref().filter(|view| view.mine.is_some() && self.mine_is_in(view))
        else {
            return Err("this node has no member in ZooKeeper now".to_owned());
        };
        if self.writing() {
            return Err("this node has a write under way; ask again".to_owned());
        }
        let of_members = || view.newest_known().cloned().ok_or("no member in sight knows a group");
        let from = view.group.as_ref().map_or_else(of_members, |(group, _)| Ok(known(group)))?;
        if self.identity.known.as_ref().is_some_and(|mine| mine.group_id != from.group_id) {
            return Err("this node belongs to another group".to_owned());
        }
        let voters: Vec<Voter> = view
            .survivors(&from.voters)
            .map(|m| Voter { node: m.record.node.clone(), store: m.record.store })
            .collect();
        let (here, needed) = (voters.len(), quorum(from.voters.len()));
        if here >= needed {
            return Err(format!("{here} voters are in sight and {needed} are a quorum: nothing is lost"));
        }
        if voters.is_empty() {
            return Err("no voter's store is left: there is nothing to recover from".to_owned());
        }
        Ok(Recovery { from, voters })
    }

    /// Carries out what an operator decided: the voters that are in sight are all the voters there are, from a new epoch
    /// on. The others, should they come back, have no vote until they have caught up.
    pub(super) fn recover(&mut self) {
        let Ok(Recovery { from, voters }) = self.recovery() else { return };
        let Some(view) = self.view.take() else { return };
        let cause = "an operator recovered the group from the voters that were left";
        tracing::warn!(voters = voters.len(), lost = from.voters.len() - voters.len(), "{cause}");
        match &view.group {
            Some((group, version)) => {
                let record = view.bump(group, self.claim(), Epoch(0), cause);
                self.write_group(*version, GroupRecord { voters, config: from.config + 1, ..record });
            }
            None => self.create(&view, from.group_id, voters, from.config + 1, cause),
        }
        self.view = Some(view);
    }

    /// An election is due: the lowest member that is not the master bumps the epoch, the others follow by rank.
    fn campaign(&mut self, view: &View, group: &GroupRecord, version: i32, due: Due) {
        if self.ready(view, Intent::Bump(group.epoch, due), Duration::ZERO) {
            let cause = match due {
                Due::MasterSuspected => "the master was suspected",
                Due::RecordBehindPromises => "the record was behind the promises",
            };
            tracing::info!(epoch = %group.epoch, cause, "starting an election");
            self.write_group(version, view.bump(group, self.claim(), Epoch(0), cause));
        }
    }

    /// The epoch has no master yet: choose the winner, after a moment for a better candidate that is slow.
    fn choose(&mut self, view: &View, group: &GroupRecord, version: i32) {
        let Some(winner) = view.winner(group) else {
            self.intent = None;
            let line = "Not enough cluster members have reported their update positions yet.";
            let promised = view.newest().filter(|m| group.votes(m.record.store));
            let promised = promised.filter(|m| m.record.promise() == group.promise()).count();
            self.explain(format!("{line} {promised} of the {} voters needed", quorum(group.voters.len())));
            return;
        };
        let settle = if view.all_promised(group) { Duration::ZERO } else { SETTLE };
        if self.ready(view, Intent::Choose(group.epoch), settle) {
            tracing::info!(epoch = %group.epoch, node = %winner.record.node, position = %winner.record.log_position(), "chosen as master");
            self.write_group(version, View::choose(group, winner));
        }
    }

    /// Whether this node's turn has come to do what has been called for since `intent` was first seen.
    fn ready(&mut self, view: &View, intent: Intent, wait: Duration) -> bool {
        let since = match self.intent {
            Some((same, since)) if same == intent => since,
            _ => self.now,
        };
        self.intent = Some((intent, since));
        let master = view.group.as_ref().and_then(|(group, _)| group.master.as_ref());
        let others = view.newest().filter(|m| master.is_none_or(|master| master.guid != m.record.guid));
        // A member that has not even promised this epoch may be gone: it ranks behind those that have.
        let mine = view.mine;
        let alive = |m: &&crate::coordination::Member| {
            Some(m.id) == mine || m.record.promised >= self.identity.promise.epoch
        };
        let rank = others.filter(alive).take_while(|m| Some(m.id) != mine).count() as u32;
        self.now.saturating_sub(since) >= wait + RANK_DELAY * rank
    }
}

/// What is worth remembering of a record.
pub(super) fn known(group: &GroupRecord) -> Known {
    Known { group_id: group.group_id, epoch: group.epoch, config: group.config, voters: group.voters.clone() }
}
