//! Fields that hold structures of any type.

use crate::protocol::openwire::codec::error::FrameError;
use crate::protocol::openwire::codec::reader::Readable;
use crate::protocol::openwire::codec::wire::{Cached, Wire};

use super::{Reader, Structure, Writer};

impl Wire<Structure> for Option<Box<Structure>> {
    fn read(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        input.nested(|code, input| Structure::read(code, input).map(Box::new))
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.nested_any(self.as_deref());
    }
}

impl Cached<Structure> for Option<Box<Structure>> {
    fn read_cached(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        input.cached().map(|value| value.map(Box::new))
    }

    fn write_cached(&self, out: &mut Writer<'_>) {
        out.cached(self.as_deref().cloned());
    }
}

impl Wire<Structure> for Option<Vec<Structure>> {
    /// A null among them is left out: it says nothing.
    fn read(input: &mut Reader<'_>) -> Result<Self, FrameError> {
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
}
