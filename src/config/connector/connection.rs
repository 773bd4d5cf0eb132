//! Options of a connector's URI that say how its connections behave, in ActiveMQ's words. Each has an effect or is refused
//! with the reason.

use std::time::Duration;

use crate::env::SocketOptions;
use crate::security::ClientCertificate;

use super::value::{flag, milliseconds, number};
use super::wire_format::WireFormatOptions;

/// How the connections of a connector behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// Connections that the system holds until they are accepted; the system may hold fewer.
    pub backlog: u32,
    /// What is set on each socket.
    pub socket: SocketOptions,
    /// A client has so long to say who it is.
    pub connect_timeout: Duration,
    /// What a client without a heart-beat header is taken to have said: how often it sends, how often it wants to hear.
    pub heart_beat: (Duration, Duration),
    /// A client is gone when nothing has come for so many percent of its heart-beat's interval.
    pub heart_beat_grace_percent: u32,
    /// Whether the broker says that it is compatible with ActiveMQ where clients look for its name.
    pub named_activemq: bool,
    /// Whether clients that show nothing are let in, under the name `anonymous`.
    pub allow_anonymous: bool,
    /// Whether clients show a certificate.
    pub client_certificate: ClientCertificate,
    /// What is agreed on with clients of OpenWire.
    pub wire_format: WireFormatOptions,
}

impl Default for ConnectionOptions {
    fn default() -> ConnectionOptions {
        ConnectionOptions {
            backlog: 5000,
            socket: SocketOptions::CLIENT,
            connect_timeout: Duration::from_secs(30),
            heart_beat: (Duration::ZERO, Duration::ZERO),
            heart_beat_grace_percent: 200,
            named_activemq: true,
            allow_anonymous: false,
            client_certificate: ClientCertificate::Unasked,
            wire_format: WireFormatOptions::default(),
        }
    }
}

/// The options that are served.
pub(super) const SERVED: [&str; 13] = [
    "backlog",
    "needClientAuth",
    "server",
    "transport.backlog",
    "transport.connectAttemptTimeout",
    "transport.defaultHeartBeat",
    "transport.hbGracePeriodMultiplier",
    "transport.keepAlive",
    "transport.needClientAuth",
    "transport.soWriteTimeout",
    "transport.tcpNoDelay",
    "transport.wantClientAuth",
    "wantClientAuth",
];

/// Those of them that only clients of STOMP notice.
pub(super) const OF_STOMP: [&str; 3] =
    ["server", "transport.defaultHeartBeat", "transport.hbGracePeriodMultiplier"];

const JAVA: &str = "it is about threads and buffers that only ActiveMQ has";
const INACTIVITY: &str =
    "clients are found silent by wireFormat.maxInactivityDuration (OpenWire; 0 switches it off)";
const TLS: &str = "TLS 1.2 and 1.3 are spoken with the ciphers of rustls, and clients check names";
const HEART_BEATS: &str = "silent clients are found by transport.defaultHeartBeat and transport.keepAlive";
const CLIENT: &str = "it is for clients";
const UNSUPPORTED: &str = "it is not supported by this version";

/// ActiveMQ's options that would have no effect here, and why.
pub(super) const REFUSED: [(&str, &str); 32] = [
    ("transport.closeAsync", JAVA),
    ("transport.connectionTimeout", CLIENT),
    ("transport.daemon", JAVA),
    ("transport.diffServ", UNSUPPORTED),
    ("transport.dynamicManagement", JAVA),
    ("transport.enabledCipherSuites", TLS),
    ("transport.enabledProtocols", TLS),
    ("transport.ioBufferSize", JAVA),
    ("transport.jmxPort", JAVA),
    ("transport.maxInactivityDuration", HEART_BEATS),
    ("transport.minmumWireFormatVersion", UNSUPPORTED),
    ("transport.prefetch", UNSUPPORTED),
    ("transport.soLinger", UNSUPPORTED),
    ("transport.soTimeout", HEART_BEATS),
    ("transport.socketBufferSize", "the system sizes the buffers of sockets"),
    ("transport.stackSize", JAVA),
    ("transport.threadName", JAVA),
    ("transport.trace", "log.level = \"debug\" shows what happens to connections"),
    ("transport.trafficClass", UNSUPPORTED),
    ("transport.transformer", UNSUPPORTED),
    ("transport.typeOfService", UNSUPPORTED),
    ("transport.useInactivityMonitor", INACTIVITY),
    ("transport.useKeepAlive", INACTIVITY),
    ("transport.useLocalHost", CLIENT),
    ("transport.useQueueForAccept", JAVA),
    ("transport.verifyHostName", TLS),
    ("wireFormat.includePlatformDetails", "nothing is said about the platform"),
    ("wireFormat.maxFrameSizeEnabled", "frames are bounded in any case"),
    (
        "wireFormat.maxInactivityDurationInitalDelay",
        "a client has transport.connectAttemptTimeout to say who it is",
    ),
    (
        "wireFormat.maxInactivityDurationInitialDelay",
        "a client has transport.connectAttemptTimeout to say who it is",
    ),
    ("wireFormat.sizePrefixDisabled", "frames tell their size in any case"),
    ("wireFormat.stackTraceEnabled", "exceptions are sent without traces"),
];

