//! Frames to bytes, many into one output.

use bytes::Bytes;

use crate::protocol::Output;

use super::frame::{Escapes, Verb, Version};

/// Writes a heart-beat.
pub fn heart_beat(output: &mut Output) {
    output.put_byte(b'\n');
}

/// One frame being written.
#[derive(Debug)]
pub struct FrameWriter<'a> {
    output: &'a mut Output,
    escapes: Escapes,
}

impl<'a> FrameWriter<'a> {
    /// Begins a frame; [`FrameWriter::end`] completes it.
    pub fn new(output: &'a mut Output, verb: Verb, version: Version) -> FrameWriter<'a> {
        output.put(verb.text().as_bytes());
        output.put_byte(b'\n');
        FrameWriter { output, escapes: verb.escapes(version) }
    }

    /// Writes a header, escaped as the version wants it. What a version cannot say (a newline in 1.0, a NUL in any)
    /// becomes `_`, so that no value can pass for another header.
    pub fn header(&mut self, name: &str, value: &str) -> &mut Self {
        self.prefixed(name, "", value)
    }

    /// Writes a header whose value is `prefix`, which needs no escape, and `value`.
    pub fn prefixed(&mut self, name: &str, prefix: &str, value: &str) -> &mut Self {
        self.escaped(name.as_bytes(), true);
        self.output.put_byte(b':');
        self.output.put(prefix.as_bytes());
        self.escaped(value.as_bytes(), false);
        self.output.put_byte(b'\n');
        self
    }

    /// Writes a header whose name and value need no escape.
    pub fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        let output = &mut *self.output;
        output.put(name.as_bytes());
        output.put_byte(b':');
        output.put(value.as_bytes());
        output.put_byte(b'\n');
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
        let output = &mut *self.output;
        output.put(name.as_bytes());
        output.put_byte(b':');
        output.put(&digits[at..]);
        output.put_byte(b'\n');
        self
    }

    /// Completes a frame without a body.
    pub fn end_empty(&mut self) {
        self.output.put(b"\n\0");
    }

    /// Completes the frame. With `measured`, or if the body holds a NUL, a content-length goes before it.
    pub fn end(&mut self, body: &Bytes, measured: bool) {
        if measured || memchr::memchr(0, body).is_some() {
            self.number("content-length", body.len() as i64);
        }
        self.output.put_byte(b'\n');
        self.output.put_body(body);
        self.output.put_byte(0);
    }

    fn escaped(&mut self, text: &[u8], name: bool) {
        let output = &mut *self.output;
        let special = |byte: u8| matches!(byte, b'\\' | b'\n' | b'\r' | b':' | 0);
        if !text.iter().fold(false, |found, byte| found | special(*byte)) {
            output.put(text);
            return;
        }
        for byte in text {
            match (byte, self.escapes) {
                (0, _) | (b'\n' | b'\r', Escapes::None) => output.put_byte(b'_'),
                (b':', Escapes::None) if name => output.put_byte(b'_'),
                (b'\\' | b':', Escapes::None) | (b'\r', Escapes::Three) => output.put_byte(*byte),
                (b'\\', _) => output.put(b"\\\\"),
                (b'\n', _) => output.put(b"\\n"),
                (b':', _) => output.put(b"\\c"),
                (b'\r', _) => output.put(b"\\r"),
                _ => output.put_byte(*byte),
            }
        }
    }
}
