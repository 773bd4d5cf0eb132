//! What clients have made that stays: destinations by name, and what joins subscriptions to them. Each costs memory on the
//! master, so each is counted, and so is what the names take.

use std::collections::HashMap;

use crate::broker::subscription::Selection;
use crate::broker::{CensusOptions, Refusal};
use crate::model::{Destination, DestinationId};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct Census {
    /// A destination as a message's field names it -> its number. Ahead of the state by what is in the log's pipeline.
    names: HashMap<Box<[u8]>, DestinationId>,
    /// Bytes of all names.
    name_bytes: usize,
    /// Subscriptions on queues and topics: one for each pair.
    joins: usize,
    /// Bytes of the texts of all selectors.
    selector_bytes: usize,
}

impl Census {
    /// The number of the destination that a message's field names.
    pub(in crate::broker) fn find(&self, field: &[u8]) -> Option<DestinationId> {
        self.names.get(field).copied()
    }

    /// The number of a destination.
    pub(in crate::broker) fn find_destination(&self, destination: &Destination) -> Option<DestinationId> {
        self.find(&field_name(destination))
    }

    pub(in crate::broker) fn insert(&mut self, destination: &Destination, id: DestinationId) {
        let name = field_name(destination);
        self.name_bytes += name.len();
        if let Some(_other) = self.names.insert(name, id) {
            self.name_bytes -= 1 + destination.name.len();
        }
    }

    pub(in crate::broker) fn remove(&mut self, destination: &Destination) {
        if let Some((name, _)) = self.names.remove_entry(&field_name(destination)[..]) {
            self.name_bytes -= name.len();
        }
    }

    /// A subscription takes from one more destination.
    pub(in crate::broker) fn join(&mut self) {
        self.joins += 1;
    }

    /// It takes from so many fewer.
    pub(in crate::broker) fn part(&mut self, count: usize) {
        self.joins -= count;
    }

    /// Whether there may be one more destination, which so many subscriptions mean by their wildcards.
    pub(in crate::broker) fn admit(
        &self,
        destination: &Destination,
        meant_by: usize,
        options: &CensusOptions,
    ) -> Result<(), Refusal> {
        if self.names.len() >= options.destinations_max {
            return Err(Refusal::Limit(format!("there are {} destinations already", self.names.len())));
        }
        if self.name_bytes + destination.name.len() >= options.name_bytes_max {
            let bytes = self.name_bytes;
            return Err(Refusal::Limit(format!("the names of all destinations take {bytes} bytes already")));
        }
        self.admit_joins(meant_by, options)
    }

    /// Whether subscriptions may take from so many destinations more.
    pub(in crate::broker) fn admit_joins(
        &self,
        count: usize,
        options: &CensusOptions,
    ) -> Result<(), Refusal> {
        if self.joins + count > options.joins_max {
            let joins = self.joins;
            return Err(Refusal::Limit(format!("there are {joins} subscriptions on destinations already")));
        }
        Ok(())
    }

    /// A subscription begins that may have a selector, if there is memory for it.
    pub(in crate::broker) fn admit_selection(
        &mut self,
        selection: Option<&Selection>,
        options: &CensusOptions,
    ) -> Result<(), Refusal> {
        let bytes = selection.map_or(0, |it| it.bytes);
        self.admit_selector(bytes, options)?;
        self.keep_selector(bytes);
        Ok(())
    }

    /// Whether there is memory for one more selector, of so many bytes.
    pub(in crate::broker) fn admit_selector(
        &self,
        bytes: usize,
        options: &CensusOptions,
    ) -> Result<(), Refusal> {
        if self.selector_bytes + bytes > options.selector_bytes_max {
            let bytes = self.selector_bytes;
            return Err(Refusal::Limit(format!(
                "the selectors of all subscriptions have {bytes} bytes already"
            )));
        }
        Ok(())
    }

    /// A subscription exists whose selector has so many bytes.
    pub(in crate::broker) fn keep_selector(&mut self, bytes: usize) {
        self.selector_bytes += bytes;
    }

    /// A subscription is gone whose selector had so many bytes.
    pub(in crate::broker) fn forget_selector(&mut self, bytes: usize) {
        self.selector_bytes -= bytes;
    }

    /// It ends.
    pub(in crate::broker) fn forget_selection(&mut self, selection: Option<&Selection>) {
        self.forget_selector(selection.map_or(0, |it| it.bytes));
    }

    /// Panics when a count is wrong.
    #[cfg(test)]
    pub(in crate::broker) fn check(&self, joins: usize, selector_bytes: usize) {
        assert_eq!(self.joins, joins, "subscriptions on destinations");
        assert_eq!(self.selector_bytes, selector_bytes, "bytes of selectors");
        assert_eq!(
            self.name_bytes,
            self.names.keys().map(|name| name.len()).sum::<usize>(),
            "bytes of names"
        );
    }
}

/// A destination as a message's field names it.
fn field_name(destination: &Destination) -> Box<[u8]> {
    let mut name = Vec::with_capacity(1 + destination.name.len());
    name.push(destination.kind as u8);
    name.extend_from_slice(destination.name.as_bytes());
    name.into_boxed_slice()
}
