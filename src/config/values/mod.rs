//! How values are written: sizes, durations and addresses.

pub(super) mod units;
pub(super) mod uri;
