//! Many sockets that cost the test little: no buffers, and addresses enough for all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Dials under way at a time.
const DIALS: usize = 64;
/// Addresses of this machine that connections come from: each has its own ports.
const SOURCES: usize = 60;
/// How long a dial or an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\nhost:localhost\n\n\0";

/// Lets this process have all the sockets that the system allows.
pub(super) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A socket with the broker, after `say` was written to it.
async fn dial(to: SocketAddr, number: usize, say: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 101 + (number % SOURCES) as u8));
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    let mut stream = timeout(LIMIT, socket.connect(to)).await.expect("a dial in time").unwrap();
    stream.write_all(say).await.ok();
    stream
}

/// Reads up to the end of a frame; false when the connection ended before.
async fn frame(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 512];
    loop {
        match timeout(LIMIT, stream.read(&mut bytes)).await.expect("an answer in time") {
            Ok(count) if count > 0 && bytes[..count].contains(&0) => return true,
            Ok(count) if count > 0 => {}
            _ => return false,
        }
    }
}

/// Opens so many sockets and writes `say` to each; with `answered`, each has got a frame back.
pub(super) async fn open(to: SocketAddr, count: usize, say: &'static [u8], answered: bool) -> Vec<TcpStream> {
    let (mut dials, mut open) = (JoinSet::new(), Vec::with_capacity(count));
    for number in 0..count {
        if dials.len() >= DIALS {
            open.push(dials.join_next().await.unwrap().unwrap());
        }
        dials.spawn(async move {
            let mut stream = dial(to, number, say).await;
            assert!(!answered || frame(&mut stream).await, "connection {number} got no answer");
            stream
        });
    }
    open.extend(dials.join_all().await);
    open
}

/// Opens so many sockets one after the other, writes one of `says` to each and waits for its end.
pub(super) async fn come_and_go(to: SocketAddr, count: usize, says: &'static [&'static [u8]]) {
    let mut visits = JoinSet::new();
    for number in 0..count {
        if visits.len() >= DIALS {
            visits.join_next().await.unwrap().unwrap();
        }
        visits.spawn(async move {
            let mut stream = dial(to, number, says[number % says.len()]).await;
            // Each frame up to the end; the broker closes.
            while frame(&mut stream).await {}
        });
    }
    visits.join_all().await;
}
