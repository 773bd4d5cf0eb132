//! `/api/jolokia`: ActiveMQ's beans over the Jolokia protocol (version 7), for tools that were made for ActiveMQ. It reads, lists
//! and searches; whatever would change something is refused with its name.
//!
//! A name stands for one bean or is a pattern; what walks over all destinations gives way to other tasks at every page's
//! length, and ends with the time that an answer may take.

mod beans;
mod desk;
mod name;
mod request;
mod walk;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::Value;

use super::shared::Shared;
use desk::Desk;
use request::{Asked, Options};

/// Requests in one body.
const BULK_MAX: usize = 256;

/// The paths with what answers at them.
pub(super) fn routes() -> [(&'static str, MethodRouter<Shared>); 3] {
    [
        ("/api/jolokia", get(plain).post(posted)),
        ("/api/jolokia/", get(plain).post(posted)),
        ("/api/jolokia/{*asked}", get(by_path)),
    ]
}

async fn plain(State(shared): State<Shared>, uri: Uri) -> Response {
    by_path(State(shared), Path(String::new()), uri).await
}

async fn by_path(State(shared): State<Shared>, Path(path): Path<String>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let desk = Desk::new(shared).await;
    let answer = desk.answer(Asked::by_path(&path, Options::of(query))).await;
    respond(query, answer)
}

async fn posted(State(shared): State<Shared>, uri: Uri, body: Bytes) -> Response {
    let query = uri.query().unwrap_or_default();
    let options = Options::of(query);
    let desk = Desk::new(shared).await;
    let answer = match serde_json::from_slice(&body) {
        Ok(Value::Array(several)) if several.len() <= BULK_MAX => {
            let mut answers = Vec::new();
            for one in &several {
                answers.push(desk.answer(Asked::by_json(one, options)).await);
            }
            Value::Array(answers)
        }
        Ok(Value::Array(_)) => desk.answer(Err(format!("more than {BULK_MAX} requests"))).await,
        Ok(one) => desk.answer(Asked::by_json(&one, options)).await,
        Err(error) => desk.answer(Err(format!("the body is no JSON: {error}"))).await,
    };
    respond(query, answer)
}

fn respond(query: &str, answer: Value) -> Response {
    let plain =
        form_urlencoded::parse(query.as_bytes()).any(|it| it == ("mimeType".into(), "text/plain".into()));
    match plain {
        true => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], answer.to_string()).into_response(),
        false => Json(answer).into_response(),
    }
}

#[cfg(test)]
mod tests;
