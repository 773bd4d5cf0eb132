//! The fold: committed records to broker state. Pure, no I/O, no clock.
//!
//! Every node applies the same records in the same order and so comes to the same [`State`]; [`State::digest`] compares
//! two of them. What a record means when the world is not as its writer thought (a repeated message, a destination
//! that is gone) is decided here, the same on every node; [`Applied`] says how.

mod applied;
mod audit;
mod counters;
mod destination;
mod destinations;
mod due;
mod encoding;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::model::{CatalogueChange, DestinationId, Message, Offset, Place, Record};

pub use applied::{Applied, Entrance};
use audit::Audit;
pub use destination::DestinationState;
use destinations::Destinations;
pub use due::{Due, DueTimes};
pub use encoding::SnapshotError;

/// How much of the log a state stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coverage {
    /// Nothing was applied yet.
    Nothing,
    /// The fold began above offset 0, and no checkpoint has been met. Records are skipped: the checkpoint that stands
    /// before `base` could pass anything includes their effects.
    Part,
    /// All of it, from the first record on.
    Whole,
}

/// All that the committed log says, without the messages themselves.
#[derive(Clone, Debug)]
pub struct State {
    coverage: Coverage,
    base: Offset,
    next_destination: u32,
    destinations: Destinations,
    audit: Audit,
    /// Entries of a checkpoint whose last record has not come yet. Only a state that stands for a part collects them.
    checkpoint: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Default for State {
    fn default() -> State {
        State::new()
    }
}

impl State {
    /// The state of an empty log.
    pub fn new() -> State {
        State {
            coverage: Coverage::Nothing,
            base: Offset(0),
            next_destination: 1,
            destinations: Destinations::default(),
            audit: Audit::default(),
            checkpoint: Vec::new(),
        }
    }

    /// Applies the record that stands at `offset`; every record exactly once, in the order of the log, whole groups.
    pub fn apply(&mut self, offset: Offset, record: &Record) -> Applied {
        if self.coverage == Coverage::Nothing {
            self.coverage = if offset == Offset(0) { Coverage::Whole } else { Coverage::Part };
        }
        match record {
            Record::Checkpoint(part) if self.coverage == Coverage::Part => self.collect(part),
            _ if self.coverage == Coverage::Part => Applied::Ignored,
            Record::Message { places, message } => {
                let is_new = |place: &&Place| self.enter(**place, message) == Entrance::New;
                Applied::Entered(places.iter().filter(is_new).count())
            }
            Record::Settle { destination, ranges, .. } => match self.destinations.touch(*destination) {
                Some(found) => Applied::Settled(found.settle(ranges)),
                None => Applied::Dropped,
            },
            Record::Redelivered { destination, counters } => match self.destinations.touch(*destination) {
                Some(found) => found.count(counters),
                None => Applied::Dropped,
            },
            Record::Dispatched { destination, sequence } => match self.destinations.touch(*destination) {
                Some(found) => found.dispatch(*sequence),
                None => Applied::Dropped,
            },
            Record::Rescheduled { destination, sequence, due, sent } => {
                match self.destinations.touch(*destination) {
                    Some(found) => found.reschedule(*sequence, Due { at: *due, sent: *sent }),
                    None => Applied::Dropped,
                }
            }
            Record::Catalogue(change) => self.change(change),
            Record::Base(base) => {
                self.base = self.base.max(*base);
                Applied::Done
            }
            // A move changes where bytes stand, which only storage knows; a checkpoint tells a whole state nothing
            // new; transactions of format 1 are groups, and need no verbs of their own.
            Record::Move { .. }
            | Record::Checkpoint(_)
            | Record::Transaction(_)
            | Record::EpochStart { .. }
            | Record::Chunk(_) => Applied::Ignored,
        }
    }

    /// Puts a message into one of its places: a part of [`State::apply`], for those who want to know of each place. Only for
    /// a state that is whole.
    pub fn enter(&mut self, place: Place, message: &Message) -> Entrance {
        let Place { destination: id, sequence } = place;
        let Some(destination) = self.destinations.touch(id) else { return Entrance::Dropped };
        // The last number is given to nobody, so that there is always a next one.
        if sequence.0 < destination.next() || sequence.0 == u64::MAX {
            return Entrance::Dropped;
        }
        if self.audit.repeated(id, message) {
            destination.enter_settled(sequence);
            return Entrance::Duplicate;
        }
        destination.enter(sequence, message);
        Entrance::New
    }

    fn change(&mut self, change: &CatalogueChange) -> Applied {
        match change {
            CatalogueChange::CreateDestination { id, destination } => {
                self.create(*id, DestinationState::new(destination.clone()))
            }
            CatalogueChange::CreateSubscription { id, subscription } => match subscription.destination() {
                Ok(destination) => {
                    let subscription = Some(Arc::new(subscription.clone()));
                    let made = DestinationState { subscription, ..DestinationState::new(destination) };
                    self.create(*id, made)
                }
                Err(_) => Applied::Dropped,
            },
            CatalogueChange::RemoveDestination { id } => match self.destinations.remove(*id) {
                true => Applied::Done,
                false => Applied::Dropped,
            },
            CatalogueChange::PauseDestination { id, paused } => match self.destinations.touch(*id) {
                Some(found) => found.pause(*paused),
                None => Applied::Dropped,
            },
        }
    }

    fn create(&mut self, id: DestinationId, made: DestinationState) -> Applied {
        let is_new = (self.next_destination..u32::MAX).contains(&id.0);
        if !is_new || self.destinations.has_name(made.destination()) {
            return Applied::Dropped;
        }
        self.next_destination = id.0 + 1;
        self.destinations.insert(id, made);
        Applied::Done
    }

    /// Whether it stands for all of the log that was applied. False for a fold that began above offset 0 until it meets a
    /// checkpoint: such a state says nothing, and must be kept nowhere.
    pub fn is_whole(&self) -> bool {
        self.coverage == Coverage::Whole
    }

    /// Where the log begins, as far as committed `Base` records say.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// The number that the next new destination gets.
    pub fn next_destination(&self) -> DestinationId {
        DestinationId(self.next_destination)
    }

    /// The destination with this number.
    pub fn destination(&self, id: DestinationId) -> Option<&DestinationState> {
        self.destinations.get(id)
    }

    /// Every destination, by number.
    pub fn destinations(&self) -> impl Iterator<Item = (DestinationId, &DestinationState)> {
        self.destinations.iter()
    }
}
