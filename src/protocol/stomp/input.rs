//! What arrives on a connection.

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::ReadHalf;
use tokio::time::Instant;

use super::codec::{CodecError, Decoder, Frame, Limits, Version};

/// Bytes that a read may take before the connection is known, and at first.
const READ_BYTES_MIN: usize = 4 * 1024;
/// Bytes that a read may take after reads that were always full.
const READ_BYTES_MAX: usize = 128 * 1024;

/// The receiving side of a connection: bytes, and the decoder that cuts them into frames.
#[derive(Debug)]
pub(super) struct Input {
    buffer: BytesMut,
    decoder: Decoder,
    read_bytes: usize,
    heard: Instant,
    settled: bool,
}

impl Input {
    /// Nothing has arrived, and little may until [`Input::settle`].
    pub(super) fn new() -> Input {
        Input {
            buffer: BytesMut::new(),
            decoder: Decoder::new(Limits::BEFORE_CONNECT),
            read_bytes: READ_BYTES_MIN,
            heard: Instant::now(),
            settled: false,
        }
    }

    /// From the next frame on the connection speaks `version`.
    pub(super) fn settle(&mut self, version: Version, limits: Limits) {
        self.decoder.settle(version, limits);
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

    /// Bytes that the frame will take whose beginning has arrived, as far as that is known.
    pub(super) fn announced(&self) -> usize {
        self.decoder.announced(&self.buffer)
    }

    /// Reads what has arrived. Cancel-safe. Memory is taken only once there is something to read, so that an idle
    /// connection holds none.
    ///
    /// # Errors
    /// The other side has closed, or the socket has failed: the connection is over.
    pub(super) async fn read(&mut self, reader: &mut ReadHalf<'_>) -> io::Result<()> {
        reader.readable().await?;
        self.buffer.reserve(self.read_bytes);
        let count = reader.read_buf(&mut self.buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if count >= self.read_bytes && self.settled {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
        self.heard = Instant::now();
        Ok(())
    }

    /// The next frame that has arrived whole.
    ///
    /// # Errors
    /// What has arrived is no STOMP: the connection cannot go on.
    pub(super) fn decode(&mut self) -> Result<Option<Frame>, CodecError> {
        let decoded = self.decoder.decode(&mut self.buffer)?;
        if decoded.is_none() && self.buffer.is_empty() && self.read_bytes == READ_BYTES_MIN {
            self.buffer = BytesMut::new();
        }
        Ok(decoded)
    }
}
