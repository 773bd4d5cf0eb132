//! Message groups: all messages of a group go to one consumer, its owner, as long as that is there.

use std::hash::{DefaultHasher, Hash, Hasher};

use smallvec::SmallVec;

use crate::broker::subscription::SubscriberId;
use crate::broker::table::Table;
use crate::bugs;
use crate::model::{Field, Message};

use super::Taste;

/// Groups that a queue tells apart. Names that fall together are one group, which costs them an owner of their own and nothing
/// else; so a queue's groups are bounded, whatever names clients make up.
const GROUPS_MAX: u64 = 1 << 20;

/// Names a lane of a queue; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct LaneId(pub(super) u64);

/// Lanes of one group.
type LaneIds = SmallVec<[LaneId; 2]>;

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

/// Who may take messages of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Whoever comes, and will own it.
    Anybody,
    /// Its owner, who has this taste.
    Owner(SubscriberId, Taste),
    /// Nobody until the deliveries of an owner that has gone are settled, so that two never work on one group.
    Nobody,
}

/// What is known of a group that somebody owns, or of which something waits or is with a consumer.
#[derive(Debug, Default)]
struct Known {
    owner: Option<(SubscriberId, Taste)>,
    /// Deliveries of it that are not settled.
    in_flight: u32,
    lanes: LaneIds,
}

impl Known {
    fn holder(&self) -> Holder {
        match (self.owner, self.in_flight) {
            (Some((owner, taste)), _) => Holder::Owner(owner, taste),
            (None, 0) => Holder::Anybody,
            (None, _) => Holder::Nobody,
        }
    }
}

/// See the module. Functions that change a group's holder return the lanes that this is about.
#[derive(Debug, Default)]
pub(super) struct Groups(Table<u32, Known>);

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn holder(&self, group: Group) -> Holder {
        self.0.get(&group.0).map_or(Holder::Anybody, Known::holder)
    }

    /// A lane of the group begins.
    pub(super) fn join(&mut self, group: Group, lane: LaneId) {
        self.change(group, |known| known.lanes.push(lane));
    }

    /// It ends.
    pub(super) fn part(&mut self, group: Group, lane: LaneId) {
        self.change(group, |known| known.lanes.retain(|it| *it != lane));
    }

    /// A consumer is given a message. The group is its own from now on, unless the message `closes` it; the lanes are told if
    /// that is new.
    pub(super) fn hand_out(
        &mut self,
        group: Group,
        to: (SubscriberId, Taste),
        closes: bool,
    ) -> (bool, LaneIds) {
        let mut is_new = false;
        let lanes = self.change(group, |known| {
            is_new = known.owner.is_none();
            known.owner = (!closes && !bugs::on("group_without_owner")).then_some(to);
            known.in_flight += 1;
        });
        (is_new, if is_new || closes { lanes } else { LaneIds::new() })
    }

    /// A delivery is with no consumer any more.
    pub(super) fn landed(&mut self, group: Group) -> LaneIds {
        let mut is_free = false;
        let lanes = self.change(group, |known| {
            known.in_flight = known.in_flight.saturating_sub(1);
            is_free = known.holder() == Holder::Anybody;
        });
        if is_free { lanes } else { LaneIds::new() }
    }

    /// A consumer has gone: its groups have no owner.
    pub(super) fn disown(&mut self, subscriber: SubscriberId) -> Vec<LaneId> {
        let is_owned = |known: &Known| known.owner.is_some_and(|(owner, _)| owner == subscriber);
        let mut owned: Vec<_> =
            self.0.iter().filter(|(_, it)| is_owned(it)).map(|(id, _)| Group(*id)).collect();
        owned.sort_unstable();
        owned.into_iter().flat_map(|group| self.change(group, |known| known.owner = None)).collect()
    }

    /// Changes what is known of a group, and forgets it if nothing is left to know; returns its lanes.
    fn change(&mut self, group: Group, change: impl FnOnce(&mut Known)) -> LaneIds {
        let known = self.0.entry(group.0).or_default();
        change(known);
        let lanes = known.lanes.clone();
        if known.holder() == Holder::Anybody && lanes.is_empty() {
            self.0.remove(&group.0);
        }
        lanes
    }
}
