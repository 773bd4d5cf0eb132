//! One master after another: by a crash, and by an order.

mod failover;
mod handover;
