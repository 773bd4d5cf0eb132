//! How each type of field is written, whatever the encoding.

use bytes::Bytes;

#[cfg(test)]
use super::chance::Chance;
use super::error::CodecError;
use super::reader::Reader;
use super::table::Structure;
use super::text::Text;
use super::throwable::Throwable;
use super::writer::Writer;

/// A field.
pub(super) trait Wire: Sized {
    fn read(input: &mut Reader<'_>) -> Result<Self, CodecError>;
    fn write(&self, out: &mut Writer<'_>);
    #[cfg(test)]
    fn any(chance: &mut Chance) -> Self;
}

/// A field of which the other side is told only a number from the second time on.
pub(super) trait Cached: Sized {
    fn read_cached(input: &mut Reader<'_>) -> Result<Self, CodecError>;
    fn write_cached(&self, out: &mut Writer<'_>);
}

/// A structure of one type, of which fields are.
pub(super) trait Typed: Sized + Clone {
    const CODE: u8;
    fn read_fields(input: &mut Reader<'_>) -> Result<Self, CodecError>;
    fn write_fields(&self, out: &mut Writer<'_>);
    #[cfg(test)]
    fn any(chance: &mut Chance) -> Self;
    fn into_structure(self) -> Structure;
    fn of_structure(structure: Structure) -> Result<Self, CodecError>;
}

impl Wire for bool {
    fn read(input: &mut Reader<'_>) -> Result<bool, CodecError> {
        input.bool()
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.bool(*self);
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> bool {
        chance.below(2) == 0
    }
}

impl Wire for i8 {
    fn read(input: &mut Reader<'_>) -> Result<i8, CodecError> {
        input.array().map(i8::from_be_bytes)
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.put(&self.to_be_bytes());
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> i8 {
        chance.number() as i8
    }
}

impl Wire for i32 {
    fn read(input: &mut Reader<'_>) -> Result<i32, CodecError> {
        input.array().map(i32::from_be_bytes)
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.put(&self.to_be_bytes());
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> i32 {
        chance.number() as i32
    }
}

impl Wire for i64 {
    fn read(input: &mut Reader<'_>) -> Result<i64, CodecError> {
        input.long()
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.long(*self);
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> i64 {
        chance.number() as i64
    }
}

impl Wire for Option<Text> {
    fn read(input: &mut Reader<'_>) -> Result<Option<Text>, CodecError> {
        input.string()
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.string(self.as_deref());
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<Text> {
        const TEXTS: [&str; 5] =
            ["", "ID:host-1-2-0:1", "grün", "a\0😀", "queue://A.>?consumer.prefetchSize=1"];
        chance.maybe(|chance| TEXTS[chance.below(TEXTS.len())].into())
    }
}

impl Wire for Option<Bytes> {
    fn read(input: &mut Reader<'_>) -> Result<Option<Bytes>, CodecError> {
        if !input.bool()? {
            return Ok(None);
        }
        let length = i32::from_be_bytes(input.array()?);
        input.slice(usize::try_from(length).map_err(|_| CodecError::Short)?).map(Some)
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.bool(self.is_some());
        if let Some(bytes) = self {
            out.put(&(bytes.len() as u32).to_be_bytes());
            out.put_shared(bytes);
        }
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<Bytes> {
        chance.maybe(|chance| vec![7; [0, 1, 300, 20_000][chance.below(4)]].into())
    }
}

impl Wire for Option<Throwable> {
    fn read(input: &mut Reader<'_>) -> Result<Option<Throwable>, CodecError> {
        Throwable::read(input)
    }

    fn write(&self, out: &mut Writer<'_>) {
        Throwable::write(self.as_ref(), out);
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<Throwable> {
        chance.maybe(|chance| Throwable { class_name: Wire::any(chance), message: Wire::any(chance) })
    }
}

impl Wire for Option<Box<Structure>> {
    fn read(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.nested(|code, input| Structure::read(code, input).map(Box::new))
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.nested_any(self.as_deref());
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<Box<Structure>> {
        chance.maybe(|chance| Box::new(chance.identity()))
    }
}

impl Cached for Option<Box<Structure>> {
    fn read_cached(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.cached().map(|value| value.map(Box::new))
    }

    fn write_cached(&self, out: &mut Writer<'_>) {
        out.cached(self.as_deref().cloned());
    }
}

impl Wire for Option<Vec<Structure>> {
    /// A null among them is left out: it says nothing.
    fn read(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        if !input.bool()? {
            return Ok(None);
        }
        let count = u16::from_be_bytes(input.array()?);
        let mut all = Vec::new();
        for _ in 0..count {
            all.extend(input.nested(Structure::read)?);
        }
        Ok(Some(all))
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.bool(self.is_some());
        if let Some(all) = self {
            let count = u16::try_from(all.len()).unwrap_or(u16::MAX);
            out.put(&count.to_be_bytes());
            all.iter().take(count.into()).for_each(|one| out.nested_any(Some(one)));
        }
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<Vec<Structure>> {
        chance.maybe(|chance| (0..chance.below(4)).map(|_| chance.structure()).collect())
    }
}

impl<T: Typed> Wire for Option<T> {
    fn read(input: &mut Reader<'_>) -> Result<Option<T>, CodecError> {
        input.nested(|code, input| match code {
            code if code == T::CODE => T::read_fields(input),
            other => Err(CodecError::Misplaced(other)),
        })
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.nested(self.as_ref().map(|_| T::CODE), |out| {
            if let Some(value) = self {
                value.write_fields(out);
            }
        });
    }

    #[cfg(test)]
    fn any(chance: &mut Chance) -> Option<T> {
        chance.maybe(T::any)
    }
}

impl<T: Typed> Cached for Option<T> {
    fn read_cached(input: &mut Reader<'_>) -> Result<Option<T>, CodecError> {
        input.cached()?.map(T::of_structure).transpose()
    }

    fn write_cached(&self, out: &mut Writer<'_>) {
        out.cached(self.clone().map(T::into_structure));
    }
}
