//! What is read from the disk and written to it while the core task goes on: bodies of backlogs, temporary files, searches for
//! what has expired.

mod expiry;
mod reading;
mod spill;

pub(super) use expiry::Expirer;
pub(super) use reading::{Purpose, Reads};
pub(super) use spill::Spills;
