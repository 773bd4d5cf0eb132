//! CONNECT and CONNECTED: who connects, which version is spoken, how often either side shows that it lives.

use std::borrow::Cow;
use std::time::Duration;

use crate::broker::Credentials;
use crate::config::ConnectionOptions;

use super::adapter::Fault;
use super::codec::{Frame, Output, Verb, Version};

/// A client that wants heart-beats more often gets them at this interval.
const HEART_BEAT_MIN: Duration = Duration::from_millis(100);

/// A client whose heart-beat is late by less than this is not gone, however short its interval is.
const GRACE: Duration = Duration::from_millis(500);

/// The broker's name. Libraries choose a broker's dialect by it: stomp-php looks for "activemq" anywhere, others at the
/// beginning; none reads what follows in parentheses.
const SERVER: &str = concat!("quorate/", env!("CARGO_PKG_VERSION"));
const SERVER_COMPATIBLE: &str =
    concat!("ActiveMQ/5.18 (compatible; quorate/", env!("CARGO_PKG_VERSION"), ")");

/// What a CONNECT frame says.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) version: Version,
    pub(super) credentials: Credentials,
    /// The broker sends something at least this often; zero: it need not.
    pub(super) send_every: Duration,
    /// The client sends something at least this often; zero: it need not.
    pub(super) receive_every: Duration,
    /// A silence of the client that is longer means that it is gone.
    patience: Duration,
    named_activemq: bool,
    request: Option<String>,
    receipt: Option<String>,
}

/// Reads the first frame of a connection.
pub(super) fn greeting(frame: &Frame, options: &ConnectionOptions) -> Result<Greeting, Fault> {
    let value = |name: &str| frame.header(name).map(Cow::into_owned);
    let receipt = value("receipt");
    let fault = |message: String| Fault { message, receipt: receipt.clone() };
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
    Ok(Greeting {
        version,
        credentials: Credentials {
            client_id: value("client-id").unwrap_or_default(),
            user: value("login").unwrap_or_default(),
        },
        send_every: if wants.is_zero() { wants } else { wants.max(HEART_BEAT_MIN) },
        receive_every: sends,
        patience: sends.saturating_mul(options.heart_beat_grace_percent) / 100,
        named_activemq: options.named_activemq,
        request: value("request-id"),
        receipt,
    })
}

impl Greeting {
    /// The ERROR that answers it instead.
    pub(super) fn fault(&self, message: String) -> Fault {
        Fault { message, receipt: self.receipt.clone() }
    }

    /// How long nothing may come from the client; none if it promised nothing.
    pub(super) fn silence_max(&self) -> Option<Duration> {
        let least = self.receive_every.saturating_add(GRACE);
        (!self.receive_every.is_zero()).then(|| self.patience.max(least))
    }

    /// Writes the answer.
    pub(super) fn connected(&self, session: &str, output: &mut Output) {
        let mut frame = output.frame(Verb::Connected, self.version);
        frame.plain("version", self.version.text());
        frame.header("session", session);
        frame.plain("server", if self.named_activemq { SERVER_COMPATIBLE } else { SERVER });
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
pub(super) fn heart_beat(text: &str) -> Option<(Duration, Duration)> {
    let (sends, wants) = text.split_once(',')?;
    let interval = |text: &str| text.trim().parse::<u32>().ok().map(|ms| Duration::from_millis(ms.into()));
    Some((interval(sends)?, interval(wants)?))
}
