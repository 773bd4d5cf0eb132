//! What an operator does to queues and what waits in them: transfers to other places, and pauses.

mod name;
mod orders;
mod tended;
mod transfers;

pub(super) use name::TransferId;
pub(super) use tended::Tended;
pub(super) use transfers::Transfers;
