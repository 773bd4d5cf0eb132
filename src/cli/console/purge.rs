//! `quorate purge`.

use anyhow::Context;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;

#[derive(Debug, Args)]
pub(in crate::cli) struct PurgeArgs {
    /// Name of the queue
    queue: String,
    #[command(flatten)]
    node: ConsoleArgs,
}

pub(in crate::cli) fn run(args: &PurgeArgs, json: bool) -> Result<(), Failure> {
    let path = format!("/api/v1/queues/{}/purge", utf8_percent_encode(&args.queue, NON_ALPHANUMERIC));
    let answer = block_on(args.node.post(&path, &serde_json::json!({})))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer).context("the node's answer is no JSON")?;
    if json {
        return table::json(&answer);
    }
    table::print(&format!("{} messages taken out of {}\n", answer["messages"], args.queue))
}
