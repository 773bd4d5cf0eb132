//! The slave's end of its replication stream.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

use super::streams::PeerEvent;
use super::wire::{self, proto};
use super::{CONNECTION_WINDOW_BYTES, FRAME_BYTES_MAX, HEADER_BYTES_MAX, STREAM_WINDOW_BYTES};
use crate::env::{DialError, Names, connect_any, resolve};
use crate::model::Offset;
use crate::replication::access::registry::Caller;
use crate::replication::access::{Access, Duplex, Guarded, HANDSHAKE_TIME_MAX, Nonces, Side, Witness};
use crate::replication::{Ack, Event, Hello, StreamId};

/// How long each address of the master may take to accept.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the master's name is waited for in one attempt; the next one joins a look-up that goes on.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(30);
/// Opening and hello.
const FIRST_FRAMES: usize = 2;

/// Which master to dial, and how.
pub(super) struct Way {
    pub(super) address: String,
    /// Where to dial from.
    pub(super) local: Option<IpAddr>,
    pub(super) access: Access,
    pub(super) names: Names,
    pub(super) caller: Caller,
}

/// How a stream ended too early.
enum Broken {
    /// The master is not there, or has gone.
    Lost(String),
    /// One of the two does not let the other in: somebody has to do something about it.
    Refused(String),
}

impl Broken {
    /// By the status of a stream that does not stand yet.
    fn early(status: &Status, way: &Way, witness: &Witness) -> Broken {
        if std::error::Error::source(status).is_none() && witness.cause().is_none() {
            // The master's own words.
            let reason = status.message().to_owned();
            return match status.code() {
                Code::Unavailable => Broken::Lost(reason),
                _ => Broken::Refused(reason),
            };
        }
        let cause = witness.cause().map_or_else(|| describe_status(status), str::to_owned);
        let hint = if way.access.tls().is_none() { "; does it want TLS?" } else { "" };
        Broken::Refused(format!("the master hung up at the first words: {cause}{hint}"))
    }
}

type Inbound = Streaming<proto::MasterFrame>;

/// Runs one stream to its end, and tells that end.
pub(super) async fn follow(
    stream: StreamId,
    way: Way,
    hello: Hello,
    acks: watch::Receiver<Ack>,
    events: mpsc::Sender<PeerEvent>,
) {
    let address = &way.address;
    let reason = match run(stream, &way, &hello, acks, &events).await {
        Ok(()) => format!("{address} has ended it"),
        Err(Broken::Lost(reason)) => format!("{address}: {reason}"),
        Err(Broken::Refused(reason)) => {
            way.access.complain(&format!("no stream to the master at {address}: {reason}"));
            format!("{address}: {reason}")
        }
    };
    let _ = events.send(PeerEvent::Event(Event::MasterGone(stream, reason))).await;
}

