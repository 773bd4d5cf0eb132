//! `quorate connections`.

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;
use crate::node::ConnectionStatus;

pub(in crate::cli) fn run(console: &ConsoleArgs, json: bool) -> Result<(), Failure> {
    let list: Vec<ConnectionStatus> = block_on(console.get("/api/connections"))?.unwrap_or_default();
    if json {
        return table::json(&list);
    }
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|c| {
            let (subscriptions, in_flight) = (c.subscriptions.to_string(), c.in_flight.to_string());
            let (id, user) = (or_none(&c.client_id), or_none(&c.user));
            vec![c.session.to_string(), c.remote.clone(), id, user, subscriptions, in_flight]
        })
        .collect();
    let header = ["session", "remote", "client id", "user", "subscriptions", "in flight"];
    table::print(&table::columns(&header, &rows))
}
