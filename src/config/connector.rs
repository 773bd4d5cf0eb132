//! Transport connectors: where clients come in.

mod connection;
mod network;
mod retry;
mod value;
mod wire_format;

use std::net::IpAddr;

use crate::security::{ClientCertificate, ServerTls};

pub use connection::ConnectionOptions;
pub(super) use network::read as read_networks;
pub use network::{Discovery, NetworkConnector};
pub use retry::Retry;
pub use wire_format::WireFormatOptions;

use connection::{OF_STOMP, REFUSED, SERVED};
use value::number;

use super::fault::nearest;
use super::section::Section;
use super::values::uri::Uri;

/// The protocol of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// ActiveMQ's own protocol; `tcp`, `nio` and `openwire` in URIs.
    OpenWire,
    /// STOMP 1.0 to 1.2.
    Stomp,
    /// AMQP 1.0.
    Amqp,
    /// MQTT.
    Mqtt,
    /// STOMP or MQTT over WebSocket.
    WebSocket,
    /// Whichever protocol the first bytes speak.
    Auto,
}

impl Scheme {
    /// Its name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::OpenWire => "OpenWire",
            Scheme::Stomp => "STOMP",
            Scheme::Amqp => "AMQP",
            Scheme::Mqtt => "MQTT",
            Scheme::WebSocket => "WebSocket",
            Scheme::Auto => "auto",
        }
    }

    fn port(self) -> u16 {
        match self {
            Scheme::OpenWire | Scheme::Auto => 61616,
            Scheme::Stomp => 61613,
            Scheme::Amqp => 5672,
            Scheme::Mqtt => 1883,
            Scheme::WebSocket => 61614,
        }
    }
}

/// One `[[transport_connector]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConnector {
    /// Unique name.
    pub name: String,
    /// The URI as written.
    pub uri: String,
    /// Its protocol.
    pub scheme: Scheme,
    /// Whether the URI asks for TLS.
    pub tls: bool,
    /// Host name or address to bind; IPv6 without brackets.
    pub host: String,
    /// Port to bind; 0 lets the system choose.
    pub port: u16,
    /// Connections above this number are refused.
    pub maximum_connections: usize,
    /// Largest frame in bytes; a larger one closes its connection.
    pub frame_bytes_max: usize,
    /// How its connections behave.
    pub connection: ConnectionOptions,
    /// Whether other machines may come in without TLS.
    pub allow_plaintext: bool,
    /// What it shows, if the URI asks for TLS.
    pub server_tls: Option<ServerTls>,
}

impl TransportConnector {
    /// Whether this version opens the port.
    pub fn is_served(&self) -> bool {
        matches!(self.scheme, Scheme::OpenWire | Scheme::Stomp)
    }

    /// Whether only this machine reaches it, as far as it can be told without looking the host up.
    pub(super) fn is_local(&self) -> bool {
        let named = self.host.eq_ignore_ascii_case("localhost");
        self.host.parse::<IpAddr>().map_or(named, |ip| ip.to_canonical().is_loopback())
    }

    /// Scheme, host and port, without the options.
    pub fn address(&self) -> &str {
        self.uri.split_once('?').map_or(self.uri.as_str(), |(address, _)| address)
    }
}

/// The connector of a file that has none: STOMP on loopback.
pub(super) const DEFAULT: [(&str, &str); 2] = [("name", "stomp"), ("uri", "stomp://127.0.0.1:61613")];
const MAXIMUM_CONNECTIONS_DEFAULT: usize = 1000;
const FRAME_BYTES_MAX_DEFAULT: usize = 100 << 20;

const SCHEMES: [(&str, Scheme, bool); 21] = [
    ("tcp", Scheme::OpenWire, false),
    ("openwire", Scheme::OpenWire, false),
    ("nio", Scheme::OpenWire, false),
    ("ssl", Scheme::OpenWire, true),
    ("nio+ssl", Scheme::OpenWire, true),
    ("stomp", Scheme::Stomp, false),
    ("stomp+nio", Scheme::Stomp, false),
    ("stomp+ssl", Scheme::Stomp, true),
    ("stomp+nio+ssl", Scheme::Stomp, true),
    ("amqp", Scheme::Amqp, false),
    ("amqp+nio", Scheme::Amqp, false),
    ("amqp+ssl", Scheme::Amqp, true),
    ("mqtt", Scheme::Mqtt, false),
    ("mqtt+nio", Scheme::Mqtt, false),
    ("mqtt+ssl", Scheme::Mqtt, true),
    ("ws", Scheme::WebSocket, false),
    ("wss", Scheme::WebSocket, true),
    ("auto", Scheme::Auto, false),
    ("auto+nio", Scheme::Auto, false),
    ("auto+ssl", Scheme::Auto, true),
    ("auto+nio+ssl", Scheme::Auto, true),
];

const MAXIMUM_CONNECTIONS: &str = "maximumConnections";
const FRAME_BYTES_MAX: &str = "wireFormat.maxFrameSize";

