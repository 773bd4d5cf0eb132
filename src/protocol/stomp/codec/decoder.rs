//! Bytes to frames. The decoder looks at each byte once however it arrives, and holds nothing: what it has not
//! understood yet stays in the caller's buffer, which therefore grows with what arrives and not with what is announced.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::frame::{Escapes, Frame, Verb, Version, escapes_are_known};

/// How much of each part of a frame is read before the frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the command line.
    pub command_bytes_max: usize,
    /// Bytes of one header line.
    pub header_bytes_max: usize,
    /// Number of header lines.
    pub headers_max: usize,
    /// Bytes of all header lines together.
    pub head_bytes_max: usize,
    /// Bytes of the body.
    pub body_bytes_max: usize,
}

impl Limits {
    /// What a connection may send before it has said who it is. With the read buffer's slack and its
    /// growth by doubling that is 16 KiB.
    pub const BEFORE_CONNECT: Limits = Limits {
        command_bytes_max: 1024,
        header_bytes_max: 8 * 1024,
        headers_max: 100,
        head_bytes_max: 8 * 1024,
        body_bytes_max: 1024,
    };

    /// ActiveMQ's limits, with the connector's bound for bodies.
    pub fn connected(body_bytes_max: usize) -> Limits {
        Limits {
            command_bytes_max: 1024,
            header_bytes_max: 10_240,
            headers_max: 1000,
            head_bytes_max: 1024 * 1024,
            body_bytes_max,
        }
    }
}

/// Why bytes are no frame. The connection cannot go on: where the next frame begins is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The first line is no verb of the protocol.
    #[error("Unknown STOMP action: {0}")]
    UnknownVerb(String),
    /// The first line does not end.
    #[error("The maximum command length was exceeded")]
    CommandTooLong,
    /// A header line does not end, or all of them are too much.
    #[error("The maximum header length was exceeded")]
    HeaderTooLong,
    /// Too many header lines.
    #[error("The maximum number of headers was exceeded")]
    TooManyHeaders,
    /// A header line without a colon or name, or with a NUL in it.
    #[error("Unable to parse a header line")]
    BadHeader,
    /// A backslash that begins no escape of this version.
    #[error("Undefined escape sequence in a header")]
    BadEscape,
    /// Headers that are not UTF-8.
    #[error("A header is not UTF-8")]
    NotUtf8,
    /// A content-length that is no number of bytes.
    #[error("Specified content-length is not a valid number of bytes")]
    BadLength,
    /// The body is longer than allowed.
    #[error("The maximum data length was exceeded: at most {0} bytes")]
    BodyTooLong(usize),
    /// No NUL stands where content-length says that the body ends.
    #[error("content-length bytes were read and there was no trailing null byte")]
    NoEnd,
}

/// What the decoder reads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Command,
    Headers,
    Body,
}

/// How far the frame at the front of the buffer has been read. Positions count from the buffer's beginning.
#[derive(Clone, Copy, Debug)]
struct Progress {
    stage: Stage,
    verb: Verb,
    /// Where the header lines begin.
    head: usize,
    /// Where the line begins that is being read; in the body: where the header lines end.
    line: usize,
    /// Where the body begins.
    body: usize,
    /// Nothing below it needs another look.
    scanned: usize,
    /// Header lines so far.
    lines: usize,
    length: Option<usize>,
}

impl Progress {
    const START: Progress = Progress {
        stage: Stage::Command,
        verb: Verb::Connect,
        head: 0,
        line: 0,
        body: 0,
        scanned: 0,
        lines: 0,
        length: None,
    };
}

/// Cuts frames off the front of a buffer.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    version: Option<Version>,
    at: Progress,
}

