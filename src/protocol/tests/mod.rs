//! STOMP over real sockets, against a node in memory.

mod answers;
mod compatible;
mod core;
mod hostile;
mod silence;
mod verbs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::broker::Gate;
use crate::config::{ConnectionOptions, Scheme, TransportConnector};
use crate::env::{ConnectionLimit, SystemClock};

use super::Listener;
use super::stomp::{Decoder, Frame, Limits, Verb, Version};

pub(crate) use self::answers::start_answers;
pub(crate) use self::core::{Core, start as start_core, start_of as start_core_of};

/// Longer than anything here takes, shorter than a tester's patience.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn connector(maximum_connections: usize) -> TransportConnector {
    TransportConnector {
        name: "stomp".to_owned(),
        uri: "stomp://127.0.0.1:0".to_owned(),
        scheme: Scheme::Stomp,
        tls: false,
        host: "127.0.0.1".to_owned(),
        port: 0,
        maximum_connections,
        frame_bytes_max: 1 << 20,
        connection: ConnectionOptions::default(),
        allow_plaintext: false,
        server_tls: None,
    }
}

pub(crate) async fn listen(gate: Gate) -> Listener {
    Listener::start(
        &connector(100),
        gate,
        ConnectionLimit::new(1000),
        usize::MAX,
        Arc::new(SystemClock::new()),
    )
    .await
    .unwrap()
}

/// Starts again where `listener` listened, once that has stopped.
pub(crate) async fn restart(listener: Listener, gate: Gate) -> Listener {
    let mut connector = connector(100);
    connector.port = listener.address().port();
    listener.stop().await;
    Listener::start(&connector, gate, ConnectionLimit::new(1000), usize::MAX, Arc::new(SystemClock::new()))
        .await
        .unwrap()
}

/// A client that says exactly what it is told to.
pub(crate) struct Raw {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
}

impl Raw {
    async fn open(listener: &Listener) -> Raw {
        Raw::at(listener.address()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).await.unwrap();
        Raw { stream, decoder: Decoder::new(Limits::connected(1 << 30)), input: BytesMut::new() }
    }

    /// Connects with a version; gives the CONNECTED frame too.
    async fn connect(listener: &Listener, version: Version) -> (Raw, Frame) {
        let mut raw = Raw::open(listener).await;
        raw.say(&format!("CONNECT\naccept-version:{}\nhost:h\nlogin:u\n\n\0", version.text())).await;
        let connected = raw.hear().await;
        assert_eq!(connected.verb, Verb::Connected);
        raw.settle(version);
        (raw, connected)
    }

    /// From now on this version is spoken.
    pub(crate) fn settle(&mut self, version: Version) {
        self.decoder.settle(version, Limits::connected(1 << 30));
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next frame; `None` if the connection is closed.
    async fn listen(&mut self) -> Option<Frame> {
        timeout(PATIENCE, async {
            loop {
                if let Some(frame) = self.decoder.decode(&mut self.input).unwrap() {
                    return Some(frame);
                }
                match self.stream.read_buf(&mut self.input).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
        .expect("nothing was heard")
    }

    pub(crate) async fn hear(&mut self) -> Frame {
        self.listen().await.expect("the connection was closed")
    }

    async fn hear_receipt(&mut self, id: &str) {
        let frame = self.hear().await;
        assert_eq!(
            (frame.verb, frame.header("receipt-id").as_deref()),
            (Verb::Receipt, Some(id)),
            "{frame:?}"
        );
    }

    /// Expects an ERROR that says `part`, then the end; gives the ERROR.
    async fn hear_error(&mut self, part: &str) -> Frame {
        let frame = self.hear().await;
        assert_eq!(frame.verb, Verb::Error, "{frame:?}");
        let message = frame.header("message").unwrap_or_default().into_owned();
        assert!(message.contains(part), "{message:?} does not say {part:?}");
        assert_eq!(self.listen().await, None);
        frame
    }
}
