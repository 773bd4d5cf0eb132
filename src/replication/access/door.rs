//! Accepts connections of the replication port. Until its slave has said a valid hello a connection is half-open: there
//! are few of these, and none stays so for long.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Context;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::env::SocketOptions;

use super::guarded::{Duplex, Guard, Guarded};
use super::{Access, HANDSHAKE_TIME_MAX};

/// First byte of a TLS connection, and of an HTTP/2 connection in plain text.
const TLS_FIRST: u8 = 0x16;
const PLAIN_FIRST: u8 = b'P';
/// Pause after a connection could not be accepted, for lack of descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What stands between a connection and the node.
#[derive(Debug)]
pub(in super::super) struct Door {
    pub(in super::super) from: SocketAddr,
    open: AtomicBool,
    shut: CancellationToken,
}

impl Door {
    /// Lets the connection stay.
    pub(in super::super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// Watches a connection until its door is open.
pub(in super::super) struct Entrance {
    door: Arc<Door>,
    /// While the door is not open: ends when the connection has to.
    time_is_up: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// A connection that has come through TLS, where there is TLS.
pub(in super::super) type Visitor = Guarded<Entrance>;

/// Accepts for ever, and passes on who has come through TLS. Whatever is half-open ends with it.
pub(in super::super) async fn admit(
    listener: TcpListener,
    access: Access,
    ready: mpsc::Sender<io::Result<Visitor>>,
) {
    let shut = CancellationToken::new();
    let _shut_at_the_end = shut.clone().drop_guard();
    let mut half_open: VecDeque<Weak<Door>> = VecDeque::new();
    let mut greetings = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = greetings.join_next() => continue,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                access.complain(&format!("the replication port cannot accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let door = Arc::new(Door { from, open: AtomicBool::new(false), shut: shut.child_token() });
        enter(&mut half_open, &door, access.half_open_max);
        greetings.spawn(greet(stream, door, access.clone(), ready.clone()));
    }
}

/// Makes place for one more half-open connection.
fn enter(half_open: &mut VecDeque<Weak<Door>>, door: &Arc<Door>, most: usize) {
    half_open.retain(|door| door.upgrade().is_some_and(|door| !door.is_open()));
    if half_open.len() >= most
        && let Some(oldest) = half_open.pop_front().and_then(|door| door.upgrade())
    {
        oldest.shut.cancel();
    }
    half_open.push_back(Arc::downgrade(door));
}

async fn greet(stream: TcpStream, door: Arc<Door>, access: Access, ready: mpsc::Sender<io::Result<Visitor>>) {
    let shut = door.shut.clone();
    let mut time_is_up: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        // Either way it is over.
        let _ = tokio::time::timeout(HANDSHAKE_TIME_MAX, shut.cancelled()).await;
    });
    let from = door.from;
    let greeted = tokio::select! {
        greeted = handshake(stream, &access) => greeted,
        () = &mut time_is_up => Err("it took too long to show who it is".to_owned()),
    };
    match greeted {
        Ok(Some(io)) => {
            let visitor = Guarded { io, guard: Entrance { door, time_is_up: Some(time_is_up) } };
            // The server has ended: so does the connection.
            let _ = ready.send(Ok(visitor)).await;
        }
        Ok(None) => {}
        Err(reason) => access
            .complain(&format!("a connection from {from} to the replication port was refused: {reason}")),
    }
}

/// Through TLS, where there is TLS. `None` for who leaves without a word.
async fn handshake(stream: TcpStream, access: &Access) -> Result<Option<Box<dyn Duplex>>, String> {
    SocketOptions::PEER.set(&stream).map_err(|e| e.to_string())?;
    let mut first = [0];
    if stream.peek(&mut first).await.map_err(|e| e.to_string())? == 0 {
        return Ok(None);
    }
    let Some(tls) = access.tls() else {
        return match first[0] {
            PLAIN_FIRST => Ok(Some(Box::new(stream))),
            TLS_FIRST => Err("it speaks TLS, this node has no [store.replicated.tls]".to_owned()),
            _ => Err("it does not speak the replication protocol".to_owned()),
        };
    };
    if first[0] != TLS_FIRST {
        return Err("it does not speak TLS, this node has [store.replicated.tls]".to_owned());
    }
    let tls = Arc::clone(tls);
    let ends = tokio::task::spawn_blocking(move || tls.ends()).await.map_err(|e| e.to_string())?;
    let stream = TlsAcceptor::from(ends.server).accept(stream).await.map_err(|e| e.to_string())?;
    Ok(Some(Box::new(stream)))
}

impl Connected for Guarded<Entrance> {
    type ConnectInfo = Arc<Door>;

    fn connect_info(&self) -> Arc<Door> {
        Arc::clone(&self.guard.door)
    }
}

impl Guard for Entrance {
    fn admit(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.time_is_up.is_some() && self.door.is_open() {
            self.time_is_up = None;
        }
        let ends = self.time_is_up.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_ready());
        if ends { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HALF_OPEN_MAX;
    use super::*;

    #[test]
    fn one_half_open_connection_too_many_ends_the_oldest_and_no_other() {
        let door = || {
            let from = SocketAddr::from(([127, 0, 0, 1], 1));
            Arc::new(Door { from, open: AtomicBool::new(false), shut: CancellationToken::new() })
        };
        let mut half_open = VecDeque::new();
        let doors: Vec<_> = (0..HALF_OPEN_MAX + 3).map(|_| door()).collect();
        for (n, door) in doors.iter().enumerate() {
            enter(&mut half_open, door, HALF_OPEN_MAX);
            match n {
                // Somebody has shown who it is: its place is free, and it stays.
                0 => door.open(),
                _ => assert!(!door.shut.is_cancelled()),
            }
        }
        let shut: Vec<usize> = (0..doors.len()).filter(|n| doors[*n].shut.is_cancelled()).collect();
        assert_eq!(shut, [1, 2]);
        drop(doors);
        enter(&mut half_open, &door(), HALF_OPEN_MAX);
        assert_eq!(half_open.len(), 1);
    }
}
