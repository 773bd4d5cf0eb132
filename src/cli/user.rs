//! `quorate user`.

use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};
use clap::Subcommand;

use super::exit::Failure;
use super::table;
use crate::security::{Hash, Password};

/// More of the standard input is not read.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Read a password from the standard input and print its hash for the configuration
    Hash,
}

pub(super) fn run(command: &UserCommand, json: bool) -> Result<(), Failure> {
    let UserCommand::Hash = command;
    let hash = Hash::make(&password()?).map_err(anyhow::Error::from)?;
    if json { table::json(&serde_json::json!({ "hash": hash })) } else { table::print(&format!("{hash}\n")) }
}

/// What stands on the standard input, without the end of its line.
fn password() -> Result<Password, anyhow::Error> {
    let input = std::io::stdin();
    if input.is_terminal() {
        bail!("a password is not asked for where it can be read: printf %s PASSWORD | quorate user hash");
    }
    let mut text = String::new();
    input.lock().take(INPUT_BYTES_MAX).read_to_string(&mut text).context("the standard input")?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Password::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}
