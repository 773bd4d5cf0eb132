//! Message groups: all messages of a group go to one consumer, its owner, as long as that is there.

use std::hash::{DefaultHasher, Hash, Hasher};

use smallvec::SmallVec;

use crate::broker::subscription::SubscriberId;
use crate::broker::table::Table;
use crate::model::{Field, Message};

use super::Taste;

/// Groups that a queue tells apart. Names that fall together are one group, which costs them an owner of their own and nothing
/// else; so a queue's groups are bounded, whatever names clients make up.
const GROUPS_MAX: u64 = 1 << 20;

/// Names a lane of a queue; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct LaneId(pub(super) u64);

/// Which group of its queue a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct Group(u32);

impl Group {
    /// The group of a message, if it has one.
    pub(in crate::broker) fn of(message: &Message) -> Option<Group> {
        let name = message.field(Field::Group).filter(|name| !name.is_empty())?;
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Some(Group((hasher.finish() % GROUPS_MAX) as u32))
    }
}

/// What is known of a group that somebody owns, or of which something waits or is with a consumer.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) owner: Option<(SubscriberId, Taste)>,
    /// Deliveries of it that are not settled. A new owner waits for them, so that two never work on one group.
    pub(super) in_flight: u32,
    pub(super) lanes: SmallVec<[LaneId; 2]>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Groups(Table<u32, Known>);

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, group: Group) -> Option<&Known> {
        self.0.get(&group.0)
    }

    /// Changes what is known of a group, and forgets it if nothing is left to know; returns its lanes.
    pub(super) fn change(&mut self, group: Group, change: impl FnOnce(&mut Known)) -> SmallVec<[LaneId; 2]> {
        let known = self.0.entry(group.0).or_default();
        change(known);
        let lanes = known.lanes.clone();
        if known.owner.is_none() && known.in_flight == 0 && lanes.is_empty() {
            self.0.remove(&group.0);
        }
        lanes
    }

    /// The groups of this owner, in order.
    pub(super) fn of_owner(&self, subscriber: SubscriberId) -> Vec<Group> {
        let is_owned = |known: &Known| known.owner.is_some_and(|(owner, _)| owner == subscriber);
        let mut owned: Vec<_> =
            self.0.iter().filter(|(_, it)| is_owned(it)).map(|(id, _)| Group(*id)).collect();
        owned.sort_unstable();
        owned
    }
}
