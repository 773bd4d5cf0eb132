//! Names that messages are sent to.

use std::fmt;

/// What kind of destination a name stands for. The numbers are part of the record format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DestinationKind {
    /// Each message goes to one consumer.
    Queue = 1,
    /// Each message goes to every subscription.
    Topic = 2,
    /// A queue that lives as long as the connection that made it.
    TemporaryQueue = 3,
    /// A topic that lives as long as the connection that made it.
    TemporaryTopic = 4,
    /// Where the messages of a durable subscription wait. Nobody sends to it, and no client names it.
    Subscription = 5,
    /// Where messages wait until they are sent. There is one, and no client names it.
    Schedule = 6,
}

impl DestinationKind {
    /// The kind with this number in the record format.
    pub fn from_code(code: u8) -> Option<DestinationKind> {
        Some(match code {
            1 => DestinationKind::Queue,
            2 => DestinationKind::Topic,
            3 => DestinationKind::TemporaryQueue,
            4 => DestinationKind::TemporaryTopic,
            5 => DestinationKind::Subscription,
            6 => DestinationKind::Schedule,
            _ => return None,
        })
    }

    /// Whether it is a queue, lasting or temporary.
    pub fn is_queue(self) -> bool {
        matches!(self, DestinationKind::Queue | DestinationKind::TemporaryQueue)
    }

    /// Whether it is a topic, lasting or temporary.
    pub fn is_topic(self) -> bool {
        matches!(self, DestinationKind::Topic | DestinationKind::TemporaryTopic)
    }

    /// Whether messages wait in it, each for one consumer.
    pub fn holds(self) -> bool {
        self.is_queue() || self == DestinationKind::Subscription
    }

    /// Whether clients may name it.
    pub fn has_names(self) -> bool {
        self.is_queue() || self.is_topic()
    }

    /// The scheme of ActiveMQ's URIs for this kind: `queue`, `topic`, `temp-queue` or `temp-topic`; and `subscription` and
    /// `schedule`, which only we have.
    pub fn scheme(self) -> &'static str {
        match self {
            DestinationKind::Queue => "queue",
            DestinationKind::Topic => "topic",
            DestinationKind::TemporaryQueue => "temp-queue",
            DestinationKind::TemporaryTopic => "temp-topic",
            DestinationKind::Subscription => "subscription",
            DestinationKind::Schedule => "schedule",
        }
    }
}

/// Why a name is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing stands after the prefix.
    #[error("a destination needs a name")]
    Empty,
    /// The name is longer than [`Destination::NAME_BYTES_MAX`].
    #[error("a destination's name has at most {} bytes", Destination::NAME_BYTES_MAX)]
    TooLong,
    /// The name holds a control character.
    #[error("a destination's name has no control characters")]
    Control,
}

/// A destination: its kind and its name, with `.` between the parts of the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Queue, topic, the temporary form of either, or a durable subscription.
    pub kind: DestinationKind,
    /// The name without any prefix; 1 to [`Destination::NAME_BYTES_MAX`] bytes.
    pub name: String,
}

impl Destination {
    /// Longest name in bytes; long enough for every client seen, short enough to keep catalogues small.
    pub const NAME_BYTES_MAX: usize = 1024;

    /// A destination of this kind and name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with the name; the caller refuses the request that carried it.
    pub fn new(kind: DestinationKind, name: impl Into<String>) -> Result<Destination, NameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > Destination::NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Destination { kind, name })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.kind.scheme(), self.name)
    }
}
