//! `quorate produce`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;
use clap::builder::StyledStr;

use super::super::exit::Failure;
use super::super::runtime::block_on;
use super::super::table;
use super::Progress;
use super::arguments::{BODY_BYTES_MAX, BrokerArgs, body_size, destination, header};
use super::interrupt::interruptible;
use crate::client::{ProduceOptions, Produced, produce};

/// Send messages, and wait until they are stored
#[derive(Debug, Args)]
pub(in crate::cli) struct ProduceArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where to: queue/NAME, topic/NAME, or the name of a queue
    #[arg(value_parser = destination)]
    destination: String,
    // Its help is made by hand, because the usual way takes the placeholder for a new line.
    #[arg(long, conflicts_with_all = ["file", "size"], help = body_help())]
    body: Option<String>,
    /// File that holds the body; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    file: Option<PathBuf>,
    /// A body of so many bytes
    #[arg(long, value_name = "SIZE", value_parser = body_size)]
    size: Option<u64>,
    /// How many messages
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Keep them in the broker's memory only
    #[arg(long)]
    non_persistent: bool,
    /// The message group: its messages go to one consumer, in order
    #[arg(long)]
    group: Option<String>,
    /// Priority; higher is delivered first [default: 4]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// A header, name=value; may be repeated
    #[arg(long, value_parser = header)]
    header: Vec<(String, String)>,
    /// How many sends may wait for their answer at a time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    outstanding: u32,
}

const NUMBER: &str = "{n}";
const BODY_DEFAULT: &str = "message {n}";

/// The styles between the brackets keep clap from taking them for a new line; they leave no trace.
fn body_help() -> StyledStr {
    let shown = |text: &str| text.replace(NUMBER, "{\x1b[0mn}");
    let (number, default) = (shown(NUMBER), shown(BODY_DEFAULT));
    StyledStr::from(format!(
        "Text of the message; {number} in it becomes the number of the message, from 1 [default: \"{default}\"]"
    ))
}

impl ProduceArgs {
    /// The body of message `n`, if it is the same for all.
    fn fixed(&self) -> Result<Option<Bytes>, Failure> {
        if let Some(size) = self.size {
            return Ok(Some(vec![b'x'; usize::try_from(size)?].into()));
        }
        let Some(path) = &self.file else { return Ok(None) };
        let mut body = Vec::new();
        // One byte more than can be sent, so that too much is known without reading it all.
        let most = BODY_BYTES_MAX + 1;
        let name = path.display();
        if path.as_os_str() == "-" {
            std::io::stdin()
                .lock()
                .take(most)
                .read_to_end(&mut body)
                .context("cannot read standard input")?;
        } else {
            let file = std::fs::File::open(path);
            let read = file.and_then(|file| file.take(most).read_to_end(&mut body));
            read.with_context(|| format!("cannot read {name}"))?;
        }
        if body.len() as u64 == most {
            return Err(anyhow!("{name} is more than any broker takes; expected at most 2 GiB").into());
        }
        Ok(Some(body.into()))
    }
}

pub(in crate::cli) fn run(args: &ProduceArgs, json: bool) -> Result<(), Failure> {
    let fixed = args.fixed()?;
    let group = args.group.iter().map(|group| ("JMSXGroupID".to_owned(), group.clone()));
    let priority = args.priority.iter().map(|priority| ("priority".to_owned(), priority.to_string()));
    let options = ProduceOptions {
        destination: args.destination.clone(),
        headers: group.chain(priority).chain(args.header.iter().cloned()).collect(),
        persistent: !args.non_persistent,
        // A text that holds NUL would end there.
        text: fixed.as_ref().is_none_or(|body| !body.contains(&0) && std::str::from_utf8(body).is_ok()),
        outstanding: args.outstanding as usize,
    };
    let body = args.body.as_deref().unwrap_or(BODY_DEFAULT);
    let bodies = (1..=args.count).map(|n| match &fixed {
        Some(body) => body.clone(),
        None => Bytes::from(body.replace(NUMBER, &n.to_string())),
    });
    let (produced, interrupted) = block_on(interruptible(async |mut interrupt| {
        let client = args.broker.connect(&mut interrupt).await?;
        let mut progress = Progress::new();
        let shown = |so_far: &Produced| {
            progress.show(|| format!("{} of {} confirmed", so_far.confirmed, args.count));
        };
        let produced = produce(&client, &options, bodies, interrupt.asked(), shown).await;
        if produced.failure.is_none() && !interrupt.was_asked() {
            // Everything is answered; a farewell that fails changes nothing.
            let _ = client.disconnect().await;
        }
        Ok((produced, interrupt.was_asked()))
    }))?;
    if json {
        table::json(&serde_json::json!({ "confirmed": produced.confirmed, "unknown": produced.unknown }))?;
    } else {
        table::print(&format!("{} confirmed\n", produced.confirmed))?;
    }
    let unknown = produced.unknown;
    let unknown = (unknown > 0).then(|| format!("{unknown} sends have an unknown outcome"));
    match (produced.failure, unknown) {
        (Some(failure), Some(unknown)) => Err(anyhow::Error::new(failure).context(unknown).into()),
        (Some(failure), None) => Err(failure.into()),
        (None, unknown) if interrupted => {
            Err(Failure::interrupted(unknown.as_deref().unwrap_or("what was sent is confirmed")))
        }
        (None, Some(unknown)) => {
            Err(anyhow!("{unknown}: the connection was lost before their answer").into())
        }
        (None, None) => Ok(()),
    }
}
