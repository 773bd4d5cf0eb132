//! Messages of a queue that have been looked at and wait for a consumer that wants them, sorted by what makes them equal for
//! dispatch: their priority, the selectors that they are to, and their group.
//!
//! Nothing of this is there while every consumer takes every message. A lane holds few of its messages' bodies; of the others
//! it knows the sequence, in bits, and they are read again when somebody wants them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::broker::subscription::SubscriberId;
use crate::broker::table::Table;
use crate::model::{Message, PRIORITY_DEFAULT, SequenceSet};

use super::groups::{Groups, Holder};
use super::{Entry, Group, LaneId, Taste, Wanted};

/// Lanes of one queue; at the bound nothing further is looked at until some are empty.
const LANES_MAX: usize = 1 << 17;

/// Where a message stands in its queue: its sequence and 0, or the sequence that a non-persistent one stands behind and its
/// number among those.
pub(in crate::broker) type Place = (u64, u64);

/// The rank of a message: how many priorities stand above its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct Rank(u8);

impl Rank {
    /// Of the usual priority.
    pub(in crate::broker) const USUAL: Rank = Rank(9 - PRIORITY_DEFAULT);
    /// Of the lowest one.
    pub(in crate::broker) const LAST: Rank = Rank(9);

    pub(in crate::broker) fn of(message: &Message) -> Rank {
        Rank(9 - message.priority())
    }
}

/// What is offered: the lowest rank goes first, then the lowest place.
pub(in crate::broker) type Offer = (Rank, Place);

/// What makes messages equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::broker) struct Key {
    pub(in crate::broker) rank: Rank,
    pub(in crate::broker) group: Option<Group>,
    pub(in crate::broker) wanted: Wanted,
}

/// Who may take the first message of a lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Audience {
    /// Whoever wants it.
    Open(Wanted),
    /// The owner of its group.
    Owner(SubscriberId),
}

#[derive(Debug)]
struct Lane {
    key: Key,
    /// Messages whose bodies are here, ascending.
    heads: VecDeque<Entry>,
    /// Those that only the log has.
    rest: SequenceSet,
    /// Those that are in no log.
    transients: BTreeSet<Place>,
    /// To whom it is offered, and by which place.
    offer: Option<(Audience, Place)>,
}

impl Lane {
    fn first(&self) -> Option<Place> {
        let head = self.heads.front().map(|it| (it.sequence, 0));
        let rest = self.rest.first().map(|it| (it, 0));
        [head, rest, self.transients.first().copied()].into_iter().flatten().min()
    }
}

/// What comes off the front of a lane.
#[derive(Debug)]
pub(in crate::broker) enum Taken {
    Stored(Entry),
    Transient(Place),
    /// Its body has to be read first; it is still there.
    Unread,
    /// It has left the queue meanwhile.
    Gone,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Lanes {
    lanes: Table<u64, Lane>,
    by_key: HashMap<Key, LaneId>,
    made: u64,
    /// The first places of lanes, by who may take them.
    offers: BTreeMap<Audience, BTreeSet<(Offer, LaneId)>>,
    /// Whether something of another than the usual rank was put in.
    ranked: bool,
    groups: Groups,
    /// The sequences of the log that wait in some lane. What is not in here has gone, whatever its lane says.
    waiting: SequenceSet,
    /// A lane whose messages somebody waits for, while it has only their sequences.
    wanted: Option<LaneId>,
    /// Messages whose bodies are here, and their bytes.
    loaded: usize,
    bytes: usize,
}

impl Lanes {
    pub(in crate::broker) fn loaded(&self) -> usize {
        self.loaded
    }

    pub(in crate::broker) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits, and no group has an owner or a delivery.
    pub(in crate::broker) fn are_idle(&self) -> bool {
        self.lanes.is_empty() && self.groups.is_empty()
    }

    /// Whether messages of different priorities wait, or have waited.
    pub(in crate::broker) fn are_ranked(&self) -> bool {
        self.ranked
    }

    pub(in crate::broker) fn are_full(&self) -> bool {
        self.lanes.len() >= LANES_MAX
    }

    /// A message of the log was looked at. Its body stays if `keep`.
    pub(in crate::broker) fn put_stored(&mut self, key: Key, entry: Entry, keep: bool) {
        let id = self.lane(key);
        let Some(lane) = self.lanes.get_mut(&id.0) else { return };
        self.waiting.insert(entry.sequence, entry.sequence);
        if keep {
            self.loaded += 1;
            self.bytes += entry.message.encoded().len();
            let at = lane.heads.partition_point(|it| it.sequence < entry.sequence);
            lane.heads.insert(at, entry);
        } else {
            lane.rest.insert(entry.sequence, entry.sequence);
        }
        self.refresh(id);
    }

    /// A message that is in no log was looked at.
    pub(in crate::broker) fn put_transient(&mut self, key: Key, place: Place) {
        let id = self.lane(key);
        if let Some(lane) = self.lanes.get_mut(&id.0) {
            lane.transients.insert(place);
        }
        self.refresh(id);
    }

