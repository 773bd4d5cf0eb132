//! Bytes of snapshot values: little endian, a version byte first in each.

use bytes::{Buf, BufMut};

use crate::model::{Block, DurableSubscription};

/// Version of every value; a reader refuses others, and the state is built from the log instead.
pub(super) const VERSION: u8 = 2;

/// Why a snapshot is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Written by another version: fold the log again.
    #[error("snapshot value version {0} is unknown here")]
    Version(u8),
    /// A value does not fit its key: fold the log again.
    #[error("a snapshot value is damaged")]
    Damaged,
}

/// Writes one value.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Writer {
        Writer(vec![VERSION])
    }

    pub(super) fn u8(mut self, value: u8) -> Writer {
        self.0.put_u8(value);
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Writer {
        self.0.put_u32_le(value);
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Writer {
        self.0.put_u64_le(value);
        self
    }

    pub(super) fn u128(mut self, value: u128) -> Writer {
        self.0.put_u128_le(value);
        self
    }

    pub(super) fn text(mut self, value: &str) -> Writer {
        self.0.put_u32_le(value.len() as u32);
        self.0.put_slice(value.as_bytes());
        self
    }

    pub(super) fn block(mut self, block: &Block) -> Writer {
        block.encode(&mut self.0);
        self
    }

    pub(super) fn subscription(mut self, subscription: &DurableSubscription) -> Writer {
        subscription.encode(&mut self.0);
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads one value.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(value: &'a [u8]) -> Result<Reader<'a>, SnapshotError> {
        let mut reader = Reader(value);
        match reader.u8()? {
            VERSION => Ok(reader),
            other => Err(SnapshotError::Version(other)),
        }
    }

    /// Reads a key, which has no version.
    pub(super) fn of_key(key: &'a [u8]) -> Reader<'a> {
        Reader(key)
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, SnapshotError> {
        self.0.try_get_u32().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn u64_be(&mut self) -> Result<u64, SnapshotError> {
        self.0.try_get_u64().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn u8(&mut self) -> Result<u8, SnapshotError> {
        self.0.try_get_u8().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn u32(&mut self) -> Result<u32, SnapshotError> {
        self.0.try_get_u32_le().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn u64(&mut self) -> Result<u64, SnapshotError> {
        self.0.try_get_u64_le().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn u128(&mut self) -> Result<u128, SnapshotError> {
        self.0.try_get_u128_le().map_err(|_| SnapshotError::Damaged)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let length = self.u32()? as usize;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(SnapshotError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn text(&mut self) -> Result<String, SnapshotError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| SnapshotError::Damaged)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
