//! What a replica knows of the master that it follows.

use std::time::Duration;

use crate::coordination::Master;
use crate::replication::{Ack, StreamId};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Following {
    pub(super) master: Master,
    pub(super) address: Option<String>,
    /// The stream that was dialled last, until it ends.
    pub(super) stream: Option<StreamId>,
    /// Whether the master has welcomed it.
    pub(super) standing: bool,
    /// Whether all that was committed when the stream began is here.
    pub(super) caught_up: bool,
    /// When the master was last heard, or dialled.
    pub(super) heard_at: Duration,
    /// When it may be dialled next.
    pub(super) dial_at: Duration,
    pub(super) ack: Ack,
}

impl Following {
    pub(super) fn new(master: Master, address: Option<String>) -> Following {
        Following {
            master,
            address,
            stream: None,
            standing: false,
            caught_up: false,
            heard_at: Duration::ZERO,
            dial_at: Duration::ZERO,
            ack: Ack::default(),
        }
    }

    pub(super) fn role(&self) -> &'static str {
        if self.standing && self.caught_up { "slave" } else { "attaching" }
    }
}
