//! Frames to bytes, many into one buffer: what one turn of a connection has to say leaves with one write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::frame::{Escapes, Verb, Version};

/// Bodies from this size on are handed to the socket as they are; copying smaller ones is cheaper than another slice.
const BODY_SHARED_BYTES_MIN: usize = 16 * 1024;

/// A buffer that has grown beyond this is given back once it is empty, so that a burst does not stay in memory.
const BUFFER_KEPT_BYTES_MAX: usize = 256 * 1024;

/// What waits to be written.
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

    /// Begins a frame; [`FrameWriter::end`] completes it.
    pub fn frame(&mut self, verb: Verb, version: Version) -> FrameWriter<'_> {
        self.tail.put_slice(verb.text().as_bytes());
        self.tail.put_u8(b'\n');
        FrameWriter { output: self, escapes: verb.escapes(version) }
    }

    /// Writes a heart-beat.
    pub fn heart_beat(&mut self) {
        self.tail.put_u8(b'\n');
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

/// One frame being written.
#[derive(Debug)]
pub struct FrameWriter<'a> {
    output: &'a mut Output,
    escapes: Escapes,
}

impl FrameWriter<'_> {
    /// Writes a header, escaped as the version wants it. What a version cannot say (a newline in 1.0, a NUL in any)
    /// becomes `_`, so that no value can pass for another header.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.prefixed(name, "", value)
    }

    /// Writes a header whose value is `prefix`, which needs no escape, and `value`.
    pub fn prefixed(&mut self, name: &str, prefix: &str, value: &str) -> &mut Self {
        self.escaped(name.as_bytes(), true);
        self.output.tail.put_u8(b':');
        self.output.tail.put_slice(prefix.as_bytes());
        self.escaped(value.as_bytes(), false);
        self.output.tail.put_u8(b'\n');
        self
    }

    /// Writes a header whose name and value need no escape.
    pub fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        let tail = &mut self.output.tail;
        tail.put_slice(name.as_bytes());
        tail.put_u8(b':');
        tail.put_slice(value.as_bytes());
        tail.put_u8(b'\n');
        self
    }

    /// Writes a header with a number.
    pub fn number(&mut self, name: &str, value: i64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            at -= 1;
            digits[at] = b'-';
        }
        let tail = &mut self.output.tail;
        tail.put_slice(name.as_bytes());
        tail.put_u8(b':');
        tail.put_slice(&digits[at..]);
        tail.put_u8(b'\n');
        self
    }

    /// Completes a frame without a body.
    pub fn end_empty(&mut self) {
        self.output.tail.put_slice(b"\n\0");
    }

    /// Completes the frame. With `measured`, or if the body holds a NUL, a content-length goes before it.
    pub fn end(&mut self, body: &Bytes, measured: bool) {
        if measured || memchr::memchr(0, body).is_some() {
            self.number("content-length", body.len() as i64);
        }
        let Output { ready, tail } = &mut *self.output;
        tail.put_u8(b'\n');
        if body.len() < BODY_SHARED_BYTES_MIN {
            tail.put_slice(body);
        } else {
            ready.push_back(tail.split().freeze());
            ready.push_back(body.clone());
        }
        tail.put_slice(b"\0");
    }

    fn escaped(&mut self, text: &[u8], name: bool) {
        let tail = &mut self.output.tail;
        let special = |byte: u8| matches!(byte, b'\\' | b'\n' | b'\r' | b':' | 0);
        if !text.iter().fold(false, |found, byte| found | special(*byte)) {
            tail.put_slice(text);
            return;
        }
        for byte in text {
            match (byte, self.escapes) {
                (0, _) | (b'\n' | b'\r', Escapes::None) => tail.put_u8(b'_'),
                (b':', Escapes::None) if name => tail.put_u8(b'_'),
                (b'\\' | b':', Escapes::None) | (b'\r', Escapes::Three) => tail.put_u8(*byte),
                (b'\\', _) => tail.put_slice(b"\\\\"),
                (b'\n', _) => tail.put_slice(b"\\n"),
                (b':', _) => tail.put_slice(b"\\c"),
                (b'\r', _) => tail.put_slice(b"\\r"),
                _ => tail.put_u8(*byte),
            }
        }
    }
}
