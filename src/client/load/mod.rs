//! The load generator: producers with many sends under way, consumers that acknowledge each message. Plain STOMP, so
//! that other brokers can be measured the same way.

mod consumer;
mod pace;
mod producer;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::histogram::Histogram;
use super::options::ConnectOptions;

pub use run::{LoadReport, run};

/// What to do.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where: each connection tries these in turn.
    pub addresses: Vec<String>,
    /// Connection number `i` begins with the `i`-th address, for brokers all of whose nodes serve; otherwise each begins
    /// with the first.
    pub spread: bool,
    /// How to connect.
    pub connect: ConnectOptions,
    /// Where producers send, in STOMP's form; number `i` uses the `i`-th, from the front again if there are fewer.
    pub destinations: Vec<String>,
    /// Where consumers subscribe, if it is written in another way; empty: as `destinations`.
    pub sources: Vec<String>,
    /// Connections that send.
    pub producers: usize,
    /// Sends without an answer that each may have.
    pub outstanding: usize,
    /// Messages a second of all producers together; as many as go without one.
    pub rate: Option<u64>,
    /// Whether sends want a receipt; without it what is written counts as sent.
    pub receipts: bool,
    /// Whether messages are persistent.
    pub persistent: bool,
    /// Size of each body.
    pub body_bytes: usize,
    /// Each producer's messages in all; no bound if `None`.
    pub messages: Option<u64>,
    /// Connections that consume.
    pub consumers: usize,
    /// Messages without an acknowledgement that each may have.
    pub prefetch: u32,
    /// More headers for SEND.
    pub send_headers: Vec<(String, String)>,
    /// More headers for SUBSCRIBE.
    pub subscribe_headers: Vec<(String, String)>,
    /// Time before the measurement.
    pub warm_up: Duration,
    /// Time of the measurement.
    pub duration: Duration,
    /// After the measurement consumers go on for so long, or until they have had as much as was confirmed.
    pub drain: Duration,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            addresses: vec!["127.0.0.1:61613".to_owned()],
            spread: false,
            connect: ConnectOptions::default(),
            destinations: vec!["/queue/bench".to_owned()],
            sources: Vec::new(),
            producers: 1,
            outstanding: 100,
            rate: None,
            receipts: true,
            persistent: true,
            body_bytes: 1024,
            messages: None,
            consumers: 1,
            prefetch: 1000,
            send_headers: Vec::new(),
            subscribe_headers: Vec::new(),
            warm_up: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

impl Load {
    /// How often each message is consumed. Several destinations may have different numbers of consumers: then it is not
    /// known, and a load waits for one consumption of each.
    fn copies(&self) -> u64 {
        match &self.destinations[..] {
            [topic] if topic.starts_with("/topic/") => self.consumers as u64,
            _ => 1,
        }
    }

    /// The address that connection `number` tries first.
    fn first_address(&self, number: usize) -> usize {
        if self.spread { number % self.addresses.len().max(1) } else { 0 }
    }
}

/// Running counts, for a progress display. Each grows only.
#[derive(Debug, Default)]
pub struct LoadProgress {
    /// Sends written.
    pub sent: AtomicU64,
    /// Sends confirmed; without receipts as `sent`.
    pub confirmed: AtomicU64,
    /// Messages received and acknowledged.
    pub consumed: AtomicU64,
    /// Of these, marked redelivered.
    pub redelivered: AtomicU64,
    /// Sends whose outcome is unknown, because their connection was lost.
    pub unknown: AtomicU64,
    /// Connections made again.
    pub reconnects: AtomicU64,
    subscribed: AtomicUsize,
}

/// What producers find out.
#[derive(Debug, Default)]
struct Findings {
    confirm: Histogram,
    gap_max: Duration,
}

/// What all connections of a run share.
#[derive(Debug)]
struct Run {
    load: Load,
    body: Bytes,
    progress: Arc<LoadProgress>,
    /// When the measurement begins and ends.
    from: Instant,
    to: Instant,
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn a_load_on_a_topic_waits_for_a_copy_for_each_consumer() {
        let load = |destination: &str| {
            let destinations = vec![destination.to_owned()];
            Load { destinations, consumers: 8, ..Load::default() }
        };
        assert_eq!((load("/topic/t").copies(), load("/queue/q").copies()), (8, 1));
    }
}
