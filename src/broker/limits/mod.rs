//! What bounds clients: memory for what they have begun, room for what they do not read, and what one send may become.

mod budget;
mod outbox;
mod spread;

pub use budget::{Budget, Portion};
pub use outbox::Outbox;

#[cfg(test)]
pub(super) use outbox::OUTBOX_BYTES_MAX;
pub(super) use outbox::{Outboxes, Pool, Share};
pub(super) use spread::Spread;
