//! What operators do to queues.

mod delete;
mod pause;
mod policies;
mod purge;
mod transfers;
