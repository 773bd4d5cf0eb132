//! What an operator asks to be done to queues and durable subscriptions.

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::admin::door::{ConsoleRole, Refusal, Visitor};
use crate::admin::operator::carry_out;
use crate::admin::shared::{Shared, refused};
use crate::broker::{Command, Correlation, Transfer, Way};
use crate::model::{Destination, DestinationKind};

/// Names a durable subscription.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    client_id: String,
    name: String,
}

/// Which messages go where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    to: String,
    #[serde(default)]
    selector: String,
    #[serde(default = "all")]
    max: u64,
}

/// Which messages go back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    #[serde(default)]
    selector: String,
    #[serde(default = "all")]
    max: u64,
}

fn all() -> u64 {
    u64::MAX
}

/// Ends a durable subscription that nobody consumes from.
pub(super) async fn remove_subscription(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    request: HttpRequest,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::Operate) {
        return refused(code, &error);
    }
    let Named { client_id, name } = match Json::<Named>::from_request(request, &()).await {
        Ok(Json(named)) => named,
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    let remove = |correlation| Command::RemoveSubscription {
        client_id: Some(client_id),
        name,
        correlation: Some(correlation),
    };
    match carry_out(&shared, &visitor, remove).await {
        Ok(_) => Json(json!({ "accepted": true })).into_response(),
        Err((code, error)) => refused(code, &error),
    }
}

/// Takes everything out of a queue that waits in it.
pub(super) async fn purge(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response {
    affect(&shared, &visitor, name, |destination, correlation| Command::Purge { destination, correlation })
        .await
}

/// Moves what waits in a queue to another.
pub(super) async fn move_messages(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    send_over(&shared, &visitor, (name, &body), Way::Move).await
}

/// Copies what waits in a queue to another.
pub(super) async fn copy_messages(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    send_over(&shared, &visitor, (name, &body), Way::Copy).await
}

async fn send_over(
    shared: &Shared,
    visitor: &Visitor,
    (name, body): (String, &[u8]),
    way: impl FnOnce(Destination) -> Way,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::Operate) {
        return refused(code, &error);
    }
    let Sent { to, selector, max } = match read(body) {
        Ok(sent) => sent,
        Err((code, error)) => return refused(code, &error),
    };
    let way = match Destination::new(DestinationKind::Queue, to) {
        Ok(to) => way(to),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    transfer(shared, visitor, name, Transfer { way, selector, messages_max: max }).await
}

/// Sends the messages of a dead-letter queue back to where they came from.
pub(super) async fn retry(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    let chosen = if body.is_empty() { read(b"{}") } else { read(&body) };
    match (visitor.check(ConsoleRole::Operate), chosen) {
        (Err((code, error)), _) => refused(code, &error),
        (Ok(()), Err((code, error))) => refused(code, &error),
        (Ok(()), Ok(Chosen { selector, max })) => {
            transfer(&shared, &visitor, name, Transfer { way: Way::Retry, selector, messages_max: max }).await
        }
    }
}

async fn transfer(shared: &Shared, visitor: &Visitor, name: String, transfer: Transfer) -> Response {
    affect(shared, visitor, name, |from, correlation| Command::Transfer { from, transfer, correlation }).await
}

/// Ends the dispatch of a queue.
pub(super) async fn pause(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response {
    dispatch(&shared, &visitor, name, true).await
}

/// Begins it again.
pub(super) async fn resume(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response {
    dispatch(&shared, &visitor, name, false).await
}

async fn dispatch(shared: &Shared, visitor: &Visitor, name: String, paused: bool) -> Response {
    let command = |destination, correlation| Command::Pause { destination, paused, correlation };
    on_queue(shared, visitor, name, command).await.map_or_else(
        |(code, error)| refused(code, &error),
        |_| Json(json!({ "paused": paused })).into_response(),
    )
}

/// Deletes a queue that nobody consumes from. With messages in it, it has to be said that these go too.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    uri: Uri,
) -> Response {
    let if_empty = match uri.query() {
        None | Some("" | "with_messages=false") => true,
        Some("with_messages=true") => false,
        Some(_) => {
            return refused(StatusCode::BAD_REQUEST, "the one parameter is with_messages, true or false");
        }
    };
    let command = |destination, correlation| Command::Delete { destination, if_empty, correlation };
    on_queue(&shared, &visitor, name, command).await.map_or_else(
        |(code, error)| refused(code, &error),
        |_| Json(json!({ "deleted": true })).into_response(),
    )
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// Has a command about messages of a queue carried out, and says how many there were.
async fn affect(
    shared: &Shared,
    visitor: &Visitor,
    name: String,
    command: impl FnOnce(Destination, Option<Correlation>) -> Command,
) -> Response {
    match on_queue(shared, visitor, name, command).await {
        Ok(messages) => Json(json!({ "messages": messages })).into_response(),
        Err((code, error)) => refused(code, &error),
    }
}

/// Has a command about a queue carried out by whoever may; returns how many messages it was about.
async fn on_queue(
    shared: &Shared,
    visitor: &Visitor,
    name: String,
    command: impl FnOnce(Destination, Option<Correlation>) -> Command,
) -> Result<u64, Refusal> {
    visitor.check(ConsoleRole::Operate)?;
    let queue = Destination::new(DestinationKind::Queue, name)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    carry_out(shared, visitor, |correlation| command(queue, Some(correlation))).await
}
