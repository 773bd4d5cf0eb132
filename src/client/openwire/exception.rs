//! What can go wrong with an OpenWire connection.

use std::fmt;

use crate::protocol::openwire::client::{FrameError, Throwable};

/// Bytes of an exception's message that are shown.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What a broker says instead of yes: the exception that a JMS client would throw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exception {
    /// Its class as Java names it, such as `javax.jms.InvalidDestinationException`.
    pub(crate) class: String,
    /// What it says, cut to a length that a log can bear.
    pub(crate) message: String,
}

impl Exception {
    pub(super) fn of(throwable: Option<Throwable>) -> Exception {
        let Throwable { class_name, message } = throwable.unwrap_or_default();
        let mut message = message.as_deref().unwrap_or_default().replace(char::is_control, " ");
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Exception { class: class_name.as_deref().unwrap_or_default().to_owned(), message }
    }

    /// The class without its package.
    pub(crate) fn name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.name())
    }
}

/// Why a connection was not opened, or is over. What was asked and not answered has an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenWireError {
    /// The broker says no.
    #[error("refused by the broker: {0}")]
    Refused(Exception),
    /// The connection is gone, or the broker has been silent for too long.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// What has answered is no broker that speaks OpenWire.
    #[error("it does not speak OpenWire: {0}")]
    Stranger(FrameError),
    /// The broker's frames cannot be read any more.
    #[error("the broker's frames cannot be read: {0}")]
    Protocol(#[from] FrameError),
}

impl From<std::io::Error> for OpenWireError {
    fn from(error: std::io::Error) -> OpenWireError {
        OpenWireError::Lost(error.to_string())
    }
}
