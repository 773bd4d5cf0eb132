//! `quorate consume`.

use std::time::Duration;

use clap::Args;

use super::super::exit::Failure;
use super::super::runtime::block_on;
use super::super::table;
use super::arguments::{BrokerArgs, destination, header, some_time};
use super::interrupt::interruptible;
use super::line;
use crate::client::{ConsumeOptions, Consumed, consume};

/// Take messages, and print one in each line; each is acknowledged once it is written
#[derive(Debug, Args)]
pub(in crate::cli) struct ConsumeArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where from: queue/NAME, topic/NAME, or the name of a queue
    #[arg(value_parser = destination)]
    destination: String,
    /// Stop after so many messages
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop when nothing has come for so long
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    idle: Option<Duration>,
    /// How many unacknowledged messages the broker may send ahead
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=PREFETCH_MAX))]
    prefetch: Option<u32>,
    /// Only messages that match, as in: kind = 'order' AND JMSPriority > 4
    #[arg(long)]
    selector: Option<String>,
    /// A header of the subscription, name=value; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
}

pub(in crate::cli) fn run(args: &ConsumeArgs, json: bool) -> Result<(), Failure> {
    // With a bound, nothing is fetched that nobody will see.
    let bounded =
        args.count.map(|count| u32::try_from(count).unwrap_or(u32::MAX).clamp(1, PREFETCH_BOUNDED_MAX));
    let options = ConsumeOptions {
        destination: args.destination.clone(),
        headers: args.header.clone(),
        selector: args.selector.clone(),
        prefetch: args.prefetch.or(bounded),
        count: args.count,
        idle: args.idle,
    };
    let consumed = block_on(interruptible(async |mut interrupt| {
        let client = args.broker.connect(&mut interrupt).await?;
        let mut failed = None;
        let shown = |message: &_| {
            failed = table::print(&line(message, json)).err();
            failed.is_none()
        };
        let consumed = consume(&client, &options, interrupt.asked(), shown).await?;
        // Its answer covers the acknowledgements, which are under way for a few milliseconds; nobody waits for it for long.
        let _ = tokio::time::timeout(FAREWELL, client.disconnect()).await;
        if let Some(failure) = failed {
            return Err(failure);
        }
        if interrupt.was_asked() {
            return Err(Failure::interrupted(tally(consumed)));
        }
        Ok(consumed)
    }))?;
    if consumed.unconfirmed {
        return Err(anyhow::anyhow!(
            "the connection was lost before the last acknowledgements were confirmed: messages may come again"
        )
        .into());
    }
    match args.count {
        Some(count) if consumed.messages < count => {
            let messages = consumed.messages;
            Err(anyhow::anyhow!("only {messages} of {count} messages came").into())
        }
        _ => Ok(()),
    }
}

fn tally(consumed: Consumed) -> String {
    format!("{} consumed, {} of them redelivered", consumed.messages, consumed.redelivered)
}

/// How long the broker may take to answer DISCONNECT.
const FAREWELL: Duration = Duration::from_secs(5);
const PREFETCH_BOUNDED_MAX: u32 = 1000;
/// Brokers send no more ahead.
const PREFETCH_MAX: i64 = 65_535;
