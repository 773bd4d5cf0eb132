//! The master's end of replication streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::ready as ready_now;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::streams::{PeerEvent, ToSlave};
use super::wire::{self, proto};
use super::{FRAME_BYTES_MAX, HEADER_BYTES_MAX};
use crate::model::Offset;
use crate::replication::access::registry::{Entered, Registry};
use crate::replication::access::{Access, Door, HANDSHAKE_TIME_MAX, Nonces, Side, admit};
use crate::replication::{ConnectionId, Event, Hello};
use crate::storage::Log;

/// How much of the log goes into one frame.
const CHUNK_BYTES: usize = 512 << 10;
/// Challenge and proof.
const FIRST_FRAMES: usize = 2;
/// Words for a slave's sender that wait: a welcome and some heartbeats.
const WORDS_WAITING: usize = 16;
/// Accepted connections that wait.
const BACKLOG: u32 = 64;
/// Connections that have come through TLS and wait for the server.
const VISITORS_WAITING: usize = 16;
/// Longest frame of a slave: a hello with the history of many epochs.
const HELLO_BYTES_MAX: usize = 1 << 20;
/// HTTP/2 window of a stream towards the master: slaves say little, and strangers shall not fill memory.
const WINDOW_BYTES: u32 = 256 << 10;
/// Streams of one connection; a slave opens one.
const STREAMS_MAX: u32 = 4;
/// Streams that a connection may reset before it is closed.
const RESETS_MAX: usize = 16;

/// How fast a slave is sent what it missed while the log grows: so many bytes a second at least, and so many times what
/// comes meanwhile, so that it catches up. Without traffic it gets what it can take.
const MISSED_BYTES_MIN: f64 = (32 << 20) as f64;
const MISSED_FACTOR: f64 = 2.0;
/// Over what time the growth of the log is measured.
const GROWTH_TIME: Duration = Duration::from_millis(100);

/// Binds the replication port at once, also just after a run before has left it.
pub(super) fn listen(bind: SocketAddr) -> std::io::Result<(TcpListener, u16)> {
    let socket = if bind.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(bind)?;
    let listener = socket.listen(BACKLOG)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// How far the master's log goes, for its senders.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) log: Log,
    pub(super) end: watch::Receiver<Offset>,
    pub(super) committed: Arc<AtomicU64>,
}

/// The gRPC service.
pub(super) struct Server {
    events: mpsc::Sender<PeerEvent>,
    tail: Tail,
    connections: Arc<AtomicU64>,
    access: Access,
    registry: Registry,
}

impl Server {
    pub(super) fn new(
        events: mpsc::Sender<PeerEvent>,
        tail: Tail,
        connections: Arc<AtomicU64>,
        access: Access,
    ) -> Server {
        Server { events, tail, connections, access, registry: Registry::default() }
    }

    /// Serves until it is aborted.
    pub(super) async fn run(self, listener: TcpListener) {
        let (ready, visitors) = mpsc::channel(VISITORS_WAITING);
        let admitted = admit(listener, self.access.clone(), ready);
        let service = proto::replication_server::ReplicationServer::new(self)
            .max_decoding_message_size(HELLO_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        let served = tonic::transport::Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(2 * WINDOW_BYTES)
            .max_concurrent_streams(STREAMS_MAX)
            .concurrency_limit_per_connection(STREAMS_MAX as usize)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
            .http2_max_local_error_reset_streams(Some(RESETS_MAX))
            .add_service(service)
            .serve_with_incoming(ReceiverStream::new(visitors));
        tokio::select! {
            () = admitted => {}
            served = served => {
                if let Err(error) = served {
                    tracing::error!(%error, "the replication port has failed");
                }
            }
        }
    }
}

#[tonic::async_trait]
impl proto::replication_server::Replication for Server {
    type FollowStream = BoxStream<'static, Result<proto::MasterFrame, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<proto::SlaveFrame>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let connection = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1);
        let Some(door) = request.extensions().get::<Arc<Door>>().map(Arc::clone) else {
            return Err(Status::internal("a connection without a door"));
        };
        let (frames, first) = mpsc::channel(FIRST_FRAMES);
        let (ready, sender) = oneshot::channel();
        let slave = SlaveStream {
            connection,
            events: self.events.clone(),
            tail: self.tail.clone(),
            access: self.access.clone(),
            registry: self.registry.clone(),
            door,
            frames,
        };
        tokio::spawn(slave.run(request.into_inner(), ready));
        let log = stream::once(sender).filter_map(|sender| ready_now(sender.ok())).flat_map(Sender::frames);
        Ok(Response::new(ReceiverStream::new(first).chain(log).boxed()))
    }
}

/// What comes in on one slave's stream, and the first frames that go out; the rest is the [`Sender`]'s.
struct SlaveStream {
    connection: ConnectionId,
    events: mpsc::Sender<PeerEvent>,
    tail: Tail,
    access: Access,
    registry: Registry,
    door: Arc<Door>,
    frames: mpsc::Sender<Result<proto::MasterFrame, Status>>,
}

