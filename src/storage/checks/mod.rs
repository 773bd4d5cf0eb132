//! Whether what stands on the disk is what was written: read beside a running node, or of a store that none has open.

mod look;
mod scrub;

pub use look::Look;
pub use scrub::VerifyReport;
