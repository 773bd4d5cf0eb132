//! The clients' ends of connections, on sockets that never block.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use bytes::BytesMut;
use quorate::protocol::stomp::{Decoder, Frame, Limits, Verb, Version};
use tokio::net::TcpStream;

use crate::driver::shape;

/// A client believes what the broker says of lengths.
const BODY_BYTES_MAX: usize = 64 << 20;
/// A client that takes longer headers than the broker does: what the broker repeats has another name before it.
const LIMITS: Limits = Limits {
    command_bytes_max: 1024,
    header_bytes_max: 64 * 1024,
    headers_max: 4096,
    head_bytes_max: 4 << 20,
    body_bytes_max: BODY_BYTES_MAX,
};
/// Deliveries that can be acknowledged by name.
const NAMES_MAX: usize = 64;

/// A client that says what it is told to and remembers what it heard.
pub(super) struct Client {
    socket: Option<UnixStream>,
    version: Version,
    unwritten: Vec<u8>,
    written: usize,
    decoder: Decoder,
    input: BytesMut,
    /// Whether it does not read.
    pub(super) deaf: bool,
    /// How deliveries are named, the latest last.
    names: Vec<String>,
    /// A bit for each verb that was heard.
    pub(super) verbs: u32,
    /// What the last ERROR said before it came to names.
    pub(super) error: String,
    /// The last frame.
    pub(super) last: Option<Frame>,
}

impl Client {
    /// A client, and the broker's end of its socket.
    pub(super) fn new() -> (Client, TcpStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        ours.set_nonblocking(true).expect("a socket that does not block");
        theirs.set_nonblocking(true).expect("a socket that does not block");
        // The broker reads and writes; that the stream is of another family shows nowhere.
        let theirs = std::net::TcpStream::from(OwnedFd::from(theirs));
        let theirs = TcpStream::from_std(theirs).expect("a runtime");
        let client = Client {
            socket: Some(ours),
            version: Version::V1_0,
            unwritten: Vec::new(),
            written: 0,
            decoder: Decoder::new(LIMITS),
            input: BytesMut::new(),
            deaf: false,
            names: Vec::new(),
            verbs: 0,
            error: String::new(),
            last: None,
        };
        (client, theirs)
    }

    pub(super) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        if self.socket.is_some() {
            self.unwritten.extend_from_slice(bytes);
        }
    }

    /// Closes the socket; what was not written is lost.
    pub(super) fn close(&mut self) {
        self.socket = None;
        self.unwritten = Vec::new();
    }

    /// The name of one of the latest deliveries.
    pub(super) fn name(&self, back: usize) -> Vec<u8> {
        let all = &self.names;
        if all.is_empty() { Vec::new() } else { all[all.len() - 1 - back % all.len()].clone().into_bytes() }
    }

    /// Writes and reads what can be; false when that was nothing.
    pub(super) fn work(&mut self) -> bool {
        let wrote = self.write();
        let read = !self.deaf && self.read();
        wrote || read
    }

    fn write(&mut self) -> bool {
        let before = self.written;
        while let Some(socket) = &mut self.socket
            && self.written < self.unwritten.len()
        {
            match socket.write(&self.unwritten[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.written > before,
                Err(_) => return false,
            }
        }
        self.unwritten.clear();
        self.written = 0;
        before > 0 || self.written > before
    }

    fn read(&mut self) -> bool {
        let mut some = false;
        let mut bytes = [0; 16 * 1024];
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut bytes) {
                Ok(0) => self.close(),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.close(),
            }
            some = true;
        }
        while let Some(frame) = self.decoder.decode(&mut self.input).expect("frames of the broker") {
            self.hear(frame);
        }
        some
    }

    fn hear(&mut self, frame: Frame) {
        self.verbs |= 1 << (frame.verb as u32 & 31);
        match frame.verb {
            Verb::Connected => {
                let version = frame.header("version").and_then(|text| Version::from_text(&text));
                self.version = version.expect("a version of the broker");
                self.decoder.settle(self.version, LIMITS);
            }
            Verb::Message => {
                let name = if self.version == Version::V1_2 { "ack" } else { "message-id" };
                if let Some(name) = frame.header(name) {
                    self.names.push(name.into_owned());
                }
                if self.names.len() > NAMES_MAX {
                    self.names.remove(0);
                }
            }
            Verb::Error => {
                let message = frame.header("message").unwrap_or_default();
                self.error = shape(&message.split([':', '[']).next().unwrap_or_default());
            }
            _ => {}
        }
        self.last = Some(frame);
    }
}
