//! What a connection reads from and writes to.

use std::io;

use tokio::io::{AsyncRead, Interest};
use tokio::net::tcp::ReadHalf;
use tokio::net::unix;

/// The two halves of a stream of bytes. TLS and WebSocket are other halves; whoever has to see a client's first bytes to
/// know what it speaks peeks at the socket before there is a transport.
#[derive(Debug)]
pub(in crate::protocol) struct Transport<R, W> {
    pub(in crate::protocol) reader: R,
    pub(in crate::protocol) writer: W,
}

/// The half that receives.
pub(in crate::protocol) trait Receive: AsyncRead + Unpin + Send {
    /// Waits until a read finds something, so that no memory has to lie ready for it. Cancel-safe.
    ///
    /// # Errors
    /// The stream has failed: the connection is over.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits until the stream has failed, which nobody would notice who does not read. What ends in order does not
    /// fail: what was said before the end is still to be read. Cancel-safe.
    fn failed(&self) -> impl Future<Output = ()> + Send;
}

impl Receive for unix::ReadHalf<'_> {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
        unix::ReadHalf::readable(self)
    }

    async fn failed(&self) {
        // What cannot be waited for has failed too.
        let _ = self.ready(Interest::ERROR).await;
    }
}

impl Receive for ReadHalf<'_> {
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send {
        ReadHalf::readable(self)
    }

    async fn failed(&self) {
        // What cannot be waited for has failed too.
        let _ = self.ready(Interest::ERROR).await;
    }
}
