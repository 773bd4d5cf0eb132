//! The broker among those who wish it ill: little memory, few descriptors, clients that do all that they may and more.

mod beside;
mod control_group;
mod frames;
mod generator;
mod visits;
mod ways;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::stomp::{Connection, Frame};

/// Somebody who behaves sends a stored message and gets it back.
async fn is_served(address: SocketAddr, limit: Duration) -> std::io::Result<()> {
    let served = async {
        let mut connection = Connection::any(&[address]).await;
        let frame = Frame::new("SEND", &[("destination", "/queue/served"), ("persistent", "true")]);
        connection.request(frame.with_body(b"served"), "sent").await?;
        let headers = [("id", "1"), ("destination", "/queue/served"), ("ack", "client-individual")];
        connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await?;
        let message = connection.reader.frame().await?;
        let ack = message.header("ack").unwrap_or_default();
        connection.request(Frame::new("ACK", &[("id", ack)]), "taken").await?;
        connection.request(Frame::new("DISCONNECT", &[]), "bye").await
    };
    timeout(limit, served).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}
