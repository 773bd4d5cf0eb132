//! The slave's end of its replication stream.

use std::net::{IpAddr, SocketAddr};

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::WatchStream;
use tonic::transport::{Channel, Endpoint};

use crate::model::Offset;

use super::peers::{
    CONNECT_TIME_MAX, CONNECTION_WINDOW_BYTES, FRAME_BYTES_MAX, PeerEvent, STREAM_WINDOW_BYTES,
};
use super::wire::{self, proto};
use super::{Ack, Event, Hello, StreamId};

/// Runs one stream to its end, and tells that end.
pub(super) async fn follow(
    stream: StreamId,
    address: String,
    local: Option<IpAddr>,
    hello: Hello,
    acks: watch::Receiver<Ack>,
    events: mpsc::Sender<PeerEvent>,
) {
    let reason = match run(stream, &address, local, &hello, acks, &events).await {
        Ok(()) => format!("{address} has ended it"),
        Err(reason) => format!("{address}: {reason}"),
    };
    let _ = events.send(PeerEvent::Event(Event::MasterGone(stream, reason))).await;
}

async fn run(
    stream: StreamId,
    address: &str,
    local: Option<IpAddr>,
    hello: &Hello,
    acks: watch::Receiver<Ack>,
    events: &mpsc::Sender<PeerEvent>,
) -> Result<(), String> {
    let connect = tokio::time::timeout(CONNECT_TIME_MAX, connect(address, local));
    let channel = connect.await.map_err(|_| "no connection in time".to_owned())??;
    let mut client = proto::replication_client::ReplicationClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let first = futures::stream::iter([wire::hello_to(hello)]);
    let acks = WatchStream::from_changes(acks).map(wire::ack_to);
    let mut inbound =
        client.follow(first.chain(acks)).await.map_err(|s| s.message().to_owned())?.into_inner();
    while let Some(frame) = inbound.message().await.map_err(|s| s.message().to_owned())? {
        let event = frame.frame.and_then(|frame| event(stream, frame)).ok_or("a damaged frame")?;
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
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
    })
}

async fn connect(address: &str, local: Option<IpAddr>) -> Result<Channel, String> {
    let target = address.strip_prefix("tcp://").unwrap_or(address).to_owned();
    let endpoint = Endpoint::from_shared(format!("http://{target}"))
        .map_err(|e| e.to_string())?
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    let connector = tower::service_fn(move |_| {
        let target = target.clone();
        async move { dial(&target, local).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.map_err(|e| describe(&e))
}

/// A TCP connection from this node's own address, where that is of the target's family.
async fn dial(target: &str, local: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, format!("{target} has no address"));
    for to in tokio::net::lookup_host(target).await? {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = local.filter(|from| from.is_ipv4() == to.is_ipv4()) {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        match socket.connect(to).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
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
