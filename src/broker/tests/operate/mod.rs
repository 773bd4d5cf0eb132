//! What operators do to queues.

mod delete;
mod pause;
mod purge;
mod transfers;
