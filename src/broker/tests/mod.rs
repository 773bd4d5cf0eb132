//! Scenarios over a log in memory.

mod bounds;
mod composites;
mod failover;
mod figures;
mod flow;
mod gate;
mod lanes;
mod operate;
mod queues;
mod spill;
mod topics;
mod transactions;
mod verbs;
mod world;
