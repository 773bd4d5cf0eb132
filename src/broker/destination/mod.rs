//! Destinations as the serving master keeps them in memory: a queue's window and consumers, a topic's subscribers.

mod census;
mod expiry;
mod queue;
mod topic;
mod transient;
mod transients;

pub(super) use census::Census;
pub(super) use expiry::Expiry;
pub(super) use queue::{Consumer, Dead, Next, Queue, Reading};
pub(super) use topic::Topic;
pub(super) use transient::Transient;
pub use transient::{Spill, SpillId, Spilled};
pub(super) use transients::Transients;
