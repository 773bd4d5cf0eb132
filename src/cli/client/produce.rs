//! `quorate produce`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;

use super::super::exit::Failure;
use super::super::{block_on, table};
use super::{BrokerArgs, Progress, destination, header};
use crate::client::{ProduceOptions, produce};
use crate::config::parse_size;

/// Send messages, and wait until they are stored
#[derive(Debug, Args)]
pub(in crate::cli) struct ProduceArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where to: queue/NAME, topic/NAME, or the name of a queue
    #[arg(value_parser = destination)]
    destination: String,
    /// Text of the message; {n} in it becomes the number of the message, from 1
    #[arg(long, conflicts_with_all = ["file", "size"], default_value = "message {n}")]
    body: String,
    /// File that holds the body; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    file: Option<PathBuf>,
    /// A body of so many bytes
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// How many messages
    #[arg(short, long, default_value_t = 1)]
    count: u64,
    /// Keep them in the broker's memory only
    #[arg(long)]
    non_persistent: bool,
    /// A header, name=value; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
    /// How many sends may wait for their answer at a time
    #[arg(long, default_value_t = 100)]
    outstanding: usize,
}

impl ProduceArgs {
    /// The body of message `n`, if it is the same for all.
    fn fixed(&self) -> Result<Option<Bytes>, Failure> {
        if let Some(size) = self.size {
            return Ok(Some(vec![b'x'; usize::try_from(size)?].into()));
        }
        let Some(path) = &self.file else { return Ok(None) };
        let mut body = Vec::new();
        if path.as_os_str() == "-" {
            std::io::stdin().lock().read_to_end(&mut body).context("cannot read standard input")?;
        } else {
            body = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(Some(body.into()))
    }
}

pub(in crate::cli) fn run(args: &ProduceArgs, json: bool) -> Result<(), Failure> {
    let fixed = args.fixed()?;
    let options = ProduceOptions {
        destination: args.destination.clone(),
        headers: args.header.clone(),
        persistent: !args.non_persistent,
        // A text that holds NUL would end there.
        text: fixed.as_ref().is_none_or(|body| !body.contains(&0) && std::str::from_utf8(body).is_ok()),
        outstanding: args.outstanding,
    };
    let bodies = (1..=args.count).map(|n| match &fixed {
        Some(body) => body.clone(),
        None => Bytes::from(args.body.replace("{n}", &n.to_string())),
    });
    let produced = block_on(async {
        let client = args.broker.connect().await?;
        let mut progress = Progress::new();
        let shown = |so_far: crate::client::Produced| {
            progress.show(|| format!("{} of {} confirmed", so_far.confirmed, args.count));
        };
        let produced = produce(&client, &options, bodies, shown).await?;
        // Everything is answered; a farewell that fails changes nothing.
        let _ = client.disconnect().await;
        Ok(produced)
    })?;
    if json {
        table::json(&serde_json::json!({ "confirmed": produced.confirmed, "unknown": produced.unknown }))?;
    } else {
        table::print(&format!("{} confirmed\n", produced.confirmed))?;
    }
    if produced.unknown > 0 {
        let unknown = produced.unknown;
        return Err(anyhow!(
            "{unknown} sends have an unknown outcome: the connection was lost before their answer"
        )
        .into());
    }
    Ok(())
}
