//! The routes.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, Request as HttpRequest, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Shown;
use super::guard::Guard;
use super::listener::{ANSWER_TIME_MAX, BODY_BYTES_MAX};
use super::paging::Paging;
use crate::broker::{Page, SessionId};
use crate::node::{RecoveryPlan, Request, RequestError, Snapshot};

/// How long the node may take to show itself. Operators look at sick nodes: then they get what it showed last.
const LOOK_TIME_MAX: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Shared {
    guard: Arc<Guard>,
    shown: Shown,
}

impl Shared {
    /// What the node looks like now, or looked like when it last said so.
    async fn snapshot(&self) -> Arc<Snapshot> {
        let (reply, answer) = oneshot::channel();
        let look = async {
            self.shown.requests.send(Request::Look { reply }).await.ok()?;
            answer.await.ok()
        };
        match timeout(LOOK_TIME_MAX, look).await {
            Ok(Some(snapshot)) => snapshot,
            _ => self.shown.snapshots.borrow().clone(),
        }
    }
}

pub(super) fn router(guard: Guard, shown: Shown) -> Router {
    let shared = Shared { guard: Arc::new(guard), shown };
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
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shared.clone(), admit))
        .with_state(shared)
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

fn refused(code: StatusCode, error: &str) -> Response {
    let answer = (code, Json(json!({ "error": error })));
    match code {
        StatusCode::UNAUTHORIZED => ([(WWW_AUTHENTICATE, "Bearer")], answer).into_response(),
        _ => answer.into_response(),
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
    text.push_str("\n/api/status /api/group /api/queues /api/topics /api/connections\n");
    text
}

async fn status(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().await.status).into_response()
}

async fn group(State(shared): State<Shared>) -> Response {
    match &shared.snapshot().await.group {
        Some(group) => Json(group).into_response(),
        None => refused(StatusCode::NOT_FOUND, "this broker is in no group"),
    }
}

async fn queues(State(shared): State<Shared>, uri: Uri) -> Response {
    list(&uri, |paging| Ok(shared.shown.figures.queues(paging.after.as_deref(), paging.limit)))
}

async fn topics(State(shared): State<Shared>, uri: Uri) -> Response {
    list(&uri, |paging| Ok(shared.shown.figures.topics(paging.after.as_deref(), paging.limit)))
}

async fn connections(State(shared): State<Shared>, uri: Uri) -> Response {
    list(&uri, |paging| {
        let number = |after: &str| after.parse().map_err(|_| "after is the number of a session".to_owned());
        let after = paging.after.as_deref().map(number).transpose()?;
        Ok(shared.shown.figures.connections(after.map(SessionId), paging.limit))
    })
}

/// A page of a list, with the request for the next one in it.
fn list<T: Serialize>(uri: &Uri, page: impl FnOnce(&Paging) -> Result<Page<T>, String>) -> Response {
    let paging = Paging::of(uri.query().unwrap_or_default());
    match paging.and_then(|paging| page(&paging).map(|page| (paging, page))) {
        Ok((paging, page)) => {
            let next = page.next.map(|after| format!("{}?{}", uri.path(), paging.next(&after)));
            Json(Page { next, ..page }).into_response()
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

/// An order that cannot help is refused with the reason, whoever gives it; only then does it need the token.
async fn step_down(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let authorized = shared.guard.authorize(&headers);
    let dry = authorized.is_err();
    match (ask(&shared, |reply| Request::StepDown { dry, reply }).await, authorized) {
        (Err(refusal), _) => refusal,
        (Ok(()), Err((code, error))) => refused(code, &error),
        (Ok(()), Ok(())) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
    }
}

async fn recovery_plan(State(shared): State<Shared>) -> Response {
    match ask(&shared, |reply| Request::Recover { seen: None, reply }).await {
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
    match ask(&shared, |reply| Request::Recover { seen, reply }).await {
        Ok(plan) => (StatusCode::ACCEPTED, Json(plan)).into_response(),
        Err(refusal) => refusal,
    }
}

/// Asks the node and waits for what it says.
async fn ask<T>(
    shared: &Shared,
    request: impl FnOnce(oneshot::Sender<Result<T, RequestError>>) -> Request,
) -> Result<T, Response> {
    let stopping = || refused(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping");
    let (reply, answer) = oneshot::channel();
    shared.shown.requests.send(request(reply)).await.map_err(|_| stopping())?;
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let mut body = json!({ "error": error.to_string() });
            if let RequestError::PlanChanged(plan) = error {
                body["plan"] = json!(plan);
            }
            Err((StatusCode::CONFLICT, Json(body)).into_response())
        }
        Err(_) => Err(stopping()),
    }
}
