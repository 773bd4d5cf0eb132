//! What a group of brokers is called, by clients and by other brokers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::model::GroupId;

/// Equal on all nodes of a group but for the address, so that another broker knows a group again after a failover. Cheap to
/// clone; all clones learn the id together.
#[derive(Clone, Debug, Default)]
pub struct BrokerNames(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    name: String,
    address: String,
    group: OnceLock<GroupId>,
}

impl BrokerNames {
    /// A broker of this name, and the URI at which clients find this node; empty if there is none.
    pub fn new(name: &str, address: &str) -> BrokerNames {
        BrokerNames(Arc::new(Inner {
            name: name.to_owned(),
            address: address.to_owned(),
            group: OnceLock::new(),
        }))
    }

    /// The broker's name, `broker.name` of the configuration.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Where clients find this node.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// The broker's id, in ActiveMQ's form: `ID:` and the number of the group; 0 before it has served.
    pub fn id(&self) -> impl fmt::Display + use<> {
        BrokerId(self.0.group.get().copied().unwrap_or_default())
    }

    /// The number of the group is known from now on.
    pub fn belongs_to(&self, group: GroupId) {
        // A process belongs to one group for as long as it lasts.
        let _ = self.0.group.set(group);
    }
}

struct BrokerId(GroupId);

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ID:quorate-{:032x}-0:1", self.0.0)
    }
}
