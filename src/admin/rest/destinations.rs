//! Destinations, subscriptions and connections: lists, and what one counts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::admin::listing::{self, Wanted};
use crate::admin::paging::Paging;
use crate::admin::shared::{Shared, refused};
use crate::broker::{DestinationStatus, Page, SessionId};
use crate::model::{Destination, DestinationKind};

pub(super) async fn queues(State(shared): State<Shared>, uri: Uri) -> Response {
    destinations(&shared, true, &uri).await
}

pub(super) async fn topics(State(shared): State<Shared>, uri: Uri) -> Response {
    destinations(&shared, false, &uri).await
}

async fn destinations(shared: &Shared, queues: bool, uri: &Uri) -> Response {
    let wanted = Wanted::of(uri.query().unwrap_or_default());
    match wanted {
        Ok(wanted) => match listing::page(&shared.shown.figures, queues, &wanted).await {
            Ok(page) => answer(uri, page, |after| wanted.next(after)),
            Err(error) => refused(StatusCode::BAD_REQUEST, &error),
        },
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

pub(super) async fn queue(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    destination(&shared, [DestinationKind::Queue, DestinationKind::TemporaryQueue], name)
}

pub(super) async fn topic(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    destination(&shared, [DestinationKind::Topic, DestinationKind::TemporaryTopic], name)
}

/// The lasting destination of this name, else the temporary one.
fn destination(shared: &Shared, kinds: [DestinationKind; 2], name: String) -> Response {
    let mut destination = Destination { kind: kinds[0], name };
    for kind in kinds {
        destination.kind = kind;
        if let Some(counts) = shared.shown.figures.counts(&destination) {
            return Json(DestinationStatus::of(&destination, counts)).into_response();
        }
    }
    refused(StatusCode::NOT_FOUND, "there is no such destination")
}

pub(super) async fn connections(State(shared): State<Shared>, uri: Uri) -> Response {
    let page = Paging::of(uri.query().unwrap_or_default()).and_then(|paging| {
        let number = |after: &str| after.parse().map_err(|_| "after is the number of a session".to_owned());
        let after = paging.after.as_deref().map(number).transpose()?;
        Ok((shared.shown.figures.connections(after.map(SessionId), paging.limit), paging))
    });
    match page {
        Ok((page, paging)) => answer(&uri, page, |after| paging.next(after)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

pub(super) async fn subscriptions(State(shared): State<Shared>, uri: Uri) -> Response {
    let page = Paging::of(uri.query().unwrap_or_default())
        .map(|paging| (shared.shown.figures.subscriptions(paging.after.as_deref(), paging.limit), paging));
    match page {
        Ok((page, paging)) => answer(&uri, page, |after| paging.next(after)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

/// A page of a list, with the request for the next one in it.
fn answer<T: Serialize>(uri: &Uri, page: Page<T>, next: impl FnOnce(&str) -> String) -> Response {
    let next = page.next.as_deref().map(|after| format!("{}?{}", uri.path(), next(after)));
    Json(Page { next, ..page }).into_response()
}
