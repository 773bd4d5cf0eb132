//! What years of use come to, made short: long queues, much traffic, nodes that were away.

mod backlog;
mod cleaning;
mod sifting;
