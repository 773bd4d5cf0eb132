//! Tests of the whole: one binary, a module per subject.

mod backlog;
mod dependencies;
mod failover;
mod harness;
mod hostile;
mod misconfig;
mod seeds;
mod start;
mod tidy;
