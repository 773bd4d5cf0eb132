//! What the broker asks of the core task, and what it is given back.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{DestinationId, Record};

use super::{SessionEvent, SessionId, Spill};

/// Names one read; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// Asks for messages that are applied and unsettled. To be answered with [`Loaded`](crate::storage::Loaded)s in ascending order: all that are
/// wanted, or the first of them up to a bound, but at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Whose messages.
    pub destination: DestinationId,
    /// Inclusive ranges of sequences, ascending. Every sequence in them is wanted.
    pub ranges: Vec<(u64, u64)>,
    /// At most so many messages.
    pub entries_max: usize,
    /// Stop at so many bytes; the first message is returned however large it is.
    pub bytes_max: usize,
}

/// What the core task has to do next, in this order.
#[derive(Debug, Default)]
pub struct Output {
    /// Groups of records for the log, in order; each is visible whole or not at all.
    pub proposals: Vec<Vec<Record>>,
    /// Reads of applied messages, to be answered by `Broker::loaded`.
    pub reads: Vec<(ReadId, ReadRequest)>,
    /// A read of those messages alone that have expired at a time (ms since 1970), to be answered by `Broker::expired`. At
    /// most one is under way.
    pub expiry: Option<(ReadId, ReadRequest, i64)>,
    /// Temporary files that are to be written, read and removed, in order.
    pub spills: Vec<Spill>,
    /// What sessions are told.
    pub events: Vec<(SessionId, Vec<SessionEvent>)>,
    /// When at the latest to ask again, although nothing has happened.
    pub again: Option<Duration>,
    /// Committed messages that could not be read. Their queues stand still; the store is to be repaired.
    pub damages: Vec<String>,
}

impl Output {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.proposals.is_empty()
            && self.reads.is_empty()
            && self.expiry.is_none()
            && self.spills.is_empty()
            && self.events.is_empty()
            && self.damages.is_empty()
    }
}

/// Where the events of each session go, on the core task's side.
#[derive(Debug, Default)]
pub struct Inboxes(HashMap<SessionId, mpsc::UnboundedSender<Vec<SessionEvent>>>);

impl Inboxes {
    pub(super) fn insert(&mut self, session: SessionId, inbox: mpsc::UnboundedSender<Vec<SessionEvent>>) {
        self.0.insert(session, inbox);
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        self.0.remove(&session);
    }

    /// Tells sessions what [`Output::events`] says; those that are gone hear nothing.
    pub fn tell(&self, events: Vec<(SessionId, Vec<SessionEvent>)>) {
        for (session, events) in events {
            if let Some(inbox) = self.0.get(&session) {
                // A connection that is gone closes its session by itself.
                let _ = inbox.send(events);
            }
        }
    }
}
