//! CONNECT and CONNECTED: who connects, which version is spoken, how often either side shows that it lives.

use std::borrow::Cow;
use std::time::Duration;

use crate::broker::SessionInfo;

use super::adapter::Fault;
use super::codec::{Frame, Output, Verb, Version};

/// A client that wants heart-beats more often gets them at this interval.
const HEART_BEAT_MIN: Duration = Duration::from_millis(100);

/// What a CONNECT frame says.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) version: Version,
    pub(super) info: SessionInfo,
    /// The broker sends something at least this often; zero: it need not.
    pub(super) send_every: Duration,
    /// The client sends something at least this often; zero: it need not.
    pub(super) receive_every: Duration,
    request: Option<String>,
    receipt: Option<String>,
}

/// Reads the first frame of a connection.
pub(super) fn greeting(frame: &Frame, remote: String) -> Result<Greeting, Fault> {
    let value = |name: &str| frame.header(name).map(Cow::into_owned);
    let receipt = value("receipt");
    let fault = |message: String| Fault { message, receipt: receipt.clone() };
    if !matches!(frame.verb, Verb::Connect | Verb::Stomp) {
        return Err(fault("Not connected: the first frame must be CONNECT or STOMP".to_owned()));
    }
    let accept = frame.header("accept-version");
    let version = Version::negotiate(accept.as_deref())
        .ok_or_else(|| fault("Supported protocol versions are 1.0, 1.1 and 1.2".to_owned()))?;
    let beats = frame.header("heart-beat").unwrap_or(Cow::Borrowed("0,0"));
    let (sends, wants) =
        heart_beat(&beats).ok_or_else(|| fault(format!("Invalid heart-beat header: {beats}")))?;
    Ok(Greeting {
        version,
        info: SessionInfo {
            client_id: value("client-id").unwrap_or_default(),
            user: value("login").unwrap_or_default(),
            remote,
        },
        send_every: if wants.is_zero() { wants } else { wants.max(HEART_BEAT_MIN) },
        receive_every: sends,
        request: value("request-id"),
        receipt,
    })
}

impl Greeting {
    /// Writes the answer.
    pub(super) fn connected(&self, session: &str, output: &mut Output) {
        let mut frame = output.frame(Verb::Connected, self.version);
        frame.plain("version", self.version.text());
        frame.header("session", session);
        frame.plain("server", concat!("quorate/", env!("CARGO_PKG_VERSION")));
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
