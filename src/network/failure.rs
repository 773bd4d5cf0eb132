//! Why a bridge does not stand.

use crate::client::openwire::{Exception, OpenWireError};

/// See the module. Nothing is lost by any of them: what the target has not confirmed is the source's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody listens there.
    #[error("no broker can be reached there: {0}")]
    Unreachable(String),
    /// The other broker did not let the bridge in, ended it, or is gone.
    #[error("the other broker: {0}")]
    Remote(OpenWireError),
    /// Our own broker did.
    #[error("this broker: {0}")]
    Own(OpenWireError),
    /// The address leads back to this broker.
    #[error("the address leads to this broker itself; a bridge to it would carry nothing")]
    Itself,
    /// The target does not tell of its consumers.
    #[error(
        "the consumer advisories are refused: {0}; the bridge's user needs the right to read ActiveMQ.Advisory.>"
    )]
    Advisories(Exception),
    /// The target does not take messages now, from this user or at all.
    #[error("messages for {place} are refused: {why}")]
    Refused {
        /// The destination.
        place: String,
        /// What the target says.
        why: Exception,
    },
    /// The other side demands more than a bridge can hold.
    #[error("it demands {0}")]
    TooMuch(String),
}
