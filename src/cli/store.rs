//! `quorate store`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Subcommand;

use super::exit::{Exit, Failure};
use super::table;
use crate::env::{ReadOnlyDisk, SystemDisk};
use crate::storage::{Damage, Log, LogOptions, Look};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Read every record of a store that no node has open, and check it; changes nothing
    Verify {
        /// Directory of the store, e.g. data/local or data/replicated
        directory: PathBuf,
    },
    /// Say what a lone broker's damaged store has lost; --force cuts it off, so that the broker starts again
    Repair {
        /// Directory of the store, e.g. data/local
        directory: PathBuf,
        /// Cut it off: what stands there is gone for good
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn run(command: &StoreCommand, json: bool) -> Result<(), Failure> {
    let unusable = |error| Failure::new(Exit::DataDirectory, error);
    match command {
        StoreCommand::Verify { directory } => verify(&look(directory).map_err(unusable)?, json),
        StoreCommand::Repair { directory, force } => {
            let found = look(directory).map_err(unusable)?;
            let Some(damage) = &found.damage else {
                let text = "the store is whole; there is nothing to repair\n";
                return if json { table::json(&shown(&found)) } else { table::print(text) };
            };
            if found.voters > 1 {
                let error = anyhow!(
                    "the store belongs to a group of {} and repairs itself from the master when its node starts",
                    found.voters
                );
                return Err(unusable(error));
            }
            if json {
                table::json(&shown(&found))?
            } else {
                table::print(&loss(&found, damage))?
            }
            if !force {
                return if json { Ok(()) } else { table::print("nothing was done; --force does it\n") };
            }
            cut(directory, damage).map_err(unusable)?;
            if json { Ok(()) } else { table::print("it is cut off; the broker can start\n") }
        }
    }
}

fn look(directory: &Path) -> anyhow::Result<Look> {
    if !directory.join("log").is_dir() {
        return Err(anyhow!("there is no store in {}", directory.display()));
    }
    Look::at(Arc::new(ReadOnlyDisk), directory)
        .with_context(|| format!("cannot read the store in {}", directory.display()))
}

fn verify(found: &Look, json: bool) -> Result<(), Failure> {
    if json {
        table::json(&shown(found))?;
    } else {
        table::print(&table::pairs(&[
            ("log", format!("{} to {}", found.base, found.end)),
            ("segments", found.report.segments.to_string()),
            ("records", format!("{} in {} bytes", found.report.records, found.report.bytes)),
            ("torn tail", format!("{} bytes; a start cuts them off", found.torn)),
        ]))?;
    }
    match &found.damage {
        Some(damage) => {
            let error = anyhow!("damaged at offset {}: {}", damage.at, damage.reason);
            Err(Failure::new(Exit::DataDirectory, error))
        }
        None => Ok(()),
    }
}

fn shown(found: &Look) -> serde_json::Value {
    let damage = found.damage.as_ref();
    serde_json::json!({
        "base": found.base,
        "end": found.end,
        "segments": found.report.segments,
        "records": found.report.records,
        "bytes": found.report.bytes,
        "torn": found.torn,
        "lost": found.lost,
        "damage": damage.map(|damage| serde_json::json!({ "at": damage.at, "reason": damage.reason })),
    })
}

/// What is kept and what is lost.
fn loss(found: &Look, damage: &Damage) -> String {
    format!(
        "The log is damaged at offset {}: {}.\n\nkept\n  {} to {}\nlost\n  {} bytes from {} on\n\n\
         RISK: messages that were stored there are LOST, and messages whose consumption was noted there are delivered again.\n\
         Copy the directory first if anybody may want to look for them.\n",
        damage.at, damage.reason, found.base, damage.at, found.lost, damage.at
    )
}

fn cut(directory: &Path, damage: &Damage) -> anyhow::Result<()> {
    // No room is taken for what will be written: that is for the broker to do.
    let options = LogOptions { segment_bytes: 0, ..LogOptions::default() };
    let (log, _) = Log::open(Arc::new(SystemDisk), &directory.join("log"), options, Box::new(|_| ()))
        .with_context(|| format!("cannot open the store in {}", directory.display()))?;
    log.cut_damage(damage.at)?;
    Ok(())
}
