//! One connection to a broker: socket, codec, negotiated version. No failover beyond the choice of an address.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::env::{DialError, DialLimits, dial};
use crate::protocol::Output;
use crate::protocol::stomp::{Decoder, Frame, FrameWriter, Limits, Verb, Version, heart_beat};

use super::options::{ClientError, ConnectOptions};

/// Bytes that one read may take.
const READ_BYTES: usize = 128 * 1024;
/// A heart-beat may be late by its interval, or by this if that is longer.
const GRACE: Duration = Duration::from_millis(500);
/// Whoever cannot write any more looks so long for what the broker said last.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long an address has for itself before the next one is tried beside it.
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Slices of one write.
const SLICES_MAX: usize = 64;
/// Largest body that is read from a broker.
const BODY_BYTES_MAX: usize = 1 << 30;

/// A connection after CONNECTED.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    pub(super) output: Output,
    pub(super) version: Version,
    /// How often something must be written; zero: never.
    send_every: Duration,
    /// How often something must arrive; zero: never.
    receive_every: Duration,
    spoke: Instant,
    heard: Instant,
}

impl Wire {
    /// Connects to the first address that answers, beginning with number `first`: the next one is tried when one has
    /// failed, or beside one that takes long. Each is tried again and again until the options say to give up. Gives the
    /// number of the address too.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if a broker answers with ERROR, [`ClientError::Unreachable`] if none answers.
    pub(super) async fn connect(
        addresses: &[String],
        first: usize,
        options: &ConnectOptions,
    ) -> Result<(Wire, usize), ClientError> {
        let give_up = sleep(options.give_up_after);
        tokio::pin!(give_up);
        let mut reason =
            if addresses.is_empty() { "no address given" } else { "no answer in time" }.to_owned();
        let mut waiting = (0..addresses.len()).map(|offset| (first + offset) % addresses.len()).peekable();
        let mut pauses = vec![options.back_off_min; addresses.len()];
        let mut tries = FuturesUnordered::new();
        loop {
            if let Some(number) = waiting.next() {
                tries.push(Wire::attempt(addresses, number, Duration::ZERO, options));
            }
            let more = waiting.peek().is_some();
            tokio::select! {
                biased;
                done = tries.next() => match done {
                    Some((number, Ok(wire))) => return Ok((wire, number)),
                    Some((_, Err(ClientError::Refused(message)))) => return Err(ClientError::Refused(message)),
                    Some((number, Err(error))) => {
                        reason = match error {
                            ClientError::Unreachable { addresses, reason } => format!("{addresses}: {reason}"),
                            error => format!("{}: {error}", addresses[number]),
                        };
                        let pause = &mut pauses[number];
                        tries.push(Wire::attempt(addresses, number, *pause, options));
                        *pause = (*pause * 2).min(options.back_off_max);
                    }
                    None => break,
                },
                () = &mut give_up => {
                    reason = options.names.troubles().pop().unwrap_or(reason);
                    break;
                }
                () = sleep(NEXT_AFTER), if more => {}
            }
        }
        Err(ClientError::Unreachable { addresses: addresses.join(","), reason })
    }

    async fn attempt(
        addresses: &[String],
        number: usize,
        pause: Duration,
        options: &ConnectOptions,
    ) -> (usize, Result<Wire, ClientError>) {
        sleep(pause).await;
        (number, Wire::open(&addresses[number], options).await)
    }

    async fn open(address: &str, options: &ConnectOptions) -> Result<Wire, ClientError> {
        let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
        let late = |_| ClientError::Lost("no answer in time".to_owned());
        let limits = DialLimits { look_up: options.give_up_after, connect: options.connect_timeout };
        let stream = dial(&options.names, authority, limits).await;
        let stream = stream.map_err(|error| {
            let reason = match error {
                DialError::Connect { source, .. } => source.to_string(),
                error => error.to_string(),
            };
            ClientError::Unreachable { addresses: address.to_owned(), reason }
        })?;
        let now = Instant::now();
        let mut wire = Wire {
            stream,
            decoder: Decoder::new(Limits::connected(BODY_BYTES_MAX)),
            input: BytesMut::new(),
            output: Output::new(),
            version: Version::V1_2,
            send_every: Duration::ZERO,
            receive_every: Duration::ZERO,
            spoke: now,
            heard: now,
        };
        wire.greet(authority, options);
        let answer = timeout(options.answer_timeout, wire.first_frame()).await.map_err(late)??;
        wire.greeted(&answer, options)?;
        Ok(wire)
    }

