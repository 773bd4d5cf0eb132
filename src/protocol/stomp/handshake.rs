//! CONNECT and CONNECTED: who connects, which version is spoken, how often either side shows that it lives.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;

use crate::broker::{BrokerNames, Credentials, NotOpened};
use crate::config::ConnectionOptions;
use crate::protocol::Output;
use crate::protocol::connection::{Fault, Handshake, Rhythm};
use crate::security::Password;

use super::adapter::StompAdapter;
use super::codec::{Decoder, Frame, FrameWriter, Limits, Verb, Version};
use super::error_frame::ErrorFrame;

/// A client that wants heart-beats more often gets them at this interval.
const HEART_BEAT_MIN: Duration = Duration::from_millis(100);

/// A client whose heart-beat is late by less than this is not gone, however short its interval is.
const GRACE: Duration = Duration::from_millis(500);

/// The broker's name. Libraries choose a broker's dialect by it: stomp-php looks for "activemq" anywhere, others at the
/// beginning; none reads what follows in parentheses.
const SERVER: &str = concat!("quorate/", env!("CARGO_PKG_VERSION"));
const SERVER_COMPATIBLE: &str =
    concat!("ActiveMQ/5.18 (compatible; quorate/", env!("CARGO_PKG_VERSION"), ")");

/// A connection before its CONNECT.
#[derive(Debug)]
pub(in crate::protocol) struct StompHandshake {
    options: ConnectionOptions,
    body_bytes_max: usize,
    decoder: Decoder,
    /// What the CONNECT said; nothing before it.
    greeting: Greeting,
}

impl Handshake for StompHandshake {
    type Adapter = StompAdapter;

    const NAME: &'static str = "stomp";

    fn new(options: ConnectionOptions, body_bytes_max: usize) -> StompHandshake {
        let decoder = Decoder::new(Limits::BEFORE_CONNECT);
        StompHandshake { options, body_bytes_max, decoder, greeting: Greeting::default() }
    }

    fn greet(&mut self, arrived: &mut BytesMut, output: &mut Output) -> Result<Option<Credentials>, Fault> {
        let read = match self.decoder.decode(arrived) {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => greeting(&frame, &self.options),
            Err(error) => Err(ErrorFrame::new(error.to_string())),
        };
        let (greeting, credentials) = read.map_err(|error| error.write(output, Version::V1_0))?;
        self.greeting = greeting;
        Ok(Some(credentials))
    }

    fn welcome(mut self, session: &str, _: &BrokerNames, output: &mut Output) -> StompAdapter {
        let version = self.greeting.version;
        self.decoder.settle(version, Limits::connected(self.body_bytes_max));
        self.greeting.connected(session, self.options.named_activemq, output);
        StompAdapter::new(version, self.decoder, self.greeting.rhythm(), session)
    }

    fn refuse(self, why: &NotOpened, output: &mut Output) -> Fault {
        ErrorFrame { message: why.to_string(), receipt: self.greeting.receipt }.write(output, Version::V1_0)
    }
}

/// What a CONNECT frame says.
#[derive(Debug, Default)]
struct Greeting {
    version: Version,
    /// The broker sends something at least this often; zero: it need not.
    send_every: Duration,
    /// The client sends something at least this often; zero: it need not.
    receive_every: Duration,
    /// A silence of the client that is longer means that it is gone.
    patience: Duration,
    request: Option<String>,
    receipt: Option<String>,
}

/// Reads the first frame of a connection.
fn greeting(frame: &Frame, options: &ConnectionOptions) -> Result<(Greeting, Credentials), ErrorFrame> {
    let value = |name: &str| frame.header(name).map(Cow::into_owned);
    let receipt = value("receipt");
    let fault = |message: String| ErrorFrame { message, receipt: receipt.clone() };
    if !matches!(frame.verb, Verb::Connect | Verb::Stomp) {
        return Err(fault("Not connected: the first frame must be CONNECT or STOMP".to_owned()));
    }
    let accept = frame.header("accept-version");
    let version = Version::negotiate(accept.as_deref())
        .ok_or_else(|| fault("Supported protocol versions are 1.0, 1.1 and 1.2".to_owned()))?;
    let (sends, wants) = match frame.header("heart-beat") {
        Some(beats) => {
            heart_beat(&beats).ok_or_else(|| fault(format!("Invalid heart-beat header: {beats}")))?
        }
        None => options.heart_beat,
    };
    let credentials = Credentials {
        client_id: value("client-id").unwrap_or_default(),
        connection: String::new(),
        user: value("login").unwrap_or_default(),
        password: Password::new(value("passcode").unwrap_or_default()),
    };
    let greeting = Greeting {
        version,
        send_every: if wants.is_zero() { wants } else { wants.max(HEART_BEAT_MIN) },
        receive_every: sends,
        patience: sends.saturating_mul(options.heart_beat_grace_percent) / 100,
        request: value("request-id"),
        receipt,
    };
    Ok((greeting, credentials))
}

impl Greeting {
    /// What it means for the connection.
    fn rhythm(&self) -> Rhythm {
        let least = self.receive_every.saturating_add(GRACE);
        Rhythm {
            speaks_every: Some(self.send_every).filter(|every| !every.is_zero()),
            silence_max: (!self.receive_every.is_zero()).then(|| self.patience.max(least)),
        }
    }

    /// Writes the answer.
    fn connected(&self, session: &str, named_activemq: bool, output: &mut Output) {
        let mut frame = FrameWriter::new(output, Verb::Connected, self.version);
        frame.plain("version", self.version.text());
        frame.header("session", session);
        frame.plain("server", if named_activemq { SERVER_COMPATIBLE } else { SERVER });
        let (sends, wants) = (self.send_every.as_millis(), self.receive_every.as_millis());
        frame.plain("heart-beat", &format!("{sends},{wants}"));
        if let Some(request) = &self.request {
            frame.header("response-id", request);
        }
        if let Some(receipt) = &self.receipt {
            frame.header("receipt-id", receipt);
        }
        frame.end_empty();
    }
}

/// The two intervals of a heart-beat header.
fn heart_beat(text: &str) -> Option<(Duration, Duration)> {
    let (sends, wants) = text.split_once(',')?;
    let interval = |text: &str| text.trim().parse::<u32>().ok().map(|ms| Duration::from_millis(ms.into()));
    Some((interval(sends)?, interval(wants)?))
}
