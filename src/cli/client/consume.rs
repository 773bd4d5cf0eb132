//! `quorate consume`.

use std::time::Duration;

use clap::Args;

use super::super::exit::Failure;
use super::super::{block_on, table};
use super::{BrokerArgs, destination, header, line};
use crate::client::{ConsumeOptions, consume};
use crate::config::parse_duration;

/// Take messages, and print one in each line
#[derive(Debug, Args)]
pub(in crate::cli) struct ConsumeArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where from: queue/NAME, topic/NAME, or the name of a queue
    #[arg(value_parser = destination)]
    destination: String,
    /// Stop after so many messages
    #[arg(short, long)]
    count: Option<u64>,
    /// Stop when nothing has come for so long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    idle: Option<Duration>,
    /// Take only messages that match
    #[arg(long, value_name = "SQL")]
    selector: Option<String>,
    /// How many unacknowledged messages the broker may send ahead
    #[arg(long)]
    prefetch: Option<u32>,
    /// Name of a durable subscription to a topic; needs --client-id
    #[arg(long, value_name = "NAME", requires = "client_id")]
    durable: Option<String>,
    /// A header of the subscription, name=value; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
}

pub(in crate::cli) fn run(args: &ConsumeArgs, json: bool) -> Result<(), Failure> {
    let mut headers = args.header.clone();
    if let Some(name) = &args.durable {
        headers.push(("activemq.subscriptionName".to_owned(), name.clone()));
    }
    // With a bound, nothing is fetched that nobody will see.
    let bounded =
        args.count.map(|count| u32::try_from(count).unwrap_or(u32::MAX).clamp(1, PREFETCH_BOUNDED_MAX));
    let options = ConsumeOptions {
        destination: args.destination.clone(),
        selector: args.selector.clone(),
        headers,
        prefetch: args.prefetch.or(bounded),
        count: args.count,
        idle: args.idle,
    };
    let consumed = block_on(async {
        let client = args.broker.connect().await?;
        let mut failed = None;
        let consumed = consume(&client, &options, |message| {
            failed = table::print(&line(message, json)).err();
            failed.is_none()
        })
        .await?;
        let _ = client.disconnect().await;
        match failed {
            Some(failure) => Err(failure),
            None => Ok(consumed),
        }
    })?;
    match args.count {
        Some(count) if consumed.messages < count => {
            let messages = consumed.messages;
            Err(anyhow::anyhow!("only {messages} of {count} messages came").into())
        }
        _ => Ok(()),
    }
}

const PREFETCH_BOUNDED_MAX: u32 = 1000;