    fn greet(&mut self, authority: &str, options: &ConnectOptions) {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let mut frame = FrameWriter::new(&mut self.output, Verb::Connect, Version::V1_2);
        frame.plain("accept-version", "1.2,1.1,1.0");
        frame.plain("host", options.host.as_deref().unwrap_or(host));
        let beat = options.heart_beat.as_millis();
        frame.plain("heart-beat", &format!("{beat},{beat}"));
        let given =
            [("login", &options.login), ("passcode", &options.passcode), ("client-id", &options.client_id)];
        for (name, value) in given {
            if let Some(value) = value {
                frame.header(name, value);
            }
        }
        for (name, value) in &options.headers {
            frame.header(name, value);
        }
        frame.end_empty();
    }

    async fn first_frame(&mut self) -> Result<Frame, ClientError> {
        loop {
            if let Some(frame) = self.decode()? {
                return Ok(frame);
            }
            self.step(true).await?;
        }
    }

    fn greeted(&mut self, answer: &Frame, options: &ConnectOptions) -> Result<(), ClientError> {
        if answer.verb != Verb::Connected {
            return Err(ClientError::Refused(error_message(answer)));
        }
        let version = answer.header("version");
        self.version = version.and_then(|text| Version::from_text(&text)).unwrap_or(Version::V1_0);
        self.decoder.settle(self.version, Limits::connected(BODY_BYTES_MAX));
        let beats = answer.header("heart-beat").unwrap_or_default();
        let mut theirs = beats.split(',').map(|ms| Duration::from_millis(ms.trim().parse().unwrap_or(0)));
        let (sends, wants) = (theirs.next().unwrap_or_default(), theirs.next().unwrap_or_default());
        let agreed = |theirs: Duration| {
            let off = theirs.is_zero() || options.heart_beat.is_zero();
            if off { Duration::ZERO } else { theirs.max(options.heart_beat) }
        };
        self.send_every = agreed(wants);
        self.receive_every = agreed(sends);
        Ok(())
    }

    /// The next frame that has arrived whole.
    pub(super) fn decode(&mut self) -> Result<Option<Frame>, ClientError> {
        Ok(self.decoder.decode(&mut self.input)?)
    }

    /// Writes what it can, or reads what has come if `reads`; returns after either. Keeps up the heart-beats, as long as
    /// it is waited for. Cancel-safe.
    ///
    /// # Errors
    /// The connection is lost, or the broker's heart-beat is overdue, which comes to the same.
    pub(super) async fn step(&mut self, reads: bool) -> Result<(), ClientError> {
        if !reads {
            // Nothing can be heard: silence counts from now on.
            self.heard = Instant::now();
        }
        let deadline = self.deadline();
        let Wire { stream, output, input, .. } = self;
        let (reader, mut writer) = stream.split();
        let waits = !output.is_empty();
        let writes = async {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = output.slices(&mut slices);
            writer.write_vectored(&slices[..filled]).await
        };
        let arrives = async {
            loop {
                reader.readable().await?;
                input.reserve(READ_BYTES);
                match reader.try_read_buf(input) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
            }
        };
        let (written, read) = {
            tokio::pin!(arrives);
            tokio::select! {
                written = writes, if waits => match written {
                    Ok(count) => (Some(count), None),
                    // The broker has ended the connection; why, it may have said before.
                    Err(error) => match timeout(LAST_WORDS, &mut arrives).await {
                        Ok(Ok(count)) if count > 0 => (None, Some(count)),
                        _ => return Err(error.into()),
                    },
                },
                read = &mut arrives, if reads => (None, Some(read?)),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => (None, None),
                else => (None, None),
            }
        };
        if let Some(count) = written {
            self.output.advance(count);
            self.spoke = Instant::now();
        }
        if read.is_some() {
            self.heard = Instant::now();
        }
        if written == Some(0) || read == Some(0) {
            return Err(ClientError::Lost("closed by the broker".to_owned()));
        }
        if deadline.is_some() { self.beat() } else { Ok(()) }
    }

    /// When the heart-beats need a look, if ever.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let send = (!self.send_every.is_zero()).then(|| self.spoke + self.send_every / 2);
        let receive = (!self.receive_every.is_zero())
            .then(|| self.heard + self.receive_every + self.receive_every.max(GRACE));
        match (send, receive) {
            (Some(send), Some(receive)) => Some(send.min(receive)),
            (one, other) => one.or(other),
        }
    }

    /// Sends a heart-beat if it is time, and misses the broker's.
    fn beat(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        if !self.receive_every.is_zero()
            && now >= self.heard + self.receive_every + self.receive_every.max(GRACE)
        {
            return Err(ClientError::Lost("no heart-beat".to_owned()));
        }
        if !self.send_every.is_zero() && now >= self.spoke + self.send_every / 2 {
            if self.output.is_empty() {
                heart_beat(&mut self.output);
            }
            self.spoke = now;
        }
        Ok(())
    }
}

/// What an ERROR frame says.
pub(super) fn error_message(frame: &Frame) -> String {
    match frame.header("message") {
        Some(message) => message.into_owned(),
        None => format!("{} {}", frame.verb.text(), String::from_utf8_lossy(&frame.body)),
    }
}
