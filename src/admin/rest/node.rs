//! The node and its group.

use axum::extract::{FromRequest, Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use crate::admin::door::{ConsoleRole, Visitor};
use crate::admin::shared::{Shared, refused};
use crate::broker::Page;
use crate::node::{RecoveryPlan, Request};

pub(super) async fn broker(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().await.status).into_response()
}

pub(super) async fn group(State(shared): State<Shared>) -> Response {
    match &shared.snapshot().await.group {
        Some(group) => Json(group).into_response(),
        None => refused(StatusCode::NOT_FOUND, "this broker is in no group"),
    }
}

/// All of them on one page: there are as many as the configuration names.
pub(super) async fn bridges(State(shared): State<Shared>) -> Response {
    let items = shared.shown.bridges.all();
    Json(Page { total: items.len(), next: None, items }).into_response()
}

/// An order that cannot help is refused with the reason, whoever gives it; only then does it need the token.
pub(super) async fn step_down(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let authorized = visitor.check(ConsoleRole::Administer);
    let dry = authorized.is_err();
    match (shared.ask(|reply| Request::StepDown { dry, reply }).await, authorized) {
        (Err(refusal), _) => refusal,
        (Ok(()), Err((code, error))) => refused(code, &error),
        (Ok(()), Ok(())) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
    }
}

pub(super) async fn recovery_plan(State(shared): State<Shared>) -> Response {
    match shared.ask(|reply| Request::Recover { seen: None, reply }).await {
        Ok(plan) => Json(plan).into_response(),
        Err(refusal) => refusal,
    }
}

pub(super) async fn recover(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    request: HttpRequest,
) -> Response {
    if let Err((code, error)) = visitor.check(ConsoleRole::Administer) {
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
