//! A STOMP 1.2 client for tests, written from the specification and sharing nothing with the product: a mistake that both
//! sides of one codec make would not show.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a dial may take, CONNECTED included: a stopped process accepts and never answers.
const DIAL_LIMIT: Duration = Duration::from_secs(1);
/// Pause between two dials of one address.
const DIAL_PAUSE: Duration = Duration::from_millis(10);

/// A frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Command.
    pub(crate) command: String,
    /// Headers in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// A frame without a body.
    pub(crate) fn new(command: &str, headers: &[(&str, &str)]) -> Frame {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Frame { command: command.to_owned(), headers, body: Vec::new() }
    }

    /// With this body and its length.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Frame {
        self.headers.push(("content-length".to_owned(), body.len().to_string()));
        self.body = body.to_vec();
        self
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 128);
        bytes.extend_from_slice(self.command.as_bytes());
        bytes.push(b'\n');
        let raw = self.command == "CONNECT";
        for (name, value) in &self.headers {
            bytes.extend_from_slice(if raw { name.clone() } else { escape(name) }.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(if raw { value.clone() } else { escape(value) }.as_bytes());
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes.push(0);
        bytes
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace(':', "\\c")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('c') => out.push(':'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}

/// Takes a whole frame off the front of `buffer`.
fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>> {
    while matches!(buffer.first(), Some(b'\n' | b'\r')) {
        buffer.advance(1);
    }
    let Some(head) = buffer.windows(2).position(|pair| pair == b"\n\n") else { return Ok(None) };
    let text =
        std::str::from_utf8(&buffer[..head]).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    let mut lines = text.split('\n');
    let command = lines.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::new(ErrorKind::InvalidData, format!("header without a colon: {line:?}")));
        };
        headers.push((unescape(name), unescape(value)));
    }
    let mut frame = Frame { command, headers, body: Vec::new() };
    let from = head + 2;
    let length = match frame.header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => length,
        Some(Err(error)) => return Err(Error::new(ErrorKind::InvalidData, error)),
        None => match buffer[from..].iter().position(|byte| *byte == 0) {
            Some(length) => length,
            None => return Ok(None),
        },
    };
    if buffer.len() < from + length + 1 {
        return Ok(None);
    }
    if buffer[from + length] != 0 {
        return Err(Error::new(ErrorKind::InvalidData, "no NUL after the body"));
    }
    frame.body = buffer[from..from + length].to_vec();
    buffer.advance(from + length + 1);
    Ok(Some(frame))
}

/// The reading side of a connection.
pub(crate) struct Reader {
    socket: OwnedReadHalf,
    buffer: BytesMut,
}

impl Reader {
    /// The next frame; an error at the end of the stream. Cancel-safe.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn frame(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = decode(&mut self.buffer)? {
                return Ok(frame);
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The writing side of a connection.
pub(crate) struct Writer(OwnedWriteHalf);

impl Writer {
    /// Writes a frame.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<()> {
        self.0.write_all(&frame.encode()).await
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// The connection is of no more use.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).await
    }
}

/// A connection, CONNECTED.
pub(crate) struct Connection {
    /// What comes.
    pub(crate) reader: Reader,
    /// What goes.
    pub(crate) writer: Writer,
}

impl Connection {
    /// Opens a socket and says nothing.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) async fn silent(address: SocketAddr) -> Result<Connection> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (read, write) = socket.into_split();
        let reader = Reader { socket: read, buffer: BytesMut::with_capacity(64 * 1024) };
        Ok(Connection { reader, writer: Writer(write) })
    }

    /// Connects to one address.
    ///
    /// # Errors
    /// Nobody listens, or does not answer CONNECTED in a second.
    pub(crate) async fn open(address: SocketAddr) -> Result<Connection> {
        Connection::open_with(address, &[]).await
    }

    /// The same with more headers on CONNECT.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(crate) async fn open_with(address: SocketAddr, more: &[(&str, &str)]) -> Result<Connection> {
        let dial = async {
            let mut connection = Connection::silent(address).await?;
            let usual = [("accept-version", "1.2"), ("host", "localhost")];
            let connect = Frame::new("CONNECT", &[&usual, more].concat());
            connection.writer.send(&connect).await?;
            let answer = connection.reader.frame().await?;
            if answer.command != "CONNECTED" {
                return Err(Error::other(format!("not CONNECTED but {answer:?}")));
            }
            Ok(connection)
        };
        timeout(DIAL_LIMIT, dial).await.map_err(|_| Error::from(ErrorKind::TimedOut))?
    }

    /// Connects to whichever address answers first, and tries for as long as it takes. Cancel-safe.
    pub(crate) async fn any(addresses: &[SocketAddr]) -> Connection {
        let mut dials = JoinSet::new();
        for address in addresses.iter().copied() {
            dials.spawn(async move {
                loop {
                    match Connection::open(address).await {
                        Ok(connection) => return connection,
                        Err(_) => sleep(DIAL_PAUSE).await,
                    }
                }
            });
        }
        loop {
            if let Some(Ok(connection)) = dials.join_next().await {
                return connection;
            }
        }
    }

    /// Sends a frame with a receipt and waits for it; other frames that come are dropped.
    ///
    /// # Errors
    /// The connection broke, or an ERROR came.
    pub(crate) async fn request(&mut self, mut frame: Frame, receipt: &str) -> Result<()> {
        frame.headers.push(("receipt".to_owned(), receipt.to_owned()));
        self.writer.send(&frame).await?;
        loop {
            let answer = self.reader.frame().await?;
            match answer.command.as_str() {
                "RECEIPT" if answer.header("receipt-id") == Some(receipt) => return Ok(()),
                "ERROR" => return Err(Error::other(format!("{answer:?}"))),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_encoding_with_escapes_and_nuls() {
        let frame = Frame::new("SEND", &[("a:b", "c\\d\ne")]).with_body(b"x\0y");
        let mut buffer = BytesMut::from(&frame.encode()[..]);
        let mut back = decode(&mut buffer).unwrap().unwrap();
        assert_eq!((back.header("a:b"), back.body.as_slice()), (Some("c\\d\ne"), b"x\0y".as_slice()));
        back.headers.clear();
        assert!(buffer.is_empty());
    }

    #[test]
    fn half_a_frame_is_no_frame_yet() {
        let bytes = Frame::new("SEND", &[]).with_body(b"abc").encode();
        for end in 0..bytes.len() {
            assert_eq!(decode(&mut BytesMut::from(&bytes[..end])).unwrap(), None);
        }
    }
}
