//! The log on disk, its index and its recovery.

mod checks;
mod error;
mod format;
mod hint;
mod identity;
mod index;
mod live;
mod log;
mod recovery;
mod segment;
mod sidecar;
mod store;
mod window;

#[cfg(test)]
mod tests;

pub use checks::{Look, VerifyReport};
pub use error::StorageError;
pub use format::{
    Batch, BatchBuilder, CHUNK_BYTES, FormatError, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RECORD_VERSION,
    RecordView, cut_body, join_body, push_group, records, verify,
};
pub use identity::IdentityFile;
pub use index::{Checkpoint, Index, IndexError, IndexHandle, SledIndex};
pub use live::Held;
pub use log::{Finished, Log, LogEvent, LogOptions, Recovered};
pub use recovery::Damage;
pub use segment::{Shortage, SpaceOptions};
pub use store::Store;
#[cfg(test)]
pub(crate) use tests::by_hand;
pub use window::{Expired, Loaded, WeightRequest, WindowRequest};
