//! One frame, while it is read. What differs between tight and loose encoding, and nothing else, is here and in `writer`.

use bytes::{Buf, Bytes};

use super::bits::BitReader;
use super::cache::Heard;
use super::coded::Coded;
use super::error::FrameError;
use super::settings::Settings;
use super::text;

/// Structures in one frame; without a bound, arrays of them would take many times what the frame does.
const STRUCTURES_MAX: usize = 4096;
/// Structures inside of one another: an advisory has a message in it, which has one in it, and so on.
const DEPTH_MAX: u8 = 16;

/// A structure whose fields are read once its type is known.
pub(super) trait Readable: Coded {
    fn read(code: u8, input: &mut Reader<'_, Self>) -> Result<Self, FrameError>;
}

/// See the module.
#[derive(Debug)]
pub(super) struct Reader<'a, V> {
    rest: Bytes,
    /// The booleans of a tight frame.
    bits: Option<BitReader>,
    pub(super) settings: &'a Settings,
    heard: &'a mut Heard<V>,
    depth: u8,
    structures: usize,
}

impl<'a, V: Readable> Reader<'a, V> {
    /// Reads the frame, which has no length in front any more; its type first.
    pub(super) fn begin(
        mut frame: Bytes,
        settings: &'a Settings,
        heard: &'a mut Heard<V>,
    ) -> Result<(u8, Reader<'a, V>), FrameError> {
        let code = frame.try_get_u8().map_err(|_| FrameError::Short)?;
        let is_tight = settings.tight && code != V::NULL;
        let bits = if is_tight { Some(BitReader::take(&mut frame)?) } else { None };
        Ok((code, Reader { rest: frame, bits, settings, heard, depth: 0, structures: 0 }))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::Left(self.rest.len())) }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let taken = *self.rest.first_chunk().ok_or(FrameError::Short)?;
        self.rest.advance(N);
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A part of the frame, which shares its memory.
    pub(super) fn slice(&mut self, length: usize) -> Result<Bytes, FrameError> {
        if length > self.rest.len() {
            return Err(FrameError::Short);
        }
        Ok(self.rest.split_to(length))
    }

    pub(super) fn bool(&mut self) -> Result<bool, FrameError> {
        match &mut self.bits {
            Some(bits) => bits.read(),
            None => Ok(self.byte()? != 0),
        }
    }

    /// A number of 64 bits, of which a tight frame leaves out leading zeros.
    pub(super) fn long(&mut self) -> Result<i64, FrameError> {
        if self.bits.is_none() {
            return self.array().map(i64::from_be_bytes);
        }
        Ok(match (self.bool()?, self.bool()?) {
            (true, true) => i64::from_be_bytes(self.array()?),
            (true, false) => u32::from_be_bytes(self.array()?).into(),
            (false, true) => u16::from_be_bytes(self.array()?).into(),
            (false, false) => 0,
        })
    }

    /// Text that may be null.
    pub(super) fn text(&mut self) -> Result<Option<Bytes>, FrameError> {
        if !self.bool()? {
            return Ok(None);
        }
        // A tight frame says whether all is ASCII; it can be read without.
        if self.bits.is_some() {
            self.bool()?;
        }
        let length = u16::from_be_bytes(self.array()?);
        self.slice(length.into()).map(Some)
    }

    /// Text that may be null, of its own memory.
    pub(super) fn string(&mut self) -> Result<Option<text::Text>, FrameError> {
        let Some(java) = self.text()? else { return Ok(None) };
        text::from_java(&java).map(|text| Some(text.into())).ok_or(FrameError::Text)
    }

    /// A structure that may be null; `read` gets its type.
    pub(super) fn nested<T>(
        &mut self,
        read: impl FnOnce(u8, &mut Self) -> Result<T, FrameError>,
    ) -> Result<Option<T>, FrameError> {
        if !self.bool()? {
            return Ok(None);
        }
        self.structures += 1;
        if self.depth >= DEPTH_MAX || self.structures > STRUCTURES_MAX {
            return Err(FrameError::Deep);
        }
        let code = self.byte()?;
        // Java can have the encoded form of a message at hand, and then sends that, behind its length and type.
        let outer = if self.bits.is_some() && V::may_come_encoded(code) && self.bool()? {
            self.array::<5>()?;
            self.bits.replace(BitReader::take(&mut self.rest)?)
        } else {
            None
        };
        self.depth += 1;
        let value = read(code, self)?;
        self.depth -= 1;
        if outer.is_some() {
            self.bits = outer;
        }
        Ok(Some(value))
    }

    /// A structure that may be null, or a number that the peer gave one before.
    pub(super) fn cached(&mut self) -> Result<Option<V>, FrameError> {
        if !self.settings.caches() {
            return self.nested(V::read);
        }
        let is_new = self.bool()?;
        let number = u16::from_be_bytes(self.array()?);
        if !is_new {
            return self.heard.get(number).map(|value| value.cloned());
        }
        let value = self.nested(V::read)?;
        if value.as_ref().is_some_and(|value| !value.may_be_cached()) {
            return Err(FrameError::NotCached(number));
        }
        self.heard.put(number, value.clone())?;
        Ok(value)
    }
}
