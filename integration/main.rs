//! Tests of the whole: one binary, a module per subject.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on stops, and says what it measured"
)]

mod backlog;
mod cleaning;
mod coordination;
mod dependencies;
mod failover;
mod faults;
mod handover;
mod harness;
mod hostile;
mod misconfig;
mod seeds;
mod start;
mod tidy;
