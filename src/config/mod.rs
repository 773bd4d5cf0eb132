//! Configuration: the file as written, then validated and typed. Nothing else reads configuration.

/// The protocol of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "stand-in")]
pub enum Scheme {
    OpenWire,
    Stomp,
    Amqp,
    Mqtt,
    WebSocket,
    Auto,
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
}
