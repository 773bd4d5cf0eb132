//! Opens connections: to a name with several addresses the way browsers do it (RFC 8305), with a limit for each step.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Names, SocketOptions};

/// How long an address has for itself before the next one is tried beside it.
const NEXT_AFTER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 16;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The target is no `host:port`: to try again is of no use.
    #[error("{0:?} is no address: expected host:port")]
    Target(String),
    /// The host's name has no address, or none yet.
    #[error("{0}")]
    Name(String),
    /// No address has accepted.
    #[error("{address}: {source}")]
    Connect {
        /// The last one that was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Limits of a connection in the making: each step has its own.
#[derive(Clone, Copy, Debug)]
pub struct DialLimits {
    /// How long a name is waited for. Its look-up goes on afterwards, for who asks again.
    pub look_up: Duration,
    /// How long each address may take to accept.
    pub connect: Duration,
}

/// Opens a connection to `host:port`. Cancel-safe.
///
/// # Errors
/// [`DialError`] says which step has failed.
pub async fn dial(names: &Names, target: &str, limits: DialLimits) -> Result<TcpStream, DialError> {
    let addresses = resolve(names, target, limits.look_up).await?;
    connect_any(&addresses, None, limits.connect).await
}

/// The addresses that `host:port` stands for, in the order in which they are to be tried: families take turns.
/// Cancel-safe.
///
/// # Errors
/// [`DialError::Target`], [`DialError::Name`].
pub async fn resolve(names: &Names, target: &str, patience: Duration) -> Result<Vec<SocketAddr>, DialError> {
    let wrong = || DialError::Target(target.to_owned());
    let (host, port) = target.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let found = names.look_up(host, patience).await.map_err(DialError::Name)?;
    Ok(take_turns(found).into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// Puts the two families in turns, beginning with that of the first address.
fn take_turns(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (one, two): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|it| it.is_ipv4() == first);
    let (mut turns, mut two) = (Vec::new(), two.into_iter());
    for address in one {
        turns.push(address);
        turns.extend(two.next());
    }
    turns.extend(two);
    turns
}

/// Opens a connection to the first of these addresses that accepts, from the address `local` where it is of the same
/// family. One that has not accepted after a moment is not waited for: the next one is tried beside it. Cancel-safe.
///
/// # Errors
/// [`DialError::Connect`], of the address that failed last; [`DialError::Name`] if there is none.
pub async fn connect_any(
    addresses: &[SocketAddr],
    local: Option<IpAddr>,
    limit: Duration,
) -> Result<TcpStream, DialError> {
    let mut waiting = addresses.iter().take(ADDRESSES_MAX).copied().peekable();
    let mut tries = FuturesUnordered::new();
    let mut last = DialError::Name("there is no address to connect to".to_owned());
    loop {
        if let Some(to) = waiting.next() {
            tries.push(connect(to, local, limit));
        }
        let more = waiting.peek().is_some();
        tokio::select! {
            done = tries.next() => match done {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => return Err(last),
            },
            () = sleep(NEXT_AFTER), if more => {}
        }
    }
}

async fn connect(to: SocketAddr, local: Option<IpAddr>, limit: Duration) -> Result<TcpStream, DialError> {
    let open = async {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = local.filter(|from| from.is_ipv4() == to.is_ipv4()) {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let stream = socket.connect(to).await?;
        SocketOptions::PEER.set(&stream)?;
        Ok(stream)
    };
    let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}")));
    let opened = timeout(limit, open).await.unwrap_or_else(late);
    opened.map_err(|source| DialError::Connect { address: to, source })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);
    const LIMITS: DialLimits = DialLimits { look_up: LIMIT, connect: LIMIT };

    /// An address at which nothing answers, neither yes nor no: a listener whose queue is full.
    async fn silent() -> (SocketAddr, TcpSocket, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let raw = rustix::net::listen(&socket, 0);
        raw.unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            held.push(stream.unwrap());
        }
        (address, socket, held)
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_holds_up_the_next_one_for_a_moment_only() {
        let (silent, _socket, _held) = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let stream = connect_any(&[silent, good], None, LIMIT).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let refused = connect_any(&[silent], None, Duration::from_millis(10)).await.unwrap_err();
        assert!(refused.to_string().contains("no answer within"), "{refused}");
    }

    #[tokio::test]
    async fn an_address_that_refuses_makes_way_at_once_and_the_last_refusal_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed: Vec<SocketAddr> = (2..8).map(|n| ([127, 0, 0, n], good.port()).into()).collect();
        let mut all = closed.clone();
        all.push(good);
        assert_eq!(connect_any(&all, None, LIMIT).await.unwrap().peer_addr().unwrap(), good);
        let error = connect_any(&closed, None, LIMIT).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(connect_any(&[], None, LIMIT).await.is_err());
    }

    #[tokio::test]
    async fn a_target_is_looked_up_and_one_without_a_port_is_told_apart_from_one_that_does_not_answer() {
        let names = Names::with(|_| Ok(vec![Ipv4Addr::new(127, 0, 0, 1).into()]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("broker.test:{}", listener.local_addr().unwrap().port());
        let stream = dial(&names, &target, LIMITS).await.unwrap();
        assert!(rustix::net::sockopt::socket_keepalive(&stream).unwrap());
        for wrong in ["127.0.0.1", "host", "host:", ":1", "host:70000", "host:x"] {
            assert!(matches!(dial(&names, wrong, LIMITS).await, Err(DialError::Target(_))), "{wrong}");
        }
    }

    #[test]
    fn families_take_turns() {
        let of = |text: &str| text.split(' ').map(|it| it.parse::<IpAddr>().unwrap()).collect::<Vec<_>>();
        assert_eq!(take_turns(of("::1 ::2 ::3 1.1.1.1")), of("::1 1.1.1.1 ::2 ::3"));
        assert_eq!(take_turns(of("1.1.1.1 ::1 ::2")), of("1.1.1.1 ::1 ::2"));
        assert!(take_turns(Vec::new()).is_empty());
    }
}
