//! What an operator asks to be done to queues and durable subscriptions. Each is a command of a session of its own.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::admin::shared::{Shared, refused};
use crate::broker::{
    Command, Correlation, Credentials, Gate, Principal, Refusal, SessionEvent, Transfer, Way,
};
use crate::model::{Destination, DestinationKind};

/// How long an operator waits for what has to be committed.
const OPERATION_TIME_MAX: Duration = Duration::from_secs(8);

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
pub(super) async fn remove_subscription(State(shared): State<Shared>, request: HttpRequest) -> Response {
    if let Err((code, error)) = shared.guard.authorize(request.headers()) {
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
    match carry_out(&shared, remove).await {
        Ok(_) => Json(json!({ "accepted": true })).into_response(),
        Err(refusal) => refusal,
    }
}

/// Takes everything out of a queue that waits in it.
pub(super) async fn purge(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    affect(&shared, &headers, name, |destination, correlation| Command::Purge { destination, correlation })
        .await
}

/// Moves what waits in a queue to another.
pub(super) async fn move_messages(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    send_over(&shared, &headers, (name, &body), Way::Move).await
}

/// Copies what waits in a queue to another.
pub(super) async fn copy_messages(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    send_over(&shared, &headers, (name, &body), Way::Copy).await
}

async fn send_over(
    shared: &Shared,
    headers: &HeaderMap,
    (name, body): (String, &[u8]),
    way: impl FnOnce(Destination) -> Way,
) -> Response {
    if let Err((code, error)) = shared.guard.authorize(headers) {
        return refused(code, &error);
    }
    let Sent { to, selector, max } = match read(body) {
        Ok(sent) => sent,
        Err(refusal) => return refusal,
    };
    let way = match Destination::new(DestinationKind::Queue, to) {
        Ok(to) => way(to),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    transfer(shared, headers, name, Transfer { way, selector, messages_max: max }).await
}

/// Sends the messages of a dead-letter queue back to where they came from.
pub(super) async fn retry(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let chosen = if body.is_empty() { read(b"{}") } else { read(&body) };
    match (shared.guard.authorize(&headers), chosen) {
        (Err((code, error)), _) => refused(code, &error),
        (Ok(()), Err(refusal)) => refusal,
        (Ok(()), Ok(Chosen { selector, max })) => {
            transfer(&shared, &headers, name, Transfer { way: Way::Retry, selector, messages_max: max }).await
        }
    }
}

async fn transfer(shared: &Shared, headers: &HeaderMap, name: String, transfer: Transfer) -> Response {
    affect(shared, headers, name, |from, correlation| Command::Transfer { from, transfer, correlation }).await
}

/// Ends the dispatch of a queue.
pub(super) async fn pause(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    dispatch(&shared, &headers, name, true).await
}

/// Begins it again.
pub(super) async fn resume(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    dispatch(&shared, &headers, name, false).await
}

async fn dispatch(shared: &Shared, headers: &HeaderMap, name: String, paused: bool) -> Response {
    let command = |destination, correlation| Command::Pause { destination, paused, correlation };
    on_queue(shared, headers, name, command)
        .await
        .map_or_else(|refusal| refusal, |_| Json(json!({ "paused": paused })).into_response())
}

/// Deletes a queue that nobody consumes from. With messages in it, it has to be said that these go too.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let if_empty = match uri.query() {
        None | Some("" | "with_messages=false") => true,
        Some("with_messages=true") => false,
        Some(_) => {
            return refused(StatusCode::BAD_REQUEST, "the one parameter is with_messages, true or false");
        }
    };
    let command = |destination, correlation| Command::Delete { destination, if_empty, correlation };
    on_queue(&shared, &headers, name, command)
        .await
        .map_or_else(|refusal| refusal, |_| Json(json!({ "deleted": true })).into_response())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    serde_json::from_slice(body).map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))
}

/// Has a command about messages of a queue carried out, and says how many there were.
async fn affect(
    shared: &Shared,
    headers: &HeaderMap,
    name: String,
    command: impl FnOnce(Destination, Option<Correlation>) -> Command,
) -> Response {
    match on_queue(shared, headers, name, command).await {
        Ok(messages) => Json(json!({ "messages": messages })).into_response(),
        Err(refusal) => refusal,
    }
}

/// Has a command about a queue carried out by whoever may; returns how many messages it was about.
async fn on_queue(
    shared: &Shared,
    headers: &HeaderMap,
    name: String,
    command: impl FnOnce(Destination, Option<Correlation>) -> Command,
) -> Result<u64, Response> {
    shared.guard.authorize(headers).map_err(|(code, error)| refused(code, &error))?;
    let queue = Destination::new(DestinationKind::Queue, name)
        .map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))?;
    carry_out(shared, |correlation| command(queue, Some(correlation))).await
}

/// Has a command carried out within the time that an operator waits; returns how many messages it was about.
async fn carry_out(shared: &Shared, command: impl FnOnce(Correlation) -> Command) -> Result<u64, Response> {
    match timeout(OPERATION_TIME_MAX, operate(&shared.shown.gate, command)).await {
        Ok(Ok((messages, Ok(())))) => Ok(messages),
        Ok(Ok((0, Err(refusal)))) => Err(refused(StatusCode::CONFLICT, &refusal.to_string())),
        Ok(Ok((messages, Err(refusal)))) => {
            let told: Value = json!({ "error": refusal.to_string(), "messages": messages });
            Err((StatusCode::CONFLICT, Json(told)).into_response())
        }
        Ok(Err(elsewhere)) => Err(refused(StatusCode::CONFLICT, elsewhere)),
        Err(_) => {
            Err(refused(StatusCode::GATEWAY_TIMEOUT, "there was no answer; it may be done all the same"))
        }
    }
}

/// Has a command carried out in a session of its own; returns how many messages it was about, and the answer, or why there is
/// none.
async fn operate(
    gate: &Gate,
    command: impl FnOnce(Correlation) -> Command,
) -> Result<(u64, Result<(), Refusal>), &'static str> {
    const ELSEWHERE: &str = "this node does not serve; ask the master";
    let principal = Principal::Claimed("console".to_owned());
    let mut session = gate.open("console", &Credentials::default(), principal).map_err(|_| ELSEWHERE)?;
    session.submit(vec![command(Correlation(1))]).await.map_err(|_| ELSEWHERE)?;
    let mut count = 0;
    loop {
        while session.holds() {
            let place = session.place().await.map_err(|_| ELSEWHERE)?;
            session.advance(place).map_err(|_| ELSEWHERE)?;
        }
        for event in session.events().await.ok_or(ELSEWHERE)? {
            match event {
                SessionEvent::Affected { messages, .. } => count = messages,
                SessionEvent::Done { result, .. } => return Ok((count, result)),
                SessionEvent::Closed { .. } => return Err(ELSEWHERE),
                SessionEvent::Delivery { .. } | SessionEvent::BrowseEnd { .. } => {}
            }
        }
    }
}
