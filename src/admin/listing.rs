//! Lists of destinations that are filtered and sorted here. A list is never copied: it is looked through a page's length at a
//! time, other tasks have their turn in between, and no more is kept of it than is shown.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use tokio::task::yield_now;

use super::paging::Paging;
use crate::broker::{DestinationCounts, DestinationStatus, Figures, Page};
use crate::model::{Destination, DestinationKind};

/// What a list may be sorted by: its name and where it is found.
type Number = (&'static str, fn(&DestinationCounts) -> u64);

/// What a list may be sorted by, beside the destinations' names: the largest first.
const NUMBERS: [Number; 6] = [
    ("size", |counts| counts.size),
    ("consumers", |counts| counts.consumers),
    ("enqueued", |counts| counts.enqueued),
    ("dequeued", |counts| counts.dequeued),
    ("dispatched", |counts| counts.dispatched),
    ("in_flight", |counts| counts.in_flight),
];

/// Which destinations are asked for, and in which order.
#[derive(Debug)]
pub(super) struct Wanted {
    paging: Paging,
    /// A part of their names, in lower case.
    name: String,
    /// By which of [`NUMBERS`]; `None` by name.
    sort: Option<usize>,
}

impl Wanted {
    /// Reads a query.
    pub(super) fn of(query: &str) -> Result<Wanted, String> {
        let (mut part, mut sort) = (String::new(), None);
        let paging = Paging::among(query, |name, value| match (name, value) {
            ("name", value) => {
                part = value.to_lowercase();
                Ok(())
            }
            ("sort", "name") => {
                sort = None;
                Ok(())
            }
            ("sort", value) => {
                sort = NUMBERS.iter().position(|(number, _)| *number == value);
                let numbers = NUMBERS.map(|(number, _)| number).join(", ");
                sort.map(|_| ()).ok_or_else(|| format!("sort is name, {numbers}"))
            }
            (name, _) => Err(format!("there is no parameter {name}, but after, limit, name and sort")),
        })?;
        Ok(Wanted { paging, name: part, sort })
    }

    /// The query for the same list behind that.
    pub(super) fn next(&self, after: &str) -> String {
        let mut query = Serializer::new(self.paging.next(after));
        if !self.name.is_empty() {
            query.append_pair("name", &self.name);
        }
        if let Some(sort) = self.sort {
            query.append_pair("sort", NUMBERS[sort].0);
        }
        query.finish()
    }

    fn rank(&self, counts: &DestinationCounts) -> Reverse<u64> {
        Reverse(self.sort.map_or(0, |sort| NUMBERS[sort].1(counts)))
    }

    /// Where the list begins: behind a destination, with its number before it where the list is sorted by one.
    fn begin(&self) -> Result<Option<(Reverse<u64>, Destination)>, String> {
        let Some(after) = &self.paging.after else { return Ok(None) };
        let malformed = || "after is what a page's next says".to_owned();
        let (rank, destination) = match self.sort {
            None => (0, &**after),
            Some(_) => {
                let (rank, destination) = after.split_once(' ').ok_or_else(malformed)?;
                (rank.parse().map_err(|_| malformed())?, destination)
            }
        };
        let (scheme, name) = destination.split_once("://").ok_or_else(malformed)?;
        let kind = (1..=4).filter_map(DestinationKind::from_code).find(|kind| kind.scheme() == scheme);
        let destination = Destination { kind: kind.ok_or_else(malformed)?, name: name.to_owned() };
        Ok(Some((Reverse(rank), destination)))
    }
}

/// The part of the queues, or topics, that is asked for; its total is of those that the filter lets through.
///
/// # Errors
/// What is said of the beginning is wrong.
pub(super) async fn page(
    figures: &Figures,
    queues: bool,
    wanted: &Wanted,
) -> Result<Page<DestinationStatus>, String> {
    let limit = wanted.paging.limit;
    if wanted.name.is_empty() && wanted.sort.is_none() {
        let after = wanted.paging.after.as_deref();
        return Ok(if queues { figures.queues(after, limit) } else { figures.topics(after, limit) });
    }
    let begin = wanted.begin()?;
    let (mut total, mut found) = (0, BTreeMap::new());
    let mut come_to = None;
    loop {
        come_to = figures.visit(queues, come_to.as_deref(), |destination, counts| {
            if !destination.name.to_lowercase().contains(&wanted.name) {
                return;
            }
            total += 1;
            let place = (wanted.rank(&counts), destination);
            let before = begin.as_ref().is_some_and(|begin| place <= (begin.0, &begin.1));
            let last = found.last_key_value().filter(|_| found.len() > limit);
            let behind = last.is_some_and(|((rank, last), _)| place > (*rank, last));
            if !before && !behind {
                found.insert((place.0, destination.clone()), counts);
                if found.len() > limit + 1 {
                    found.pop_last();
                }
            }
        });
        if come_to.is_none() {
            break;
        }
        yield_now().await;
    }
    let more = found.len() > limit;
    if more {
        found.pop_last();
    }
    let last = found.last_key_value().filter(|_| more);
    let next = last.map(|((Reverse(rank), destination), _)| match wanted.sort {
        Some(_) => format!("{rank} {destination}"),
        None => destination.to_string(),
    });
    let items = found.iter().map(|((_, destination), counts)| DestinationStatus::of(destination, *counts));
    Ok(Page { total, next, items: items.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::tests::figures;
    use crate::broker::PAGE_ENTRIES_MAX;

    /// The names on all pages of a list, with the total that each said.
    async fn pages(figures: &Figures, query: &str) -> (Vec<String>, Vec<usize>) {
        let (mut names, mut totals, mut query) = (Vec::new(), Vec::new(), query.to_owned());
        loop {
            let wanted = Wanted::of(&query).unwrap();
            let page = page(figures, true, &wanted).await.unwrap();
            assert!(page.items.len() <= wanted.paging.limit);
            names.extend(page.items.into_iter().map(|it| it.name));
            totals.push(page.total);
            match page.next {
                Some(after) => query = wanted.next(&after),
                None => return (names, totals),
            }
        }
    }

    #[tokio::test]
    async fn a_filtered_or_sorted_list_has_each_that_matches_once_in_order_over_all_pages() {
        let count = 2 * PAGE_ENTRIES_MAX + 10;
        let names: Vec<_> = (0..count).map(|number| format!("Q.{number:05}")).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let figures = figures(DestinationKind::Queue, &names);
        let ones: Vec<_> =
            names.iter().filter(|name| name.contains("q.00".to_uppercase().as_str())).collect();
        let (found, totals) = pages(&figures, "name=q.00&limit=300").await;
        assert!(found.iter().eq(ones.iter().copied()), "{found:?}");
        assert!(totals.iter().all(|total| *total == ones.len()) && totals.len() == ones.len().div_ceil(300));
        // All are alike, so that names decide.
        let (sorted, totals) = pages(&figures, "sort=size&limit=700").await;
        assert!(sorted == names && totals == [count; 3]);
        assert_eq!(pages(&figures, "name=nothing").await, (Vec::new(), vec![0]));
    }

    #[tokio::test]
    async fn what_names_no_place_in_a_list_is_refused() {
        for query in ["sort=age", "names=a", "limit=0"] {
            assert!(Wanted::of(query).is_err(), "{query}");
        }
        for query in ["name=a&after=b", "sort=size&after=queue://a", "sort=size&after=x queue://a"] {
            let wanted = Wanted::of(query).unwrap();
            assert!(page(&Figures::default(), true, &wanted).await.is_err(), "{query}");
        }
    }
}
