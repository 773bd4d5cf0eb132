//! The rules of election, as pure functions of what ZooKeeper shows. The replica and the model checker call the same ones.
//!
//! Words as in ARCHITECTURE.md: a *voter* is a store named in the group record; a lingering member of a dead session is
//! recognised as the same node and never counted twice.

use crate::bugs;
use crate::model::{Claim, Epoch, Known, Position, Voter, quorum};

use super::{GroupRecord, GroupState, Master, Member, View};

/// How many of so many voters, besides the master, must suspect it: so many that it has no quorum without them.
pub fn suspicion(voters: usize) -> usize {
    voters - quorum(voters) + 1
}

/// Why an election should start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// So many voters suspect the master that it can have no quorum.
    MasterSuspected,
    /// A member has promised more than the record says, or the same number with another claim.
    RecordBehindPromises,
}

/// What makes one log higher than another: all of its position.
fn height(position: Position) -> Position {
    if bugs::on("compare_by_length") { Position { epoch: Epoch(0), ..position } } else { position }
}

impl View {
    /// The newest member of each node, lowest member first. An older one of the same node lingers until it expires.
    pub fn newest(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| {
            bugs::on("member_counted_twice")
                || !self.members.iter().any(|o| o.record.node == m.record.node && o.id > m.id)
        })
    }

    /// The newest members whose store is a voter of `group`.
    fn voters<'a>(&'a self, group: &'a GroupRecord) -> impl Iterator<Item = &'a Member> {
        let named = |m: &Member| group.voters.iter().any(|v| v.node == m.record.node);
        self.newest().filter(move |m| group.votes(m.record.store) || bugs::on("wiped_disk_votes") && named(m))
    }

    /// Whether the record's master is still a member: the newest of its node, with the guid that was chosen.
    pub fn master_present(&self, group: &GroupRecord) -> bool {
        group.master.as_ref().is_some_and(|master| self.newest().any(|m| m.record.guid == master.guid))
    }

    /// How many voters have promised `group`'s epoch and claim with a log not above `limit`.
    fn promises(&self, group: &GroupRecord, limit: Position) -> usize {
        self.voters(group)
            .filter(|m| {
                m.record.promise() == group.promise() && height(m.record.log_position()) <= height(limit)
            })
            .count()
    }

    /// Whether every voter in sight has promised: then nobody better can turn up, and there is nothing to wait for.
    pub fn all_promised(&self, group: &GroupRecord) -> bool {
        let promised = self.voters(group).filter(|m| m.record.promise() == group.promise()).count();
        promised == group.voters.len()
    }

    /// Who should lead `group`'s epoch: the fit voter with the highest log, then weight, then lowest member, if it is
    /// at least as high as a quorum of promises.
    pub fn winner<'a>(&'a self, group: &'a GroupRecord) -> Option<&'a Member> {
        let rank = |m: &&Member| (height(m.record.log_position()), m.record.weight, std::cmp::Reverse(m.id));
        let promised = |m: &&Member| m.record.promise() == group.promise() && !m.record.unfit;
        let best = self.voters(group).filter(promised).max_by_key(rank)?;
        (self.promises(group, best.record.log_position()) >= quorum(group.voters.len())).then_some(best)
    }

    /// Whether a new election is due, and why.
    pub fn due(&self, group: &GroupRecord) -> Option<Due> {
        let suspects = |m: &&Member| {
            let master = group.master.as_ref().is_some_and(|master| master.guid == m.record.guid);
            !master && m.record.suspects == group.epoch
        };
        let needed = suspicion(group.voters.len());
        if group.master.is_some() && self.voters(group).filter(suspects).count() >= needed {
            return Some(Due::MasterSuspected);
        }
        let ahead = |m: &Member| {
            m.record.promised > group.epoch
                || m.record.promised == group.epoch && m.record.claim != group.claim
        };
        self.newest().any(ahead).then_some(Due::RecordBehindPromises)
    }

    /// Highest epoch in sight: of the record, of every promise, of everything that a member knows.
    fn epoch_in_sight(&self) -> Epoch {
        let known = |m: &Member| m.record.known.as_ref().map_or(Epoch(0), |k| k.epoch);
        let of_members =
            self.members.iter().map(|m| m.record.promised.max(known(m))).max().unwrap_or_default();
        self.group.as_ref().map_or(of_members, |(group, _)| group.epoch.max(of_members))
    }

    /// The record that begins the next epoch after `group`'s.
    pub fn bump(&self, group: &GroupRecord, claim: Claim, released: Epoch, cause: &str) -> GroupRecord {
        let epoch = self.epoch_in_sight().max(group.epoch).next();
        GroupRecord {
            epoch,
            claim,
            state: GroupState::Electing,
            master: None,
            released,
            cause: cause.to_owned(),
            ..group.clone()
        }
    }

    /// The record with `member` as the epoch's master.
    pub fn choose(group: &GroupRecord, member: &Member) -> GroupRecord {
        let master = Master { member: member.id, guid: member.record.guid, node: member.record.node.clone() };
        GroupRecord { master: Some(master), ..group.clone() }
    }

    /// What the members in sight know of a group whose record is lost: the highest (epoch, config), if a quorum of its
    /// voters is in sight.
    pub fn lost_group(&self) -> Option<&Known> {
        if bugs::on("emptied_zookeeper_starts_blank") {
            return None;
        }
        let best = self.newest_known()?;
        (self.survivors(&best.voters).count() >= quorum(best.voters.len())).then_some(best)
    }

    /// The highest (epoch, config) that a member in sight knows.
    pub fn newest_known(&self) -> Option<&Known> {
        self.newest().filter_map(|m| m.record.known.as_ref()).max_by_key(|k| (k.epoch, k.config))
    }

    /// The members in sight whose store is one of `voters`.
    pub fn survivors<'a>(&'a self, voters: &'a [Voter]) -> impl Iterator<Item = &'a Member> {
        self.newest().filter(|m| voters.iter().any(|v| v.store == m.record.store))
    }

    /// Whether a new group may be founded: exactly `replicas` members, every one of them blank. Fewer, or a single one
    /// that knows a group, could found a second group beside a living one; one that has lost its identity and not its
    /// log would lead or follow with records of later epochs than the new group's first.
    pub fn may_found(&self, replicas: usize) -> bool {
        if bugs::on("emptied_zookeeper_starts_blank") {
            return self.newest().count() >= quorum(replicas);
        }
        self.members.len() == replicas
            && self.newest().count() == replicas
            && self.newest().all(|m| m.record.known.is_none() && m.record.promised == Epoch(0))
            && self.strays().next().is_none()
    }

    /// The members in sight that have a log and do not know whose.
    pub fn strays(&self) -> impl Iterator<Item = &Member> {
        self.newest().filter(|m| m.record.known.is_none() && m.record.position_epoch > Epoch(0))
    }

    /// The voters of a group founded by the members in sight.
    pub fn founders(&self) -> Vec<Voter> {
        self.newest().map(|m| Voter { node: m.record.node.clone(), store: m.record.store }).collect()
    }

    /// An epoch above everything in sight, for a record that is created.
    pub fn fresh_epoch(&self) -> Epoch {
        self.epoch_in_sight().next()
    }
}
