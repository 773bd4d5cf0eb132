//! What a process says that it is: what tells two of them apart that go by one node's name or one store's identity.

use serde::{Deserialize, Serialize};

use super::{MemberRecord, Process};
use crate::model::StoreId;

/// What a process says that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimant {
    pub(super) node: String,
    pub(super) store: StoreId,
    pub(super) process: Process,
    /// Whether it has been a member before.
    pub(super) known: bool,
}

/// What stands in the znode of a process that is no member yet: it looks first whether it is there already.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Joining {
    pub(super) joining: Claimant,
}

impl Claimant {
    /// A member, if it says which process it is.
    pub(super) fn of(record: &MemberRecord) -> Option<Claimant> {
        let process = record.process.clone()?;
        Some(Claimant { node: record.node.clone(), store: record.store, process, known: true })
    }

    /// Whether the other one is a different process that goes by the same name or has the same store.
    pub(super) fn is_rival(&self, other: &Claimant) -> bool {
        (self.node == other.node || self.store == other.store) && self.process.contradicts(&other.process)
    }

    /// What both have, and where both are.
    pub(super) fn against(&self, other: &Claimant) -> String {
        let shared = match (self.node == other.node, self.store == other.store) {
            (true, true) => format!("node {} and its store {}", self.node, self.store),
            (true, false) => format!("node {}", self.node),
            _ => format!("store {} of node {} (this is node {})", self.store, other.node, self.node),
        };
        format!("{shared} is here already: {}. This is {}", other.process, self.process)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn claimant(node: &str, store: u128, directory: &Path) -> Claimant {
        Claimant { node: node.into(), store: StoreId(store), process: Process::here(directory), known: false }
    }

    #[test]
    fn a_restart_in_its_place_is_no_rival_and_a_copy_elsewhere_or_of_one_name_or_store_is() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = claimant("n1", 1, one.path());
        let again = claimant("n1", 1, one.path());
        assert!(!first.is_rival(&again) && !first.is_rival(&first));
        for copy in
            [claimant("n1", 1, two.path()), claimant("n1", 2, two.path()), claimant("n2", 1, two.path())]
        {
            assert!(copy.is_rival(&first) && first.is_rival(&copy));
            let told = copy.against(&first);
            for part in [first.process.to_string(), copy.process.to_string(), "n1".to_owned()] {
                assert!(told.contains(&part), "{told}");
            }
        }
        assert!(!claimant("n2", 2, two.path()).is_rival(&first));
        let mut cloned_machine = again;
        cloned_machine.process.boot = "another".into();
        assert!(cloned_machine.is_rival(&first));
    }
}
