//! What a node looks like from outside at one moment, and what may be asked of it. The node publishes a new snapshot
//! when something changed; whoever shows it never touches the node itself. Destinations and connections are not in it: they
//! have [`Figures`](crate::broker::Figures).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::model::{Claim, Epoch, GroupId, Offset, Position, Promise, StoreId, Voter};

/// One moment of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The node by itself.
    pub status: Status,
    /// Its group; `None` for a lone broker.
    pub group: Option<GroupStatus>,
}

/// What a node does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads its epoch; `Status::serving` says whether clients are let in.
    Master,
    /// Follows a master.
    Slave,
    /// An election is under way.
    Electing,
    /// Starting, or too few members are in sight.
    #[default]
    Waiting,
}

impl Role {
    /// The word for it in answers and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Slave => "slave",
            Role::Electing => "electing",
            Role::Waiting => "waiting",
        }
    }
}

/// How much there is of what clients make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many queues and topics there are.
    pub destination_count: usize,
    /// How many messages are to be sent later.
    pub scheduled_count: u64,
    /// How many clients are connected.
    pub connection_count: usize,
}

/// A node by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Name of the broker, which is the name of the group.
    pub broker: String,
    /// Name of the node.
    pub node: String,
    /// What it does.
    pub role: Role,
    /// Whether client ports are open.
    pub serving: bool,
    /// Why it does not serve, what it waits for, or why it takes no more; for people.
    pub reason: Option<String>,
    /// The newest epoch that it knows.
    pub epoch: Epoch,
    /// Name of the master's node, if there is one.
    pub master: Option<String>,
    /// Addresses where clients are let in, on this node.
    pub listening: Vec<String>,
    /// What it promised.
    pub promised: Promise,
    /// Identity of its store.
    pub store: StoreId,
    /// Where the store is, from the root on; empty for a store in memory.
    pub store_path: String,
    /// First offset that the log still holds.
    pub base: Offset,
    /// End of its log.
    pub end: Position,
    /// Durable here. `applied <= committed`, `durable <= end`.
    pub durable: Offset,
    /// How records were synced to the disk since the start.
    pub fsyncs: Fsyncs,
    /// Durable on a quorum, as far as this node knows.
    pub committed: Offset,
    /// Visible in its state.
    pub applied: Offset,
    /// Digest of the state, 16 hex digits; equal on all nodes at equal offsets.
    pub digest: String,
    /// How much was applied when the digest was made: `applied`, once the node has been quiet for a moment.
    pub digest_at: Offset,
    /// The last election that it saw.
    pub election: Option<ElectionStatus>,
    /// What needs an operator.
    pub alarms: Vec<Alarm>,
    /// How much there is of what clients make.
    #[serde(flatten)]
    pub counts: Counts,
    /// Wall-clock time of the start in ms since 1970.
    pub started_ms: i64,
    /// Wall-clock time of the node when this was said, in ms since 1970.
    pub time_ms: i64,
}

impl Status {
    /// What it does, in words that tell a master that serves from one that does not.
    pub fn standing(&self) -> &'static str {
        let electing = self.election.as_ref().is_none_or(|election| election.took_ms.is_none());
        match self.role {
            Role::Master if self.serving => "master",
            Role::Master if electing => "master, not serving yet",
            Role::Master => "master, cut off",
            role => role.name(),
        }
    }
}

/// Syncs of records to the disk since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fsyncs {
    /// How many.
    pub count: u64,
    /// How long they took with the writing before them, all together, in microseconds.
    pub took_us: u64,
}

/// An election that ended, or is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionStatus {
    /// Which one it is of those that this node has seen since its start; the first is 1.
    #[serde(default)]
    pub number: u64,
    /// The epoch that it was for.
    pub epoch: Epoch,
    /// Why it was held.
    pub reason: String,
    /// Who won; `None` while it lasts.
    pub winner: Option<String>,
    /// Wall-clock time of its begin in ms since 1970.
    pub started_ms: i64,
    /// How long it took until clients were let in, in ms; `None` while it lasts.
    pub took_ms: Option<u64>,
}

/// Something that needs an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Fixed word to match on: `disk-full`, `producers-held`, `reduced-redundancy`, `no-quorum`,
    /// `zookeeper-unreachable`, `store-damaged`, `node-is-there-twice`, `names`, `open-to-all`, ...
    pub name: String,
    /// For people.
    pub message: String,
}

/// The group as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Where it is in ZooKeeper.
    pub zk_path: String,
    /// Whether the ZooKeeper session stands.
    pub zk_connected: bool,
    /// Identity of the group; `None` before it is founded.
    pub group_id: Option<GroupId>,
    /// `electing` or `serving`, as recorded.
    pub state: String,
    /// Epoch of the record.
    pub epoch: Epoch,
    /// Claim of the record.
    pub claim: Claim,
    /// Member id of the recorded master, ten digits.
    pub master: Option<String>,
    /// How often the voters changed.
    pub config: u64,
    /// Whose acknowledgements count.
    pub voters: Vec<Voter>,
    /// Size of the group.
    pub replicas: usize,
    /// How many of the voters make a quorum.
    pub quorum: usize,
    /// Format of log and protocol.
    pub format: u32,
    /// Members in sight, this node among them.
    pub members: Vec<MemberStatus>,
    /// The last election that this node saw.
    #[serde(default)]
    pub election: Option<ElectionStatus>,
    /// What needs an operator.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// What is left of a group that has lost a quorum of its voters, and what a recovery would make of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPlan {
    /// The newest epoch that is known of the group.
    pub epoch: Epoch,
    /// How many voters make a quorum of it.
    pub quorum: usize,
    /// The voters that are in sight: all the voters there will be.
    pub kept: Vec<MemberStatus>,
    /// The voters that are given up.
    pub lost: Vec<Voter>,
}

