//! What the handles of a client ask of the task that owns its connection.

use tokio::sync::{mpsc, oneshot};

use super::message::{Incoming, Outgoing};
use super::options::ClientError;

/// Where an answer goes.
pub(super) type Answer<T = ()> = oneshot::Sender<Result<T, ClientError>>;

/// How a subscription acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// The broker takes a message as consumed once it is sent.
    #[default]
    Auto,
    /// An acknowledgement counts for all earlier messages too.
    Client,
    /// Each message is acknowledged by itself.
    Individual,
}

impl AckMode {
    pub(super) fn text(self) -> &'static str {
        match self {
            AckMode::Auto => "auto",
            AckMode::Client => "client",
            AckMode::Individual => "client-individual",
        }
    }
}

/// How to subscribe.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionOptions {
    /// How messages are acknowledged.
    pub ack: AckMode,
    /// Unacknowledged messages that the broker may send; the broker's default if `None`.
    pub prefetch: Option<u32>,
    /// Only messages that match.
    pub selector: Option<String>,
    /// Look without taking; ends with [`ClientEvent::BrowseEnd`].
    pub browse: bool,
    /// More headers of the SUBSCRIBE frame.
    pub headers: Vec<(String, String)>,
}

/// What a subscription tells.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// A message.
    Message(Incoming),
    /// The connection was lost and is back, and the subscription with it: what was not acknowledged comes again.
    Interrupted,
    /// A browsing subscription has seen all there was.
    BrowseEnd,
    /// The broker has refused the subscription, or the client has given up. Nothing follows.
    Ended(ClientError),
}

/// An open transaction. Lost with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub(super) connection: u64,
    pub(super) number: u64,
}

/// What can be asked.
#[derive(Debug)]
pub(super) enum Request {
    Send {
        message: Outgoing,
        transaction: Option<Transaction>,
        answer: Option<Answer>,
    },
    Subscribe {
        number: u64,
        destination: String,
        options: SubscriptionOptions,
        events: mpsc::Sender<ClientEvent>,
        answer: Answer,
    },
    Unsubscribe {
        number: u64,
        answer: Answer,
    },
    Settle {
        message: Incoming,
        consumed: bool,
        transaction: Option<Transaction>,
        answer: Option<Answer>,
    },
    Begin {
        answer: Answer<Transaction>,
    },
    Finish {
        transaction: Transaction,
        commit: bool,
        answer: Answer,
    },
    Disconnect {
        answer: Answer,
    },
}
