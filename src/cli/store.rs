//! `quorate store`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Subcommand;

use super::exit::{Exit, Failure};
use super::table;
use crate::env::SystemDisk;
use crate::storage::{Log, LogOptions, Recovered, VerifyReport};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read every record of a store that no node has open, and check it; a torn tail is cut, as a start would do
    Verify {
        /// Directory of the store, e.g. data/local or data/replicated
        directory: PathBuf,
    },
}

pub(super) fn run(command: &StoreCommand, json: bool) -> Result<(), Failure> {
    let StoreCommand::Verify { directory } = command;
    let (recovered, report) = verify(directory).map_err(|error| Failure::new(Exit::DataDirectory, error))?;
    let damage = recovered.damage.as_ref().or(report.damage.as_ref());
    if json {
        table::json(&serde_json::json!({
            "base": recovered.base,
            "end": recovered.end,
            "segments": report.segments,
            "records": report.records,
            "bytes": report.bytes,
            "cut": recovered.cut,
            "damage": damage.map(|damage| serde_json::json!({ "at": damage.at, "reason": damage.reason })),
        }))?;
    } else {
        table::print(&table::pairs(&[
            ("log", format!("{} to {}", recovered.base, recovered.end)),
            ("segments", report.segments.to_string()),
            ("records", format!("{} in {} bytes", report.records, report.bytes)),
            ("torn tail", format!("{} bytes cut", recovered.cut)),
        ]))?;
    }
    match damage {
        Some(damage) => {
            let error = anyhow!("damaged at offset {}: {}", damage.at, damage.reason);
            Err(Failure::new(Exit::DataDirectory, error))
        }
        None => Ok(()),
    }
}

fn verify(directory: &Path) -> anyhow::Result<(Recovered, VerifyReport)> {
    let log = directory.join("log");
    // To open what is not there would found a store.
    if !log.is_dir() {
        return Err(anyhow!("there is no store in {}", directory.display()));
    }
    let (log, recovered) = Log::open(Arc::new(SystemDisk), &log, LogOptions::default(), Box::new(|_| ()))
        .with_context(|| format!("cannot open the store in {}", directory.display()))?;
    let report = log.verify(|_| ())?;
    Ok((recovered, report))
}
