//! `quorate move`, `copy`, `retry`, `pause`, `resume` and `delete`.

use anyhow::Context;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;

/// Which messages.
#[derive(Debug, Args)]
struct ChosenArgs {
    /// Only those that this selector selects
    #[arg(long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// At most so many, the oldest first
    #[arg(long, value_name = "COUNT")]
    max: Option<u64>,
}

impl ChosenArgs {
    fn document(&self) -> Map<String, Value> {
        let selector = self.selector.as_ref().map(|it| ("selector".to_owned(), json!(it)));
        let max = self.max.map(|it| ("max".to_owned(), json!(it)));
        selector.into_iter().chain(max).collect()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SendOverArgs {
    /// Name of the queue in which the messages wait
    from: String,
    /// Name of the queue that they enter; it is made if there is none
    to: String,
    #[command(flatten)]
    chosen: ChosenArgs,
    #[command(flatten)]
    node: ConsoleArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// Name of the queue with the dead letters
    #[arg(default_value = "ActiveMQ.DLQ")]
    queue: String,
    #[command(flatten)]
    chosen: ChosenArgs,
    #[command(flatten)]
    node: ConsoleArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PauseArgs {
    /// Name of the queue
    queue: String,
    #[command(flatten)]
    node: ConsoleArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArgs {
    /// Name of the queue
    queue: String,
    /// Delete the messages in it, too; without it only an empty queue is deleted
    #[arg(long)]
    with_messages: bool,
    #[command(flatten)]
    node: ConsoleArgs,
}

/// `verb` is `move` or `copy`, `done` what is said of the messages.
pub(in crate::cli) fn send_over(
    args: &SendOverArgs,
    (verb, done): (&str, &str),
    json: bool,
) -> Result<(), Failure> {
    let mut document = args.chosen.document();
    document.insert("to".to_owned(), json!(args.to));
    let answer = ask(&args.node, &args.from, verb, &document)?;
    tell(&answer, json, &format!("{} messages {done} from {} to {}", answer["messages"], args.from, args.to))
}

pub(in crate::cli) fn retry(args: &RetryArgs, json: bool) -> Result<(), Failure> {
    let answer = ask(&args.node, &args.queue, "retry", &args.chosen.document())?;
    let told =
        format!("{} messages sent back from {} to where they came from", answer["messages"], args.queue);
    tell(&answer, json, &told)
}

/// `verb` is `pause` or `resume`, `is` what the queue does then.
pub(in crate::cli) fn pause(args: &PauseArgs, (verb, is): (&str, &str), json: bool) -> Result<(), Failure> {
    let answer = ask(&args.node, &args.queue, verb, &Map::new())?;
    tell(&answer, json, &format!("{} {is}", args.queue))
}

pub(in crate::cli) fn delete(args: &DeleteArgs, json: bool) -> Result<(), Failure> {
    let query = if args.with_messages { "?with_messages=true" } else { "" };
    let path = format!("{}{query}", path_of(&args.queue));
    let answer = block_on(args.node.delete(&path))?;
    let answer = serde_json::from_slice(&answer).context("the node's answer is no JSON")?;
    tell(&answer, json, &format!("{} is deleted", args.queue))
}

fn path_of(queue: &str) -> String {
    format!("/api/v1/queues/{}", utf8_percent_encode(queue, NON_ALPHANUMERIC))
}

fn ask(node: &ConsoleArgs, queue: &str, verb: &str, document: &Map<String, Value>) -> Result<Value, Failure> {
    let answer = block_on(node.post(&format!("{}/{verb}", path_of(queue)), document))?;
    Ok(serde_json::from_slice(&answer).context("the node's answer is no JSON")?)
}

fn tell(answer: &Value, json: bool, told: &str) -> Result<(), Failure> {
    if json { table::json(answer) } else { table::print(&format!("{told}\n")) }
}
