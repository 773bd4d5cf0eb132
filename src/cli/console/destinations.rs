//! `quorate queues` and `quorate topics`.

use super::ConsoleArgs;
use crate::broker::DestinationStatus;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table::Listing;

pub(in crate::cli) fn run(console: &ConsoleArgs, path: &str, json: bool) -> Result<(), Failure> {
    let header = ["name", "pending", "consumers", "enqueued", "dequeued", "in flight", "paused"];
    let mut listing = Listing::new(json, &header);
    let row = |d: &DestinationStatus| {
        let numbers = [d.size, d.consumers, d.enqueued, d.dequeued, d.in_flight];
        let paused = if d.paused { "yes" } else { "-" }.to_owned();
        std::iter::once(d.name.clone())
            .chain(numbers.map(|number| number.to_string()))
            .chain([paused])
            .collect()
    };
    block_on(console.pages(path, |page| listing.print(page, row)))?;
    listing.end()
}
