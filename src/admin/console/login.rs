//! Logging in and out.

use askama::Template;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ORIGIN, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use form_urlencoded::parse;

use super::caller::Caller;
use super::form::Filled;
use super::frame::show;
use crate::admin::door::{Ends, SESSION_TIME_MAX};
use crate::admin::shared::Shared;

#[derive(Template)]
#[template(path = "login.html", config = "src/admin/console/askama.toml")]
struct Login {
    version: &'static str,
    /// Whether there are users.
    asks: bool,
    /// Where one wants to go.
    to: String,
    /// Why one is here again.
    error: String,
    user: String,
}

pub(super) async fn page(caller: Caller) -> Response {
    let to = target(&caller.asked("to"));
    let asks = caller.shared.access.asks();
    let (error, user) = (String::new(), String::new());
    show(&Login { version: env!("CARGO_PKG_VERSION"), asks, to, error, user })
}

/// Logs in by name and password, or by no name and the console's token.
pub(super) async fn begin(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match Bytes::from_request(Request::from_parts(head.clone(), body), &shared).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let field = |name: &str| {
        let found = parse(&body).find(|(it, _)| it == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (user, to) = (field("user"), target(&field("to")));
    match shared.access.begin(&head, &user, &field("password")).await {
        Ok(id) => {
            // Whoever comes over TLS, through a proxy, never shows the cookie in plain text.
            let https = head.headers.get(ORIGIN).is_some_and(|it| it.as_bytes().starts_with(b"https://"));
            let name = head.extensions.get::<Ends>().map(|ends| ends.cookie_name()).unwrap_or_default();
            let age = SESSION_TIME_MAX.as_secs();
            let secure = if https { "; Secure" } else { "" };
            let cookie = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
            (AppendHeaders([(SET_COOKIE, cookie)]), Redirect::to(&to)).into_response()
        }
        Err((code, error)) => {
            let asks = shared.access.asks();
            let again = Login { version: env!("CARGO_PKG_VERSION"), asks, to, error, user };
            // A browser that is told 401 would ask by itself.
            let code = if code == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { code };
            (code, show(&again)).into_response()
        }
    }
}

pub(super) async fn end(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    match Filled::from_request(Request::from_parts(head.clone(), body), &shared).await {
        Err(refusal) => refusal,
        Ok(filled) => {
            shared.access.end(&head);
            let gone = format!(
                "{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
                filled.caller.ends.cookie_name()
            );
            (AppendHeaders([(SET_COOKIE, gone)]), Redirect::to("/login")).into_response()
        }
    }
}

/// Where to go after a login: a page of ours, whatever was asked for.
fn target(asked: &str) -> String {
    let ours = asked.starts_with('/')
        && !asked.starts_with("//")
        && asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours { asked.to_owned() } else { "/admin/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_pages_of_ours_only() {
        for ours in ["/", "/admin/queue?name=a+b%2F"] {
            assert_eq!(target(ours), ours);
        }
        for other in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX: y", "admin"]
        {
            assert_eq!(target(other), "/admin/", "{other:?}");
        }
    }
}
