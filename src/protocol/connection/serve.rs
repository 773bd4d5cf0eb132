//! A connection from its first byte to its last: the handshake, the session, the farewell.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tracing::debug;

use crate::broker::{Credentials, Gate, NotOpened};
use crate::config::ConnectionOptions;
use crate::env::{Clock, random_u64};
use crate::protocol::Output;
use crate::protocol::half_open::Admission;

use super::adapter::{Fault, Handshake};
use super::end::End;
use super::input::Input;
use super::intake::Intake;
use super::transport::{Receive, Transport};
use super::turns::{Connection, write};

/// After its last words a client is waited for so long, so that it can read them before it sees a reset.
const LINGER: Duration = Duration::from_secs(1);

/// What all connections of a connector share.
#[derive(Clone)]
pub(in crate::protocol) struct Shared {
    pub(in crate::protocol) gate: Gate,
    pub(in crate::protocol) clock: Arc<dyn Clock>,
    /// Largest body of a message in bytes.
    pub(in crate::protocol) body_bytes_max: usize,
    pub(in crate::protocol) options: ConnectionOptions,
    /// One for each connection: to be told when its client is known.
    pub(in crate::protocol) admission: Admission,
    /// One for each connection: the subject of the certificate that its client has shown.
    pub(in crate::protocol) certificate: Option<String>,
}

/// Serves a connection until it ends.
pub(in crate::protocol) async fn serve<H: Handshake>(
    mut transport: Transport<impl Receive, impl AsyncWrite + Unpin + Send>,
    remote: String,
    shared: Shared,
) {
    let (end, mut output) = converse::<H>(&mut transport, &remote, shared).await;
    match &end {
        End::Gone | End::NoMemory(_) => debug!(%remote, "client has gone"),
        End::Goodbye => {}
        End::Broker(reason) => debug!(%remote, reason, "connection closed by the broker"),
        End::Fault(Fault(message)) => debug!(%remote, message, "connection closed after an error"),
    }
    if matches!(end, End::Goodbye | End::Fault(_)) {
        // A client that does not read its last frame in time loses it.
        let _ = timeout(LINGER, leave(&mut transport, &mut output)).await;
    }
}

/// Writes what is left, then waits for the client to close, so that no reset overtakes the last frame.
async fn leave(
    transport: &mut Transport<impl Receive, impl AsyncWrite + Unpin>,
    output: &mut Output,
) -> io::Result<()> {
    let rest = output.take();
    transport.writer.write_all(&rest).await?;
    transport.writer.shutdown().await?;
    let mut ignored = [0; 4096];
    while transport.reader.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Serves the connection; gives why it ended, and what is left to write.
async fn converse<H: Handshake>(
    transport: &mut Transport<impl Receive, impl AsyncWrite + Unpin + Send>,
    remote: &str,
    shared: Shared,
) -> (End, Output) {
    let Shared { gate, clock, body_bytes_max, options, admission, certificate } = shared;
    let (mut input, mut output) = (Input::new(), Output::new());
    let mut handshake = H::new(options, body_bytes_max);
    let greeted = timeout(options.connect_timeout, greet(&mut handshake, transport, &mut input, &mut output));
    let credentials = match greeted.await {
        Ok(Ok(credentials)) => credentials,
        Ok(Err(end)) => return (end, output),
        Err(_) => return (End::Gone, output),
    };
    let identified = gate.identify(remote, &credentials, certificate.as_deref(), options.allow_anonymous);
    let opened = identified.await.and_then(|principal| gate.open(remote, &credentials, principal));
    let session = match opened {
        Ok(session) => session,
        Err(NotOpened::Closed(closed)) => return (closed.into(), output),
        Err(refused) => return (handshake.refuse(&refused, &mut output).into(), output),
    };
    debug!(%remote, user = session.principal().user(), "session opened");
    admission.admit();
    input.settle();
    let adapter = handshake.welcome(&format!("{:016x}", random_u64()), gate.names(), &mut output);
    let intake = Intake::new(gate.frames());
    Connection::new(transport, (input, output), adapter, session, intake, clock).run().await
}

/// Waits until the client has said who it is.
async fn greet(
    handshake: &mut impl Handshake,
    transport: &mut Transport<impl Receive, impl AsyncWrite + Unpin>,
    input: &mut Input,
    output: &mut Output,
) -> Result<Credentials, End> {
    loop {
        if let Some(credentials) = handshake.greet(input.arrived_mut(), output)? {
            return Ok(credentials);
        }
        input.rest();
        while !output.is_empty() {
            write(&mut transport.writer, output).await?;
        }
        input.read(&mut transport.reader).await?;
    }
}
