//! Exceptions. Nobody makes an object of the class that is named, here or in a client that is up to date (CVE-2023-46604).

use super::error::FrameError;
use super::reader::{Readable, Reader};
use super::text::Text;
use super::writer::{Writable, Writer};

/// Causes of causes.
const CAUSES_MAX: usize = 32;

/// An exception: the name of its class, and what it says. Frames of the stack and causes are read and dropped; what is
/// written has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Throwable {
    /// As Java names it.
    pub(crate) class_name: Option<Text>,
    /// What it says.
    pub(crate) message: Option<Text>,
}

impl Throwable {
    pub(super) fn read<V: Readable>(input: &mut Reader<'_, V>) -> Result<Option<Throwable>, FrameError> {
        let mut first = None;
        for _ in 0..CAUSES_MAX {
            if !input.bool()? {
                return Ok(first);
            }
            let (class_name, message) = (input.string()?, input.string()?);
            first.get_or_insert(Throwable { class_name, message });
            if !input.settings.stack_traces {
                return Ok(first);
            }
            let frames = u16::from_be_bytes(input.array()?);
            for _ in 0..frames {
                // Class, method and file; then the line.
                for _ in 0..3 {
                    input.text()?;
                }
                input.array::<4>()?;
            }
        }
        Err(FrameError::Deep)
    }

    pub(super) fn write<V: Writable>(this: Option<&Throwable>, out: &mut Writer<'_, V>) {
        out.bool(this.is_some());
        let Some(Throwable { class_name, message }) = this else { return };
        out.string(class_name.as_deref());
        out.string(message.as_deref());
        if out.settings.stack_traces {
            out.put(&0u16.to_be_bytes());
            out.bool(false);
        }
    }
}
