//! Frames of one connection, in both directions.

use bytes::{Buf, BytesMut};

use crate::protocol::Output;

use super::cache::{Heard, Told};
use super::coded::Coded;
use super::error::FrameError;
use super::reader::{Readable, Reader};
use super::settings::Settings;
use super::table::Structure;
use super::writer::{Scratch, Writable, Writer};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// See the module. Both directions follow the same settings, and remember what was sent in them.
#[derive(Debug)]
pub(crate) struct Codec {
    settings: Settings,
    frame_bytes_max: usize,
    heard: Heard<Structure>,
    told: Told<Structure>,
    scratch: Scratch,
}

impl Codec {
    /// Nothing is agreed on yet; frames have at most so many bytes.
    pub(crate) fn new(frame_bytes_max: usize) -> Codec {
        Codec {
            settings: Settings::FIRST,
            frame_bytes_max,
            heard: Heard::new(0),
            told: Told::new(0),
            scratch: Scratch::default(),
        }
    }

    /// What the frames that follow are like, in both directions.
    pub(crate) fn agree(&mut self, settings: Settings, frame_bytes_max: usize) {
        let size = settings.cache_size.unwrap_or_default();
        (self.heard, self.told) = (Heard::new(size), Told::new(size));
        (self.settings, self.frame_bytes_max) = (settings, frame_bytes_max);
    }

    /// Frames may have so many bytes from now on.
    pub(crate) fn allow(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// Bytes that the frame takes whose beginning has arrived, as far as that is known.
    pub(crate) fn announced(&self, arrived: &BytesMut) -> usize {
        let length = arrived.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
        length.min(self.frame_bytes_max) + LENGTH_BYTES
    }

    /// Takes the next frame off the front of what has arrived; `None` as long as it has not arrived whole. The contents of
    /// messages share its memory.
    ///
    /// # Errors
    /// The connection cannot go on.
    pub(crate) fn decode(&mut self, arrived: &mut BytesMut) -> Result<Option<Structure>, FrameError> {
        let Some(length) = arrived.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length);
        if i32::try_from(length).is_err() || length as usize > self.frame_bytes_max {
            return Err(FrameError::TooLarge(length));
        }
        if arrived.len() < LENGTH_BYTES + length as usize {
            return Ok(None);
        }
        arrived.advance(LENGTH_BYTES);
        let frame = arrived.split_to(length as usize).freeze();
        let (code, mut reader) = Reader::begin(frame, &self.settings, &mut self.heard)?;
        let read = Structure::read(code, &mut reader)?;
        reader.end()?;
        Ok(Some(read))
    }

    /// Adds a frame to the output. Large contents of messages are not copied.
    pub(crate) fn encode(&mut self, structure: &Structure, output: &mut Output) {
        let code = structure.code();
        let mut writer = Writer::begin(&mut self.scratch, &self.settings, &mut self.told, code);
        structure.write(&mut writer);
        writer.end(code, output);
    }
}
