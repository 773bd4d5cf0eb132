//! Scenarios over a log in memory.

mod failover;
mod flow;
mod gate;
mod queues;
mod spill;
mod topics;
mod transactions;
mod world;
