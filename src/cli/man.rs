//! `quorate man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::exit::Failure;

/// Write the man pages
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Directory for quorate.1 and a page for each command, e.g. /usr/local/share/man/man1; it is made if it is missing
    directory: PathBuf,
}

pub(super) fn run(args: &ManArgs, commands: clap::Command) -> Result<(), Failure> {
    let directory = &args.directory;
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(commands, directory))
        .with_context(|| format!("cannot write to {}", directory.display()))?;
    Ok(())
}
