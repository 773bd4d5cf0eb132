//! `quorate run`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::config::ConfigArgs;
use super::exit::Failure;
use super::log;
use crate::config::parse_duration;
use crate::env::probe_threads;

/// How long threads that block may hold up the end of the process.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Threads for blocking calls that are there from the start on: a call waits for one of them when the system has no other.
const BLOCKING_THREADS: usize = 8;
/// Threads that the log of the program and the store have of their own.
const OTHER_THREADS: usize = 8;
/// Longer than any process lives: a thread that has ended might not be had again.
const KEPT_FOR: Duration = Duration::from_secs(1 << 32);

/// How to run a node.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// End with exit code 4 if ZooKeeper has not let the node in after so long; without it, wait as long as it takes
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    zookeeper_wait: Option<Duration>,
}

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let loaded = args.config.load()?;
    let _log = log::start(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime()?;
    let ended = runtime.block_on(crate::server::run(loaded.config, args.zookeeper_wait));
    // Whatever still blocks a thread then has nothing left to say.
    runtime.shutdown_timeout(STOP_WITHIN);
    ended.map_err(|error| Failure { exit: error.exit_code(), error: error.into() })
}

/// The tasks' threads and those for blocking calls, all of them running: want of a thread is found now or does not matter.
fn runtime() -> std::io::Result<Runtime> {
    probe_threads(workers() + BLOCKING_THREADS + OTHER_THREADS)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers())
        .thread_keep_alive(KEPT_FOR)
        .enable_all()
        .build()?;
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..BLOCKING_THREADS {
        // None of them is idle before the last one has been made.
        let gate = Arc::clone(&gate);
        runtime.spawn_blocking(move || drop(gate.lock()));
    }
    drop(closed);
    Ok(runtime)
}

/// Threads for connections and the node's task: half of the processors, because the log's writer and the system want
/// some too, and each step from thread to thread costs a confirmation more than it gains. A control group's quota counts.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}
