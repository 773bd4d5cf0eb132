//! The node at a glance.

use askama::Template;
use axum::response::Response;

use super::caller::Caller;
use super::frame::{Frame, show};
use super::shown::{number, span, time};
use crate::admin::sums::Sums;
use crate::model::DestinationKind;

#[derive(Template)]
#[template(path = "overview.html", config = "src/admin/console/askama.toml")]
struct Overview {
    frame: Frame,
    sums: Sums,
}

impl Overview {
    fn count(&self, kind: DestinationKind) -> String {
        number(self.sums.count(kind))
    }

    /// How long the node has been running.
    fn uptime(&self) -> String {
        let status = self.frame.status();
        span(status.time_ms - status.started_ms)
    }

    /// Mean time of a sync in ms.
    fn sync_time(&self) -> String {
        let fsyncs = self.frame.status().fsyncs;
        let mean = fsyncs.took_us.checked_div(fsyncs.count).unwrap_or_default();
        format!("{}.{:03} ms", mean / 1000, mean % 1000)
    }
}

pub(super) async fn page(caller: Caller) -> Response {
    let frame = Frame::of(&caller, "/admin/", "Overview").await;
    let sums = Sums::of(&caller.shared.shown.figures, &caller.shared.last).await;
    show(&Overview { frame, sums })
}