impl RecoveryPlan {
    /// Whether another plan would do the same: it starts from the same epoch, keeps the same stores and gives up the same.
    pub fn does_the_same(&self, other: &RecoveryPlan) -> bool {
        let stores = |plan: &RecoveryPlan| {
            let (mut kept, mut lost): (Vec<_>, Vec<_>) =
                (plan.kept.iter().map(|m| m.store).collect(), plan.lost.iter().map(|v| v.store).collect());
            kept.sort_unstable();
            lost.sort_unstable();
            (plan.epoch, kept, lost)
        };
        stores(self) == stores(other)
    }
}

/// A member as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Member id, ten digits.
    pub id: String,
    /// Name of its node.
    pub node: String,
    /// Its store.
    pub store: StoreId,
    /// Whether this store is a voter.
    pub voter: bool,
    /// What it does.
    pub role: Role,
    /// Where its log ends: what is durable there by its last acknowledgement if it is attached, the log's own end for the
    /// node that tells this, else what it said in the last election.
    pub position: Position,
    /// How many bytes `position` is behind the master's log; `None` where that is unknown (on slaves).
    pub lag_bytes: Option<u64>,
    /// Whether its stream stands and what it has counts at once; on the master only, `false` elsewhere.
    pub attached: bool,
    /// Replication address of a serving master.
    pub address: Option<String>,
    /// Why it cannot be chosen.
    pub reason: Option<String>,
}

/// What may be asked of a node.
#[derive(Debug)]
pub enum Request {
    /// Tell what the node looks like now, with all that it has answered by now.
    Look {
        /// The answer. It may take some 20 ms, because requests share a snapshot.
        reply: oneshot::Sender<Arc<Snapshot>>,
    },
    /// Give up the mastership in favour of a slave that has everything.
    StepDown {
        /// Only tell whether it would be done.
        dry: bool,
        /// The answer: accepted, or why not.
        reply: oneshot::Sender<Result<(), RequestError>>,
    },
    /// Give up the voters that are not in sight, for a group that has lost a quorum of them for good.
    Recover {
        /// The plan that the operator has seen, which is carried out if it still holds; `None`: only tell the plan.
        seen: Option<Box<RecoveryPlan>>,
        /// The answer: what is done, or why it is not.
        reply: oneshot::Sender<Result<RecoveryPlan, RequestError>>,
    },
    /// The client ports cannot be opened here: another node has to be master.
    CannotServe {
        /// Why, for the member record.
        reason: String,
    },
}

/// Why a request was refused. Nothing happened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// Only the master can do it; the master's node, if known.
    #[error("not the master{}", .0.as_ref().map(|node| format!("; the master is {node}")).unwrap_or_default())]
    NotMaster(Option<String>),
    /// Not now.
    #[error("{0}")]
    Refused(String),
    /// The recovery that was agreed to is not what would be done any more; this is.
    #[error("the plan has changed since it was shown; look at the new one")]
    PlanChanged(Box<RecoveryPlan>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_does_the_same_as_another_with_its_epoch_and_its_stores_in_any_order() {
        let kept = |store| MemberStatus { store: StoreId(store), ..MemberStatus::default() };
        let lost = |store| Voter { node: "node".to_owned(), store: StoreId(store) };
        let plan =
            RecoveryPlan { epoch: Epoch(3), quorum: 2, kept: vec![kept(1), kept(2)], lost: vec![lost(3)] };
        let turned = RecoveryPlan { kept: vec![kept(2), kept(1)], ..plan.clone() };
        assert!(plan.does_the_same(&turned));
        for other in [
            RecoveryPlan { epoch: Epoch(4), ..plan.clone() },
            RecoveryPlan { kept: vec![kept(1)], ..plan.clone() },
            RecoveryPlan { kept: vec![kept(1), kept(4)], ..plan.clone() },
            RecoveryPlan { lost: vec![lost(4)], ..plan.clone() },
        ] {
            assert!(!plan.does_the_same(&other), "{other:?}");
        }
    }

    #[test]
    fn a_master_that_does_not_serve_is_not_told_like_one_that_does() {
        let election = |took_ms| Some(ElectionStatus { took_ms, ..ElectionStatus::default() });
        let master =
            Status { role: Role::Master, serving: true, election: election(Some(7)), ..Status::default() };
        let standings = [
            (master.clone(), "master"),
            (Status { serving: false, ..master.clone() }, "master, cut off"),
            (Status { serving: false, election: election(None), ..master }, "master, not serving yet"),
            (Status { role: Role::Slave, ..Status::default() }, "slave"),
        ];
        for (status, words) in standings {
            assert_eq!(status.standing(), words);
        }
    }
}
