//! One master after another: by a crash, and by an order; and which process a node is.

mod failover;
mod handover;
mod identity;
