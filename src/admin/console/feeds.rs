//! Classic's XML feeds, which checks of its time read. They have no links to the feeds of messages, which are not served, and
//! come in parts as long as a page.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use tokio::task::yield_now;

use crate::admin::shared::Shared;
use crate::broker::{DestinationCounts, Figures, PAGE_ENTRIES_MAX, SubscriptionStatus};
use crate::model::{Destination, DestinationKind};

pub(super) async fn queues(State(shared): State<Shared>) -> Response {
    destinations(shared.shown.figures, true)
}

pub(super) async fn topics(State(shared): State<Shared>) -> Response {
    destinations(shared.shown.figures, false)
}

fn destinations(figures: Figures, queues: bool) -> Response {
    let kind = if queues { DestinationKind::Queue } else { DestinationKind::Topic };
    let begin = Some(None);
    let parts = stream::unfold((figures, begin), move |(figures, come_to)| async move {
        let come_to: Option<std::sync::Arc<Destination>> = come_to?;
        yield_now().await;
        let mut part = String::new();
        let next = figures.visit(queues, come_to.as_deref(), |destination, counts| {
            if destination.kind == kind {
                part.push_str(&entry(kind, &destination.name, &counts));
            }
        });
        Some((part, (figures, next.map(Some))))
    });
    feed(kind.scheme(), parts)
}

fn entry(kind: DestinationKind, name: &str, counts: &DestinationCounts) -> String {
    let scheme = kind.scheme();
    let DestinationCounts { size, consumers, enqueued, dequeued, .. } = counts;
    let size = if kind.is_queue() { *size } else { 0 };
    format!(
        "<{scheme} name=\"{}\">\n  <stats size=\"{size}\" consumerCount=\"{consumers}\" enqueueCount=\"{enqueued}\" \
         dequeueCount=\"{dequeued}\"/>\n</{scheme}>\n",
        escaped(name)
    )
}

pub(super) async fn subscribers(State(shared): State<Shared>) -> Response {
    let begin: Option<Option<String>> = Some(None);
    let parts = stream::unfold((shared.shown.figures, begin), |(figures, after)| async move {
        let after = after?;
        yield_now().await;
        let page = figures.subscriptions(after.as_deref(), PAGE_ENTRIES_MAX);
        let part: String = page.items.iter().map(subscriber).collect();
        Some((part, (figures, page.next.map(Some))))
    });
    feed("subscriber", parts)
}

fn subscriber(of: &SubscriptionStatus) -> String {
    let SubscriptionStatus { size, in_flight, dispatched, enqueued, dequeued, .. } = of;
    format!(
        "<subscriber clientId=\"{}\" subscriptionName=\"{}\" connectionId=\"\" destinationName=\"{}\" selector=\"{}\" \
         active=\"{}\">\n  <stats pendingQueueSize=\"{size}\" dispatchedQueueSize=\"{in_flight}\" \
         dispatchedCounter=\"{dispatched}\" enqueueCounter=\"{enqueued}\" dequeueCounter=\"{dequeued}\"/>\n\
         </subscriber>\n",
        escaped(&of.client_id),
        escaped(&of.name),
        escaped(&of.topics),
        escaped(&of.selector),
        if of.consumers > 0 { "yes" } else { "no" }
    )
}

fn feed(element: &'static str, parts: impl stream::Stream<Item = String> + Send + 'static) -> Response {
    let head = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element}s>\n");
    let end = format!("</{element}s>\n");
    let whole = stream::iter([head]).chain(parts).chain(stream::iter([end]));
    let whole = whole.map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], Body::from_stream(whole)).into_response()
}

/// As the value of an attribute. What XML has no place for becomes a question mark.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            c if c.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&c) => out.push('?'),
            c => out.push(c),
        }
        out
    })
}
