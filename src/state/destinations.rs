//! The catalogue of destinations, by number and by name, and which of them have changed.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Destination, DestinationId};

use super::destination::DestinationState;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Destinations {
    by_id: BTreeMap<DestinationId, DestinationState>,
    names: HashMap<Destination, DestinationId>,
    /// Sum of the digests of all destinations, each as it was before it was touched.
    digest: u64,
    /// Those that have changed since the last digest.
    touched: Vec<DestinationId>,
}

impl Destinations {
    pub(super) fn get(&self, id: DestinationId) -> Option<&DestinationState> {
        self.by_id.get(&id)
    }

    /// A destination that is about to change.
    pub(super) fn touch(&mut self, id: DestinationId) -> Option<&mut DestinationState> {
        let found = self.by_id.get_mut(&id)?;
        if !std::mem::replace(&mut found.touched, true) {
            self.touched.push(id);
        }
        Some(found)
    }

    pub(super) fn has_name(&self, destination: &Destination) -> bool {
        self.names.contains_key(destination)
    }

    /// Takes a destination whose number and name are new.
    pub(super) fn insert(&mut self, id: DestinationId, made: DestinationState) {
        self.names.insert(made.destination.clone(), id);
        self.by_id.insert(id, made);
        self.touch(id);
    }

    /// Whether there was one with this number.
    pub(super) fn remove(&mut self, id: DestinationId) -> bool {
        let Some(gone) = self.by_id.remove(&id) else { return false };
        self.names.remove(&gone.destination);
        self.digest = self.digest.wrapping_sub(gone.digest);
        true
    }

    /// By number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (DestinationId, &DestinationState)> {
        self.by_id.iter().map(|(id, destination)| (*id, destination))
    }

    /// Whether each name is of one destination and `sound` is true for all.
    pub(super) fn all(&self, sound: impl Fn(DestinationId, &DestinationState) -> bool) -> bool {
        self.names.len() == self.by_id.len() && self.iter().all(|(id, it)| sound(id, it))
    }

    /// The sum of all digests, made anew.
    pub(super) fn digest(&self) -> u64 {
        self.iter().map(|(id, it)| it.entries_digest(id)).fold(0, u64::wrapping_add)
    }

    /// The same sum. Costs as much as there is in the destinations that have changed since the last call.
    pub(super) fn renew_digest(&mut self) -> u64 {
        for id in std::mem::take(&mut self.touched) {
            // It may have been removed since, and its digest with it.
            if let Some(it) = self.by_id.get_mut(&id) {
                let now = it.entries_digest(id);
                self.digest = self.digest.wrapping_sub(it.digest).wrapping_add(now);
                (it.digest, it.touched) = (now, false);
            }
        }
        self.digest
    }
}
