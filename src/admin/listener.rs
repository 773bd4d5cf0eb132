//! Accepts the console's connections: few, and none for long. A monitor that forgets its connections, or a stranger who
//! holds them, takes no descriptor that the store needs, and keeps nobody else out.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tower::ServiceExt;

use super::door::Ends;

/// How long a connection may take to send a whole head, from its start or from the answer before.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// After this time a connection gets no further answer; what is under way then may take [`ANSWER_TIME_MAX`] and
/// as long again to be read.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's body.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long to wait when the system has no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until it is told to stop, and waits then for what is under way.
pub(super) async fn accept(
    socket: TcpListener,
    connections_max: usize,
    router: Router,
    mut stop: oneshot::Receiver<()>,
) {
    let mut tasks = JoinSet::new();
    let mut open = VecDeque::new();
    let (closing, closes) = watch::channel(false);
    let mut accepting = true;
    loop {
        tokio::select! {
            _ = &mut stop => break,
            Some(ended) = tasks.join_next() => {
                // One that was ended to make room is no failure.
                if let Err(error) = ended
                    && !error.is_cancelled()
                {
                    tracing::warn!("a connection of the console failed: {error}");
                }
            }
            accepted = socket.accept() => match accepted {
                Ok((stream, remote)) => {
                    accepting = true;
                    if !make_room(&mut open, connections_max) {
                        tracing::debug!(%remote, "the console answers {connections_max} others");
                        continue;
                    }
                    let busy = Arc::new(AtomicBool::new(false));
                    let served = serve(stream, router.clone(), Arc::clone(&busy), closes.clone());
                    open.push_back(Open { task: tasks.spawn(served), busy });
                }
                Err(error) => {
                    // Strangers can cause this at will, so it is told once, until one is accepted again.
                    if std::mem::replace(&mut accepting, false) {
                        tracing::warn!("the console cannot accept a connection: {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(socket);
    closing.send_replace(true);
    while tasks.join_next().await.is_some() {}
}

/// A connection, the oldest first.
struct Open {
    task: AbortHandle,
    /// Whether it is being answered.
    busy: Arc<AtomicBool>,
}

/// Ends the oldest idle connection if there are too many; false if none is idle.
fn make_room(open: &mut VecDeque<Open>, connections_max: usize) -> bool {
    open.retain(|it| !it.task.is_finished());
    if open.len() < connections_max {
        return true;
    }
    let oldest = open.iter().position(|it| !it.busy.load(Ordering::Relaxed));
    match oldest.and_then(|index| open.remove(index)) {
        Some(idle) => {
            idle.task.abort();
            true
        }
        None => false,
    }
}

/// A request is being answered, until this is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn new(flag: &Arc<AtomicBool>) -> Busy {
        flag.store(true, Ordering::Relaxed);
        Busy(Arc::clone(flag))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

async fn serve(stream: TcpStream, router: Router, busy: Arc<AtomicBool>, mut closes: watch::Receiver<bool>) {
    let (Ok(at), Ok(from)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let ends = Ends { at, from: from.ip().to_canonical() };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ends);
        let (busy, router) = (Busy::new(&busy), router.clone());
        async move {
            let answer = router.oneshot(request).await;
            drop(busy);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(BODY_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is its client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(CONNECTION_TIME_MAX) => {}
        _ = closes.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(2 * ANSWER_TIME_MAX, connection).await;
}
