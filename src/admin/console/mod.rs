//! The pages for people: made here, readable without scripts, and with nothing in them from elsewhere. `templates` has one file
//! for each page, `base.html` what they have in common.
//!
//! | path | page |
//! |---|---|
//! | `/`, `/admin/` | the node: state, alarms, figures |
//! | `/admin/queues`, `/admin/topics` | lists, filtered and sorted; Classic's `.jsp` names lead there |
//! | `/admin/queue?name=..` | one queue |
//! | `/admin/messages?queue=..`, `/admin/message?queue=..&id=..` | what waits in a queue, and one message of it |
//! | `/admin/subscriptions`, `/admin/connections`, `/admin/group` | as they say |
//! | `/admin/send`, `/admin/purge`, `/admin/remove`, `/admin/step-down` | what can be done, with the form's token |
//! | `/login`, `/logout` | |
//! | `/admin/xml/queues.jsp`, `topics.jsp`, `subscribers.jsp` | Classic's feeds |

mod caller;
mod changes;
mod feeds;
mod form;
mod frame;
mod group;
mod lists;
mod login;
mod messages;
mod overview;
mod shown;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};

use super::door::Refusal;
use super::shared::Shared;
use caller::local;

/// Files that pages name: where they are, their type, their text.
const ASSETS: [(&str, &str, &str); 3] = [
    ("/admin/style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("/admin/live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("/admin/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];
/// Classic's pages that people have marked, and where they are now.
const MOVED: [(&str, &str); 6] = [
    ("/admin/index.jsp", "/admin/"),
    ("/admin/queues.jsp", "/admin/queues"),
    ("/admin/topics.jsp", "/admin/topics"),
    ("/admin/subscribers.jsp", "/admin/subscriptions"),
    ("/admin/connections.jsp", "/admin/connections"),
    ("/admin/send.jsp", "/admin/send"),
];

/// The paths with what answers at them.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    let mut routes = vec![
        ("/", get(overview::page)),
        ("/admin", get(async || Redirect::permanent("/admin/"))),
        ("/admin/", get(overview::page)),
        ("/admin/queues", get(lists::queues)),
        ("/admin/topics", get(lists::topics)),
        ("/admin/subscriptions", get(lists::subscriptions)),
        ("/admin/connections", get(lists::connections)),
        ("/admin/queue", get(messages::queue)),
        ("/admin/messages", get(messages::list)),
        ("/admin/message", get(messages::one)),
        ("/admin/group", get(group::page)),
        ("/admin/send", get(changes::send).post(changes::sent)),
        ("/admin/purge", get(changes::purge).post(changes::purged)),
        ("/admin/remove", get(changes::remove).post(changes::removed)),
        ("/admin/step-down", get(changes::step_down).post(changes::stepped_down)),
        ("/login", get(login::page).post(login::begin)),
        ("/logout", post(login::end)),
        ("/admin/xml/queues.jsp", get(feeds::queues)),
        ("/admin/xml/topics.jsp", get(feeds::topics)),
        ("/admin/xml/subscribers.jsp", get(feeds::subscribers)),
    ];
    for (path, kind, text) in ASSETS {
        // Pages name them with the program's version.
        let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=86400")];
        routes.push((path, get(async move || (headers, text))));
    }
    for (path, now) in MOVED {
        routes.push((path, get(async move || Redirect::permanent(now))));
    }
    routes
}

/// Whether a person reads what is at this path.
pub(super) fn serves(path: &str) -> bool {
    let feed = path.starts_with("/admin/xml/");
    matches!(path, "/" | "/admin" | "/login" | "/logout") || (path.starts_with("/admin/") && !feed)
}

/// Whether this page is for those too who have not logged in, for instance because they are about to.
pub(super) fn is_open(path: &str) -> bool {
    path == "/login" || ASSETS.iter().any(|(asset, ..)| *asset == path)
}

/// Sends a person who has to log in first to where that is done, and from there back; tells others why not.
pub(super) fn refuse(head: &Parts, (code, error): Refusal) -> Response {
    if code != StatusCode::UNAUTHORIZED {
        return (code, error).into_response();
    }
    let back = if head.method.is_safe() { local(&head.uri) } else { "/admin/" };
    let mut to = form_urlencoded::Serializer::new("/login?".to_owned());
    Redirect::to(&to.append_pair("to", back).finish().replacen("?&", "?", 1)).into_response()
}

#[cfg(test)]
mod tests;
