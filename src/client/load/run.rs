//! One run of a load: starts producers and consumers, measures, adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Findings, Load, LoadProgress, Run, consumer, producer};
use crate::client::histogram::Histogram;
use crate::client::options::ClientError;
use crate::env::random_u64;

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
