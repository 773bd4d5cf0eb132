//! The producers of a connection: whose sends are counted against a window that their client keeps.

use std::collections::HashMap;

use super::codec::{Message, ProducerId};
use super::failure::Failure;

/// Producers of one connection.
const PRODUCERS_MAX: usize = 10_000;
/// What the Java client counts for a message beside its properties and its body.
const MESSAGE_BYTES: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Producers(HashMap<ProducerId, bool>);

impl Producers {
    /// A producer begins, with a window of so many bytes, or none.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn insert(&mut self, id: ProducerId, window_bytes: i32) -> Result<(), Failure> {
        if self.0.len() >= PRODUCERS_MAX {
            return Err(Failure::limit(format!("a connection has at most {PRODUCERS_MAX} producers")));
        }
        self.0.insert(id, window_bytes > 0);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &ProducerId) {
        self.0.remove(id);
    }

    /// The producers of a session end.
    pub(super) fn remove_of(&mut self, session: i64) {
        self.0.retain(|id, _| id.session_id != session);
    }

    /// What its producer has to be told when the message is carried out: that its window has so much room again.
    pub(super) fn owed(&self, message: &Message) -> Option<(ProducerId, i32)> {
        let id = message.producer_id.as_ref().filter(|id| self.0.get(id) == Some(&true))?;
        let parts = [&message.content, &message.marshalled_properties];
        let bytes: usize = parts.into_iter().flatten().map(bytes::Bytes::len).sum();
        let owed = !message.response_required;
        owed.then(|| (id.clone(), i32::try_from(MESSAGE_BYTES + bytes).unwrap_or(i32::MAX)))
    }
}
