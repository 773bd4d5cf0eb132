//! Lists: queues, topics, durable subscriptions, connections, each a page at a time.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::caller::Caller;
use super::frame::{Frame, refusal, show};
use super::shown::{link, number};
use crate::admin::listing::{self, Wanted};
use crate::admin::paging::Paging;
use crate::broker::{ConnectionStatus, DestinationStatus, Page, SessionId, SubscriptionStatus};

#[derive(Template)]
#[template(path = "destinations.html", config = "src/admin/console/askama.toml")]
struct Destinations {
    frame: Frame,
    queues: bool,
    page: Page<DestinationStatus>,
    /// A part of the names, and what the list is sorted by.
    name: String,
    sort: String,
    next: Option<String>,
    /// Whether there is something before this page.
    later: bool,
}

impl Destinations {
    /// Columns that can be sorted by: their names for the query and for people.
    const COLUMNS: [(&str, &str); 5] = [
        ("size", "Pending"),
        ("consumers", "Consumers"),
        ("enqueued", "Enqueued"),
        ("dequeued", "Dequeued"),
        ("in_flight", "In flight"),
    ];

    /// The same list in another order, from its beginning.
    fn sorted(&self, sort: &str) -> String {
        link(self.frame.here, &[("name", &self.name), ("sort", sort)])
    }
}

pub(super) async fn queues(caller: Caller) -> Response {
    destinations(caller, true).await
}

pub(super) async fn topics(caller: Caller) -> Response {
    destinations(caller, false).await
}

async fn destinations(caller: Caller, queues: bool) -> Response {
    let (here, title) = if queues { ("/admin/queues", "Queues") } else { ("/admin/topics", "Topics") };
    let wrong = |error| (StatusCode::BAD_REQUEST, error);
    let found = match Wanted::of(&caller.query) {
        Ok(wanted) => {
            let page = listing::page(&caller.shared.shown.figures, queues, &wanted).await;
            page.map(|page| (page, wanted))
        }
        Err(error) => Err(error),
    };
    let (page, wanted) = match found {
        Ok(found) => found,
        Err(error) => return refusal(&caller, wrong(error)).await,
    };
    let next = page.next.as_deref().map(|after| format!("{here}?{}", wanted.next(after)));
    let later = !caller.asked("after").is_empty();
    let (name, sort) = (caller.asked("name"), caller.asked("sort"));
    let frame = Frame::of(&caller, here, title).await;
    show(&Destinations { frame, queues, page, name, sort, next, later })
}

#[derive(Template)]
#[template(path = "subscriptions.html", config = "src/admin/console/askama.toml")]
struct Subscriptions {
    frame: Frame,
    page: Page<SubscriptionStatus>,
    next: Option<String>,
}

pub(super) async fn subscriptions(caller: Caller) -> Response {
    let paging = match Paging::of(&caller.query) {
        Ok(paging) => paging,
        Err(error) => return refusal(&caller, (StatusCode::BAD_REQUEST, error)).await,
    };
    let page = caller.shared.shown.figures.subscriptions(paging.after.as_deref(), paging.limit);
    let next = page.next.as_deref().map(|after| format!("/admin/subscriptions?{}", paging.next(after)));
    let frame = Frame::of(&caller, "/admin/subscriptions", "Durable subscriptions").await;
    show(&Subscriptions { frame, page, next })
}

#[derive(Template)]
#[template(path = "connections.html", config = "src/admin/console/askama.toml")]
struct Connections {
    frame: Frame,
    page: Page<ConnectionStatus>,
    next: Option<String>,
}

pub(super) async fn connections(caller: Caller) -> Response {
    let read = Paging::of(&caller.query).and_then(|paging| {
        let number = |after: &str| after.parse().map_err(|_| "after is the number of a session".to_owned());
        let after = paging.after.as_deref().map(number).transpose()?;
        Ok((after.map(SessionId), paging))
    });
    let (after, paging) = match read {
        Ok(read) => read,
        Err(error) => return refusal(&caller, (StatusCode::BAD_REQUEST, error)).await,
    };
    let page = caller.shared.shown.figures.connections(after, paging.limit);
    let next = page.next.as_deref().map(|after| format!("/admin/connections?{}", paging.next(after)));
    let frame = Frame::of(&caller, "/admin/connections", "Connections").await;
    show(&Connections { frame, page, next })
}
