//! The codec from outside of the house, for those who try it on bytes of any kind.

use std::error::Error;

use bytes::{Bytes, BytesMut};

use crate::protocol::Output;

use super::codec::{Codec, Settings};

/// ActiveMQ's size of a cache about which nothing was agreed.
const CACHE_SIZE: u16 = 16_383;

/// Reads the frames of one connection, and writes each of them again as it was read.
#[derive(Debug)]
pub struct Rewriter {
    reads: Codec,
    writes: Codec,
}

impl Rewriter {
    /// A connection on which both sides have agreed on this version (1 to 12), tight or loose encoding, a cache or none,
    /// and exceptions with or without their stack; its frames have at most `frame_bytes_max` bytes.
    pub fn new(
        version: u8,
        tight: bool,
        caches: bool,
        stack_traces: bool,
        frame_bytes_max: usize,
    ) -> Rewriter {
        let cache_size = caches.then_some(CACHE_SIZE);
        let settings = Settings { version, tight, cache_size, stack_traces };
        let agreed = || {
            let mut codec = Codec::new(frame_bytes_max);
            codec.agree(settings, frame_bytes_max);
            codec
        };
        Rewriter { reads: agreed(), writes: agreed() }
    }

    /// Takes the next frame off the front of `arrived` and gives it as it is written; `None` as long as it has not arrived whole.
    ///
    /// # Errors
    /// The bytes are no frame, and the connection cannot go on.
    pub fn rewrite(&mut self, arrived: &mut BytesMut) -> Result<Option<Bytes>, impl Error + use<>> {
        self.reads.decode(arrived).map(|read| {
            let structure = read?;
            let mut output = Output::new();
            self.writes.encode(&structure, &mut output);
            Some(output.take())
        })
    }

    /// Bytes that the frame at the front of `arrived` takes, as far as that is known.
    pub fn announced(&self, arrived: &BytesMut) -> usize {
        self.reads.announced(arrived)
    }
}
