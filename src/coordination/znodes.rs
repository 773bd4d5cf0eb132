//! Every path and payload in ZooKeeper: the code twin of `zk/README.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Process;
use crate::model::{Claim, Epoch, GroupId, Known, Offset, Position, Promise, StoreId, Voter};

/// Number of a member: ten digits of the ephemeral sequential znode's name, without the leading `0` of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

impl MemberId {
    /// Reads the last path element of a member's znode: `0` and ten digits.
    pub fn from_name(name: &str) -> Option<MemberId> {
        let digits = name.strip_prefix('0')?;
        (digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok().map(MemberId))?
    }

    /// The last path element of the member's znode.
    pub fn name(self) -> String {
        format!("0{self}")
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

impl Serialize for MemberId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(MemberId).map_err(serde::de::Error::custom)
    }
}

/// Whether the epoch's master serves clients yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupState {
    /// The epoch has no master, or its master is not serving yet.
    Electing,
    /// The master serves.
    Serving,
}

/// The master that an epoch chose: one member of one run of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Master {
    /// Its member.
    pub member: MemberId,
    /// The random word of that member: member numbers begin again when the tree is emptied.
    pub guid: StoreId,
    /// Name of its node.
    pub node: String,
}

/// The data of `<zk_path>`: one record for the group, written by compare-and-set on the znode's version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Broker name, equal on all nodes.
    pub id: String,
    /// The newest epoch.
    pub epoch: Epoch,
    /// Random word of the bump that made the epoch.
    pub claim: Claim,
    /// Whether its master serves.
    pub state: GroupState,
    /// The epoch's master, once it is chosen.
    pub master: Option<Master>,
    /// Stores whose promises and acknowledgements count.
    pub voters: Vec<Voter>,
    /// Counts the changes of `voters`.
    pub config: u64,
    /// Size of the group.
    pub replicas: usize,
    /// Identity of the group.
    pub group_id: GroupId,
    /// Highest record format that may be written.
    pub format: u32,
    /// The epoch whose master gave its lease back before this epoch was bumped; 0 if it did not.
    #[serde(default)]
    pub released: Epoch,
    /// Why the epoch was bumped, for people.
    #[serde(default)]
    pub cause: String,
}

impl GroupRecord {
    /// What a member promises when it promises this record's epoch.
    pub fn promise(&self) -> Promise {
        Promise { epoch: self.epoch, claim: self.claim }
    }

    /// Whether this store is one of the voters.
    pub fn votes(&self, store: StoreId) -> bool {
        self.voters.iter().any(|v| v.store == store)
    }
}

/// The data of a member's znode, written by its owner only. The first six fields are ActiveMQ's, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Broker name, equal on all nodes.
    pub id: String,
    /// Always null; ActiveMQ's field.
    pub container: Option<String>,
    /// `tcp://host:port` of the replication port on the serving master, else null.
    pub address: Option<String>,
    /// End of the member's log in bytes when the record was written.
    pub position: u64,
    /// Preference among equal logs.
    pub weight: i32,
    /// The master that this member follows or is.
    pub elected: Option<MemberId>,
    /// Random word of this member; tells a create of unknown outcome from another's.
    pub guid: StoreId,
    /// Name of the node.
    pub node: String,
    /// Its store.
    pub store: StoreId,
    /// Highest epoch that it promised.
    pub promised: Epoch,
    /// The claim that it promised with it.
    pub claim: Claim,
    /// Epoch of the last record in its log.
    pub position_epoch: Epoch,
    /// `waiting`, `candidate`, `master`, `attaching` or `slave`.
    pub role: String,
    /// The epoch whose master this member suspects; 0 for none.
    pub suspects: Epoch,
    /// Why it is no candidate or does not serve; null when all is well.
    pub reason: Option<String>,
    /// Whether `reason` excludes it from being chosen.
    pub unfit: bool,
    /// Size of the group as this node is configured.
    pub replicas: usize,
    /// Highest record format that it reads.
    pub format: u32,
    /// What it knows of the group; null for a blank store.
    pub known: Option<Known>,
    /// The process that it belongs to; filled in by the coordinator.
    #[serde(default)]
    pub process: Option<Process>,
}

impl MemberRecord {
    /// Epoch and claim that the member promised.
    pub fn promise(&self) -> Promise {
        Promise { epoch: self.promised, claim: self.claim }
    }

    /// The log's end as it was compared in elections.
    pub fn log_position(&self) -> Position {
        Position { epoch: self.position_epoch, offset: Offset(self.position) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_named_by_a_zero_and_ten_digits() {
        assert_eq!(MemberId::from_name("00000000012"), Some(MemberId(12)));
        assert_eq!(MemberId(12).name(), "00000000012");
        for wrong in ["0000000012", "10000000012", "0000000001x", "", "000000000012"] {
            assert_eq!(MemberId::from_name(wrong), None, "{wrong}");
        }
    }
}
