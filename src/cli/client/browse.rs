//! `quorate browse`.

use clap::Args;

use super::super::exit::Failure;
use super::super::runtime::block_on;
use super::super::table;
use super::arguments::{BrokerArgs, queue};
use super::interrupt::interruptible;
use super::line;
use crate::client::{BrowseOptions, browse};

/// Look at the messages of a queue without taking them
#[derive(Debug, Args)]
pub(in crate::cli) struct BrowseArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Which queue: queue/NAME, or its name
    #[arg(value_parser = queue)]
    destination: String,
    /// Stop after so many messages
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Only messages that match, as in: kind = 'order' AND JMSPriority > 4
    #[arg(long)]
    selector: Option<String>,
}

pub(in crate::cli) fn run(args: &BrowseArgs, json: bool) -> Result<(), Failure> {
    let (destination, selector) = (args.destination.clone(), args.selector.clone());
    let options = BrowseOptions { destination, selector, count: args.count };
    block_on(interruptible(async |mut interrupt| {
        let client = args.broker.connect(&mut interrupt).await?;
        let mut failed = None;
        let looked = browse(&client, &options, |message| {
            failed = table::print(&line(message, json)).err();
            failed.is_none()
        });
        let seen = tokio::select! {
            seen = looked => seen?,
            () = interrupt.asked() => return Err(Failure::interrupted("there may be more messages")),
        };
        if let Some(failure) = failed {
            return Err(failure);
        }
        let _ = client.disconnect().await;
        Ok(seen)
    }))?;
    Ok(())
}
