//! What the node shows of itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::coordination::{GroupRecord, GroupState, Member};
use crate::model::{Epoch, Offset, Position, StoreId, quorum};
use crate::replication::{Recovery, ReplicaSettings};

use super::core::Core;
use super::snapshot::Counts;
use super::{
    Alarm, ElectionStatus, Fsyncs, GroupStatus, MemberStatus, RecoveryPlan, RequestError, Role, Snapshot,
    Status,
};

/// A snapshot that nobody asked for is made so often, and so often the state is looked at for its digest.
const EVERY: Duration = Duration::from_millis(200);
/// A snapshot that somebody asked for is made at most so often, so that those who ask share one.
const EVERY_ASKED: Duration = Duration::from_millis(20);
/// The digest of a large state takes at most this part of the node's time, as long as it is younger than [`DIGEST_AGE_MAX`].
const DIGEST_SHARE: u32 = 100;
/// However long a digest took, the next one does not wait longer.
const DIGEST_AGE_MAX: Duration = Duration::from_secs(10);
/// Damages that are remembered for the alarms.
const DAMAGES_MAX: usize = 16;

/// What is told and nowhere else kept.
pub(super) struct StatusMaker {
    settings: ReplicaSettings,
    store: StoreId,
    store_path: String,
    zk_path: Option<String>,
    open_to_all: Vec<String>,
    started_ms: i64,
    pace: Pace,
    master: Option<String>,
    election: Option<ElectionStatus>,
    /// When that was seen to begin, by the monotonic clock.
    election_began: Duration,
    damages: Vec<String>,
    digest: Digest,
}

/// When snapshots are made.
#[derive(Default)]
struct Pace {
    /// When the last one was made.
    made_at: Option<Duration>,
    /// Those who wait for the next one.
    waiting: Vec<oneshot::Sender<Arc<Snapshot>>>,
}

impl Pace {
    /// Whether one is due.
    fn is_due(&self, now: Duration) -> bool {
        let every = if self.waiting.is_empty() { EVERY } else { EVERY_ASKED };
        self.made_at.is_none_or(|at| now.saturating_sub(at) >= every)
    }

    fn made(&mut self, at: Duration, snapshot: &Arc<Snapshot>) {
        self.made_at = Some(at);
        for waiting in self.waiting.drain(..) {
            // Whoever asked may have gone.
            let _ = waiting.send(Arc::clone(snapshot));
        }
    }
}

/// The last digest of the state.
#[derive(Default)]
struct Digest {
    /// How much was applied when it was made, and the digest; none yet.
    made: Option<(Offset, u64)>,
    /// When the state was looked at for it.
    sought_at: Option<Duration>,
    /// What was applied then.
    applied: Offset,
    /// How long it took.
    cost: Duration,
}

impl Digest {
    /// The digest walks the whole state, so a new one is due only when nothing was applied for a while.
    fn is_due(&mut self, now: Duration, applied: Offset) -> bool {
        let every = EVERY.max((self.cost * DIGEST_SHARE).min(DIGEST_AGE_MAX));
        if self.sought_at.is_some_and(|at| now.saturating_sub(at) < every) {
            return false;
        }
        self.sought_at = Some(now);
        let quiet = std::mem::replace(&mut self.applied, applied) == applied;
        self.made.is_none_or(|(at, _)| quiet && at != applied)
    }

    fn made(&mut self, applied: Offset, digest: u64, cost: Duration) {
        (self.made, self.cost) = (Some((applied, digest)), cost);
    }
}

impl StatusMaker {
    pub(super) fn new(
        settings: ReplicaSettings,
        store: StoreId,
        store_path: String,
        zk_path: Option<String>,
        open_to_all: Vec<String>,
        started_ms: i64,
    ) -> StatusMaker {
        StatusMaker {
            settings,
            store,
            store_path,
            zk_path,
            open_to_all,
            started_ms,
            pace: Pace::default(),
            master: None,
            election: None,
            election_began: Duration::ZERO,
            damages: Vec::new(),
            digest: Digest::default(),
        }
    }

    /// Somebody waits for a snapshot that begins after this. They are as many as the console lets in.
    pub(super) fn look(&mut self, reply: oneshot::Sender<Arc<Snapshot>>) {
        // Those whose patience is over are not told any more.
        self.pace.waiting.retain(|waiting| !waiting.is_closed());
        self.pace.waiting.push(reply);
    }

