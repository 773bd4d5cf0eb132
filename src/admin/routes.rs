//! The routes.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::node::{DestinationStatus, Request, RequestError, Snapshot};

/// Must be `1` on every request that changes something.
const GUARD_HEADER: &str = "x-quorate";

#[derive(Clone)]
struct Shared {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    requests: mpsc::Sender<Request>,
}

impl Shared {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }
}

pub(super) fn router(snapshots: watch::Receiver<Arc<Snapshot>>, requests: mpsc::Sender<Request>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/api/status", get(status))
        .route("/api/group", get(group))
        .route("/api/queues", get(queues))
        .route("/api/topics", get(topics))
        .route("/api/connections", get(connections))
        .route("/api/group/step-down", post(step_down))
        .route("/api/group/recover", get(recovery_plan).post(recover))
        .fallback(async || refused(StatusCode::NOT_FOUND, "no such page"))
        .with_state(Shared { snapshots, requests })
}

fn refused(code: StatusCode, error: &str) -> Response {
    (code, Json(json!({ "error": error }))).into_response()
}

async fn overview(State(shared): State<Shared>) -> String {
    let snapshot = shared.snapshot();
    let status = &snapshot.status;
    let mut text =
        format!("quorate {}\n{} on {}: {}", status.version, status.broker, status.node, status.role.name());
    // Writing to a String does not fail.
    let _ = writeln!(text, ", epoch {}", status.epoch);
    if let Some(reason) = &status.reason {
        let _ = writeln!(text, "{reason}");
    }
    if let Some(master) = status.master.as_ref().filter(|master| **master != status.node) {
        let _ = writeln!(text, "the master is {master}");
    }
    for address in &status.listening {
        let _ = writeln!(text, "listening at {address}");
    }
    for alarm in &status.alarms {
        let _ = writeln!(text, "ALARM {}: {}", alarm.name, alarm.message);
    }
    text.push_str("\n/api/status /api/group /api/queues /api/topics /api/connections\n");
    text
}

async fn status(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().status).into_response()
}

async fn group(State(shared): State<Shared>) -> Response {
    match &shared.snapshot().group {
        Some(group) => Json(group).into_response(),
        None => refused(StatusCode::NOT_FOUND, "this broker is in no group"),
    }
}

async fn queues(State(shared): State<Shared>) -> Response {
    destinations(&shared.snapshot(), "queue")
}

async fn topics(State(shared): State<Shared>) -> Response {
    destinations(&shared.snapshot(), "topic")
}

/// Destinations of a kind, temporary ones among them.
fn destinations(snapshot: &Snapshot, kind: &str) -> Response {
    let list: Vec<&DestinationStatus> =
        snapshot.destinations.iter().filter(|d| d.kind.ends_with(kind)).collect();
    Json(list).into_response()
}

async fn connections(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().connections).into_response()
}

async fn step_down(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(refusal) = unguarded(&headers) {
        return refusal;
    }
    match ask(&shared, |reply| Request::StepDown { reply }).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
        Err(refusal) => refusal,
    }
}

async fn recovery_plan(State(shared): State<Shared>) -> Response {
    match ask(&shared, |reply| Request::Recover { dry: true, reply }).await {
        Ok(plan) => Json(plan).into_response(),
        Err(refusal) => refusal,
    }
}

async fn recover(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(refusal) = unguarded(&headers) {
        return refusal;
    }
    match ask(&shared, |reply| Request::Recover { dry: false, reply }).await {
        Ok(plan) => (StatusCode::ACCEPTED, Json(plan)).into_response(),
        Err(refusal) => refusal,
    }
}

/// The refusal of a request that may come from a foreign web page.
fn unguarded(headers: &HeaderMap) -> Option<Response> {
    let guarded = headers.get(GUARD_HEADER).is_some_and(|value| value == "1");
    (!guarded).then(|| refused(StatusCode::FORBIDDEN, "the header X-Quorate: 1 is missing"))
}

/// Asks the node and waits for what it says.
async fn ask<T>(
    shared: &Shared,
    request: impl FnOnce(oneshot::Sender<Result<T, RequestError>>) -> Request,
) -> Result<T, Response> {
    let stopping = || refused(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping");
    let (reply, answer) = oneshot::channel();
    shared.requests.send(request(reply)).await.map_err(|_| stopping())?;
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(refused(StatusCode::CONFLICT, &error.to_string())),
        Err(_) => Err(stopping()),
    }
}
