//! `/metrics`: what Prometheus collects. `config/METRICS.md` lists all of it; a test holds it against what is served.
//!
//! Destinations are summed up; `?destinations=each` shows each as well, in parts as long as a page, so that neither memory nor
//! any other task has to do with how many there are.

mod bridges;
mod destinations;
mod node;
mod process;
mod text;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use futures::stream::{self, StreamExt};
use tokio::task::{spawn_blocking, yield_now};

use super::shared::{Shared, refused};
use super::sums::Sums;
use destinations::Each;
use text::Form;

/// The path with what answers at it.
pub(super) fn routes() -> [(&'static str, MethodRouter<Shared>); 1] {
    [("/metrics", get(metrics))]
}

async fn metrics(State(shared): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let each = match uri.query() {
        None | Some("") => false,
        Some("destinations=each") => true,
        Some(_) => return refused(StatusCode::BAD_REQUEST, "there is no parameter but destinations=each"),
    };
    let form = Form::asked(&headers);
    let snapshot = shared.snapshot().await;
    let mut out = String::new();
    node::fill(&mut out, form, &snapshot);
    bridges::fill(&mut out, form, &shared.shown.bridges.all());
    destinations::fill(&mut out, form, &Sums::of(&shared.shown.figures, &shared.last).await);
    let started_ms = snapshot.status.started_ms;
    let process = spawn_blocking(move || {
        let mut out = String::new();
        process::fill(&mut out, form, started_ms);
        out
    });
    out.push_str(&process.await.unwrap_or_default());
    let content_type = [(CONTENT_TYPE, form.content_type())];
    if !each {
        out.push_str(form.end());
        return (content_type, out).into_response();
    }
    let parts = stream::unfold(Each::new(shared.shown.figures.clone(), form), async |mut each| {
        yield_now().await;
        each.next().map(|part| (part, each))
    });
    let whole = stream::iter([out]).chain(parts).chain(stream::iter([form.end().to_owned()]));
    let whole = whole.map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    (content_type, Body::from_stream(whole)).into_response()
}

#[cfg(test)]
mod tests;
