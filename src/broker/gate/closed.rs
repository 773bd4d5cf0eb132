//! Why there is no session.

use crate::security::LoginError;

/// The core task is gone, or it ended this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker closed the session")]
pub struct Closed;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The core task is gone.
    #[error("{0}")]
    Closed(#[from] Closed),
    /// The client is not who it says, or does not say who it is.
    #[error("{0}")]
    Login(#[from] LoginError),
    /// Another session has the client id; it may be free later.
    #[error("Client id in use: {client_id} is connected from {remote}")]
    ClientIdInUse {
        /// The id.
        client_id: String,
        /// Where the client is that has it.
        remote: String,
    },
}
