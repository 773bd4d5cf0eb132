//! What clients saw, in one order. An event is entered when it was certain: a connection before it is dialled, an
//! attempt before it is written, a confirmation after it was read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A message, named by the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageName {
    /// Number of its producer.
    pub(crate) producer: u32,
    /// Its place in the producer's order, from 1.
    pub(crate) sequence: u64,
}

impl MessageName {
    /// As it stands in bodies and `duplicate-id` headers.
    pub(crate) fn text(&self) -> String {
        format!("p{}-{}", self.producer, self.sequence)
    }

    /// From [`MessageName::text`].
    pub(crate) fn parse(text: &str) -> Option<MessageName> {
        let (producer, sequence) = text.strip_prefix('p')?.split_once('-')?;
        Some(MessageName { producer: producer.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

/// A client connection of a run, never the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionName(pub u32);

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A connection is going to be dialled.
    Opening(ConnectionName),
    /// A send is going to be written; again, if its outcome was unknown.
    Attempt(MessageName),
    /// Its receipt was read.
    Confirmed(MessageName),
    /// A delivery was read.
    Delivered {
        /// Of what; `None` if the body is no message of this run.
        message: Option<MessageName>,
        /// On which connection.
        connection: ConnectionName,
        /// Whether it was marked redelivered.
        redelivered: bool,
    },
    /// The receipt of an acknowledgement was read.
    Acknowledged(MessageName),
}

/// An event and its time since the start of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// When.
    pub(crate) at: Duration,
    /// What.
    pub(crate) what: What,
}

/// The events of a run, shared by its clients.
#[derive(Clone)]
pub(crate) struct History {
    start: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl History {
    /// An empty one that begins now.
    pub(crate) fn new() -> History {
        History { start: Instant::now(), events: Arc::default() }
    }

    /// Enters an event.
    pub(crate) fn enter(&self, what: What) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(Event { at: self.start.elapsed(), what });
    }

    /// The time of the run.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The events from a place on.
    pub(crate) fn events_from(&self, place: usize) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)[place..].to_vec()
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes it as lines of text, for a look at a failure.
    pub(crate) fn save(&self, path: &std::path::Path) {
        let lines: Vec<String> = self
            .events()
            .iter()
            .map(|event| format!("{:.6} {:?}", event.at.as_secs_f64(), event.what))
            .collect();
        std::fs::write(path, lines.join("\n")).ok();
    }
}
