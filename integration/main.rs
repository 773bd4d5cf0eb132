//! Tests of the whole: one binary, a module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod dependencies;
mod tidy;
