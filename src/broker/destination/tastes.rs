//! What the consumers of a queue want: their selectors, each once, and the signature of a message, which says whose it is.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::broker::subscription::SubscriberId;
use crate::model::Message;
use crate::selector::Selector;

/// Different selectors on one queue; a message is judged by each of them once.
pub(in crate::broker) const TASTES_MAX: usize = 1024;

/// A number for a selector of a queue; the number of a consumer without one is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct Taste(u32);

/// The tastes that a message is to: a bit for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct Wanted(SmallVec<[u64; 1]>);

impl Wanted {
    pub(in crate::broker) fn has(&self, taste: Taste) -> bool {
        Wanted::bit(&self.0, taste)
    }

    fn bit(words: &[u64], taste: Taste) -> bool {
        words.get((taste.0 / 64) as usize).is_some_and(|word| word >> (taste.0 % 64) & 1 == 1)
    }
}

/// Who gets nothing further for now, because something before it that is theirs has to be read first.
#[derive(Debug, Default)]
pub(in crate::broker) struct Stalled {
    tastes: SmallVec<[u64; 1]>,
    owners: Vec<SubscriberId>,
}

impl Stalled {
    /// Everybody who may take what has this signature.
    pub(in crate::broker) fn stall(&mut self, wanted: &Wanted) {
        let length = self.tastes.len().max(wanted.0.len());
        self.tastes.resize(length, 0);
        self.tastes.iter_mut().zip(&wanted.0).for_each(|(stalled, wanted)| *stalled |= wanted);
    }

    pub(in crate::broker) fn stall_owner(&mut self, owner: SubscriberId) {
        self.owners.push(owner);
    }

    /// Whether all consumers of a taste are.
    pub(in crate::broker) fn has_taste(&self, taste: Taste) -> bool {
        Wanted::bit(&self.tastes, taste)
    }

    /// Whether this one is, for itself.
    pub(in crate::broker) fn has(&self, subscriber: SubscriberId) -> bool {
        self.owners.contains(&subscriber)
    }
}

#[derive(Debug)]
struct Slot {
    selector: Arc<Selector>,
    consumers: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Tastes {
    /// By number less one. Blank where a selector's last consumer has gone.
    slots: Vec<Option<Slot>>,
}

impl Tastes {
    /// Whether a consumer selects.
    pub(in crate::broker) fn any(&self) -> bool {
        self.slots.iter().any(Option::is_some)
    }

    /// Whether there is no room for a selector that is not here yet.
    pub(in crate::broker) fn are_too_many_with(&self, selector: &Selector) -> bool {
        self.slots.iter().flatten().count() >= TASTES_MAX && self.find(selector).is_none()
    }

    fn find(&self, selector: &Selector) -> Option<usize> {
        self.slots.iter().position(|it| it.as_ref().is_some_and(|it| *it.selector == *selector))
    }

    /// A consumer comes; returns its taste, and whether nothing has been judged by that yet.
    pub(in crate::broker) fn join(&mut self, selector: Option<&Arc<Selector>>) -> (Taste, bool) {
        let Some(selector) = selector else { return (Taste(0), false) };
        let known = self.find(selector);
        let at = known.or_else(|| self.slots.iter().position(Option::is_none)).unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let slot =
            self.slots[at].get_or_insert_with(|| Slot { selector: Arc::clone(selector), consumers: 0 });
        slot.consumers += 1;
        (Taste(at as u32 + 1), known.is_none())
    }

    /// A consumer of this taste has gone.
    pub(in crate::broker) fn part(&mut self, taste: Taste) {
        let Some(slot) = (taste.0 as usize).checked_sub(1).and_then(|at| self.slots.get_mut(at)) else {
            return;
        };
        slot.take_if(|it| {
            it.consumers -= 1;
            it.consumers == 0
        });
        while self.slots.pop_if(|it| it.is_none()).is_some() {}
    }

    /// Whose a message is, of which so many deliveries have failed.
    pub(in crate::broker) fn judge(&self, message: &Message, failures: u32) -> Wanted {
        let mut words = SmallVec::from_elem(0, self.slots.len() / 64 + 1);
        words[0] = 1;
        for (at, slot) in self.slots.iter().enumerate() {
            let selects = slot.as_ref().is_some_and(|it| it.selector.matches(message, failures));
            words[(at + 1) / 64] |= u64::from(selects) << ((at + 1) % 64);
        }
        Wanted(words)
    }
}
