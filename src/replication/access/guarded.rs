//! A connection with somebody who watches its reads.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes both ways.
pub(in super::super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Who watches.
pub(in super::super) trait Guard: Send + Unpin {
    /// Before a read: an error ends the connection.
    fn admit(&mut self, _: &mut Context<'_>) -> io::Result<()> {
        Ok(())
    }

    /// After a read has failed.
    fn failed(&mut self, _: &io::Error) {}
}

/// A connection and its guard.
pub(in super::super) struct Guarded<G> {
    pub(in super::super) io: Box<dyn Duplex>,
    pub(in super::super) guard: G,
}

/// Remembers why a connection broke: HTTP/2 may not say it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Witness(Arc<OnceLock<String>>);

impl Witness {
    pub(in super::super) fn cause(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl Guard for Witness {
    fn failed(&mut self, error: &io::Error) {
        // The first counts.
        let _ = self.0.set(error.to_string());
    }
}

impl<G: Guard> AsyncRead for Guarded<G> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.guard.admit(cx)?;
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read {
            self.guard.failed(error);
        }
        read
    }
}

impl<G: Guard> AsyncWrite for Guarded<G> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
