//! What arrives on a connection.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::transport::Receive;

/// Bytes that a read may take before the client is known, and at first.
const READ_BYTES_MIN: usize = 4 * 1024;
/// Bytes that a read may take after reads that were always full.
const READ_BYTES_MAX: usize = 128 * 1024;

/// A buffer that had to hold more is given back when it is empty.
const BUFFER_KEPT_BYTES_MAX: usize = 256 * 1024;

/// Bytes that have arrived and are not understood yet.
#[derive(Debug)]
pub(super) struct Input {
    buffer: BytesMut,
    read_bytes: usize,
    heard: Instant,
    settled: bool,
    /// Whether the buffer has held more than what is kept. Its capacity does not tell, as frames have taken parts of it.
    is_large: bool,
}

impl Input {
    /// Nothing has arrived, and little may until [`Input::settle`].
    pub(super) fn new() -> Input {
        let buffer = BytesMut::new();
        Input { buffer, read_bytes: READ_BYTES_MIN, heard: Instant::now(), settled: false, is_large: false }
    }

    /// The client is known: reads may grow.
    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    /// When something arrived last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Counts silence from now on: nothing could have been heard.
    pub(super) fn excuse(&mut self) {
        self.heard = Instant::now();
    }

    /// What has arrived.
    pub(super) fn arrived(&self) -> &BytesMut {
        &self.buffer
    }

    /// The same, to take from its front.
    pub(super) fn arrived_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// All that arrived whole has been taken: a small buffer is given back, so that an idle connection holds none, and a large
    /// one, so that one large frame costs nothing for ever.
    pub(super) fn rest(&mut self) {
        if self.buffer.is_empty() && (self.read_bytes == READ_BYTES_MIN || self.is_large) {
            (self.buffer, self.is_large) = (BytesMut::new(), false);
        }
    }

    /// Reads what has arrived. Cancel-safe. Memory is taken only once there is something to read.
    ///
    /// # Errors
    /// The other side has closed, or the stream has failed: the connection is over.
    pub(super) async fn read(&mut self, reader: &mut impl Receive) -> io::Result<()> {
        reader.readable().await?;
        self.buffer.reserve(self.read_bytes);
        let count = reader.read_buf(&mut self.buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.is_large |= self.buffer.len() > BUFFER_KEPT_BYTES_MAX;
        if count >= self.read_bytes && self.settled {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
        self.heard = Instant::now();
        Ok(())
    }
}
