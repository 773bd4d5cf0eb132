//! One frame, while it is written: values, and for a tight frame the booleans that will stand before them.

use std::hash::Hash;

use bytes::{BufMut, Bytes, BytesMut};

use crate::protocol::Output;

use super::bits::BitWriter;
use super::cache::Told;
use super::coded::Coded;
use super::settings::Settings;
use super::text::to_java;

/// The Java client refuses to write a longer text.
const TEXT_BYTES_MAX: usize = 32_766;
/// Contents from this size on are not copied into the frame.
const SHARED_BYTES_MIN: usize = 16 * 1024;
/// Memory that has grown beyond this is given back.
const SCRATCH_KEPT_BYTES_MAX: usize = 64 * 1024;

/// Memory for frames, which is used again and again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    values: BytesMut,
    bits: BitWriter,
    /// Contents that stand between the values, and behind how many bytes of those.
    shared: Vec<(usize, Bytes)>,
}

/// A structure whose fields are written behind its type.
pub(super) trait Writable: Coded + Eq + Hash {
    fn write(&self, out: &mut Writer<'_, Self>);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer<'a, V> {
    scratch: &'a mut Scratch,
    tight: bool,
    pub(super) settings: &'a Settings,
    told: &'a mut Told<V>,
}

impl<'a, V: Writable> Writer<'a, V> {
    pub(super) fn begin(
        scratch: &'a mut Scratch,
        settings: &'a Settings,
        told: &'a mut Told<V>,
        code: u8,
    ) -> Writer<'a, V> {
        if scratch.values.capacity() > SCRATCH_KEPT_BYTES_MAX {
            scratch.values = BytesMut::new();
        }
        scratch.values.clear();
        scratch.bits.clear();
        scratch.shared.clear();
        if settings.caches() {
            told.sweep();
        }
        Writer { scratch, tight: settings.tight && code != V::NULL, settings, told }
    }

    /// Adds the frame to the output: its length, its type, booleans, values.
    pub(super) fn end(self, code: u8, output: &mut Output) {
        let Scratch { values, bits, shared } = self.scratch;
        let contents: usize = shared.iter().map(|(_, content)| content.len()).sum();
        let booleans = if self.tight { bits.len() } else { 0 };
        let size = 1 + booleans + values.len() + contents;
        let mut head = BytesMut::with_capacity(5 + booleans);
        head.put_u32(size as u32);
        head.put_u8(code);
        if self.tight {
            bits.put(&mut head);
        }
        output.put(&head);
        let mut from = 0;
        for (at, content) in shared.drain(..) {
            output.put(&values[from..at]);
            output.put_body(&content);
            from = at;
        }
        output.put(&values[from..]);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.scratch.values.put_slice(bytes);
    }

    /// Bytes that are not copied if there are many.
    pub(super) fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            self.put(bytes);
        } else {
            self.scratch.shared.push((self.scratch.values.len(), bytes.clone()));
        }
    }

    pub(super) fn bool(&mut self, bit: bool) {
        match self.tight {
            true => self.scratch.bits.write(bit),
            false => self.put(&[bit.into()]),
        }
    }

    /// A number of 64 bits, of which a tight frame leaves out leading zeros.
    pub(super) fn long(&mut self, number: i64) {
        if !self.tight {
            return self.put(&number.to_be_bytes());
        }
        let bytes = number.to_be_bytes();
        let (first, second, kept) = match number as u64 {
            0 => (false, false, 0),
            1..=0xffff => (false, true, 2),
            0x1_0000..=0xffff_ffff => (true, false, 4),
            _ => (true, true, 8),
        };
        self.bool(first);
        self.bool(second);
        self.put(&bytes[8 - kept..]);
    }

    /// Text that may be null; what is too long is cut off.
    pub(super) fn string(&mut self, text: Option<&str>) {
        self.bool(text.is_some());
        let Some(text) = text else { return };
        let mut java = to_java(text);
        if java.len() > TEXT_BYTES_MAX {
            // A character takes at most twice what it takes in UTF-8.
            java = to_java(&text[..text.floor_char_boundary(TEXT_BYTES_MAX / 2)]);
        }
        if self.tight {
            self.bool(java.iter().all(|byte| (1..0x80).contains(byte)));
        }
        self.put(&(java.len() as u16).to_be_bytes());
        self.put(&java);
    }

    /// A structure that may be null: its type, and what `write` writes of it.
    pub(super) fn nested(&mut self, code: Option<u8>, write: impl FnOnce(&mut Self)) {
        self.bool(code.is_some());
        let Some(code) = code else { return };
        self.put(&[code]);
        if self.tight && V::may_come_encoded(code) {
            self.bool(false);
        }
        write(self);
    }

    /// A structure that may be null, or the number that it was given before.
    pub(super) fn cached(&mut self, value: Option<V>) {
        if !self.settings.caches() {
            return self.nested_any(value.as_ref());
        }
        let number = self.told.number(&value);
        self.bool(number.is_none());
        if let Some(number) = number {
            return self.put(&number.to_be_bytes());
        }
        // As in Java: what stands in a value gets its number before it in a tight frame, and behind it in a loose one.
        let early = if self.tight { None } else { Some(self.told.give(value.clone())) };
        let at = self.scratch.values.len();
        self.put(&early.unwrap_or_default().to_be_bytes());
        self.nested_any(value.as_ref());
        if early.is_none() {
            let number = self.told.give(value).to_be_bytes();
            self.scratch.values[at..at + number.len()].copy_from_slice(&number);
        }
    }

    pub(super) fn nested_any(&mut self, value: Option<&V>) {
        self.nested(value.map(V::code), |out| {
            if let Some(value) = value {
                value.write(out);
            }
        });
    }
}
