//! A frame as it came: its verb, its header lines unparsed, its body. Headers are read by walking the lines, so that a
//! frame costs no allocation per header.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

/// Version of the protocol that a connection has agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// No escapes, no required ids.
    #[default]
    V1_0,
    /// Escapes for `\\`, newline and colon; heart-beats; NACK.
    V1_1,
    /// Also an escape for carriage return, lines may end with CR LF, ACK by the `ack` header.
    V1_2,
}

impl Version {
    /// As written in the `version` header.
    pub fn text(self) -> &'static str {
        match self {
            Version::V1_0 => "1.0",
            Version::V1_1 => "1.1",
            Version::V1_2 => "1.2",
        }
    }

    /// The version with this text.
    pub fn from_text(text: &str) -> Option<Version> {
        [Version::V1_2, Version::V1_1, Version::V1_0].into_iter().find(|v| v.text() == text.trim())
    }

    /// The highest version that an `accept-version` header names; a connection without that header speaks 1.0.
    pub fn negotiate(accept: Option<&str>) -> Option<Version> {
        let Some(accept) = accept else { return Some(Version::V1_0) };
        accept.split(',').filter_map(Version::from_text).max()
    }
}

/// What a frame asks or tells: its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Verb {
    Connect,
    Stomp,
    Send,
    Subscribe,
    Unsubscribe,
    Ack,
    Nack,
    Begin,
    Commit,
    Abort,
    Disconnect,
    Connected,
    Message,
    Receipt,
    Error,
}

impl Verb {
    const ALL: [Verb; 15] = [
        Verb::Connect,
        Verb::Stomp,
        Verb::Send,
        Verb::Subscribe,
        Verb::Unsubscribe,
        Verb::Ack,
        Verb::Nack,
        Verb::Begin,
        Verb::Commit,
        Verb::Abort,
        Verb::Disconnect,
        Verb::Connected,
        Verb::Message,
        Verb::Receipt,
        Verb::Error,
    ];

    /// As written on the wire.
    pub fn text(self) -> &'static str {
        match self {
            Verb::Connect => "CONNECT",
            Verb::Stomp => "STOMP",
            Verb::Send => "SEND",
            Verb::Subscribe => "SUBSCRIBE",
            Verb::Unsubscribe => "UNSUBSCRIBE",
            Verb::Ack => "ACK",
            Verb::Nack => "NACK",
            Verb::Begin => "BEGIN",
            Verb::Commit => "COMMIT",
            Verb::Abort => "ABORT",
            Verb::Disconnect => "DISCONNECT",
            Verb::Connected => "CONNECTED",
            Verb::Message => "MESSAGE",
            Verb::Receipt => "RECEIPT",
            Verb::Error => "ERROR",
        }
    }

    /// The verb of a command line. `SUB` and `UNSUB` are ActiveMQ's short forms.
    pub fn from_line(line: &[u8]) -> Option<Verb> {
        match line {
            b"SEND" => Some(Verb::Send),
            b"ACK" => Some(Verb::Ack),
            b"SUB" => Some(Verb::Subscribe),
            b"UNSUB" => Some(Verb::Unsubscribe),
            _ => Verb::ALL.into_iter().find(|verb| verb.text().as_bytes() == line),
        }
    }

    /// Whether such a frame may have a body, so that its content-length counts.
    pub(super) fn has_body(self) -> bool {
        matches!(self, Verb::Send | Verb::Message | Verb::Error)
    }

    /// How the headers of such a frame are written on a connection of `version`: the frames that settle the version
    /// are never escaped, which is the rule of 1.0.
    pub(super) fn escapes(self, version: Version) -> Escapes {
        match (self, version) {
            (Verb::Connect | Verb::Stomp | Verb::Connected, _) | (_, Version::V1_0) => Escapes::None,
            (_, Version::V1_1) => Escapes::Three,
            (_, Version::V1_2) => Escapes::Four,
        }
    }
}

/// Which escapes header lines use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// None at all.
    None,
    /// `\\`, `\n` and `\c`.
    Three,
    /// These and `\r`.
    Four,
}

/// One frame. Head and body are slices of the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it asks or tells.
    pub verb: Verb,
    /// The body.
    pub body: Bytes,
    /// Whether a content-length header came with it.
    pub measured: bool,
    pub(super) head: Bytes,
    pub(super) escapes: Escapes,
    /// Whether lines end with CR LF or LF, at the sender's choice.
    pub(super) carriage_returns: bool,
    /// STOMP 1.0 allows blanks around names and values.
    pub(super) trim: bool,
}

impl Frame {
    /// The headers in the order in which they came, repeated ones included.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        // The decoder has checked that the head is UTF-8.
        let head = std::str::from_utf8(&self.head).unwrap_or_default();
        let mut start = 0;
        memchr_iter(b'\n', head.as_bytes()).filter_map(move |end| {
            let line = &head[start..end];
            start = end + 1;
            let line = if self.carriage_returns { line.strip_suffix('\r').unwrap_or(line) } else { line };
            let colon = memchr(b':', line.as_bytes())?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            let (name, value) =
                if self.trim { (name.trim_ascii(), value.trim_ascii()) } else { (name, value) };
            Some(Header { name, value, escaped: self.escapes != Escapes::None })
        })
    }

    /// The value of the first header with this name: later ones are history. Blanks around a name make no other one.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().find(|header| bare(&header.name()) == name).map(|header| header.value())
    }

    /// Bytes of the frame's headers and body, without what separates them.
    pub fn bytes(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// A header's value without a copy: a slice of the frame if nothing was escaped.
    pub(in crate::protocol::stomp) fn share(&self, text: Cow<'_, str>) -> Bytes {
        match text {
            Cow::Borrowed(text) => self.head.slice_ref(text.as_bytes()),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// One header line.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    name: &'a str,
    value: &'a str,
    escaped: bool,
}

impl<'a> Header<'a> {
    /// The name.
    pub fn name(&self) -> Cow<'a, str> {
        if self.escaped { unescape(self.name) } else { Cow::Borrowed(self.name) }
    }

    /// The value.
    pub fn value(&self) -> Cow<'a, str> {
        if self.escaped { unescape(self.value) } else { Cow::Borrowed(self.value) }
    }

    /// The name as it stands on the wire: equal for equal names.
    pub(in crate::protocol::stomp) fn raw_name(&self) -> &'a str {
        self.name
    }
}

/// A header's name without what stands around it and is trimmed by somebody: by 1.0 blanks, by some clients everything
/// that is not printed. A header that would pass there for one of the broker's is treated as that one everywhere.
pub(in crate::protocol::stomp) fn bare(name: &str) -> &str {
    let is_printed = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if is_printed(name.as_bytes().first()) && is_printed(name.as_bytes().last()) {
        return name;
    }
    name.trim_matches(|character: char| character.is_whitespace() || character.is_control())
}

/// Whether every backslash in a header line begins an escape that this version knows.
pub(super) fn escapes_are_known(line: &[u8], escapes: Escapes) -> bool {
    if escapes == Escapes::None {
        return true;
    }
    let mut rest = line;
    while let Some(at) = memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'n' | b'c' | b'\\') => {}
            Some(b'r') if escapes == Escapes::Four => {}
            _ => return false,
        }
        rest = &rest[at + 2..];
    }
    true
}

/// Undoes the escapes of a checked name or value.
fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut characters = text[first..].chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        out.push(match characters.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('c') => ':',
            _ => '\\',
        });
    }
    Cow::Owned(out)
}
