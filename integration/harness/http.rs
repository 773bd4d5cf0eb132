//! The least HTTP that reads the admin API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// Status and body of a POST with these headers; `None` when nobody answers in time.
pub(crate) fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let type_and_length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    request(PATIENCE, address, &format!("POST {path}"), &(type_and_length + headers), body)
}

fn request(
    patience: Duration,
    address: SocketAddr,
    what: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect_timeout(&address, patience).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    write!(socket, "{what} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n{body}").ok()?;
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
    let (status, body) = request(patience, address, &format!("GET {path}"), "", "")?;
    if status != 200 {
        return None;
    }
    serde_json::from_str(&body).ok()
}

/// Status and body of a GET with these headers.
pub(crate) fn text(address: SocketAddr, path: &str, headers: &str) -> Option<(u16, String)> {
    request(PATIENCE, address, &format!("GET {path}"), headers, "")
}

/// The entries of a list that comes in pages.
pub(crate) fn entries(address: SocketAddr, path: &str) -> Option<Vec<serde_json::Value>> {
    let (mut entries, mut next) = (Vec::new(), Some(format!("{path}?limit=1000")));
    while let Some(path) = next {
        let page = get(address, &path)?;
        entries.extend_from_slice(page["items"].as_array()?);
        next = page["next"].as_str().map(str::to_owned);
    }
    Some(entries)
}
