//! ERROR: the last words to a client.

use bytes::Bytes;

use crate::protocol::Output;
use crate::protocol::connection::Fault;

use super::codec::{FrameWriter, Verb, Version};

/// Bytes of the message header of an ERROR, so that every client can read it.
const MESSAGE_HEADER_BYTES_MAX: usize = 1024;

/// What an ERROR frame says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorFrame {
    pub(super) message: String,
    /// The receipt that the offending frame asked for.
    pub(super) receipt: Option<String>,
}

impl ErrorFrame {
    pub(super) fn new(message: impl Into<String>) -> ErrorFrame {
        ErrorFrame { message: message.into(), receipt: None }
    }

    /// Writes the frame, after which the connection ends.
    pub(super) fn write(self, output: &mut Output, version: Version) -> Fault {
        let mut frame = FrameWriter::new(output, Verb::Error, version);
        // A message may repeat what the client sent; the body has all of it.
        let short = &self.message[..self.message.floor_char_boundary(MESSAGE_HEADER_BYTES_MAX)];
        frame.header("message", short).plain("content-type", "text/plain");
        if let Some(receipt) = &self.receipt {
            frame.header("receipt-id", receipt);
        }
        frame.end(&Bytes::copy_from_slice(self.message.as_bytes()), true);
        Fault(self.message)
    }
}
