//! Tests of the whole: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on stops, and says what it measured"
)]

/// What the broker runs with; states of the model are many small values.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod clients;
mod commands;
mod coordination;
mod endurance;
mod faults;
mod harness;
mod house;
mod jms;
mod limits;
mod mastership;
mod model;
mod network;
mod start;
