//! What clients see of the broker: sessions, destinations, subscriptions, dispatch. Names no protocol and no transport.

mod session;
mod gate;

pub use gate::{Closed, Gate, Inbound, Session, SessionInfo};
pub use session::{
    Command, Correlation, DeliveryId, Refusal, SessionEvent, SessionId, SubscribeOptions, SubscriptionKey,
    TransactionKey, Verdict,
};
