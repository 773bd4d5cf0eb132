//! Which part of a list is asked for: `after` says behind which entry it begins, `limit` how long it is at most.

use form_urlencoded::{Serializer, parse};

use crate::broker::PAGE_ENTRIES_MAX;

/// Entries on a page when nothing is said.
const LIMIT: usize = 100;

/// What a request's query says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Paging {
    /// Reads a query. Whoever misspells a parameter would take the first page for the one that was meant, so that unknown
    /// ones are refused.
    pub(super) fn of(query: &str) -> Result<Paging, String> {
        Paging::among(query, |name, _| Err(format!("there is no parameter {name}, but after and limit")))
    }

    /// Reads a query of which `other` reads the other parameters.
    pub(super) fn among(
        query: &str,
        mut other: impl FnMut(&str, &str) -> Result<(), String>,
    ) -> Result<Paging, String> {
        let mut paging = Paging { after: None, limit: LIMIT };
        for (name, value) in parse(query.as_bytes()) {
            match &*name {
                "after" => paging.after = Some(value.into_owned()),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE_ENTRIES_MAX).contains(limit));
                    paging.limit = limit.ok_or_else(|| format!("limit is 1 to {PAGE_ENTRIES_MAX}"))?;
                }
                name => other(name, &value)?,
            }
        }
        Ok(paging)
    }

    /// The query for a page of the same length behind that.
    pub(super) fn next(&self, after: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("limit", &self.limit.to_string()).append_pair("after", after);
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_for_the_next_page_asks_for_what_it_was_made_of() {
        for after in ["A", "queue://A B/ü%&=+#?", ""] {
            let paging = Paging { after: None, limit: 7 };
            let next = Paging::of(&paging.next(after)).unwrap();
            assert_eq!(next, Paging { after: Some(after.to_owned()), limit: 7 });
        }
    }

    #[test]
    fn what_asks_for_no_page_is_refused() {
        assert_eq!(Paging::of(""), Ok(Paging { after: None, limit: LIMIT }));
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=", "offset=3", "limit"] {
            assert!(Paging::of(query).is_err(), "{query}");
        }
    }
}