impl ConnectionOptions {
    /// Takes one option of [`SERVED`].
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "backlog" | "transport.backlog" => self.backlog = number(option, value, 1, 65_535)? as u32,
            "server" => self.named_activemq = server(option, value)?,
            "transport.connectAttemptTimeout" => self.connect_timeout = milliseconds(option, value, 1)?,
            "transport.defaultHeartBeat" => self.heart_beat = heart_beat(option, value)?,
            "transport.hbGracePeriodMultiplier" => self.heart_beat_grace_percent = percent(option, value)?,
            "transport.keepAlive" => self.socket.keep_alive = flag(option, value)?,
            "transport.soWriteTimeout" => {
                self.socket.send_timeout =
                    Some(milliseconds(option, value, 0)?).filter(|timeout| !timeout.is_zero());
            }
            "needClientAuth" | "transport.needClientAuth" => {
                self.ask_for_certificates(flag(option, value)?, ClientCertificate::Needed);
            }
            "wantClientAuth" | "transport.wantClientAuth" => {
                self.ask_for_certificates(flag(option, value)?, ClientCertificate::Wanted);
            }
            "transport.tcpNoDelay" => self.socket.no_delay = flag(option, value)?,
            other => self.wire_format.set(other, value)?,
        }
        Ok(())
    }
}

impl ConnectionOptions {
    /// As in ActiveMQ, to need a certificate is more than to want one.
    fn ask_for_certificates(&mut self, asked: bool, how: ClientCertificate) {
        if asked && self.client_certificate != ClientCertificate::Needed {
            self.client_certificate = how;
        }
    }
}

/// `10000,10000`.
fn heart_beat(option: &str, value: &str) -> Result<(Duration, Duration), String> {
    let (sends, wants) = value
        .split_once(',')
        .ok_or_else(|| format!("{option}={value} is no pair of milliseconds; expected 10000,10000"))?;
    Ok((milliseconds(option, sends, 0)?, milliseconds(option, wants, 0)?))
}

/// `1.5` is 150.
fn percent(option: &str, value: &str) -> Result<u32, String> {
    let factor = value.parse::<f64>().ok().filter(|factor| (1.0..=100.0).contains(factor));
    let factor = factor.ok_or_else(|| format!("{option}={value} is no factor; expected 1.0 to 100.0"))?;
    Ok((factor * 100.0).round() as u32)
}

fn server(option: &str, value: &str) -> Result<bool, String> {
    match value {
        "activemq" => Ok(true),
        "quorate" => Ok(false),
        _ => Err(format!("{option}={value} is unknown; expected activemq or quorate")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(option: &str, value: &str) -> Result<ConnectionOptions, String> {
        let mut options = ConnectionOptions::default();
        options.set(option, value).map(|()| options)
    }

    #[test]
    fn every_served_option_has_an_effect_and_refuses_what_it_cannot_read() {
        let values =
            ["7", "true", "quorate", "7", "7", "7,8", "1.5", "false", "true", "7", "false", "true", "true"];
        for (option, value) in SERVED.into_iter().zip(values) {
            assert_ne!(set(option, value), Ok(ConnectionOptions::default()), "{option}={value}");
            assert!(set(option, "x").unwrap_err().contains(option), "{option}");
        }
        let options = set("transport.defaultHeartBeat", "7,8").unwrap();
        assert_eq!(options.heart_beat, (Duration::from_millis(7), Duration::from_millis(8)));
        assert_eq!(set("transport.hbGracePeriodMultiplier", "1.5").unwrap().heart_beat_grace_percent, 150);
        assert_eq!(set("transport.soWriteTimeout", "0"), Ok(ConnectionOptions::default()));
    }
}
