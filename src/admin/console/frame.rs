//! What all pages have in common: where one is, who one is, and what the node does.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::caller::Caller;
use crate::admin::door::{ConsoleRole, Refusal};
use crate::node::{Role, Snapshot, Status};

/// The pages that every page leads to: their paths and names.
const PAGES: [(&str, &str); 7] = [
    ("/admin/", "Overview"),
    ("/admin/queues", "Queues"),
    ("/admin/topics", "Topics"),
    ("/admin/subscriptions", "Subscriptions"),
    ("/admin/connections", "Connections"),
    ("/admin/group", "Group"),
    ("/admin/send", "Send"),
];

/// See the module.
pub(super) struct Frame {
    /// The page's title.
    pub(super) title: String,
    /// Path of the page in the row of pages that this one belongs to.
    pub(super) here: &'static str,
    /// The row of pages: path and name.
    pub(super) pages: &'static [(&'static str, &'static str)],
    pub(super) version: &'static str,
    pub(super) snapshot: Arc<Snapshot>,
    /// Whether the node has not answered, so that this is what it showed last.
    pub(super) stale: bool,
    /// Who has logged in.
    pub(super) user: Option<String>,
    /// What forms have to show.
    pub(super) form: String,
    /// Whether forms that operate are of use to who asks.
    pub(super) may_operate: bool,
    pub(super) may_administer: bool,
    /// The master's node, if it is another one.
    pub(super) master: Option<String>,
    /// Its console, if that listens on the same port as this one; unknown if both are on one host.
    pub(super) master_console: Option<String>,
}

impl Frame {
    /// The frame of the page `title`.
    pub(super) async fn of(caller: &Caller, here: &'static str, title: impl Into<String>) -> Frame {
        let looked = caller.shared.look().await;
        let stale = looked.is_none();
        let snapshot = looked.unwrap_or_else(|| caller.shared.shown.snapshots.borrow().clone());
        let (visitor, status) = (&caller.visitor, &snapshot.status);
        let form = visitor.form.clone();
        let may = |role| form.is_some() && visitor.has(role);
        let master = status.master.clone().filter(|master| *master != status.node);
        Frame {
            title: title.into(),
            here,
            pages: &PAGES,
            version: env!("CARGO_PKG_VERSION"),
            stale,
            user: form.as_ref().and(visitor.name()).map(str::to_owned),
            may_operate: may(ConsoleRole::Operate),
            may_administer: may(ConsoleRole::Administer),
            form: form.unwrap_or_default(),
            master_console: master
                .as_deref()
                .and_then(|it| console_of(it, &status.node, caller.ends.at.port())),
            master,
            snapshot,
        }
    }

    pub(super) fn status(&self) -> &Status {
        &self.snapshot.status
    }

    pub(super) fn serves(&self) -> bool {
        self.status().role == Role::Master && self.status().serving
    }
}

/// The console of the node `master`, if it has the same port as this one, of `own`.
fn console_of(master: &str, own: &str, port: u16) -> Option<String> {
    let host = |node: &str| node.rsplit_once(':').map(|(host, _)| host.to_owned());
    let (master, own) = (host(master)?, host(own));
    let sound = master.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
    (sound && own.as_ref() != Some(&master)).then(|| format!("http://{master}:{port}/admin/"))
}

/// The answer that shows a page.
pub(super) fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::warn!("a page of the console cannot be shown: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A few words, and where to go from there.
#[derive(Template)]
#[template(path = "told.html", config = "src/admin/console/askama.toml")]
struct Told {
    frame: Frame,
    text: String,
    next: (String, String),
}

/// Why something was not done.
pub(super) async fn refusal(caller: &Caller, (code, error): Refusal) -> Response {
    if code == StatusCode::UNAUTHORIZED {
        let frame = Frame::of(caller, "", "Log in first").await;
        let mut to = form_urlencoded::Serializer::new(String::new());
        let to = to.append_pair("to", &caller.target).finish();
        let next = (format!("/login?{to}"), "Log in".to_owned());
        return (code, show(&Told { frame, text: error, next })).into_response();
    }
    let frame = Frame::of(caller, "", "Not done").await;
    let next = ("/admin/".to_owned(), "Overview".to_owned());
    (code, show(&Told { frame, text: error, next })).into_response()
}

/// That something was done.
pub(super) async fn done(caller: &Caller, text: String, next: (String, &str)) -> Response {
    let frame = Frame::of(caller, "", "Done").await;
    show(&Told { frame, text, next: (next.0, next.1.to_owned()) })
}