impl SlaveStream {
    async fn run(self, mut inbound: Streaming<proto::SlaveFrame>, ready: oneshot::Sender<Box<Sender>>) {
        let greeted = tokio::time::timeout(HANDSHAKE_TIME_MAX, self.greet(&mut inbound)).await;
        let (hello, entered) =
            match greeted.unwrap_or_else(|_| Err(Status::deadline_exceeded("no hello in time"))) {
                Ok(greeted) => greeted,
                Err(status) => {
                    let (from, reason) = (self.door.from, status.message());
                    self.access.complain(&format!("a slave at {from} was refused: {reason}"));
                    let _ = self.frames.send(Err(status)).await;
                    return;
                }
            };
        self.door.open();
        let SlaveStream { connection, events, tail, frames, .. } = self;
        let (way, words) = mpsc::channel(WORDS_WAITING);
        if events.send(PeerEvent::Slave(connection, Box::new(hello), way)).await.is_err() {
            return;
        }
        let (sends, sent) = oneshot::channel();
        // Whoever reads the frames goes on to the sender's once the first ones are through.
        drop(frames);
        if ready.send(Sender::new(tail, words, sends)).is_ok() {
            tokio::select! {
                () = take_acks(connection, &events, inbound, entered) => {}
                _ = sent => {}
            }
        }
        let _ = events.send(PeerEvent::Event(Event::SlaveGone(connection))).await;
    }

    /// The first frames of both sides. Nothing is done about the hello before the slave has proven that it belongs here.
    async fn greet(
        &self,
        inbound: &mut Streaming<proto::SlaveFrame>,
    ) -> Result<(Hello, Option<Entered>), Status> {
        let proto::slave_frame::Frame::Opening(opening) = next_frame(inbound).await? else {
            return Err(Status::invalid_argument("the first frame is no opening"));
        };
        let caller = wire::caller_from(opening.process);
        let theirs = wire::nonce_from(&opening.nonce);
        let theirs = theirs.ok_or_else(|| Status::invalid_argument("a damaged opening"))?;
        let ours = self.access.nonce();
        let nonces = match (theirs, ours) {
            (Some(slave), Some(master)) => Some(Nonces { slave, master }),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Status::unauthenticated(
                    "the slave shows no group secret, the master has one (store.replicated.secret)",
                ));
            }
            (Some(_), None) => {
                return Err(Status::unauthenticated(
                    "the slave has a group secret, the master has none (store.replicated.secret)",
                ));
            }
        };
        self.say(wire::challenge_to(ours)).await?;
        let proto::slave_frame::Frame::Hello(frame) = next_frame(inbound).await? else {
            return Err(Status::invalid_argument("the second frame is no hello"));
        };
        let proof = frame.proof.clone();
        let hello = wire::hello_from(frame).ok_or_else(|| Status::invalid_argument("a damaged hello"))?;
        if !self.access.is_proven(Side::Slave, nonces.as_ref(), &hello, &proof) {
            return Err(Status::unauthenticated(
                "the group secret of the slave is not that of the master (store.replicated.secret)",
            ));
        }
        let entered = caller.map(|caller| self.registry.enter(self.connection, &hello, caller));
        let entered = entered.transpose().map_err(Status::already_exists)?;
        self.say(wire::proof_to(self.access.prove(Side::Master, nonces.as_ref(), &hello))).await?;
        Ok((hello, entered))
    }

    async fn say(&self, frame: proto::MasterFrame) -> Result<(), Status> {
        self.frames.send(Ok(frame)).await.map_err(|_| Status::cancelled("the slave has gone"))
    }
}

/// What goes out to one slave. The stream's own task pulls it, as fast as the slave takes it.
struct Sender {
    tail: Tail,
    words: mpsc::Receiver<ToSlave>,
    /// Where the slave is; none before its welcome.
    at: Option<Offset>,
    pace: Pace,
    /// Goes with the sender, for the task that takes the acknowledgements.
    _sends: oneshot::Sender<()>,
}

impl Sender {
    fn new(tail: Tail, words: mpsc::Receiver<ToSlave>, sends: oneshot::Sender<()>) -> Box<Sender> {
        let pace = Pace::new(*tail.end.borrow());
        Box::new(Sender { tail, words, at: None, pace, _sends: sends })
    }

    /// All frames up to the error that ends the stream.
    fn frames(self: Box<Sender>) -> impl Stream<Item = Result<proto::MasterFrame, Status>> {
        stream::unfold(Some(self), |sender| async {
            let mut sender = sender?;
            match sender.next().await {
                Ok(frame) => Some((Ok(frame), Some(sender))),
                Err(status) => Some((Err(status), None)),
            }
        })
    }

