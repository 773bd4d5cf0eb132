//! `quorate network`.

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table::Listing;
use crate::network::{BridgeState, BridgeStatus};

pub(in crate::cli) fn run(console: &ConsoleArgs, json: bool) -> Result<(), Failure> {
    let header = [
        "connector",
        "direction",
        "state",
        "uri",
        "broker",
        "subscriptions",
        "forwarded",
        "dead letters",
        "under way",
        "failures",
        "last error",
    ];
    let mut listing = Listing::new(json, &header);
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let row = |it: &BridgeStatus| {
        let state = match it.state {
            BridgeState::Connecting => "connecting",
            BridgeState::Bridging => "bridging",
            BridgeState::Waiting => "waiting",
        };
        let texts = [
            it.connector.clone(),
            it.direction.clone(),
            state.to_owned(),
            it.uri.clone(),
            or_none(&it.broker),
        ];
        let numbers = [it.subscriptions, it.forwarded, it.dead_lettered, it.under_way, it.failures];
        let numbers = numbers.map(|number| number.to_string());
        texts.into_iter().chain(numbers).chain([or_none(&it.last_error)]).collect()
    };
    block_on(console.pages("/api/v1/bridges", |page| listing.print(page, row)))?;
    listing.end()
}
