//! Scenarios over a log in memory.

mod failover;
mod flow;
mod gate;
mod queues;
mod topics;
mod transactions;
mod world;
