//! The producers of a connection, by the ids that the client gave them and by the broker's keys; some of their sends are counted
//! against a window that their client keeps.

use std::collections::HashMap;

use crate::broker::{Command, ProducerKey};

use super::codec::{Message, ProducerId};
use super::failure::Failure;

/// Producers of one connection.
const PRODUCERS_MAX: usize = 10_000;
/// What the Java client counts for a message beside its properties and its body.
const MESSAGE_BYTES: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Producer {
    key: ProducerKey,
    has_window: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: HashMap<ProducerId, Producer>,
    made: u64,
}

impl Producers {
    /// A producer begins, with a window of so many bytes, or none. One of the same id is that one.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn insert(
        &mut self,
        id: ProducerId,
        window_bytes: i32,
        commands: &mut Vec<Command>,
    ) -> Result<ProducerKey, Failure> {
        self.remove(&id, commands);
        if self.by_id.len() >= PRODUCERS_MAX {
            return Err(Failure::limit(format!("a connection has at most {PRODUCERS_MAX} producers")));
        }
        self.made += 1;
        let key = ProducerKey(self.made);
        self.by_id.insert(id, Producer { key, has_window: window_bytes > 0 });
        Ok(key)
    }

    pub(super) fn remove(&mut self, id: &ProducerId, commands: &mut Vec<Command>) {
        let gone = self.by_id.remove(id);
        commands.extend(gone.map(|it| Command::EndProducer { producer: it.key }));
    }

    /// The broker has refused a producer.
    pub(super) fn forget(&mut self, key: ProducerKey) {
        self.by_id.retain(|_, it| it.key != key);
    }

    /// The producers of a session end.
    pub(super) fn remove_of(&mut self, session: i64, commands: &mut Vec<Command>) {
        let gone = self.by_id.extract_if(|id, _| id.session_id == session);
        commands.extend(gone.map(|(_, it)| Command::EndProducer { producer: it.key }));
    }

    /// What its producer has to be told when the message is carried out: that its window has so much room again.
    pub(super) fn owed(&self, message: &Message) -> Option<(ProducerId, i32)> {
        let has_window = |id: &&ProducerId| self.by_id.get(*id).is_some_and(|it| it.has_window);
        let id = message.producer_id.as_ref().filter(has_window)?;
        let parts = [&message.content, &message.marshalled_properties];
        let bytes: usize = parts.into_iter().flatten().map(bytes::Bytes::len).sum();
        let owed = !message.response_required;
        owed.then(|| (id.clone(), i32::try_from(MESSAGE_BYTES + bytes).unwrap_or(i32::MAX)))
    }
}
