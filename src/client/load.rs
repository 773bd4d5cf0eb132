//! The load generator: producers with many sends under way, consumers that acknowledge each message. Plain STOMP, so
//! that other brokers can be measured the same way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::env::random_u64;

use super::histogram::Histogram;
use super::options::{ClientError, ConnectOptions};

mod consumer;
mod pace;
mod producer;

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

/// What came out.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// Time of the measurement.
    pub elapsed: Duration,
    /// Sends confirmed within it.
    pub confirmed: u64,
    /// Messages consumed within it.
    pub consumed: u64,
    /// From the write of a send to its receipt, of the sends within the measurement.
    pub confirm: Histogram,
    /// Longest time in which a producer with sends under way had no receipt.
    pub confirm_gap_max: Duration,
    /// Sends written in all, warm-up and drain included.
    pub sent_total: u64,
    /// Sends confirmed in all.
    pub confirmed_total: u64,
    /// Messages consumed in all.
    pub consumed_total: u64,
    /// Of these, marked redelivered.
    pub redelivered_total: u64,
    /// Sends whose outcome is unknown.
    pub unknown_total: u64,
    /// Connections made again.
    pub reconnects: u64,
    /// Processor time that this process took within the measurement.
    pub processor: Duration,
}

impl LoadReport {
    /// Confirmed sends each second.
    pub fn produced_per_second(&self) -> f64 {
        self.confirmed as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Consumed messages each second.
    pub fn consumed_per_second(&self) -> f64 {
        self.consumed as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
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

/// Runs a load to its end; `progress` can be watched meanwhile. Dropping the future stops it.
///
/// # Errors
/// A connection is refused, or none of the addresses answers in time.
pub async fn run(load: Load, progress: Arc<LoadProgress>) -> Result<LoadReport, ClientError> {
    let body = random_body(load.body_bytes);
    let mut consumers = JoinSet::new();
    let shared = Arc::new((load, progress));
    for number in 0..shared.0.consumers {
        consumers.spawn(consumer::consume(shared.clone(), number));
    }
    wait_for_subscriptions(&shared, &mut consumers).await?;
    let (load, progress) = (shared.0.clone(), shared.1.clone());
    let from = Instant::now() + load.warm_up;
    let to = from + load.duration;
    let run = Arc::new(Run { load, body, progress: progress.clone(), from, to });
    let mut producers = JoinSet::new();
    for number in 0..run.load.producers {
        producers.spawn(producer::produce(run.clone(), number));
    }
    let counted = measure(&run, &mut producers, &mut consumers).await?;
    let mut findings = counted.findings;
    while let Some(finding) = producers.join_next().await {
        add(&mut findings, flatten(finding)?);
    }
    drain(&run).await;
    consumers.shutdown().await;
    let total = |count: &AtomicU64| count.load(Ordering::Relaxed);
    Ok(LoadReport {
        elapsed: counted.elapsed,
        confirmed: counted.confirmed,
        consumed: counted.consumed,
        confirm: findings.confirm,
        confirm_gap_max: findings.gap_max,
        sent_total: total(&progress.sent),
        confirmed_total: total(&progress.confirmed),
        consumed_total: total(&progress.consumed),
        redelivered_total: total(&progress.redelivered),
        unknown_total: total(&progress.unknown),
        reconnects: total(&progress.reconnects),
        processor: counted.processor,
    })
}

/// Counts of the measured time.
struct Counted {
    elapsed: Duration,
    confirmed: u64,
    consumed: u64,
    processor: Duration,
    findings: Findings,
}

/// Waits for the measured time to begin and to end, or for the producers to have sent all they may.
async fn measure(
    run: &Run,
    producers: &mut JoinSet<Result<Findings, ClientError>>,
    consumers: &mut JoinSet<Result<(), ClientError>>,
) -> Result<Counted, ClientError> {
    let mut findings = Findings::default();
    let mut started = None;
    let mut ended = false;
    while !ended {
        let next = if started.is_none() { run.from } else { run.to };
        let all_sent = run.load.messages.is_some() && producers.is_empty() && run.load.producers > 0;
        tokio::select! {
            () = sleep_until(next), if !all_sent => {
                ended = started.is_some();
                started.get_or_insert_with(|| snapshot(run));
            }
            Some(finding) = producers.join_next() => add(&mut findings, flatten(finding)?),
            Some(finished) = consumers.join_next() => flatten(finished)?,
            else => ended = true,
        }
        ended |= run.load.messages.is_some() && producers.is_empty() && run.load.producers > 0;
    }
    let now = snapshot(run);
    let then = started.unwrap_or(Snapshot {
        at: run.from.min(now.at),
        confirmed: 0,
        consumed: 0,
        processor: now.processor,
    });
    Ok(Counted {
        elapsed: now.at - then.at,
        confirmed: now.confirmed - then.confirmed,
        consumed: now.consumed - then.consumed,
        processor: now.processor.saturating_sub(then.processor),
        findings,
    })
}

struct Snapshot {
    at: Instant,
    confirmed: u64,
    consumed: u64,
    processor: Duration,
}

fn snapshot(run: &Run) -> Snapshot {
    Snapshot {
        at: Instant::now(),
        confirmed: run.progress.confirmed.load(Ordering::Relaxed),
        consumed: run.progress.consumed.load(Ordering::Relaxed),
        processor: processor_time(),
    }
}

/// Processor time that this process has taken so far.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u32)
}

async fn wait_for_subscriptions(
    shared: &(Load, Arc<LoadProgress>),
    consumers: &mut JoinSet<Result<(), ClientError>>,
) -> Result<(), ClientError> {
    let (load, progress) = shared;
    while progress.subscribed.load(Ordering::Acquire) < load.consumers {
        tokio::select! {
            Some(ended) = consumers.join_next() => flatten(ended)?,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    Ok(())
}

/// Lets consumers have what was confirmed.
async fn drain(run: &Run) {
    if run.load.consumers == 0 {
        return;
    }
    let until = Instant::now() + run.load.drain;
    let copies = run.load.copies();
    let left = |run: &Run| {
        run.progress.consumed.load(Ordering::Relaxed)
            < copies * run.progress.confirmed.load(Ordering::Relaxed)
    };
    while left(run) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn add(findings: &mut Findings, more: Findings) {
    findings.confirm.merge(&more.confirm);
    findings.gap_max = findings.gap_max.max(more.gap_max);
}

fn flatten<T>(ended: Result<Result<T, ClientError>, tokio::task::JoinError>) -> Result<T, ClientError> {
    ended.map_err(|error| ClientError::Lost(error.to_string()))?
}

fn random_body(bytes: usize) -> Bytes {
    let words = std::iter::repeat_with(random_u64).take(bytes.div_ceil(8));
    let mut body: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    body.truncate(bytes);
    body.into()
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
