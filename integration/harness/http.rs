//! The least HTTP that reads the admin API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Status and body of a request; `None` when nobody answers in time.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Option<(u16, String)> {
    request_within(PATIENCE, address, method, path, headers)
}

fn request_within(
    patience: Duration,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect_timeout(&address, patience).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    write!(socket, "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}\r\n")
        .ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The JSON that a GET answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<serde_json::Value> {
    get_within(PATIENCE, address, path)
}

/// The JSON that a GET answers within this time, from one packet to the next.
pub(crate) fn get_within(patience: Duration, address: SocketAddr, path: &str) -> Option<serde_json::Value> {
    let (status, body) = request_within(patience, address, "GET", path, "")?;
    if status != 200 {
        return None;
    }
    serde_json::from_str(&body).ok()
}
