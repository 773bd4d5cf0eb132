//! What an operator does to queues and what waits in them: transfers to other places, and pauses.

mod name;
mod orders;
mod transfers;

pub(super) use name::TransferId;
pub(super) use transfers::Transfers;
