//! `quorate subscriptions` and `quorate unsubscribe`.

use clap::Args;

use super::ConsoleArgs;
use crate::broker::SubscriptionStatus;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table::{self, Listing};

pub(in crate::cli) fn run(console: &ConsoleArgs, json: bool) -> Result<(), Failure> {
    let header = ["client id", "name", "topics", "selector", "pending", "consumers", "in flight"];
    let mut listing = Listing::new(json, &header);
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let row = |it: &SubscriptionStatus| {
        let texts = [&it.client_id, &it.name, &it.topics, &it.selector].map(|text| or_none(text));
        let numbers = [it.size, it.consumers, it.in_flight].map(|number| number.to_string());
        texts.into_iter().chain(numbers).collect()
    };
    block_on(console.pages("/api/v1/subscriptions", |page| listing.print(page, row)))?;
    listing.end()
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UnsubscribeArgs {
    /// Name of the durable subscription
    name: String,
    /// The client that it belongs to; without it, one that is shared by all clients is meant
    #[arg(long, default_value = "")]
    client_id: String,
    #[command(flatten)]
    node: ConsoleArgs,
}

pub(in crate::cli) fn unsubscribe(args: &UnsubscribeArgs, json: bool) -> Result<(), Failure> {
    let named = serde_json::json!({ "client_id": args.client_id, "name": args.name });
    block_on(args.node.post("/api/v1/subscriptions/remove", &named))?;
    if json {
        return table::json(&serde_json::json!({ "removed": named }));
    }
    table::print(&format!("the durable subscription {} is gone\n", args.name))
}
