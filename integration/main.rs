//! Tests of the whole: one binary, a module per subject.

mod backlog;
mod failover;
mod harness;
mod hostile;
mod misconfig;
mod seeds;
mod start;
