//! What every request is answered from: who may ask, and where the node is asked.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Shown;
use super::door::{Access, Guard, Refusal};
use super::sums::Last;
use crate::node::{Request, RequestError, Snapshot};

/// How long the node may take to show itself. Operators look at sick nodes: then they get what it showed last.
pub(super) const LOOK_TIME_MAX: Duration = Duration::from_secs(2);

/// Why there is no answer.
const STOPPING: &str = "the node is stopping";

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) guard: Arc<Guard>,
    pub(super) access: Arc<Access>,
    pub(super) shown: Shown,
    pub(super) last: Last,
}

impl Shared {
    /// What the node looks like now; `None` if it does not answer.
    pub(super) async fn look(&self) -> Option<Arc<Snapshot>> {
        let (reply, answer) = oneshot::channel();
        let look = async {
            self.shown.requests.send(Request::Look { reply }).await.ok()?;
            answer.await.ok()
        };
        timeout(LOOK_TIME_MAX, look).await.ok().flatten()
    }

    /// What the node looks like now, or looked like when it last said so.
    pub(super) async fn snapshot(&self) -> Arc<Snapshot> {
        match self.look().await {
            Some(snapshot) => snapshot,
            None => self.shown.snapshots.borrow().clone(),
        }
    }

    /// Asks the node and waits for what it says.
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, RequestError>>) -> Request,
    ) -> Result<T, Response> {
        match self.answer(request).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => {
                let mut body = json!({ "error": error.to_string() });
                if let RequestError::PlanChanged(plan) = error {
                    body["plan"] = json!(plan);
                }
                Err((StatusCode::CONFLICT, Json(body)).into_response())
            }
            None => Err(refused(StatusCode::SERVICE_UNAVAILABLE, STOPPING)),
        }
    }

    /// The same, with a refusal in words.
    pub(super) async fn ask_for<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, RequestError>>) -> Request,
    ) -> Result<T, Refusal> {
        match self.answer(request).await {
            Some(answer) => answer.map_err(|error| (StatusCode::CONFLICT, error.to_string())),
            None => Err((StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned())),
        }
    }

    /// What the node says; `None` if it is stopping.
    async fn answer<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, RequestError>>) -> Request,
    ) -> Option<Result<T, RequestError>> {
        let (reply, answer) = oneshot::channel();
        self.shown.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

pub(super) fn refused(code: StatusCode, error: &str) -> Response {
    let answer = (code, Json(json!({ "error": error })));
    match code {
        StatusCode::UNAUTHORIZED => ([(WWW_AUTHENTICATE, "Bearer")], answer).into_response(),
        _ => answer.into_response(),
    }
}
