//! STOMP 1.0, 1.1 and 1.2: the codec (bytes <-> frames) and the adapter (frames <-> session).

mod codec;
mod value;
mod names;
mod unserved;
mod send;
mod deliver;
mod messages;
mod subscription;
mod subscriptions;
mod subscribe;
mod adapter;
mod handshake;
mod input;
mod connection;

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::broker::Gate;
use crate::config::ConnectionOptions;
use crate::env::Clock;

use super::half_open::Admission;
use super::{Protocol, Serving, Shared};

pub use codec::{CodecError, Decoder, Frame, FrameWriter, Header, Limits, Output, Verb, Version};

/// The protocol, for the registry.
#[derive(Debug)]
pub(super) struct Stomp;

impl Protocol for Stomp {
    fn name(&self) -> &'static str {
        "stomp"
    }

    fn serve(&self, stream: TcpStream, remote: String, shared: Shared) -> Serving {
        Box::pin(connection::serve(stream, remote, shared))
    }
}

/// Serves one connection without a listener, from its first byte until it ends; bodies have at most so many bytes.
pub async fn serve(
    stream: TcpStream,
    remote: String,
    gate: Gate,
    clock: Arc<dyn Clock>,
    body_bytes_max: usize,
) {
    let (options, admission) = (ConnectionOptions::default(), Admission::default());
    connection::serve(stream, remote, Shared { gate, clock, body_bytes_max, options, admission }).await;
}