    pub(super) fn node(&self) -> &str {
        &self.settings.node
    }

    pub(super) fn replicas(&self) -> usize {
        self.settings.replicas
    }

    /// Name of the master's node, as last seen.
    pub(super) fn master(&self) -> Option<&str> {
        self.master.as_deref()
    }

    pub(super) fn damage(&mut self, damage: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    /// Follows the elections as they show in the record.
    fn see(&mut self, group: Option<&GroupRecord>, now: Duration, wall: i64) {
        let Some(group) = group else { return };
        self.master = group.master.as_ref().map(|m| m.node.clone());
        if self.election.as_ref().is_none_or(|e| e.epoch != group.epoch) {
            let (epoch, reason) = (group.epoch, group.cause.clone());
            let number = self.election.as_ref().map_or(0, |before| before.number) + 1;
            self.election =
                Some(ElectionStatus { number, epoch, reason, winner: None, started_ms: wall, took_ms: None });
            self.election_began = now;
        }
        if let Some(election) = &mut self.election {
            election.winner = self.master.clone();
            if group.state == GroupState::Serving && election.took_ms.is_none() {
                election.took_ms = Some(now.saturating_sub(self.election_began).as_millis() as u64);
            }
        }
    }
}

impl Core {
    /// Renews the snapshot when it is old enough, and answers those who wait for it.
    pub(super) fn show_status(&mut self) {
        let (now, wall) = self.time();
        let serving = *self.outside.serving.borrow();
        let shown = self.outside.snapshots.borrow().status.serving;
        if !self.status.pace.is_due(now) && serving == shown {
            return;
        }
        let group = self.replica.view().and_then(|view| view.group.as_ref()).map(|(group, _)| group.clone());
        self.status.see(group.as_ref(), now, wall);
        if self.status.digest.is_due(now, self.applied.offset) {
            let digest = self.broker.renew_digest();
            self.status.digest.made(self.applied.offset, digest, self.clock.now().saturating_sub(now));
        }
        let group_status = self.status.zk_path.as_ref().map(|path| self.group_status(path, group.as_ref()));
        let status = self.node_status(group.as_ref(), serving);
        let snapshot = Arc::new(Snapshot { status, group: group_status });
        self.status.pace.made(now, &snapshot);
        self.outside.snapshots.send_replace(snapshot);
    }

    fn role(&self) -> Role {
        if self.replica.leads() {
            Role::Master
        } else if self.replica.follows() {
            Role::Slave
        } else if self.replica.promise().epoch > Epoch(0) {
            Role::Electing
        } else {
            Role::Waiting
        }
    }

    fn node_status(&self, group: Option<&GroupRecord>, serving: bool) -> Status {
        let (maker, log, figures) = (&self.status, self.replica.log(), self.broker.figures());
        let (digest_at, digest) = maker.digest.made.unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            broker: maker.settings.broker.clone(),
            node: maker.settings.node.clone(),
            role: self.role(),
            serving,
            reason: self.replica.reason().map(str::to_owned).or_else(|| self.missing_tree()),
            epoch: group.map_or(self.replica.promise().epoch, |g| g.epoch),
            master: maker.master.clone(),
            listening: self.outside.listening.borrow().clone(),
            promised: self.replica.promise(),
            store: maker.store,
            store_path: maker.store_path.clone(),
            base: log.base.offset,
            end: Position { epoch: log.history.position().epoch, offset: log.end },
            durable: log.durable,
            fsyncs: Fsyncs { count: self.log.syncs(), took_us: self.log.syncs_took().as_micros() as u64 },
            committed: self.replica.committed(),
            applied: self.applied.offset,
            digest: format!("{digest:016x}"),
            digest_at,
            election: maker.election.clone(),
            alarms: self.alarms(group),
            counts: Counts {
                destination_count: figures.destination_count(),
                scheduled_count: figures.scheduled(),
                connection_count: figures.connection_count(),
            },
            started_ms: maker.started_ms,
            time_ms: self.clock.wall_ms(),
        }
    }

    /// Why this node has not seen the group's tree yet.
    fn missing_tree(&self) -> Option<String> {
        let waits = |error: &String| format!("this node waits for ZooKeeper: {error}");
        let unseen = self.coordinator_error.as_ref().filter(|_| self.replica.view().is_none());
        self.twin.clone().or_else(|| unseen.map(waits))
    }

