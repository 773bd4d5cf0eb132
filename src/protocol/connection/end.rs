//! Why a connection ends.

use std::io;

use crate::broker::Closed;

use super::adapter::Fault;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client has gone, or the stream has failed.
    Gone,
    /// The client has said goodbye; what is in the output goes out first.
    Goodbye,
    /// The broker ends it: nothing more is written.
    Broker(String),
    /// There is no memory for what the client sends; it has not been told yet.
    NoMemory(&'static str),
    /// The client broke a rule; what is in the output tells it so.
    Fault(Fault),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> End {
        End::Gone
    }
}

impl From<Closed> for End {
    fn from(_: Closed) -> End {
        End::Broker("the broker stops serving".to_owned())
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> End {
        End::Fault(fault)
    }
}
