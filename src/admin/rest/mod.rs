//! `/api/v1`: the node in JSON documents. `openapi.json` describes them; tests hold it against what is served.

mod operations;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;
use serde_json::json;

use super::listing::{self, Wanted};
use super::paging::Paging;
use super::shared::{Shared, refused};
use crate::broker::{DestinationStatus, Page, SessionId};
use crate::model::{Destination, DestinationKind};
use crate::node::{RecoveryPlan, Request};

/// The description of all this.
const OPENAPI: &str = include_str!("openapi.json");

/// The paths with what answers at them.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/api/v1/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI))),
        ("/api/v1/broker", get(broker)),
        ("/api/v1/group", get(group)),
        ("/api/v1/group/step-down", post(step_down)),
        ("/api/v1/group/recover", get(recovery_plan).post(recover)),
        ("/api/v1/queues", get(queues)),
        ("/api/v1/queues/{name}", get(queue).delete(operations::delete)),
        ("/api/v1/queues/{name}/purge", post(operations::purge)),
        ("/api/v1/queues/{name}/move", post(operations::move_messages)),
        ("/api/v1/queues/{name}/copy", post(operations::copy_messages)),
        ("/api/v1/queues/{name}/retry", post(operations::retry)),
        ("/api/v1/queues/{name}/pause", post(operations::pause)),
        ("/api/v1/queues/{name}/resume", post(operations::resume)),
        ("/api/v1/topics", get(topics)),
        ("/api/v1/topics/{name}", get(topic)),
        ("/api/v1/subscriptions", get(subscriptions)),
        ("/api/v1/subscriptions/remove", post(operations::remove_subscription)),
        ("/api/v1/connections", get(connections)),
    ]
}

async fn broker(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().await.status).into_response()
}

async fn group(State(shared): State<Shared>) -> Response {
    match &shared.snapshot().await.group {
        Some(group) => Json(group).into_response(),
        None => refused(StatusCode::NOT_FOUND, "this broker is in no group"),
    }
}

async fn queues(State(shared): State<Shared>, uri: Uri) -> Response {
    destinations(&shared, true, &uri).await
}

async fn topics(State(shared): State<Shared>, uri: Uri) -> Response {
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

async fn queue(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    destination(&shared, [DestinationKind::Queue, DestinationKind::TemporaryQueue], name)
}

async fn topic(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
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

async fn connections(State(shared): State<Shared>, uri: Uri) -> Response {
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

async fn subscriptions(State(shared): State<Shared>, uri: Uri) -> Response {
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

/// An order that cannot help is refused with the reason, whoever gives it; only then does it need the token.
async fn step_down(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let authorized = shared.guard.authorize(&headers);
    let dry = authorized.is_err();
    match (shared.ask(|reply| Request::StepDown { dry, reply }).await, authorized) {
        (Err(refusal), _) => refusal,
        (Ok(()), Err((code, error))) => refused(code, &error),
        (Ok(()), Ok(())) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
    }
}

async fn recovery_plan(State(shared): State<Shared>) -> Response {
    match shared.ask(|reply| Request::Recover { seen: None, reply }).await {
        Ok(plan) => Json(plan).into_response(),
        Err(refusal) => refusal,
    }
}

async fn recover(State(shared): State<Shared>, request: HttpRequest) -> Response {
    if let Err((code, error)) = shared.guard.authorize(request.headers()) {
        return refused(code, &error);
    }
    let seen = match Json::<RecoveryPlan>::from_request(request, &()).await {
        Ok(Json(plan)) => Some(Box::new(plan)),
        Err(error) => {
            return refused(
                error.status(),
                &format!("expected the plan that GET has shown: {}", error.body_text()),
            );
        }
    };
    match shared.ask(|reply| Request::Recover { seen, reply }).await {
        Ok(plan) => (StatusCode::ACCEPTED, Json(plan)).into_response(),
        Err(refusal) => refusal,
    }
}
