use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::structures::{Structure, Throwable};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::protocol) enum CodecError {
    #[error("a frame of {0} bytes is too large")]
    TooLarge(u64),
    #[error("a frame does not fit its own lengths")]
    Damaged,
    #[error("unknown data type: {0}")]
    Unknown(u8),
}

/// Frames of one connection.
#[derive(Debug)]
pub(in crate::protocol) struct Codec {
    pub(in crate::protocol) version: u8,
    pub(in crate::protocol) frame_bytes_max: usize,
    pub(in crate::protocol) stack_traces: bool,
}

pub(super) struct In<'a> {
    pub(super) rest: &'a mut Bytes,
    pub(super) version: u8,
    pub(super) depth: u8,
    pub(super) traces: bool,
}

pub(super) struct Out<'a> {
    pub(super) to: &'a mut BytesMut,
    pub(super) version: u8,
    pub(super) traces: bool,
}

impl Codec {
    pub(in crate::protocol) fn decode(&self, arrived: &mut BytesMut) -> Result<Option<Structure>, CodecError> {
        let Some(size) = arrived.first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*size);
        if size as usize > self.frame_bytes_max || size > i32::MAX as u32 {
            return Err(CodecError::TooLarge(size.into()));
        }
        if arrived.len() < 4 + size as usize {
            return Ok(None);
        }
        arrived.advance(4);
        let mut frame = arrived.split_to(size as usize).freeze();
        let mut input = In { rest: &mut frame, version: self.version, depth: 0, traces: self.stack_traces };
        let kind = input.u8()?;
        Structure::read(kind, &mut input).map(Some)
    }

    pub(in crate::protocol) fn announced(&self, arrived: &BytesMut) -> usize {
        arrived
            .first_chunk::<4>()
            .map_or(0, |size| (u32::from_be_bytes(*size) as usize).min(self.frame_bytes_max) + 4)
    }

    pub(in crate::protocol) fn encode(&self, structure: &Structure, to: &mut crate::protocol::Output) {
        let mut bytes = BytesMut::new();
        bytes.put_u32(0);
        bytes.put_u8(structure.kind());
        structure.write(&mut Out { to: &mut bytes, version: self.version, traces: self.stack_traces });
        let size = (bytes.len() - 4) as u32;
        bytes[..4].copy_from_slice(&size.to_be_bytes());
        to.put(&bytes);
    }
}

impl In<'_> {
    pub(super) fn slice(&mut self, length: usize) -> Result<Bytes, CodecError> {
        if length > self.rest.len() {
            return Err(CodecError::Damaged);
        }
        Ok(self.rest.split_to(length))
    }
    pub(super) fn u8(&mut self) -> Result<u8, CodecError> {
        self.rest.try_get_u8().map_err(|_| CodecError::Damaged)
    }
}

/// One way of each type of field.
pub(super) trait Wire: Sized {
    fn read(input: &mut In<'_>) -> Result<Self, CodecError>;
    fn write(&self, out: &mut Out<'_>);
}

macro_rules! numbers {
    ($($type:ty, $get:ident, $put:ident;)+) => { $(impl Wire for $type {
        fn read(input: &mut In<'_>) -> Result<$type, CodecError> { input.rest.$get().map_err(|_| CodecError::Damaged) }
        fn write(&self, out: &mut Out<'_>) { out.to.$put(*self); }
    })+ };
}
numbers! { i8, try_get_i8, put_i8; i32, try_get_i32, put_i32; i64, try_get_i64, put_i64; }

impl Wire for bool {
    fn read(input: &mut In<'_>) -> Result<bool, CodecError> {
        Ok(input.u8()? != 0)
    }
    fn write(&self, out: &mut Out<'_>) {
        out.to.put_u8((*self).into());
    }
}

impl Wire for Option<String> {
    fn read(input: &mut In<'_>) -> Result<Option<String>, CodecError> {
        if !bool::read(input)? {
            return Ok(None);
        }
        let length = input.rest.try_get_u16().map_err(|_| CodecError::Damaged)?;
        let raw = input.slice(length.into())?;
        super::super::convert::text::from_java(&raw)
            .map(|text| Some(text.into_owned()))
            .ok_or(CodecError::Damaged)
    }
    fn write(&self, out: &mut Out<'_>) {
        self.is_some().write(out);
        if let Some(text) = self {
            let java = super::super::convert::text::to_java(text);
            let length = u16::try_from(java.len()).unwrap_or(u16::MAX);
            out.to.put_u16(length);
            out.to.put_slice(&java[..length.into()]);
        }
    }
}

impl Wire for Option<Bytes> {
    fn read(input: &mut In<'_>) -> Result<Option<Bytes>, CodecError> {
        if !bool::read(input)? {
            return Ok(None);
        }
        let length = usize::try_from(i32::read(input)?).map_err(|_| CodecError::Damaged)?;
        input.slice(length).map(Some)
    }
    fn write(&self, out: &mut Out<'_>) {
        self.is_some().write(out);
        if let Some(bytes) = self {
            out.to.put_i32(bytes.len() as i32);
            out.to.put_slice(bytes);
        }
    }
}

impl Wire for Option<Box<Structure>> {
    fn read(input: &mut In<'_>) -> Result<Self, CodecError> {
        if !bool::read(input)? {
            return Ok(None);
        }
        input.depth += 1;
        if input.depth > 16 {
            return Err(CodecError::Damaged);
        }
        let kind = input.u8()?;
        let read = Structure::read(kind, input)?;
        input.depth -= 1;
        Ok(Some(Box::new(read)))
    }
    fn write(&self, out: &mut Out<'_>) {
        self.is_some().write(out);
        if let Some(it) = self {
            out.to.put_u8(it.kind());
            it.write(out);
        }
    }
}

impl Wire for Option<Vec<Structure>> {
    fn read(input: &mut In<'_>) -> Result<Self, CodecError> {
        if !bool::read(input)? {
            return Ok(None);
        }
        let count = input.rest.try_get_u16().map_err(|_| CodecError::Damaged)?;
        let mut all = Vec::new();
        for _ in 0..count {
            if let Some(one) = Option::<Box<Structure>>::read(input)? {
                all.push(*one);
            }
        }
        Ok(Some(all))
    }
    fn write(&self, out: &mut Out<'_>) {
        self.is_some().write(out);
        if let Some(all) = self {
            out.to.put_u16(all.len() as u16);
            for one in all {
                true.write(out);
                out.to.put_u8(one.kind());
                one.write(out);
            }
        }
    }
}

impl Wire for Option<Throwable> {
    fn read(input: &mut In<'_>) -> Result<Self, CodecError> {
        let mut first = None;
        loop {
            if !bool::read(input)? {
                return Ok(first);
            }
            let class_name = Option::<String>::read(input)?.unwrap_or_default();
            let message = Option::<String>::read(input)?;
            first.get_or_insert(Throwable { class_name, message });
            if !input.traces {
                return Ok(first);
            }
            let frames = input.rest.try_get_u16().map_err(|_| CodecError::Damaged)?;
            for _ in 0..frames {
                for _ in 0..3 {
                    Option::<String>::read(input)?;
                }
                i32::read(input)?;
            }
        }
    }
    fn write(&self, out: &mut Out<'_>) {
        self.is_some().write(out);
        if let Some(Throwable { class_name, message }) = self {
            Some(class_name.clone()).write(out);
            message.write(out);
            if out.traces {
                out.to.put_u16(0);
                false.write(out);
            }
        }
    }
}