    fn alarms(&self, group: Option<&GroupRecord>) -> Vec<Alarm> {
        let alarm = |name: &str, message: String| Alarm { name: name.to_owned(), message };
        let mut alarms: Vec<_> =
            self.status.damages.iter().map(|d| alarm("store-damaged", d.clone())).collect();
        if let Some(reason) = &self.space.short {
            alarms.push(alarm("disk-full", reason.clone()));
        }
        if let Some(reason) = &self.space.held {
            alarms.push(alarm("producers-held", format!("persistent sends wait: {reason}")));
        }
        if let Some(error) = &self.coordinator_error {
            alarms.push(alarm("zookeeper-unreachable", error.clone()));
        }
        alarms.extend(self.twin.iter().map(|twin| alarm("node-is-there-twice", twin.clone())));
        alarms.extend(self.names.troubles().into_iter().map(|trouble| alarm("names", trouble)));
        alarms.extend(self.status.open_to_all.iter().map(|risk| alarm("open-to-all", risk.clone())));
        let replicas = self.status.settings.replicas;
        if let Some(group) = group.filter(|_| self.replica.leads()) {
            let own = |store: StoreId| store == self.status.store;
            let attached = |store: StoreId| self.replica.slaves().any(|(_, s, _)| s == store);
            let here = group.voters.iter().filter(|v| own(v.store) || attached(v.store)).count();
            if here < quorum(group.voters.len()) {
                alarms.push(alarm(
                    "no-quorum",
                    format!("{here} of {} voters are attached", group.voters.len()),
                ));
            } else if here < replicas {
                let text =
                    format!("{here} of {replicas} voters are attached; the next loss may stop service");
                alarms.push(alarm("reduced-redundancy", text));
            }
        }
        alarms
    }

    fn group_status(&self, path: &str, group: Option<&GroupRecord>) -> GroupStatus {
        let replicas = self.status.settings.replicas;
        let mut status = GroupStatus {
            zk_path: path.to_owned(),
            zk_connected: self.coordinator_error.is_none() && self.replica.view().is_some(),
            replicas,
            quorum: quorum(group.map_or(replicas, |group| group.voters.len())),
            election: self.status.election.clone(),
            alarms: self.alarms(group),
            ..GroupStatus::default()
        };
        if let Some(group) = group {
            status.group_id = Some(group.group_id);
            status.state = if group.state == GroupState::Serving { "serving" } else { "electing" }.to_owned();
            status.epoch = group.epoch;
            status.claim = group.claim;
            status.master = group.master.as_ref().map(|m| m.member.to_string());
            status.config = group.config;
            status.voters = group.voters.clone();
            status.format = group.format;
        }
        let members = self.replica.view().map(|view| &view.members[..]).unwrap_or_default();
        status.members = members.iter().map(|m| self.member_status(m, group)).collect();
        status
    }

    /// Whether this node can hand over: it serves, and a voter that is attached and has all that is committed can be
    /// chosen. Otherwise nobody would be served until this node is chosen again.
    pub(super) fn may_step_down(&self) -> Result<(), RequestError> {
        if !self.replica.serving() {
            return Err(RequestError::NotMaster(self.status.master().map(str::to_owned)));
        }
        let view = self.replica.view();
        let group = view.and_then(|view| view.group.as_ref()).map(|(group, _)| group);
        let voters = group.map(|group| &group.voters[..]).unwrap_or_default();
        let others: Vec<_> = voters.iter().filter(|voter| voter.store != self.status.store).collect();
        let mut reasons = Vec::new();
        for voter in &others {
            let unfit = |member: &&Member| member.record.store == voter.store && member.record.unfit;
            let unfit = view.and_then(|view| view.members.iter().find(unfit));
            let durable = self.replica.slaves().find(|(_, store, _)| *store == voter.store).map(|it| it.2);
            let behind = durable.map(|durable| self.replica.committed().0.saturating_sub(durable.0));
            reasons.push(match (behind, unfit) {
                (None, _) => format!("{} is not attached", voter.node),
                (Some(bytes), _) if bytes > 0 => format!("{} is {bytes} bytes behind", voter.node),
                (_, Some(member)) => {
                    let why =
                        member.record.reason.as_deref().unwrap_or("it has just given up the mastership");
                    format!("{} cannot be chosen: {why}", voter.node)
                }
                _ => return Ok(()),
            });
        }
        Err(RequestError::Refused(match reasons.is_empty() {
            true => "there is no other voter to hand over to".to_owned(),
            false => format!("nobody can take over: {}", reasons.join("; ")),
        }))
    }

