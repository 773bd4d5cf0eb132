//! `quorate run`.

use super::exit::Failure;
use super::{ConfigArgs, log};

pub(super) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    let loaded = args.load()?;
    log::start(&loaded.config.log)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(crate::server::run(loaded.config));
    // Whatever still blocks a thread then has nothing left to say.
    runtime.shutdown_timeout(STOP_WITHIN);
    ended.map_err(|error| Failure { exit: error.exit_code(), error: error.into() })
}

/// How long threads that block may hold up the end of the process.
const STOP_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);
