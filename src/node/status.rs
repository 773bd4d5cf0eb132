//! What the node shows of itself.

use std::sync::Arc;
use std::time::Duration;

use crate::coordination::{GroupRecord, GroupState, Member};
use crate::model::{Epoch, Offset, Position, StoreId, quorum};
use crate::replication::{Recovery, ReplicaSettings};

use super::core::Core;
use super::{
    Alarm, ConnectionStatus, DestinationStatus, ElectionStatus, GroupStatus, MemberStatus, RecoveryPlan,
    RequestError, Role, Snapshot, Status,
};

/// A snapshot is made at most so often: it walks all destinations.
const EVERY: Duration = Duration::from_millis(200);
/// Damages that are remembered for the alarms.
const DAMAGES_MAX: usize = 16;

/// What is told and nowhere else kept.
pub(super) struct StatusMaker {
    settings: ReplicaSettings,
    store: StoreId,
    store_path: String,
    zk_path: Option<String>,
    started_ms: i64,
    made_at: Option<Duration>,
    master: Option<String>,
    election: Option<ElectionStatus>,
    /// When that was seen to begin, by the monotonic clock.
    election_began: Duration,
    damages: Vec<String>,
    /// Where the state was digested last, and the digest.
    digest: (Offset, u64),
    /// What was applied when the snapshot before was made.
    applied: Offset,
}

impl StatusMaker {
    pub(super) fn new(
        settings: ReplicaSettings,
        store: StoreId,
        store_path: String,
        zk_path: Option<String>,
        started_ms: i64,
    ) -> StatusMaker {
        StatusMaker {
            settings,
            store,
            store_path,
            zk_path,
            started_ms,
            made_at: None,
            master: None,
            election: None,
            election_began: Duration::ZERO,
            damages: Vec::new(),
            digest: (Offset(u64::MAX), 0),
            applied: Offset(0),
        }
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
            self.election =
                Some(ElectionStatus { epoch, reason, winner: None, started_ms: wall, took_ms: None });
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
    /// Renews the snapshot when it is old enough.
    pub(super) fn show_status(&mut self) {
        let (now, wall) = self.time();
        let serving = *self.outside.serving.borrow();
        let shown = self.outside.snapshots.borrow().status.serving;
        let fresh = self.status.made_at.is_some_and(|at| now.saturating_sub(at) < EVERY);
        if fresh && serving == shown {
            return;
        }
        self.status.made_at = Some(now);
        let group = self.replica.view().and_then(|view| view.group.as_ref()).map(|(group, _)| group.clone());
        self.status.see(group.as_ref(), now, wall);
        self.digest_when_quiet();
        let destinations: Vec<_> = self.broker.destinations().into_iter().map(destination).collect();
        let connections: Vec<_> = self.broker.sessions().into_iter().map(connection).collect();
        let group_status = self.status.zk_path.as_ref().map(|path| self.group_status(path, group.as_ref()));
        let status = self.node_status(group.as_ref(), serving, destinations.len(), connections.len());
        let snapshot = Snapshot { status, group: group_status, destinations, connections };
        self.outside.snapshots.send_replace(Arc::new(snapshot));
    }

    /// The digest walks the whole state, so it is made only while nothing is applied.
    fn digest_when_quiet(&mut self) {
        let applied = self.applied.offset;
        let quiet = std::mem::replace(&mut self.status.applied, applied) == applied;
        if quiet && self.status.digest.0 != applied || self.status.digest.0 == Offset(u64::MAX) {
            self.status.digest = (applied, self.broker.state().digest());
        }
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

    fn node_status(
        &self,
        group: Option<&GroupRecord>,
        serving: bool,
        destinations: usize,
        clients: usize,
    ) -> Status {
        let (maker, log) = (&self.status, self.replica.log());
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
            fsyncs: self.log.syncs(),
            committed: self.replica.committed(),
            applied: self.applied.offset,
            digest: format!("{:016x}", maker.digest.1),
            digest_at: maker.digest.0,
            election: maker.election.clone(),
            alarms: self.alarms(group),
            destination_count: destinations,
            connection_count: clients,
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
        let record = &member.record;
        let end = self.replica.log().end;
        let attached =
            self.replica.slaves().find(|(_, store, _)| *store == record.store).map(|(_, _, durable)| durable);
        let own = record.store == self.status.store;
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
            position: record.log_position(),
            lag_bytes: attached
                .map(|durable| end.0.saturating_sub(durable.0))
                .or((own && self.replica.leads()).then_some(0)),
            attached: attached.is_some(),
            address: record.address.clone(),
            reason: record.reason.clone(),
        }
    }
}

fn destination(view: crate::broker::DestinationView) -> DestinationStatus {
    DestinationStatus {
        kind: view.destination.kind.scheme().to_owned(),
        name: view.destination.name,
        size: view.size,
        consumers: view.consumers as u64,
        enqueued: view.enqueued,
        dequeued: view.dequeued,
        dispatched: view.dispatched,
        in_flight: view.in_flight,
    }
}

fn connection(view: crate::broker::SessionView) -> ConnectionStatus {
    ConnectionStatus {
        session: view.session.0,
        client_id: Some(view.info.client_id).filter(|id| !id.is_empty()),
        user: Some(view.info.user).filter(|user| !user.is_empty()),
        remote: view.info.remote,
        connector: String::new(),
        subscriptions: view.subscriptions as u64,
        in_flight: view.in_flight as u64,
    }
}
