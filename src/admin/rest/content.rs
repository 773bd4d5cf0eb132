//! What waits in destinations, and what is sent to them.

use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use super::messages::{Browse, browse};
use super::sending::{Sending, send};
use crate::admin::door::{ConsoleRole, Visitor};
use crate::admin::shared::{Shared, refused};
use crate::model::DestinationKind;

/// What waits in a queue, from its head on.
pub(super) async fn messages_of(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(queue): Path<String>,
    uri: Uri,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::View) {
        return refused(code, &error);
    }
    let (browsed, paging) = match Browse::of(queue, uri.query().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    let (behind, selector) = (browsed.behind + browsed.limit, browsed.selector.clone());
    match browse(&shared, &visitor, browsed).await {
        Ok((items, more)) => {
            let mut next = form_urlencoded::Serializer::new(paging.next(&behind.to_string()));
            if !selector.is_empty() {
                next.append_pair("selector", &selector);
            }
            let next = more.then(|| format!("{}?{}", uri.path(), next.finish()));
            Json(json!({ "next": next, "items": items })).into_response()
        }
        Err((code, error)) => refused(code, &error),
    }
}

/// One message that waits in a queue.
pub(super) async fn message_of(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path((queue, id)): Path<(String, String)>,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::View) {
        return refused(code, &error);
    }
    match browse(&shared, &visitor, Browse::one(queue, &id)).await {
        Ok((items, _)) => match items.first() {
            Some(message) => Json(message).into_response(),
            None => refused(StatusCode::NOT_FOUND, "no such message waits in this queue"),
        },
        Err((code, error)) => refused(code, &error),
    }
}

pub(super) async fn send_to_queue(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    request: HttpRequest,
) -> Response {
    send_to(&shared, &visitor, DestinationKind::Queue, &name, request).await
}

pub(super) async fn send_to_topic(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    request: HttpRequest,
) -> Response {
    send_to(&shared, &visitor, DestinationKind::Topic, &name, request).await
}

async fn send_to(
    shared: &Shared,
    visitor: &Visitor,
    kind: DestinationKind,
    name: &str,
    request: HttpRequest,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::Operate) {
        return refused(code, &error);
    }
    let sending = match Json::<Sending>::from_request(request, &()).await {
        Ok(Json(sending)) => sending,
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    match send(shared, visitor, kind, name, &sending).await {
        Ok(id) => (StatusCode::CREATED, Json(json!({ "id": id }))).into_response(),
        Err((code, error)) => refused(code, &error),
    }
}
