//! What clients see of the broker: sessions, destinations, subscriptions, dispatch. Names no protocol and no transport.

mod session;

pub use session::{
    Command, Correlation, DeliveryId, Refusal, SessionEvent, SessionId, SubscribeOptions, SubscriptionKey,
    TransactionKey, Verdict,
};
