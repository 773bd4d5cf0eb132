//! What is served at which path, and what every request has to pass first.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use tokio::time::timeout;

use super::guard::Guard;
use super::listener::{ANSWER_TIME_MAX, BODY_BYTES_MAX};
use super::shared::{Shared, refused};
use super::sums::Last;
use super::{Shown, health, jolokia, metrics, rest};

pub(super) fn router(guard: Guard, shown: Shown) -> Router {
    let shared = Shared { guard: Arc::new(guard), shown, last: Last::default() };
    let mut router = Router::new().route("/", get(overview));
    for (path, method) in routes() {
        router = router.route(path, method);
    }
    router
        .fallback(async || refused(StatusCode::NOT_FOUND, "no such page"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shared.clone(), admit))
        .with_state(shared)
}

/// All paths but the overview's.
fn routes() -> impl Iterator<Item = (&'static str, MethodRouter<Shared>)> {
    rest::routes().into_iter().chain(health::routes()).chain(metrics::routes()).chain(jolokia::routes())
}

/// What every request has to pass, whatever its path, and how long it may take.
async fn admit(State(shared): State<Shared>, request: HttpRequest, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if let Err((code, error)) = shared.guard.admit(&head) {
        return refused(code, &error);
    }
    match timeout(ANSWER_TIME_MAX, next.run(HttpRequest::from_parts(head, body))).await {
        Ok(answer) => answer,
        Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "the node does not answer"),
    }
}

async fn overview(State(shared): State<Shared>) -> String {
    let snapshot = shared.snapshot().await;
    let status = &snapshot.status;
    let mut text =
        format!("quorate {}\n{} on {}: {}", status.version, status.broker, status.node, status.standing());
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
    text.push('\n');
    for (path, _) in routes() {
        let _ = writeln!(text, "{path}");
    }
    text
}