    /// The lane of this key, made if there is none.
    fn lane(&mut self, key: Key) -> LaneId {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        self.made += 1;
        let id = LaneId(self.made);
        self.ranked |= key.rank != Rank::USUAL;
        if let Some(group) = key.group {
            self.groups.join(group, id);
        }
        self.by_key.insert(key.clone(), id);
        let lane = Lane {
            key,
            heads: VecDeque::new(),
            rest: SequenceSet::new(),
            transients: BTreeSet::new(),
            offer: None,
        };
        self.lanes.insert(id.0, lane);
        id
    }

    /// Who may take the first message of a lane; nobody while its owner does not want it, or the deliveries of an owner that has
    /// gone are not settled.
    fn audience(&self, key: &Key) -> Option<Audience> {
        match key.group.map_or(Holder::Anybody, |group| self.groups.holder(group)) {
            Holder::Anybody => Some(Audience::Open(key.wanted.clone())),
            Holder::Owner(owner, taste) => key.wanted.has(taste).then_some(Audience::Owner(owner)),
            Holder::Nobody => None,
        }
    }

    /// A lane's front or its group's owner may have changed: offers it where it belongs, or ends it.
    fn refresh(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id.0) else { return };
        let first = lane.first();
        let offer = first.and_then(|first| Some((self.audience(&lane.key)?, first)));
        if lane.offer != offer {
            let rank = lane.key.rank;
            if let Some((audience, place)) = &lane.offer
                && let Some(offers) = self.offers.get_mut(audience)
            {
                offers.remove(&((rank, *place), id));
                if offers.is_empty() {
                    self.offers.remove(audience);
                }
            }
            if let Some((audience, place)) = &offer {
                self.offers.entry(audience.clone()).or_default().insert(((rank, *place), id));
            }
        }
        match first {
            Some(_) => {
                if let Some(lane) = self.lanes.get_mut(&id.0) {
                    lane.offer = offer;
                }
            }
            None => {
                if let Some(lane) = self.lanes.remove(&id.0) {
                    self.by_key.remove(&lane.key);
                    if let Some(group) = lane.key.group {
                        self.groups.part(group, id);
                    }
                }
            }
        }
    }

    /// What is offered first to each audience.
    pub(in crate::broker) fn offers(&self) -> impl Iterator<Item = (&Audience, Offer)> {
        self.offers.iter().filter_map(|(audience, offers)| Some((audience, offers.first()?.0)))
    }

    /// What is offered first to this audience.
    pub(in crate::broker) fn first(&self, audience: &Audience) -> Option<(Offer, LaneId)> {
        self.offers.get(audience)?.first().copied()
    }

    /// The group of a lane's messages.
    pub(in crate::broker) fn group(&self, lane: LaneId) -> Option<Group> {
        self.lanes.get(&lane.0)?.key.group
    }

    /// Takes the first message of a lane.
    pub(in crate::broker) fn take(&mut self, id: LaneId) -> Taken {
        let Some(lane) = self.lanes.get_mut(&id.0) else { return Taken::Gone };
        let first = lane.first();
        let taken = if let Some(entry) = lane.heads.pop_front_if(|it| Some((it.sequence, 0)) == first) {
            self.loaded -= 1;
            self.bytes -= entry.message.encoded().len();
            match self.waiting.remove(entry.sequence, entry.sequence) {
                0 => Taken::Gone,
                _ => Taken::Stored(entry),
            }
        } else if let Some(place) = first.filter(|first| lane.transients.remove(first)) {
            Taken::Transient(place)
        } else {
            match first {
                Some((at, _)) if !self.waiting.contains(at) => lane.rest.remove(at, at),
                _ => return Taken::Unread,
            };
            Taken::Gone
        };
        self.refresh(id);
        taken
    }

    /// Somebody waits for a message of this lane, whose body has to be read first.
    pub(in crate::broker) fn want(&mut self, lane: Option<LaneId>) {
        self.wanted = lane;
    }

    /// The lane whose messages are to be read, and the first of them as ranges.
    pub(in crate::broker) fn unread(
        &self,
        ranges_max: usize,
        entries_max: u64,
    ) -> Option<(LaneId, Vec<(u64, u64)>)> {
        let id = self.wanted?;
        let lane = self.lanes.get(&id.0)?;
        let mut left = entries_max;
        let ranges = lane.rest.iter().take(ranges_max);
        let part = ranges.map_while(|(first, last)| {
            let last = last.min(first + left.checked_sub(1)?);
            left -= last - first + 1;
            Some((first, last))
        });
        Some((id, part.collect()))
    }

    /// Whether somebody waits for a message whose body has to be read.
    pub(in crate::broker) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether a message of the log waits in some lane.
    pub(in crate::broker) fn has(&self, sequence: u64) -> bool {
        self.waiting.contains(sequence)
    }

