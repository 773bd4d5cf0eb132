//! The log on disk, its index and its recovery.

mod error;
mod format;

pub use error::StorageError;
pub use format::{
    Batch, BatchBuilder, CHUNK_BYTES, FormatError, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RecordView,
    cut_body, join_body, records, verify,
};
