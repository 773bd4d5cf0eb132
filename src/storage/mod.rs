//! The log on disk, its index and its recovery.