    /// The bodies of a lane's messages have come. What of the ranges is not among them does not wait any more.
    pub(in crate::broker) fn load(&mut self, id: LaneId, ranges: &[(u64, u64)], fresh: Vec<Entry>) {
        self.wanted = None;
        let Some(lane) = self.lanes.get_mut(&id.0) else { return };
        let before = lane.heads.len();
        for entry in fresh {
            if lane.rest.remove(entry.sequence, entry.sequence) > 0 {
                self.bytes += entry.message.encoded().len();
                let at = lane.heads.partition_point(|it| it.sequence < entry.sequence);
                lane.heads.insert(at, entry);
            }
        }
        self.loaded += lane.heads.len() - before;
        for (first, last) in ranges {
            lane.rest.remove(*first, *last);
        }
        self.refresh(id);
    }

    /// Gives up the bodies of all lanes but the one that somebody waits for: they are read again.
    pub(in crate::broker) fn unload(&mut self) {
        for (id, lane) in &mut self.lanes {
            if self.wanted.is_none_or(|kept| kept.0 != *id) {
                for entry in lane.heads.drain(..) {
                    self.loaded -= 1;
                    self.bytes -= entry.message.encoded().len();
                    lane.rest.insert(entry.sequence, entry.sequence);
                }
            }
        }
    }

    /// The sequences that wait in lanes.
    #[cfg(test)]
    pub(in crate::broker) fn waiting(&self) -> impl Iterator<Item = (u64, u64)> {
        self.waiting.iter()
    }

    /// Takes a message of the log out of its lane; returns whether it waited in one.
    pub(in crate::broker) fn pull(&mut self, sequence: u64) -> bool {
        self.waiting.remove(sequence, sequence) > 0
    }

    /// A consumer takes a message of a group; returns whether it is the first one that it takes of it.
    pub(in crate::broker) fn hand_out(
        &mut self,
        group: Group,
        to: (SubscriberId, Taste),
        closes: bool,
    ) -> bool {
        let (is_new, lanes) = self.groups.hand_out(group, to, closes);
        lanes.into_iter().for_each(|lane| self.refresh(lane));
        is_new
    }

    /// A delivery of a group is with no consumer any more.
    pub(in crate::broker) fn landed(&mut self, group: Group) {
        self.groups.landed(group).into_iter().for_each(|lane| self.refresh(lane));
    }

    /// A consumer has gone: its groups have no owner.
    pub(in crate::broker) fn disown(&mut self, subscriber: SubscriberId) {
        self.groups.disown(subscriber).into_iter().for_each(|lane| self.refresh(lane));
    }

    /// Ends all lanes: what waited in them is to be looked at anew. Returns it, and the bodies that are here, ascending.
    pub(in crate::broker) fn unsort(&mut self) -> (SequenceSet, Vec<Entry>) {
        let mut heads = Vec::with_capacity(self.loaded);
        for (id, lane) in std::mem::take(&mut self.lanes) {
            if let Some(group) = lane.key.group {
                self.groups.part(group, LaneId(id));
            }
            heads.extend(lane.heads.into_iter().filter(|it| self.waiting.contains(it.sequence)));
        }
        heads.sort_unstable_by_key(|it| it.sequence);
        (self.loaded, self.bytes, self.wanted) = (0, 0, None);
        self.by_key.clear();
        self.offers.clear();
        (std::mem::take(&mut self.waiting), heads)
    }

    /// Panics when a message waits in no lane or in two, or a sum is wrong.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self) {
        let mut all = SequenceSet::new();
        let (mut loaded, mut bytes) = (0, 0);
        for (id, lane) in &self.lanes {
            let heads = lane.heads.iter().map(|it| (it.sequence, it.sequence));
            for (first, last) in heads.chain(lane.rest.iter()) {
                assert_eq!(all.insert(first, last), last - first + 1, "a message in two lanes");
            }
            loaded += lane.heads.len();
            bytes += lane.heads.iter().map(|it| it.message.encoded().len()).sum::<usize>();
            assert_eq!(self.by_key.get(&lane.key), Some(&LaneId(*id)));
            let first = lane.first().map(|first| ((lane.key.rank, first), LaneId(*id)));
            assert!(first.is_some(), "an empty lane");
            let offered = lane.offer.as_ref().map(|(audience, _)| &self.offers[audience]);
            assert!(offered.is_none_or(|offers| first.is_some_and(|it| offers.contains(&it))), "an offer");
        }
        assert!(self.waiting.iter().all(|(first, last)| all.count(first, last) == last - first + 1));
        assert_eq!((self.loaded, self.bytes), (loaded, bytes), "bodies in lanes");
        let offers: usize = self.offers.values().map(BTreeSet::len).sum();
        assert_eq!(offers, self.lanes.values().filter(|it| it.offer.is_some()).count(), "offers");
    }
}
