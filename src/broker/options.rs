//! Bounds.

/// Default bound of a transaction's operations.
pub const TRANSACTION_OPERATIONS_MAX: usize = 100_000;
/// Default bound of a transaction's bytes.
pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;