/// Reads all connectors.
pub(super) fn read(sections: &[Section<'_>], warnings: &mut Vec<String>) -> Vec<TransportConnector> {
    let mut connectors: Vec<TransportConnector> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for section in sections {
        let name = section.optional("name", non_empty);
        if name.is_none() && !section.is_written("name") {
            section.fault("name", "missing; a connector needs a name");
        }
        let name = name.unwrap_or_default();
        if !name.is_empty() && names.contains(&name) {
            section.fault("name", format!("two connectors are called {name:?}"));
        }
        names.push(name.clone());
        let read = section.optional("uri", |uri| connector(name.clone(), uri));
        if read.is_none() && !section.is_written("uri") {
            section.fault("uri", "missing; a connector needs a uri such as \"stomp://0.0.0.0:61613\"");
        }
        let (allow_anonymous, allow_plaintext) =
            (section.boolean("allow_anonymous", false), section.boolean("allow_plaintext", false));
        if let Some((mut connector, heard)) = read {
            connector.connection.allow_anonymous = allow_anonymous;
            connector.allow_plaintext = allow_plaintext;
            connectors.push(connector);
            warnings.extend(heard);
        }
    }
    connectors
}

/// A connector of this URI, and what its owner should know about it.
fn connector(name: String, text: &str) -> Result<(TransportConnector, Vec<String>), String> {
    let mut warnings = Vec::new();
    let uri = Uri::parse(text)?;
    let Some((_, scheme, tls)) = SCHEMES.iter().find(|(scheme, _, _)| *scheme == uri.scheme) else {
        let meant = nearest(&uri.scheme, SCHEMES.iter().map(|(scheme, _, _)| *scheme));
        return Err(match meant {
            Some(meant) => format!("unknown scheme {:?}; did you mean {meant:?}?", uri.scheme),
            None => {
                format!(
                    "unknown scheme {:?}; expected tcp, openwire, stomp, amqp, mqtt, ws or auto",
                    uri.scheme
                )
            }
        });
    };
    let mut connector = TransportConnector {
        name,
        uri: text.to_owned(),
        scheme: *scheme,
        tls: *tls,
        host: uri.host,
        port: uri.port.unwrap_or(scheme.port()),
        maximum_connections: MAXIMUM_CONNECTIONS_DEFAULT,
        frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
        connection: ConnectionOptions::default(),
        allow_plaintext: false,
        server_tls: None,
    };
    for (option, value) in &uri.options {
        match option.as_str() {
            MAXIMUM_CONNECTIONS => connector.maximum_connections = number(option, value, 1, 1_000_000)?,
            FRAME_BYTES_MAX => connector.frame_bytes_max = number(option, value, 1024, 2 << 30)?,
            served if is_served(served) => {
                if let Some(other) =
                    owner(served).filter(|it| connector.is_served() && *it != connector.scheme)
                {
                    let why = format!("it is about {}", other.name());
                    return Err(format!("{served} has no effect: {why}; leave it out"));
                }
                connector.connection.set(served, value)?;
            }
            other => match REFUSED.iter().find(|(name, _)| *name == other) {
                // A connector whose port stays closed is copied as it is.
                Some(_) if !connector.is_served() => {}
                Some((_, why)) => return Err(format!("{other} has no effect: {why}; leave it out")),
                None => return Err(unknown_option(other)),
            },
        }
    }
    if connector.connection.client_certificate != ClientCertificate::Unasked && !connector.tls {
        return Err(format!("{:?} speaks no TLS, in which clients could show a certificate", uri.scheme));
    }
    if !connector.is_served() {
        let what = connector.scheme.name();
        let name = &connector.name;
        warnings.push(format!(
            "transport connector {name}: {what} is not served by this version; its port stays closed"
        ));
    }
    Ok((connector, warnings))
}

/// Whether an option has an effect on some connector.
fn is_served(option: &str) -> bool {
    SERVED.contains(&option) || wire_format::SERVED.iter().any(|(name, _)| *name == option)
}

/// The protocol that a served option is about, if it is about one only.
fn owner(option: &str) -> Option<Scheme> {
    if OF_STOMP.contains(&option) {
        return Some(Scheme::Stomp);
    }
    (!SERVED.contains(&option)).then_some(Scheme::OpenWire)
}

fn unknown_option(option: &str) -> String {
    let of_open_wire = wire_format::SERVED.into_iter().map(|(name, _)| name);
    let known = SERVED.into_iter().chain(of_open_wire).chain([MAXIMUM_CONNECTIONS, FRAME_BYTES_MAX]);
    let known = known.chain(REFUSED.into_iter().map(|(name, _)| name));
    match nearest(option, known) {
        Some(meant) => format!("unknown option {option:?}; did you mean {meant:?}?"),
        None => format!("unknown option {option:?}"),
    }
}

pub(super) fn non_empty(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected some text, found none".to_owned()),
        text => Ok(text.to_owned()),
    }
}
