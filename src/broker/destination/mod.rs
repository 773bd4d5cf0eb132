//! Destinations as the serving master keeps them in memory: a queue's window and consumers, a topic's subscribers.

mod backlog;
mod census;
mod consumers;
mod expiry;
mod groups;
mod lanes;
mod queue;
mod router;
mod standing;
mod tastes;
mod topic;
mod transient;
mod transients;

pub(super) use backlog::{Backlog, Entry, Reading};
pub(super) use census::Census;
pub(super) use consumers::{Consumer, Consumers};
pub(super) use expiry::Expiry;
pub(super) use groups::{Group, LaneId};
pub(super) use lanes::{Audience, Key, Lanes, Offer, Rank, Taken};
pub(super) use queue::{Dead, Next, Queue};
pub(super) use router::{Router, is_advisory};
pub(super) use standing::Standing;
pub(super) use tastes::{Stalled, TASTES_MAX, Taste, Tastes, Wanted};
pub(super) use topic::Topic;
pub(super) use transient::Transient;
pub use transient::{Spill, SpillId, Spilled};
pub(super) use transients::Transients;
