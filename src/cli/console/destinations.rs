//! `quorate queues` and `quorate topics`.

use super::ConsoleArgs;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;
use crate::node::DestinationStatus;

pub(in crate::cli) fn run(console: &ConsoleArgs, path: &str, json: bool) -> Result<(), Failure> {
    let list: Vec<DestinationStatus> = block_on(console.get(path))?.unwrap_or_default();
    if json {
        return table::json(&list);
    }
    let rows: Vec<Vec<String>> = list
        .iter()
        .map(|d| {
            let numbers = [d.size, d.consumers, d.enqueued, d.dequeued, d.in_flight];
            std::iter::once(d.name.clone()).chain(numbers.map(|number| number.to_string())).collect()
        })
        .collect();
    let header = ["name", "pending", "consumers", "enqueued", "dequeued", "in flight"];
    table::print(&table::columns(&header, &rows))
}
