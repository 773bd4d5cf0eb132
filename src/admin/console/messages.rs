//! One queue, what waits in it, and one message of it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::caller::Caller;
use super::frame::{Frame, refusal, show};
use super::shown::{link, number, time};
use crate::admin::door::ConsoleRole;
use crate::admin::rest::{BEHIND_MAX, Browse, MessageStatus, browse};
use crate::broker::DestinationStatus;
use crate::model::{Destination, DestinationKind};

#[derive(Template)]
#[template(path = "queue.html", config = "src/admin/console/askama.toml")]
struct Queue {
    frame: Frame,
    queue: DestinationStatus,
}

pub(super) async fn queue(caller: Caller) -> Response {
    let name = caller.asked("name");
    let found = [DestinationKind::Queue, DestinationKind::TemporaryQueue].into_iter().find_map(|kind| {
        let destination = Destination { kind, name: name.clone() };
        let counts = caller.shared.shown.figures.counts(&destination)?;
        Some(DestinationStatus::of(&destination, counts))
    });
    let Some(queue) = found else {
        return refusal(&caller, (StatusCode::NOT_FOUND, format!("there is no queue {name:?}"))).await;
    };
    show(&Queue { frame: Frame::of(&caller, "/admin/queues", name).await, queue })
}

#[derive(Template)]
#[template(path = "messages.html", config = "src/admin/console/askama.toml")]
struct Messages {
    frame: Frame,
    queue: String,
    selector: String,
    /// How many stand before these.
    behind: usize,
    messages: Vec<MessageStatus>,
    next: Option<String>,
}

impl Messages {
    fn first(&self) -> String {
        link("/admin/messages", &[("queue", &self.queue), ("selector", &self.selector)])
    }
}

/// What waits in a queue. A queue's name stands in the query beside what says which messages.
pub(super) async fn list(caller: Caller) -> Response {
    if let Err(refused) = caller.visitor.check(ConsoleRole::View) {
        return refusal(&caller, refused).await;
    }
    let (queue, selector) = (caller.asked("queue"), caller.asked("selector"));
    let rest = form_urlencoded::parse(caller.query.as_bytes()).filter(|(name, _)| name != "queue");
    let rest = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
    let (asked, behind, limit) = match Browse::of(queue.clone(), &rest) {
        Ok((asked, _)) => (asked.clone(), asked.behind, asked.limit),
        Err(error) => return refusal(&caller, (StatusCode::BAD_REQUEST, error)).await,
    };
    let (messages, more) = match browse(&caller.shared, &caller.visitor, asked).await {
        Ok(found) => found,
        Err(refused) => return refusal(&caller, refused).await,
    };
    let (after, length) = ((behind + limit).to_string(), limit.to_string());
    let query = [("queue", &*queue), ("selector", &*selector), ("limit", &*length), ("after", &*after)];
    let next = (more && behind + limit <= BEHIND_MAX).then(|| link("/admin/messages", &query));
    let frame = Frame::of(&caller, "/admin/queues", format!("Messages of {queue}")).await;
    show(&Messages { frame, queue, selector, behind, messages, next })
}

#[derive(Template)]
#[template(path = "message.html", config = "src/admin/console/askama.toml")]
struct Message {
    frame: Frame,
    queue: String,
    message: MessageStatus,
}

impl Message {
    /// The heads that the message has, with their values.
    fn heads(&self) -> Vec<(&'static str, String)> {
        let it = &self.message;
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let heads = [
            ("Message id", it.id.clone()),
            ("Destination", it.destination.clone()),
            ("Original destination", optional(&it.original_destination)),
            ("Persistent", if it.persistent { "yes" } else { "no" }.to_owned()),
            ("Priority", it.priority.to_string()),
            ("Sent", time(&it.sent_ms)),
            ("Expires", time(&it.expires_ms)),
            ("Redelivered", if it.redelivered { "yes" } else { "no" }.to_owned()),
            ("Failed deliveries", it.failures.to_string()),
            ("User", optional(&it.user)),
            ("Correlation id", optional(&it.correlation_id)),
            ("Reply to", optional(&it.reply_to)),
            ("Type", optional(&it.kind)),
            ("Group", optional(&it.group)),
            ("Came by", it.protocol.to_owned()),
            ("Body", format!("{}, {} bytes", it.body_kind, number(it.body_bytes))),
        ];
        heads.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The body as JSON with line breaks, if it is a whole JSON document.
    fn json(&self) -> Option<String> {
        let text = self.message.text.as_deref().filter(|_| !self.message.body_cut)?;
        if !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        serde_json::to_string_pretty(&value).ok()
    }

    /// The body in digits as people read them: sixteen bytes a line, behind their offset and before their characters.
    fn dump(&self) -> Option<String> {
        let digits = self.message.hex.as_deref()?;
        let bytes: Vec<u8> = (0..digits.len() / 2)
            .filter_map(|index| u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok())
            .collect();
        let lines = bytes.chunks(16).enumerate().map(|(index, line)| {
            let digits: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
            let characters: String = line.iter().map(shown).collect();
            format!("{:08x}  {:<47}  {characters}\n", 16 * index, digits.join(" "))
        });
        Some(lines.collect())
    }
}

pub(super) async fn one(caller: Caller) -> Response {
    if let Err(refused) = caller.visitor.check(ConsoleRole::View) {
        return refusal(&caller, refused).await;
    }
    let (queue, id) = (caller.asked("queue"), caller.asked("id"));
    let found = browse(&caller.shared, &caller.visitor, Browse::one(queue.clone(), &id)).await;
    let message = match found {
        Ok((mut messages, _)) => messages.pop(),
        Err(refused) => return refusal(&caller, refused).await,
    };
    let Some(message) = message else {
        let error = "no such message waits in this queue: it may have been consumed";
        return refusal(&caller, (StatusCode::NOT_FOUND, error.to_owned())).await;
    };
    show(&Message { frame: Frame::of(&caller, "/admin/queues", "Message").await, queue, message })
}
