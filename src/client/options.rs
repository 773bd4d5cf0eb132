//! How a client connects, and what can go wrong.

use std::time::Duration;

use crate::env::Names;
use crate::protocol::stomp::CodecError;

/// How to connect, and how hard to try.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// User name.
    pub login: Option<String>,
    /// Password.
    pub passcode: Option<String>,
    /// Virtual host (RabbitMQ); the address's host if there is none.
    pub host: Option<String>,
    /// Client id, for durable subscriptions.
    pub client_id: Option<String>,
    /// More headers of the CONNECT frame.
    pub headers: Vec<(String, String)>,
    /// How often both sides show that they live; zero: never.
    pub heart_beat: Duration,
    /// How names are looked up; clones share what is known.
    pub names: Names,
    /// How long one address may take to accept.
    pub connect_timeout: Duration,
    /// How long a broker that has accepted may take to answer CONNECT.
    pub answer_timeout: Duration,
    /// Pause before an address that has failed is tried again; doubles each time.
    pub back_off_min: Duration,
    /// Longest such pause.
    pub back_off_max: Duration,
    /// After so long without a connection the client gives up.
    pub give_up_after: Duration,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            login: None,
            passcode: None,
            host: None,
            client_id: None,
            headers: Vec::new(),
            heart_beat: Duration::ZERO,
            names: Names::default(),
            connect_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(2),
            back_off_min: Duration::from_millis(5),
            back_off_max: Duration::from_millis(100),
            give_up_after: Duration::from_secs(30),
        }
    }
}

/// Why an operation did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No address could be reached in time. Nothing was asked of a broker.
    #[error("no broker at {addresses}: {reason}")]
    Unreachable {
        /// The addresses that were tried.
        addresses: String,
        /// What went wrong last.
        reason: String,
    },
    /// The broker says no: nothing of the operation has happened.
    #[error("refused by the broker: {0}")]
    Refused(String),
    /// The connection was lost before the answer came: the operation has happened or not. Whoever asks again may
    /// ask twice.
    #[error("the connection was lost before the answer came; the outcome is unknown")]
    OutcomeUnknown,
    /// The broker ended the connection, with this reason, before the answer came: the operation has happened or not.
    #[error("the broker ended the connection before the answer came: {0}")]
    Ended(String),
    /// The message or transaction belongs to a connection that is gone: an unsettled message comes again, an open
    /// transaction was rolled back.
    #[error("the connection that this belongs to is gone")]
    Stale,
    /// The connection is gone.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The broker sends what is no STOMP.
    #[error("the broker's answer cannot be read: {0}")]
    Protocol(#[from] CodecError),
    /// The client has disconnected or given up.
    #[error("the client is closed")]
    Closed,
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> ClientError {
        ClientError::Lost(error.to_string())
    }
}
