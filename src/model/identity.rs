//! What a store knows of itself and of its group, on its disk before anybody is told.

use serde::{Deserialize, Serialize};

use super::{Epoch, GroupId, Promise, StoreId, Voter};

/// What a node knows of its group from the highest record it ever saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Known {
    /// Identity of the group.
    pub group_id: GroupId,
    /// Epoch of that record.
    pub epoch: Epoch,
    /// Its count of voter changes. Records are ordered by (epoch, config).
    pub config: u64,
    /// Its voters.
    pub voters: Vec<Voter>,
}

/// Who a store is, what it promised and what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Drawn when the store was formatted.
    pub store: StoreId,
    /// Name of the node that formatted it.
    pub node: String,
    /// Highest promise; never decreases.
    pub promise: Promise,
    /// The group; `None` for a blank store.
    pub known: Option<Known>,
}
