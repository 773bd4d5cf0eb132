//! What years of use come to, made short: long queues, much traffic, nodes that were away.

mod backlog;
mod bulk;
mod catching_up;
mod cleaning;
mod killed;
mod sifting;
mod soak;