    /// Waits for the next frame: what it is told to say comes before the log.
    async fn next(&mut self) -> Result<proto::MasterFrame, Status> {
        loop {
            let end = *self.tail.end.borrow_and_update();
            let next = self.at.filter(|at| *at < end);
            let held = next.is_some() && self.pace.until > Instant::now();
            tokio::select! {
                biased;
                word = self.words.recv() => match word {
                    Some(ToSlave::Welcome(welcome)) => {
                        self.at = Some(welcome.truncate_to);
                        return Ok(wire::welcome_to(&welcome));
                    }
                    Some(ToSlave::Heartbeat(heartbeat)) => return Ok(wire::heartbeat_to(&heartbeat)),
                    Some(ToSlave::Refuse(reason)) => return Err(Status::failed_precondition(reason)),
                    // The mastership is over.
                    None => return Err(Status::unavailable("this node is not master any more")),
                },
                () = std::future::ready(()), if next.is_some() && !held => {
                    if let Some(from) = next {
                        return self.chunk(from, end).await.map_err(Status::data_loss);
                    }
                }
                changed = self.tail.end.changed(), if self.at.is_some() && next.is_none() => {
                    changed.map_err(|_| Status::unavailable("this node is stopping"))?;
                }
                () = async { sleep_until(self.pace.until).await }, if held => {}
            }
        }
    }

    /// The next records from `from` on: from memory if they are recent, else from the disk, as what the slave missed.
    async fn chunk(&mut self, from: Offset, end: Offset) -> Result<proto::MasterFrame, String> {
        let bytes = match self.tail.log.read_recent(from, CHUNK_BYTES) {
            Some(bytes) => bytes,
            None => {
                let log = self.tail.log.clone();
                let read = tokio::task::spawn_blocking(move || log.read(from, CHUNK_BYTES)).await;
                let bytes = read.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
                self.pace.charge(Instant::now(), bytes.len() as u64, end);
                bytes
            }
        };
        self.at = Some(from.plus(bytes.len()));
        let commit = self.tail.committed.load(Ordering::Acquire);
        let records = proto::Records { at: from.0, records: bytes, commit };
        let frame = Some(proto::master_frame::Frame::Records(records));
        Ok(proto::MasterFrame { frame })
    }
}

/// When a slave may be sent the next part of what it missed.
struct Pace {
    until: Instant,
    /// When the log's growth was last measured, and its end then.
    mark: (Instant, Offset),
    /// Bytes by which the log grows each second.
    growth: f64,
}

impl Pace {
    fn new(end: Offset) -> Pace {
        let now = Instant::now();
        Pace { until: now, mark: (now, end), growth: 0.0 }
    }

    /// So many bytes go out now, while the log ends at `end`.
    fn charge(&mut self, now: Instant, bytes: u64, end: Offset) {
        let passed = now.saturating_duration_since(self.mark.0);
        if passed >= GROWTH_TIME {
            self.growth = end.0.saturating_sub(self.mark.1.0) as f64 / passed.as_secs_f64();
            self.mark = (now, end);
        }
        let rate = (MISSED_FACTOR * self.growth).max(MISSED_BYTES_MIN);
        if self.growth > 0.0 {
            self.until = self.until.max(now) + Duration::from_secs_f64(bytes as f64 / rate);
        }
    }
}

async fn next_frame(inbound: &mut Streaming<proto::SlaveFrame>) -> Result<proto::slave_frame::Frame, Status> {
    let frame = inbound.message().await?.and_then(|f| f.frame);
    frame.ok_or_else(|| Status::invalid_argument("the stream ended too early"))
}

/// Passes acknowledgements on until the stream ends or leaves its order.
async fn take_acks(
    connection: ConnectionId,
    events: &mpsc::Sender<PeerEvent>,
    mut inbound: Streaming<proto::SlaveFrame>,
    entered: Option<Entered>,
) {
    while let Ok(Some(frame)) = inbound.message().await {
        let Some(proto::slave_frame::Frame::Ack(ack)) = frame.frame else { return };
        if let Some(entered) = &entered {
            entered.heard();
        }
        let event = Event::Ack(connection, wire::ack_from(ack));
        if events.send(PeerEvent::Event(event)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it takes to send `bytes` while the log grows by `growth` bytes each second.
    fn time(bytes: u64, growth: u64) -> Duration {
        let mut pace = Pace::new(Offset(0));
        let begun = pace.until;
        let (mut now, mut sent) = (begun + GROWTH_TIME, 0);
        while sent < bytes {
            now = now.max(pace.until);
            let end = (now - begun).as_secs_f64() * growth as f64;
            pace.charge(now, CHUNK_BYTES as u64, Offset(end as u64));
            sent += CHUNK_BYTES as u64;
        }
        now - begun
    }

    #[test]
    fn a_slave_behind_is_sent_what_it_missed_twice_as_fast_as_more_comes() {
        let gigabyte = 1 << 30;
        let seconds = |growth| time(gigabyte, growth).as_secs_f64();
        assert!((31.0..33.5).contains(&seconds(1 << 20)), "{}", seconds(1 << 20));
        assert!((4.9..5.5).contains(&seconds(100 << 20)), "{}", seconds(100 << 20));
        assert!(seconds(0) <= 0.2, "nothing holds it back while nothing comes: {}", seconds(0));
    }
}
