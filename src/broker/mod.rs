//! What clients see of the broker: sessions, destinations, subscriptions, dispatch. Names no protocol and no transport.

mod gate;
mod options;
mod session;

pub use gate::{Closed, GATE_COMMANDS, Gate, Inbound, SESSION_SUBMISSIONS, Session, Submission, Turn};
pub use options::{TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX};
pub use session::{
    Command, Correlation, DeliveryId, Refusal, SessionEvent, SessionId, SessionInfo, SubscribeOptions,
    SubscriptionKey, TransactionKey, Verdict,
};
