//! TLS as a transport: two halves over one stream, and the handshake before it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::security::subject;

use super::transport::{Receive, Transport};

/// Longest TLS handshake: some round trips of the slowest network that anybody would use.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// A socket that is looked at while TLS reads and writes it.
#[derive(Clone, Debug)]
struct Socket(Arc<TcpStream>);

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write).map_err(io::Error::from))
    }
}

type Shared = Arc<Mutex<TlsStream<Socket>>>;

/// Nothing in here panics half way; a poisoned stream would fail by itself.
fn lock(stream: &Shared) -> MutexGuard<'_, TlsStream<Socket>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The half that reads.
#[derive(Debug)]
pub(in crate::protocol) struct TlsReader {
    stream: Shared,
    socket: Arc<TcpStream>,
}

/// The half that writes. What it has taken has reached the socket.
#[derive(Debug)]
pub(in crate::protocol) struct TlsWriter {
    stream: Shared,
    /// Bytes that TLS has taken and the socket not yet. A write that was given up is begun again with the same bytes.
    taken: usize,
}

/// Shakes hands with a client; gives both halves, and the subject of its certificate.
///
/// # Errors
/// It speaks no TLS, its certificate is not accepted, or it is too slow: nothing else can be said to it.
pub(in crate::protocol) async fn accept(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    time_max: Duration,
) -> io::Result<(Transport<TlsReader, TlsWriter>, Option<String>)> {
    let socket = Arc::new(stream);
    let accepted = TlsAcceptor::from(config).accept(Socket(Arc::clone(&socket)));
    let stream = timeout(time_max.min(HANDSHAKE_TIME_MAX), accepted).await.map_err(io::Error::from)??;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(subject);
    let stream = Arc::new(Mutex::new(stream));
    let reader = TlsReader { stream: Arc::clone(&stream), socket };
    Ok((Transport { reader, writer: TlsWriter { stream, taken: 0 } }, certificate))
}

impl AsyncRead for TlsReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_read(cx, buf)
    }
}

impl Receive for TlsReader {
    async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| Pin::new(&mut *lock(&self.stream)).poll_fill_buf(cx).map_ok(drop)).await
    }

    async fn failed(&self) {
        // What cannot be waited for has failed too.
        let _ = self.socket.ready(Interest::ERROR).await;
    }
}

impl AsyncWrite for TlsWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Arc::clone(&self.stream);
        let mut stream = lock(&stream);
        if self.taken == 0 {
            self.taken = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, slices))?;
        }
        ready!(Pin::new(&mut *stream).poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.taken)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_shutdown(cx)
    }
}
