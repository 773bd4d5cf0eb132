//! `quorate run`.

use super::exit::Failure;
use super::{ConfigArgs, log};

pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let loaded = args.load()?;
    log::start(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build()?;
    let ended = runtime.block_on(crate::server::run(loaded.config));
    // Whatever still blocks a thread then has nothing left to say.
    runtime.shutdown_timeout(STOP_WITHIN);
    ended.map_err(|error| Failure { exit: error.exit_code(), error: error.into() })
}

/// Threads for connections and the node's task: half of the processors, because the log's writer and the system want
/// some too, and each step from thread to thread costs a confirmation more than it gains.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// How long threads that block may hold up the end of the process.
const STOP_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);