    /// What an operator's recovery would do now.
    pub(super) fn recovery_plan(&self) -> Result<RecoveryPlan, RequestError> {
        let Recovery { from, voters } = self.replica.recovery().map_err(RequestError::Refused)?;
        let view = self.replica.view();
        let group = view.and_then(|view| view.group.as_ref()).map(|(group, _)| group);
        let kept = view.into_iter().flat_map(|view| view.survivors(&voters));
        Ok(RecoveryPlan {
            epoch: group.map_or(from.epoch, |group| group.epoch),
            quorum: quorum(from.voters.len()),
            kept: kept.map(|member| self.member_status(member, group)).collect(),
            lost: from.voters.iter().filter(|v| !voters.contains(v)).cloned().collect(),
        })
    }

    fn member_status(&self, member: &Member, group: Option<&GroupRecord>) -> MemberStatus {
        let (record, log) = (&member.record, self.replica.log());
        let attached =
            self.replica.slaves().find(|(_, store, _)| *store == record.store).map(|(_, _, durable)| durable);
        let own = record.store == self.status.store;
        // What is durable on an attached slave is a prefix of this log.
        let epoch = |at: Offset| log.history.ends().iter().find(|(_, end)| *end >= at).map(|it| it.0);
        let position = match attached.or(own.then_some(log.end)) {
            Some(offset) => Position { epoch: epoch(offset).unwrap_or_default(), offset },
            None => record.log_position(),
        };
        MemberStatus {
            id: member.id.to_string(),
            node: record.node.clone(),
            store: record.store,
            voter: group.is_some_and(|g| g.votes(record.store)),
            role: match record.role.as_str() {
                "master" | "starting" => Role::Master,
                "slave" | "attaching" => Role::Slave,
                "candidate" => Role::Electing,
                _ => Role::Waiting,
            },
            position,
            lag_bytes: attached
                .map(|durable| log.end.0.saturating_sub(durable.0))
                .or((own && self.replica.leads()).then_some(0)),
            attached: attached.is_some(),
            address: record.address.clone(),
            reason: record.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_snapshot_is_made_soon_for_who_asks_and_those_who_ask_share_one() {
        let mut pace = Pace::default();
        assert!(pace.is_due(at(0)));
        pace.made(at(0), &Arc::default());
        assert!(!pace.is_due(at(199)) && pace.is_due(at(200)));
        let (replies, answers): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel()).unzip();
        pace.waiting.extend(replies);
        assert!(!pace.is_due(at(19)) && pace.is_due(at(20)));
        pace.made(at(20), &Arc::default());
        assert!(answers.into_iter().all(|mut answer| answer.try_recv().is_ok()));
        assert!(!pace.is_due(at(219)) && pace.is_due(at(220)));
    }

    #[test]
    fn the_state_is_digested_once_after_each_change_when_it_rests() {
        let mut digest = Digest::default();
        assert!(digest.is_due(at(0), Offset(5)));
        digest.made(Offset(5), 1, at(0));
        assert!(!digest.is_due(at(200), Offset(9)), "it has just changed");
        assert!(!digest.is_due(at(220), Offset(9)), "who asks often does not make it more often");
        assert!(digest.is_due(at(400), Offset(9)));
        digest.made(Offset(9), 2, at(30));
        assert!(!digest.is_due(at(600), Offset(9)));
        assert!(!digest.is_due(at(3_399), Offset(11)), "one that takes long is made seldom");
        assert!(!digest.is_due(at(3_400), Offset(11)) && digest.is_due(at(6_400), Offset(11)));
        digest.made(Offset(11), 3, at(60_000));
        assert!(!digest.is_due(at(16_399), Offset(12)), "a pause of the process stops no digest");
        assert!(!digest.is_due(at(16_400), Offset(12)) && digest.is_due(at(26_400), Offset(12)));
    }
}
