//! `quorate connections`.

use super::ConsoleArgs;
use crate::broker::ConnectionStatus;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table::Listing;

pub(in crate::cli) fn run(console: &ConsoleArgs, json: bool) -> Result<(), Failure> {
    let header = ["session", "remote", "client id", "user", "subscriptions", "in flight"];
    let mut listing = Listing::new(json, &header);
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let row = |c: &ConnectionStatus| {
        let (subscriptions, in_flight) = (c.subscriptions.to_string(), c.in_flight.to_string());
        let (id, user) = (or_none(&c.client_id), or_none(&c.user));
        vec![c.session.to_string(), c.remote.clone(), id, user, subscriptions, in_flight]
    };
    block_on(console.pages("/api/v1/connections", |page| listing.print(page, row)))?;
    listing.end()
}
