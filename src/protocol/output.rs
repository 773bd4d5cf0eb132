//! Bytes that wait to be written: what one turn of a connection has to say leaves with one write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bodies from this size on are handed to the socket as they are; copying smaller ones is cheaper than another slice.
const BODY_SHARED_BYTES_MIN: usize = 16 * 1024;

/// A buffer that has grown beyond this is given back once it is empty, so that a burst does not stay in memory.
const BUFFER_KEPT_BYTES_MAX: usize = 256 * 1024;

/// What waits to be written. Codecs add to it, the connection takes from it.
#[derive(Debug, Default)]
pub struct Output {
    ready: VecDeque<Bytes>,
    tail: BytesMut,
}

impl Output {
    /// Nothing to write.
    pub fn new() -> Output {
        Output::default()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.tail.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum::<usize>() + self.tail.len()
    }

    /// Adds bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Adds a byte.
    #[inline]
    pub(super) fn put_byte(&mut self, byte: u8) {
        self.tail.put_u8(byte);
    }

    /// Adds a body; a large one is not copied.
    pub(super) fn put_body(&mut self, body: &Bytes) {
        if body.len() < BODY_SHARED_BYTES_MIN {
            self.tail.put_slice(body);
        } else {
            self.ready.push_back(self.tail.split().freeze());
            self.ready.push_back(body.clone());
        }
    }

    /// Fills `slices` with what waits, in order; gives how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.ready.iter().map(|part| &part[..]).chain(std::iter::once(&self.tail[..]));
        let mut filled = 0;
        for (slot, part) in slices.iter_mut().zip(parts.filter(|part| !part.is_empty())) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// Forgets the first `count` bytes: they have been written.
    pub fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(first) = self.ready.front_mut() else { break };
            let taken = count.min(first.len());
            first.advance(taken);
            count -= taken;
            if first.is_empty() {
                self.ready.pop_front();
            }
        }
        self.tail.advance(count);
        if self.tail.is_empty() && self.tail.capacity() > BUFFER_KEPT_BYTES_MAX {
            self.tail = BytesMut::new();
        }
    }

    /// All that waits as one piece.
    pub fn take(&mut self) -> Bytes {
        let mut all = BytesMut::new();
        for part in self.ready.drain(..) {
            all.put_slice(&part);
        }
        all.put_slice(&self.tail);
        self.tail.clear();
        all.freeze()
    }
}
