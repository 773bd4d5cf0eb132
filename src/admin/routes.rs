//! What is served at which path, and what every request has to pass first.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use tokio::time::timeout;

use super::door::{Access, ConsoleRole, Guard, Refusal, Visitor};
use super::listener::{ANSWER_TIME_MAX, BODY_BYTES_MAX};
use super::shared::{Shared, refused};
use super::sums::Last;
use super::{Shown, console, health, jolokia, metrics, rest};

/// What every answer says to browsers: nothing from elsewhere, nothing inline, in nobody's frame, and nothing kept. The
/// policy on referrers is not stricter, because browsers then no longer say which page a form comes from.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

pub(super) fn router(guard: Guard, access: Access, shown: Shown) -> Router {
    let (guard, access) = (Arc::new(guard), Arc::new(access));
    let shared = Shared { guard, access, shown, last: Last::default() };
    let mut router = Router::new();
    for (path, method) in routes() {
        router = router.route(path, method);
    }
    router
        .fallback(async || refused(StatusCode::NOT_FOUND, "no such page"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(shared.clone(), admit))
        .with_state(shared)
}

fn routes() -> impl Iterator<Item = (&'static str, MethodRouter<Shared>)> {
    let pages = console::routes().into_iter();
    pages.chain(rest::routes()).chain(health::routes()).chain(metrics::routes()).chain(jolokia::routes())
}

/// What every request has to pass, whatever its path, and how long it may take.
async fn admit(State(shared): State<Shared>, request: HttpRequest, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let answer = async {
        match pass(&shared, &head).await {
            Err(answer) => answer,
            Ok(visitor) => {
                let mut request = HttpRequest::from_parts(head, body);
                request.extensions_mut().insert(visitor);
                next.run(request).await
            }
        }
    };
    let mut answer = match timeout(ANSWER_TIME_MAX, answer).await {
        Ok(answer) => answer,
        Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "the node does not answer"),
    };
    for (name, value) in HEADERS {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Who asks, if he may have that page at all.
async fn pass(shared: &Shared, head: &Parts) -> Result<Visitor, Response> {
    let refuse = |(code, error): Refusal| refused(code, &error);
    shared.guard.admit(head).map_err(refuse)?;
    let path = head.uri.path();
    if health::serves(path) {
        // Probes take no time for a login.
        return Ok(Visitor::nobody());
    }
    let visitor = shared.access.recognise(head).await;
    let admitted = visitor.and_then(|visitor| match console::is_open(path) {
        true => Ok(visitor),
        false => visitor.check(ConsoleRole::Glance).map(|()| visitor),
    });
    admitted.map_err(|refusal| {
        if console::serves(path) {
            return console::refuse(head, refusal);
        }
        let mut answer = refuse(refusal);
        let browser = head.headers.contains_key("sec-fetch-mode");
        if shared.access.asks() && !browser && answer.status() == StatusCode::UNAUTHORIZED {
            let basic = HeaderValue::from_static("Basic realm=\"quorate\", charset=\"UTF-8\"");
            answer.headers_mut().append(WWW_AUTHENTICATE, basic);
        }
        answer
    })
}
