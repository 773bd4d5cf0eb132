//! `quorate browse`.

use clap::Args;

use super::super::exit::Failure;
use super::super::{block_on, table};
use super::{BrokerArgs, destination, line};
use crate::client::{BrowseOptions, browse};

/// Look at the messages of a queue without taking them
#[derive(Debug, Args)]
pub(in crate::cli) struct BrowseArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Which queue: queue/NAME, or its name
    #[arg(value_parser = destination)]
    destination: String,
    /// Stop after so many messages
    #[arg(short, long)]
    count: Option<u64>,
    /// Show only messages that match
    #[arg(long, value_name = "SQL")]
    selector: Option<String>,
}

pub(in crate::cli) fn run(args: &BrowseArgs, json: bool) -> Result<(), Failure> {
    let options = BrowseOptions {
        destination: args.destination.clone(),
        selector: args.selector.clone(),
        count: args.count,
    };
    block_on(async {
        let client = args.broker.connect().await?;
        let mut failed = None;
        browse(&client, &options, |message| {
            if failed.is_none() {
                failed = table::print(&line(message, json)).err();
            }
        })
        .await?;
        let _ = client.disconnect().await;
        failed.map_or(Ok(()), Err)
    })
}