impl Decoder {
    /// A decoder for a connection whose version is not settled yet.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { limits, version: None, at: Progress::START }
    }

    /// From the next frame on, the rules of `version` and `limits` hold. Called between frames only.
    pub fn settle(&mut self, version: Version, limits: Limits) {
        self.version = Some(version);
        self.limits = limits;
    }

    /// Takes the next frame off the front of `input`, or `None` if it has not arrived yet. Line ends between frames
    /// (heart-beats) are taken off too, and NULs, of which some clients write two after a frame.
    ///
    /// # Errors
    /// [`CodecError`]: answer with ERROR if the protocol allows, and close.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        loop {
            let complete = match self.at.stage {
                Stage::Command => self.command(input)?,
                Stage::Headers => self.header(input)?,
                Stage::Body => return self.body(input),
            };
            if !complete {
                self.at.scanned = input.len();
                return Ok(None);
            }
        }
    }

    /// Bytes that the frame at the buffer's front will take, as far as that is known: what its content-length says, or
    /// twice what has come. To be called when [`Decoder::decode`] has found no whole frame.
    pub fn announced(&self, input: &BytesMut) -> usize {
        match (self.at.stage, self.at.length) {
            (Stage::Body, Some(length)) => self.at.body + length + 1,
            _ => 2 * input.len(),
        }
    }

    fn command(&mut self, input: &mut BytesMut) -> Result<bool, CodecError> {
        if self.at.scanned == 0 {
            let blank = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
            input.advance(blank);
        }
        let found = memchr(b'\n', &input[self.at.scanned..]).map(|at| self.at.scanned + at);
        if found.unwrap_or(input.len()) > self.limits.command_bytes_max {
            return Err(CodecError::CommandTooLong);
        }
        let Some(end) = found else { return Ok(false) };
        let line = &input[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if self.version == Some(Version::V1_0) { line.trim_ascii() } else { line };
        self.at.verb = Verb::from_line(line).ok_or_else(|| {
            let shown: Vec<u8> = line.iter().take(64).flat_map(|byte| byte.escape_ascii()).collect();
            CodecError::UnknownVerb(String::from_utf8_lossy(&shown).into_owned())
        })?;
        let head = end + 1;
        self.at = Progress { stage: Stage::Headers, head, line: head, scanned: head, ..self.at };
        Ok(true)
    }

    fn header(&mut self, input: &BytesMut) -> Result<bool, CodecError> {
        let Progress { head, line, scanned, .. } = self.at;
        let found = memchr(b'\n', &input[scanned..]).map(|at| scanned + at);
        let seen = found.unwrap_or(input.len());
        if seen - line > self.limits.header_bytes_max || seen - head > self.limits.head_bytes_max {
            return Err(CodecError::HeaderTooLong);
        }
        let Some(end) = found else { return Ok(false) };
        let text = &input[line..end];
        self.at.scanned = end + 1;
        if text.is_empty() || text == b"\r" {
            std::str::from_utf8(&input[head..line]).map_err(|_| CodecError::NotUtf8)?;
            self.at.stage = Stage::Body;
            self.at.body = end + 1;
            return Ok(true);
        }
        if self.at.lines >= self.limits.headers_max {
            return Err(CodecError::TooManyHeaders);
        }
        // The first content-length counts, as with every repeated header.
        let length = self.check_header(text)?;
        self.at.length = self.at.length.or(length);
        self.at.line = end + 1;
        self.at.lines += 1;
        Ok(true)
    }

    /// Checks one header line; if it is the content-length, gives that.
    fn check_header(&self, line: &[u8]) -> Result<Option<usize>, CodecError> {
        let colon = memchr(b':', line).ok_or(CodecError::BadHeader)?;
        let trims = self.version.is_none_or(|version| version == Version::V1_0);
        let name = if trims { line[..colon].trim_ascii() } else { &line[..colon] };
        if name.is_empty() || memchr(0, line).is_some() {
            return Err(CodecError::BadHeader);
        }
        if !escapes_are_known(line, self.escapes()) {
            return Err(CodecError::BadEscape);
        }
        // Clients that answer a MESSAGE with all of its headers send its length with an ACK that has no body.
        if !self.at.verb.has_body() || line[..colon].trim_ascii() != b"content-length" {
            return Ok(None);
        }
        let digits = line[colon + 1..].trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(CodecError::BadLength);
        }
        let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<usize>().ok());
        match number {
            Some(length) if length <= self.limits.body_bytes_max => Ok(Some(length)),
            _ => Err(CodecError::BodyTooLong(self.limits.body_bytes_max)),
        }
    }

    fn escapes(&self) -> Escapes {
        self.at.verb.escapes(self.version.unwrap_or(Version::V1_0))
    }

    fn body(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let Progress { verb, head, line, body, scanned, length, .. } = self.at;
        let end = match length {
            Some(length) => (input.len() > body + length).then_some(body + length),
            None => {
                let found = memchr(0, &input[scanned..]).map(|at| scanned + at);
                if found.unwrap_or(input.len()) - body > self.limits.body_bytes_max {
                    return Err(CodecError::BodyTooLong(self.limits.body_bytes_max));
                }
                found
            }
        };
        let Some(end) = end else {
            self.at.scanned = input.len();
            return Ok(None);
        };
        if input[end] != 0 {
            return Err(CodecError::NoEnd);
        }
        input.advance(head);
        let lines = input.split_to(line - head).freeze();
        input.advance(body - line);
        // A slice of nothing would keep the buffer, and cost as much as one of something.
        let body = if end > body { input.split_to(end - body).freeze() } else { Bytes::new() };
        input.advance(1);
        self.at = Progress::START;
        Ok(Some(Frame {
            verb,
            body,
            measured: length.is_some(),
            head: lines,
            escapes: verb.escapes(self.version.unwrap_or(Version::V1_0)),
            carriage_returns: self.version != Some(Version::V1_1),
            trim: self.version.is_none_or(|version| version == Version::V1_0),
        }))
    }
}
