//! The commands as a person or a script meets them: real processes, their output and exit codes;
//! what STOMP clients select, and who is let in to do what.

mod access;
mod console;
mod clients;
mod cluster;
mod lines;
mod operations;
mod pages;
mod selectors;
mod tls;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::cluster::binary;
use crate::harness::lone::Lone;

/// A command that nobody's variables reach.
fn quorate(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUORATE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command for a lone broker.
fn quorate_at(lone: &Lone, arguments: &[&str]) -> Command {
    let mut command = quorate(arguments);
    command.env("QUORATE_URL", lone.stomp().to_string());
    let console = format!("{}:{}", lone.stomp().ip(), lone.stomp().port() + 1);
    command.env("QUORATE_CONSOLE", console);
    command
}

/// Whether a command has ended well, and what it printed.
fn well(output: &Output) -> String {
    assert!(output.status.success(), "{:?}: {}", output.status, told(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command said on stderr.
fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A script of this repository.
fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name))
}
