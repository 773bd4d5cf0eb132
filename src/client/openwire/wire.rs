//! The frames of one connection: what is read and written, how much of it, and signs of life.

use std::io::IoSlice;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, sleep_until};

use crate::config::WireFormatOptions;
use crate::protocol::Output;
use crate::protocol::openwire::client::{
    Codec, FrameError, KeepAliveInfo, Structure, WireFormatInfo, agree, offer,
};

use super::exception::OpenWireError;

/// Bytes that one read may take.
const READ_BYTES: usize = 64 * 1024;
/// Slices of one write.
const SLICES_MAX: usize = 64;
/// Signs of life in the time after which a silent side is taken for dead.
const SIGNS_OF_LIFE: u32 = 3;
/// Far enough away to mean never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A stream of bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// See the module.
pub(super) struct Wire {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    codec: Codec,
    input: BytesMut,
    output: Output,
    frame_bytes_max: usize,
    /// After so long a silence a side is gone; zero: never.
    silence_max: Duration,
    /// Nothing is read: who reads on would have to hold more than there is room for.
    is_held: bool,
    spoke: Instant,
    heard: Instant,
}

impl Wire {
    /// Says what is spoken here; [`Wire::agree`] takes the answer.
    pub(super) fn new(stream: Box<dyn Stream>, frame_bytes_max: usize) -> Wire {
        let (reader, writer) = split(stream);
        let now = Instant::now();
        let mut wire = Wire {
            reader,
            writer,
            codec: Codec::new(frame_bytes_max),
            input: BytesMut::new(),
            output: Output::new(),
            frame_bytes_max,
            silence_max: Duration::ZERO,
            is_held: false,
            spoke: now,
            heard: now,
        };
        wire.put(&Structure::WireFormatInfo(offer(&format(), frame_bytes_max)));
        wire
    }

    /// What follows is written and read as both sides want it.
    pub(super) fn agree(&mut self, theirs: &WireFormatInfo) -> Result<(), FrameError> {
        let agreed = agree(&format(), self.frame_bytes_max, theirs)?;
        self.codec.agree(agreed.settings, self.frame_bytes_max);
        (self.frame_bytes_max, self.silence_max) = (agreed.frame_bytes_max, agreed.inactivity_max);
        Ok(())
    }

    /// Frames that we write have at most so many bytes, or the broker ends the connection.
    pub(super) fn frame_bytes_max(&self) -> usize {
        self.frame_bytes_max
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.output.len()
    }

    /// Stops to read, or goes on.
    pub(super) fn hold(&mut self, is_held: bool) {
        if self.is_held && !is_held {
            // What was said meanwhile was not heard.
            self.heard = Instant::now();
        }
        self.is_held = is_held;
    }

    /// Adds a frame to what waits to be written.
    pub(super) fn put(&mut self, structure: &Structure) {
        self.codec.encode(structure, &mut self.output);
    }

    /// The next frame that has arrived whole.
    pub(super) fn decode(&mut self) -> Result<Option<Structure>, FrameError> {
        if self.is_held { Ok(None) } else { self.codec.decode(&mut self.input) }
    }

    /// Reads or writes something, or says that we live. Cancel-safe.
    ///
    /// # Errors
    /// [`OpenWireError::Lost`].
    pub(super) async fn step(&mut self) -> Result<(), OpenWireError> {
        let deadline = self.deadline();
        self.input.reserve(READ_BYTES);
        let Wire { reader, writer, input, output, is_held, .. } = self;
        let waits = !output.is_empty();
        let writes = async {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = output.slices(&mut slices);
            writer.write_vectored(&slices[..filled]).await
        };
        let closed = || OpenWireError::Lost("closed by the broker".to_owned());
        tokio::select! {
            written = writes, if waits => match written? {
                0 => return Err(closed()),
                count => {
                    self.output.advance(count);
                    self.spoke = Instant::now();
                }
            },
            read = reader.read_buf(input), if !*is_held => match read? {
                0 => return Err(closed()),
                _ => self.heard = Instant::now(),
            },
            () = sleep_until(deadline) => return self.look_at_the_clock(),
        }
        Ok(())
    }

    /// When the silence of one side needs a look.
    fn deadline(&self) -> Instant {
        if self.silence_max.is_zero() {
            return Instant::now() + NEVER;
        }
        (self.spoke + self.silence_max / SIGNS_OF_LIFE).min(self.heard + self.silence_max)
    }

    fn look_at_the_clock(&mut self) -> Result<(), OpenWireError> {
        let now = Instant::now();
        if self.is_held {
            self.heard = now;
        }
        if now >= self.heard + self.silence_max {
            let seconds = self.silence_max.as_secs_f32();
            return Err(OpenWireError::Lost(format!("the broker was silent for {seconds} s")));
        }
        if now >= self.spoke + self.silence_max / SIGNS_OF_LIFE {
            // What is stuck says by itself that we live.
            if self.output.is_empty() {
                self.put(&Structure::KeepAliveInfo(Box::<KeepAliveInfo>::default()));
            }
            self.spoke = now;
        }
        Ok(())
    }
}

/// Loose encoding: it costs both sides less, and a bridge's bytes are those of its messages.
fn format() -> WireFormatOptions {
    WireFormatOptions { tight_encoding: false, ..WireFormatOptions::default() }
}
