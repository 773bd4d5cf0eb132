//! How a transfer is named.

/// Names a transfer; never given twice under one master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker::serving) struct TransferId(pub(super) u64);
