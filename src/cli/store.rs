//! `quorate store`.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Subcommand;

use super::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read every record of a store that no node has open, and check it
    Verify {
        /// Directory of the store
        directory: PathBuf,
    },
}

pub(super) fn run(command: &StoreCommand, json: bool) -> Result<(), Failure> {
    let StoreCommand::Verify { directory } = command;
    let _ = json;
    if !directory.is_dir() {
        return Err(Failure::new(Exit::DataDirectory, anyhow!("{} is no directory", directory.display())));
    }
    Err(anyhow!("not built yet").into())
}
