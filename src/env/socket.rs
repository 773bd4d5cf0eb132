//! How connected sockets are set up: small writes leave at once, and a peer that is gone is noticed.
//!
//! A machine that loses its power, its network or its firewall's memory says no farewell. Without keep-alive a
//! connection on which nothing is sent would last for ever.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// Silence after which the peer is asked whether it is there; the system's own time counts where it is shorter.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
/// Pause between two questions; the system's counts where it is shorter.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Questions without an answer after which the connection ends; the system's number counts where it is smaller.
const KEEP_ALIVE_PROBES: u32 = 3;
/// After so long without an answer a peer is gone.
const GONE_AFTER: Duration =
    KEEP_ALIVE_IDLE.saturating_add(KEEP_ALIVE_INTERVAL.saturating_mul(KEEP_ALIVE_PROBES));

/// Options of a connected TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Whether small writes leave at once.
    pub no_delay: bool,
    /// Whether a silent peer is asked whether it is there.
    pub keep_alive: bool,
    /// How long what was written may stay unacknowledged, or not be sent because the peer does not read
    /// (`TCP_USER_TIMEOUT`). While it is set it also takes the place of the number of keep-alive probes.
    pub send_timeout: Option<Duration>,
}

impl SocketOptions {
    /// For a peer whose program always reads, such as another node: nothing stays unsent for long.
    pub const PEER: SocketOptions =
        SocketOptions { no_delay: true, keep_alive: true, send_timeout: Some(GONE_AFTER) };
    /// For a client, which may work on a message for hours before it reads the next one: then its system still answers,
    /// and the kernel would end the connection by [`SocketOptions::send_timeout`] all the same.
    pub const CLIENT: SocketOptions = SocketOptions { no_delay: true, keep_alive: true, send_timeout: None };

    /// Sets the options on a socket.
    ///
    /// # Errors
    /// The socket is closed already, or no TCP socket; the connection may go on without the options.
    pub fn set(&self, socket: impl AsFd) -> io::Result<()> {
        let socket = socket.as_fd();
        sockopt::set_tcp_nodelay(socket, self.no_delay)?;
        sockopt::set_socket_keepalive(socket, self.keep_alive)?;
        if self.keep_alive {
            let idle = sockopt::tcp_keepidle(socket)?.min(KEEP_ALIVE_IDLE);
            let interval = sockopt::tcp_keepintvl(socket)?.min(KEEP_ALIVE_INTERVAL);
            let probes = sockopt::tcp_keepcnt(socket)?.min(KEEP_ALIVE_PROBES);
            sockopt::set_tcp_keepidle(socket, idle)?;
            sockopt::set_tcp_keepintvl(socket, interval)?;
            sockopt::set_tcp_keepcnt(socket, probes)?;
        }
        if let Some(timeout) = self.send_timeout {
            let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
            sockopt::set_tcp_user_timeout(socket, milliseconds)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_peer_that_says_nothing_is_asked_soon_and_given_up_soon() {
        let (stream, _other) = pair();
        SocketOptions::PEER.set(&stream).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap() && sockopt::tcp_nodelay(&stream).unwrap());
        assert!(sockopt::tcp_keepidle(&stream).unwrap() <= KEEP_ALIVE_IDLE);
        assert!(sockopt::tcp_keepintvl(&stream).unwrap() <= KEEP_ALIVE_INTERVAL);
        assert!(sockopt::tcp_keepcnt(&stream).unwrap() <= KEEP_ALIVE_PROBES);
        assert_eq!(u128::from(sockopt::tcp_user_timeout(&stream).unwrap()), GONE_AFTER.as_millis());
    }

    #[test]
    fn shorter_times_of_the_socket_stay() {
        let (stream, _other) = pair();
        sockopt::set_tcp_keepidle(&stream, Duration::from_secs(2)).unwrap();
        sockopt::set_tcp_keepcnt(&stream, 1).unwrap();
        SocketOptions::CLIENT.set(&stream).unwrap();
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), Duration::from_secs(2));
        assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), 1);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 0, "a client may take its time");
    }
}
