//! A STOMP client over the same codec, with failover over several addresses.
//!
//! A lost connection is made again, and subscriptions with it; operations that waited for their answer end with
//! [`ClientError::OutcomeUnknown`]: the client never asks twice by itself.

mod options;
mod wire;
mod message;
mod requests;
mod connection;
mod handle;
mod tools;
mod histogram;
mod load;
pub(crate) mod openwire;
#[cfg(test)]
mod tests;

pub use handle::{Client, Receipt, Subscription};
pub use histogram::Histogram;
pub use load::{Load, LoadProgress, LoadReport, run as run_load};
pub use message::{Incoming, Outgoing};
pub use options::{ClientError, ConnectOptions};
pub use requests::{AckMode, ClientEvent, SubscriptionOptions, Transaction};
pub use tools::{
    BrowseOptions, ConsumeOptions, Consumed, ProduceOptions, Produced, browse, consume, produce,
};
