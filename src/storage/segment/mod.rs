//! One file of the log: a header in a page of its own, which no later write touches, then records.

mod blocks;
mod file;
mod open_files;
mod origin;
mod reader;
mod space;

use crate::env::BLOCK_BYTES;

pub(super) use blocks::Blocks;
pub(super) use file::Segment;
pub(super) use open_files::OpenFiles;
pub(super) use origin::Origin;
pub(super) use reader::{RecordReader, Stop};
pub(super) use space::Space;
pub use space::{Shortage, SpaceOptions};

/// Bytes of a segment file before its first record.
pub(super) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// What a reader takes from the disk at once.
pub(super) const READ_BYTES: usize = 1024 * 1024;

/// No log begins higher.
pub(super) const FIRST_BASE_MAX: u64 = 1 << 62;
/// And none grows so long that a segment could begin higher than this: no sum of an offset and a length wraps.
const BASE_MAX: u64 = 1 << 63;

/// How long the file of a segment is that has room for so many bytes of records: whole blocks, as it is written in them.
fn file_bytes(records: u64) -> u64 {
    (SEGMENT_HEADER_BYTES + records).next_multiple_of(BLOCK_BYTES as u64)
}
