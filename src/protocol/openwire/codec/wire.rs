//! How each type of field is written, whatever the encoding.

use bytes::Bytes;

use super::error::FrameError;
use super::reader::{Readable, Reader};
use super::text::Text;
use super::throwable::Throwable;
use super::writer::{Writable, Writer};

/// A field.
pub(super) trait Wire<V>: Sized {
    fn read(input: &mut Reader<'_, V>) -> Result<Self, FrameError>;
    fn write(&self, out: &mut Writer<'_, V>);
}

/// A field of which the other side is told only a number from the second time on.
pub(super) trait Cached<V>: Sized {
    fn read_cached(input: &mut Reader<'_, V>) -> Result<Self, FrameError>;
    fn write_cached(&self, out: &mut Writer<'_, V>);
}

/// A structure of one type, of which fields are.
pub(super) trait Typed: Sized + Clone {
    /// The closed set that the type is in.
    type Set;
    const CODE: u8;
    fn read_fields(input: &mut Reader<'_, Self::Set>) -> Result<Self, FrameError>;
    fn write_fields(&self, out: &mut Writer<'_, Self::Set>);
    fn into_structure(self) -> Self::Set;
    fn of_structure(structure: Self::Set) -> Result<Self, FrameError>;
}

impl<V: Readable + Writable> Wire<V> for bool {
    fn read(input: &mut Reader<'_, V>) -> Result<bool, FrameError> {
        input.bool()
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.bool(*self);
    }
}

impl<V: Readable + Writable> Wire<V> for i8 {
    fn read(input: &mut Reader<'_, V>) -> Result<i8, FrameError> {
        input.array().map(i8::from_be_bytes)
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.put(&self.to_be_bytes());
    }
}

impl<V: Readable + Writable> Wire<V> for i32 {
    fn read(input: &mut Reader<'_, V>) -> Result<i32, FrameError> {
        input.array().map(i32::from_be_bytes)
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.put(&self.to_be_bytes());
    }
}

impl<V: Readable + Writable> Wire<V> for i64 {
    fn read(input: &mut Reader<'_, V>) -> Result<i64, FrameError> {
        input.long()
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.long(*self);
    }
}

impl<V: Readable + Writable> Wire<V> for Option<Text> {
    fn read(input: &mut Reader<'_, V>) -> Result<Option<Text>, FrameError> {
        input.string()
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.string(self.as_deref());
    }
}

impl<V: Readable + Writable> Wire<V> for Option<Bytes> {
    fn read(input: &mut Reader<'_, V>) -> Result<Option<Bytes>, FrameError> {
        if !input.bool()? {
            return Ok(None);
        }
        let length = i32::from_be_bytes(input.array()?);
        input.slice(usize::try_from(length).map_err(|_| FrameError::Short)?).map(Some)
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.bool(self.is_some());
        if let Some(bytes) = self {
            out.put(&(bytes.len() as u32).to_be_bytes());
            out.put_shared(bytes);
        }
    }
}

impl<V: Readable + Writable> Wire<V> for Option<Throwable> {
    fn read(input: &mut Reader<'_, V>) -> Result<Option<Throwable>, FrameError> {
        Throwable::read(input)
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        Throwable::write(self.as_ref(), out);
    }
}

impl<V: Readable + Writable, T: Typed<Set = V>> Wire<V> for Option<T> {
    fn read(input: &mut Reader<'_, V>) -> Result<Option<T>, FrameError> {
        input.nested(|code, input| match code {
            code if code == T::CODE => T::read_fields(input),
            other => Err(FrameError::Misplaced(other)),
        })
    }

    fn write(&self, out: &mut Writer<'_, V>) {
        out.nested(self.as_ref().map(|_| T::CODE), |out| {
            if let Some(value) = self {
                value.write_fields(out);
            }
        });
    }
}

impl<V: Readable + Writable, T: Typed<Set = V>> Cached<V> for Option<T> {
    fn read_cached(input: &mut Reader<'_, V>) -> Result<Option<T>, FrameError> {
        input.cached()?.map(T::of_structure).transpose()
    }

    fn write_cached(&self, out: &mut Writer<'_, V>) {
        out.cached(self.clone().map(T::into_structure));
    }
}
