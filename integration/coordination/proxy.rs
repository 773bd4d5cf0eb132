//! A TCP proxy before a ZooKeeper server that cuts, holds and loses what a test wants it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::ports::Ports;

/// Operations that create a znode: `create` and `create2` of ZooKeeper's protocol.
const CREATES: [i32; 2] = [1, 15];
const CLOSE_SESSION: i32 = -11;
/// Flags of an ephemeral sequential znode.
const EPHEMERAL_SEQUENTIAL: i32 = 3;
const FRAME_BYTES_MAX: usize = 4 << 20;

/// What the proxy does to its connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    /// Forwards both ways.
    Open,
    /// Ends every connection at once.
    Cut,
    /// Keeps connections and forwards nothing.
    Silent,
}

/// What is lost of the next create of a member; the connection is lost with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    Request,
    Answer,
}

#[derive(Default)]
struct Seen {
    loss: Option<Loss>,
    /// Number of the request whose answer is to be lost.
    doomed: Option<i32>,
    creates: usize,
    /// Number and password of the newest session.
    session: Option<(i64, [u8; 16])>,
}

/// The proxy.
pub(crate) struct Proxy {
    port: u16,
    server: SocketAddr,
    accepting: JoinHandle<()>,
    link: watch::Sender<Link>,
    seen: Arc<Mutex<Seen>>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts it before `server`.
    pub(crate) async fn start(server: SocketAddr) -> Proxy {
        let ports = Ports::take();
        let port = ports.base();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (link, state) = watch::channel(Link::Open);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            // In this order: the port is given back when nobody listens on it any more.
            let (_ports, listener) = (ports, listener);
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(client, server, state.clone(), Arc::clone(&shared)));
            }
        });
        Proxy { port, server, accepting, link, seen }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Changes what happens to connections.
    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Loses the next create of a member.
    pub(crate) fn lose(&self, loss: Loss) {
        lock(&self.seen).loss = Some(loss);
    }

    /// How many creates of members were asked for.
    pub(crate) fn creates(&self) -> usize {
        lock(&self.seen).creates
    }

    /// Closes the newest session as its owner could: for the owner it has expired.
    pub(crate) async fn expire(&self) {
        let (number, password) = lock(&self.seen).session.unwrap();
        // Version of the protocol, last transaction seen, timeout, session, password.
        let mut connect = Vec::new();
        connect.extend(0_i32.to_be_bytes());
        connect.extend(0_i64.to_be_bytes());
        connect.extend(4000_i32.to_be_bytes());
        connect.extend(number.to_be_bytes());
        connect.extend(16_i32.to_be_bytes());
        connect.extend(password);
        let mut close = 1_i32.to_be_bytes().to_vec();
        close.extend(CLOSE_SESSION.to_be_bytes());
        // The owner takes its session back when it can; in the end the server knows no such session.
        for _ in 0..100 {
            let mut socket = TcpStream::connect(self.server).await.unwrap();
            write(&mut socket, &connect).await.unwrap();
            write(&mut socket, &close).await.unwrap();
            match read(&mut socket).await {
                Ok(answer) if session_of(&answer).is_some_and(|(session, _)| session == 0) => return,
                _ => while read(&mut socket).await.is_ok() {},
            }
        }
        panic!("the session cannot be closed");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.link.send_replace(Link::Cut);
    }
}

async fn connection(
    client: TcpStream,
    server: SocketAddr,
    mut link: watch::Receiver<Link>,
    seen: Arc<Mutex<Seen>>,
) {
    if *link.borrow() == Link::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = requests(from_client, to_server, link.clone(), &seen) => {}
        () = answers(from_server, to_client, link.clone(), &seen) => {}
        _ = link.wait_for(|link| *link == Link::Cut) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
    seen: &Mutex<Seen>,
) {
    let mut first = true;
    while let Ok(frame) = read(&mut from).await {
        let is_create = !first && number(&frame, 4).is_some_and(|code| CREATES.contains(&code));
        // The flags stand at the end of a create.
        if is_create && number(&frame, frame.len() - 4) == Some(EPHEMERAL_SEQUENTIAL) {
            let mut seen = lock(seen);
            seen.creates += 1;
            match seen.loss.take() {
                Some(Loss::Request) => return,
                Some(Loss::Answer) => seen.doomed = number(&frame, 0),
                None => {}
            }
        }
        first = false;
        if link.wait_for(|link| *link != Link::Silent).await.is_err() || write(&mut to, &frame).await.is_err()
        {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut link: watch::Receiver<Link>,
    seen: &Mutex<Seen>,
) {
    let mut first = true;
    while let Ok(frame) = read(&mut from).await {
        {
            let mut seen = lock(seen);
            if first {
                seen.session = session_of(&frame);
            } else if seen.doomed.is_some() && number(&frame, 0) == seen.doomed {
                seen.doomed = None;
                return;
            }
        }
        first = false;
        if link.wait_for(|link| *link != Link::Silent).await.is_err() || write(&mut to, &frame).await.is_err()
        {
            return;
        }
    }
}

async fn read(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    assert!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write(to: &mut (impl AsyncWriteExt + Unpin), frame: &[u8]) -> std::io::Result<()> {
    let mut whole = (frame.len() as u32).to_be_bytes().to_vec();
    whole.extend(frame);
    to.write_all(&whole).await
}

fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?))
}

/// Session and password of the first answer: protocol, timeout, session, length of the password, password.
fn session_of(frame: &[u8]) -> Option<(i64, [u8; 16])> {
    let number = i64::from_be_bytes(frame.get(8..16)?.try_into().ok()?);
    Some((number, frame.get(20..36)?.try_into().ok()?))
}
