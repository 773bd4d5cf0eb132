//! `quorate bench`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::super::exit::{Exit, Failure};
use super::super::table;
use super::Progress;
use super::arguments::{BrokerArgs, body_size, destination, header, some_time};
use super::interrupt::{Interrupt, interruptible};
use crate::client::{Load, LoadProgress, LoadReport, run_load};
use crate::config::parse_duration;

/// Measure a broker: producers and consumers at full speed for a while
#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Destinations; producer and consumer number n use the n-th, from the front again if there are fewer
    #[arg(value_parser = destination, default_value = "queue/bench")]
    destinations: Vec<String>,
    /// Connections that send
    #[arg(long, default_value_t = 8)]
    producers: u16,
    /// Connections that consume
    #[arg(long, default_value_t = 8)]
    consumers: u16,
    /// Sends without an answer that each producer may have
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    outstanding: u32,
    /// Messages a second of all producers together, evenly; as many as go if not given
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Spread connections over the addresses, for brokers all of whose nodes serve
    #[arg(long)]
    spread: bool,
    /// Threads of this tool; one for each processor, but not more than connections, if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Unacknowledged messages that each consumer may have
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    prefetch: u32,
    /// Size of each body
    #[arg(long, value_name = "SIZE", default_value = "1 KiB", value_parser = body_size)]
    size: u64,
    /// Messages of each producer; as many as fit into the time if not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Keep messages in the broker's memory only
    #[arg(long)]
    non_persistent: bool,
    /// Do not ask for receipts
    #[arg(long)]
    no_receipts: bool,
    /// A header of every send, name=value; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
    /// Time before the measurement
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    warm_up: Duration,
    /// Time of the measurement
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_time)]
    duration: Duration,
    /// Longest time in which consumers may drain what is left
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    drain: Duration,
}

pub(in crate::cli) fn run(args: &BenchArgs, json: bool) -> Result<(), Failure> {
    if args.producers == 0 && args.consumers == 0 {
        let error = anyhow::anyhow!("nobody sends and nobody consumes: give --producers or --consumers");
        return Err(Failure::new(Exit::Usage, error));
    }
    let load = Load {
        addresses: args.broker.addresses(),
        spread: args.spread,
        connect: args.broker.options()?,
        destinations: args.destinations.clone(),
        producers: args.producers.into(),
        outstanding: args.outstanding as usize,
        rate: args.rate,
        receipts: !args.no_receipts,
        persistent: !args.non_persistent,
        body_bytes: usize::try_from(args.size)?,
        messages: args.messages,
        consumers: args.consumers.into(),
        prefetch: args.prefetch,
        send_headers: args.header.clone(),
        warm_up: args.warm_up,
        duration: args.duration,
        drain: args.drain,
        ..Load::default()
    };
    let counts = Arc::new(LoadProgress::default());
    let running = interruptible(async |interrupt| watched(load.clone(), &counts, interrupt).await);
    match runtime(args)?.block_on(running)? {
        Some(report) if json => table::json(&document(&load, &report)),
        Some(report) => table::print(&text(&report)),
        None => {
            table::print(&tally(&counts, json))?;
            Err(Failure::interrupted("there is no measurement, only what was done"))
        }
    }
}

/// What was done by a run that did not come to its end.
fn tally(counts: &LoadProgress, json: bool) -> String {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let [sent, confirmed, consumed] = [&counts.sent, &counts.confirmed, &counts.consumed].map(read);
    if json {
        let totals = serde_json::json!({ "sent_total": sent, "confirmed_total": confirmed, "consumed_total": consumed });
        return format!("{totals}\n");
    }
    format!("{sent} sent, {confirmed} confirmed, {consumed} consumed\n")
}

/// One connection, or one thread, needs nobody to wake: what a second thread would cost is not the broker's.
fn runtime(args: &BenchArgs) -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let usual = processors.min(usize::from(args.producers) + usize::from(args.consumers)).max(1);
    match args.threads.map_or(usual, usize::from) {
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// Runs the load with a progress line; `None` if it was interrupted.
async fn watched(
    load: Load,
    counts: &Arc<LoadProgress>,
    mut interrupt: Interrupt,
) -> Result<Option<LoadReport>, Failure> {
    let mut progress = Progress::new();
    let mut tick = tokio::time::interval(Progress::EVERY);
    let run = run_load(load, counts.clone());
    tokio::pin!(run);
    loop {
        tokio::select! {
            report = &mut run => return Ok(Some(report?)),
            () = interrupt.asked() => return Ok(None),
            _ = tick.tick() => progress.show(|| {
                let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
                format!("{} confirmed, {} consumed", read(&counts.confirmed), read(&counts.consumed))
            }),
        }
    }
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn document(load: &Load, report: &LoadReport) -> serde_json::Value {
    let confirm: serde_json::Map<String, serde_json::Value> = QUANTILES
        .into_iter()
        .map(|(name, quantile)| (name.to_owned(), ms(report.confirm.quantile(quantile)).into()))
        .chain([("max".to_owned(), ms(report.confirm.max()).into())])
        .collect();
    serde_json::json!({
        "elapsed_s": report.elapsed.as_secs_f64(),
        "produced_per_second": report.produced_per_second(),
        "consumed_per_second": report.consumed_per_second(),
        "confirmed": report.confirmed,
        "consumed": report.consumed,
        "confirm_ms": confirm,
        "confirm_gap_max_ms": ms(report.confirm_gap_max),
        "sent_total": report.sent_total,
        "confirmed_total": report.confirmed_total,
        "consumed_total": report.consumed_total,
        "redelivered_total": report.redelivered_total,
        "unknown_total": report.unknown_total,
        "reconnects": report.reconnects,
        "client_cpu_s": report.processor.as_secs_f64(),
        "settings": {
            "producers": load.producers,
            "consumers": load.consumers,
            "outstanding": load.outstanding,
            "rate": load.rate,
            "prefetch": load.prefetch,
            "body_bytes": load.body_bytes,
            "persistent": load.persistent,
            "receipts": load.receipts,
            "warm_up_s": load.warm_up.as_secs_f64(),
            "duration_s": load.duration.as_secs_f64(),
        },
    })
}

fn text(report: &LoadReport) -> String {
    let quantiles: Vec<String> =
        QUANTILES.iter().map(|(name, q)| format!("{name} {} ms", ms(report.confirm.quantile(*q)))).collect();
    table::pairs(&[
        ("produced", format!("{:.0} messages/s", report.produced_per_second())),
        ("consumed", format!("{:.0} messages/s", report.consumed_per_second())),
        ("confirmation", format!("{}, max {} ms", quantiles.join(", "), ms(report.confirm.max()))),
        ("longest gap", format!("{} ms without a confirmation", ms(report.confirm_gap_max))),
        (
            "in all",
            format!(
                "{} sent, {} confirmed, {} consumed, {} of them redelivered, {} of unknown outcome, {} reconnects",
                report.sent_total,
                report.confirmed_total,
                report.consumed_total,
                report.redelivered_total,
                report.unknown_total,
                report.reconnects
            ),
        ),
        ("client", format!("{:.1} s of processor time", report.processor.as_secs_f64())),
    ])
}