async fn run(
    stream: StreamId,
    way: &Way,
    hello: &Hello,
    acks: watch::Receiver<Ack>,
    events: &mpsc::Sender<PeerEvent>,
) -> Result<(), Broken> {
    let socket = dial(way).await?;
    let late = |_| Broken::Refused("the master did not let this node in in time".to_owned());
    let greeted = tokio::time::timeout(HANDSHAKE_TIME_MAX, greet(way, socket, hello, acks));
    let mut inbound = greeted.await.map_err(late)??;
    let lost = |status: Status| Broken::Lost(describe_status(&status));
    while let Some(frame) = inbound.message().await.map_err(lost)? {
        let event = frame.frame.and_then(|frame| event(stream, frame));
        let event = event.ok_or_else(|| Broken::Lost("a damaged frame".to_owned()))?;
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// From the connection to a stream on which each side knows that the other belongs to the group.
async fn greet(
    way: &Way,
    socket: TcpStream,
    hello: &Hello,
    acks: watch::Receiver<Ack>,
) -> Result<Inbound, Broken> {
    let access = &way.access;
    let witness = Witness::default();
    let channel = open(socket, way, witness.clone()).await.map_err(Broken::Refused)?;
    let mut client = proto::replication_client::ReplicationClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let early = |status: &Status| Broken::early(status, way, &witness);
    let (words, first) = mpsc::channel(FIRST_FRAMES);
    let acks = WatchStream::from_changes(acks).map(wire::ack_to);
    let gone = |_| Broken::Lost("the stream ended".to_owned());
    let ours = access.nonce();
    words.send(wire::opening_to(ours, Some(&way.caller))).await.map_err(gone)?;
    let followed = client.follow(ReceiverStream::new(first).chain(acks)).await;
    let mut inbound = followed.map_err(|status| early(&status))?.into_inner();
    let proto::master_frame::Frame::Challenge(challenge) = next_frame(&mut inbound, early).await? else {
        return Err(Broken::Refused("the master's first frame is no challenge".to_owned()));
    };
    let nonces = match (ours, wire::nonce_from(&challenge.nonce)) {
        (Some(slave), Some(Some(master))) => Some(Nonces { slave, master }),
        (None, Some(None)) => None,
        _ => return Err(Broken::Refused("the master does not ask for the group secret".to_owned())),
    };
    let proof = access.prove(Side::Slave, nonces.as_ref(), hello);
    words.send(wire::hello_to(hello, proof)).await.map_err(gone)?;
    let proto::master_frame::Frame::Proof(proof) = next_frame(&mut inbound, early).await? else {
        return Err(Broken::Refused("the master's second frame is no proof".to_owned()));
    };
    if !access.is_proven(Side::Master, nonces.as_ref(), hello, &proof.proof) {
        return Err(Broken::Refused("the master does not know the group secret".to_owned()));
    }
    Ok(inbound)
}

async fn next_frame(
    inbound: &mut Inbound,
    early: impl Fn(&Status) -> Broken,
) -> Result<proto::master_frame::Frame, Broken> {
    let frame = inbound.message().await.map_err(|status| early(&status))?;
    frame.and_then(|f| f.frame).ok_or_else(|| Broken::Lost("the stream ended too early".to_owned()))
}

fn event(stream: StreamId, frame: proto::master_frame::Frame) -> Option<PeerEvent> {
    Some(match frame {
        proto::master_frame::Frame::Welcome(welcome) => {
            PeerEvent::Event(Event::Welcome(stream, Box::new(wire::welcome_from(welcome)?)))
        }
        proto::master_frame::Frame::Heartbeat(heartbeat) => {
            PeerEvent::Event(Event::Heartbeat(stream, wire::heartbeat_from(heartbeat)?))
        }
        proto::master_frame::Frame::Records(records) => PeerEvent::Records {
            stream,
            at: Offset(records.at),
            bytes: records.records,
            commit: Offset(records.commit),
        },
        proto::master_frame::Frame::Challenge(_) | proto::master_frame::Frame::Proof(_) => return None,
    })
}

/// HTTP/2 over this one connection, through TLS where there is TLS.
async fn open(socket: TcpStream, way: &Way, witness: Witness) -> Result<Channel, String> {
    let target = target(&way.address);
    let endpoint = Endpoint::from_shared(format!("http://{target}"))
        .map_err(|e| e.to_string())?
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX);
    let io: Box<dyn Duplex> = match way.access.tls() {
        None => Box::new(socket),
        Some(tls) => {
            let tls = Arc::clone(tls);
            let ends = tokio::task::spawn_blocking(move || tls.ends()).await.map_err(|e| e.to_string())?;
            let host = target.rsplit_once(':').map_or(target, |(host, _)| host).trim_matches(['[', ']']);
            let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
            let connected = TlsConnector::from(ends.client).connect(name, socket).await;
            Box::new(connected.map_err(|e| explain(&e))?)
        }
    };
    // One connection is one stream: a second one would be dialled past the checks above.
    let mut io = Some(Guarded { io, guard: witness });
    let connector = tower::service_fn(move |_| {
        let io = io.take().map(TokioIo::new).ok_or(ErrorKind::NotConnected);
        async move { io.map_err(std::io::Error::from) }
    });
    endpoint.connect_with_connector(connector).await.map_err(|e| describe(&e))
}

fn target(address: &str) -> &str {
    address.strip_prefix("tcp://").unwrap_or(address)
}

/// A TCP connection from this node's own address, where that is of the target's family.
async fn dial(way: &Way) -> Result<TcpStream, Broken> {
    let lost = |error: DialError| Broken::Lost(error.to_string());
    let addresses = resolve(&way.names, target(&way.address), LOOK_UP_TIME_MAX).await.map_err(lost)?;
    let mut refused = Ok(());
    let allowed =
        |address: &SocketAddr| way.access.allows(address.ip()).map_err(|e| refused = Err(e)).is_ok();
    let addresses: Vec<_> = addresses.into_iter().filter(allowed).collect();
    if addresses.is_empty() {
        refused.map_err(Broken::Refused)?;
    }
    connect_any(&addresses, way.local, CONNECT_TIME_MAX).await.map_err(lost)
}

/// What rustls says when the other side speaks something else is a riddle.
fn explain(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => format!("the master does not speak TLS ({error})"),
        _ if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            format!("the master hung up during the TLS handshake: is it without TLS? ({error})")
        }
        _ => error.to_string(),
    }
}

/// A status from the master is a text for people; one from here needs its causes.
fn describe_status(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => format!("{}: {}", status.message(), describe(cause)),
        None => status.message().to_owned(),
    }
}

/// An error with its causes: tonic's own text says only that the transport failed.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
