//! What can be done: each has a page that says what will happen, and a form on it that does it.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::caller::Caller;
use super::form::Filled;
use super::frame::{Frame, done, refusal, show};
use super::shown::{link, number};
use crate::admin::door::ConsoleRole;
use crate::admin::operator::carry_out;
use crate::admin::rest::{self, Sending};
use crate::broker::Command;
use crate::model::{Destination, DestinationKind, DurableSubscription};
use crate::node::Request;

/// Asks whether something is really to be done.
#[derive(Template)]
#[template(path = "confirm.html", config = "src/admin/console/askama.toml")]
struct Confirm {
    frame: Frame,
    /// What will happen.
    text: String,
    action: &'static str,
    /// What the form says again.
    fields: Vec<(&'static str, String)>,
    button: &'static str,
    /// Where to go instead.
    back: String,
}

#[derive(Template)]
#[template(path = "send.html", config = "src/admin/console/askama.toml")]
struct Send {
    frame: Frame,
    name: String,
    topic: bool,
}

/// What a page that leads to a change says to who may not make it.
async fn allowed(caller: &Caller, role: ConsoleRole) -> Result<(), Response> {
    match caller.visitor.check(role) {
        Ok(()) => Ok(()),
        Err(refused) => Err(refusal(caller, refused).await),
    }
}

pub(super) async fn send(caller: Caller) -> Response {
    if let Err(refused) = allowed(&caller, ConsoleRole::Operate).await {
        return refused;
    }
    let (name, topic) = (caller.asked("name"), caller.asked("kind") == "topic");
    show(&Send { frame: Frame::of(&caller, "/admin/send", "Send a message").await, name, topic })
}

pub(super) async fn sent(filled: Filled) -> Response {
    let caller = &filled.caller;
    if let Err(refused) = allowed(caller, ConsoleRole::Operate).await {
        return refused;
    }
    let kind = match filled.field("kind") {
        "topic" => DestinationKind::Topic,
        _ => DestinationKind::Queue,
    };
    let sending = match sending(&filled) {
        Ok(sending) => sending,
        Err(error) => return refusal(caller, (StatusCode::BAD_REQUEST, error)).await,
    };
    let name = filled.field("name");
    match rest::send(&caller.shared, &caller.visitor, kind, name, &sending).await {
        Ok(id) => {
            let next = match kind {
                DestinationKind::Topic => "/admin/topics".to_owned(),
                _ => link("/admin/queue", &[("name", name)]),
            };
            done(caller, format!("Message {id} was sent to the {} {name}.", kind.scheme()), (next, "Back"))
                .await
        }
        Err(refused) => refusal(caller, refused).await,
    }
}

/// Reads the form of a message; properties stand in lines `name=value`.
fn sending(filled: &Filled) -> Result<Sending, String> {
    let text = |name: &str| filled.field(name).trim().to_owned();
    let mut properties = BTreeMap::new();
    for line in filled.field("properties").lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once('=').ok_or_else(|| format!("{line:?}: expected NAME=VALUE"))?;
        properties.insert(name.trim().to_owned(), Value::String(value.to_owned()));
    }
    let whole = |name: &str| match filled.field(name).trim() {
        "" => Ok(0),
        text => text.parse::<u32>().map_err(|_| format!("{name}: {text:?} is no number")),
    };
    Ok(Sending {
        // Browsers end the lines of a form in their own way.
        body: filled.field("body").replace("\r\n", "\n"),
        persistent: filled.field("persistent") == "yes",
        priority: whole("priority")?.try_into().map_err(|_| "priority is 0 to 9")?,
        expires_in_ms: whole("expires_in_ms")?,
        correlation_id: text("correlation_id"),
        reply_to: text("reply_to"),
        kind: text("type"),
        group: text("group"),
        properties,
    })
}

pub(super) async fn purge(caller: Caller) -> Response {
    if let Err(refused) = allowed(&caller, ConsoleRole::Operate).await {
        return refused;
    }
    let queue = caller.asked("queue");
    let destination = Destination { kind: DestinationKind::Queue, name: queue.clone() };
    let Some(counts) = caller.shared.shown.figures.counts(&destination) else {
        return refusal(&caller, (StatusCode::NOT_FOUND, format!("there is no queue {queue:?}"))).await;
    };
    let waiting = counts.size.saturating_sub(counts.in_flight);
    let text = format!(
        "{} messages wait in {queue} and will be gone for good; {} are with consumers and stay.",
        number(waiting),
        number(counts.in_flight)
    );
    let frame = Frame::of(&caller, "/admin/queues", "Purge a queue").await;
    let back = link("/admin/queue", &[("name", &queue)]);
    let fields = vec![("queue", queue)];
    show(&Confirm { frame, text, action: "/admin/purge", fields, button: "Purge", back })
}

pub(super) async fn purged(filled: Filled) -> Response {
    let caller = &filled.caller;
    if let Err(refused) = allowed(caller, ConsoleRole::Operate).await {
        return refused;
    }
    let name = filled.field("queue");
    let destination = match Destination::new(DestinationKind::Queue, name) {
        Ok(destination) => destination,
        Err(error) => return refusal(caller, (StatusCode::BAD_REQUEST, error.to_string())).await,
    };
    let purge = |correlation| Command::Purge { destination, correlation: Some(correlation) };
    match carry_out(&caller.shared, &caller.visitor, purge).await {
        Ok(count) => {
            let next = (link("/admin/queue", &[("name", name)]), "Back to the queue");
            done(caller, format!("{} messages of {name} are gone.", number(count)), next).await
        }
        Err(refused) => refusal(caller, refused).await,
    }
}

pub(super) async fn remove(caller: Caller) -> Response {
    if let Err(refused) = allowed(&caller, ConsoleRole::Operate).await {
        return refused;
    }
    let (client_id, name) = (caller.asked("client_id"), caller.asked("name"));
    let found = DurableSubscription::destination_of(&client_id, &name).ok();
    let Some(counts) = found.and_then(|it| caller.shared.shown.figures.counts(&it)) else {
        return refusal(&caller, (StatusCode::NOT_FOUND, "there is no such subscription".to_owned())).await;
    };
    let whose = if client_id.is_empty() { String::new() } else { format!(" of the client {client_id}") };
    let text = format!(
        "The subscription {name}{whose} will be removed, with the {} messages that wait for it.",
        number(counts.size)
    );
    let frame = Frame::of(&caller, "/admin/subscriptions", "Remove a subscription").await;
    let (fields, back) = (vec![("client_id", client_id), ("name", name)], "/admin/subscriptions".to_owned());
    show(&Confirm { frame, text, action: "/admin/remove", fields, button: "Remove", back })
}

pub(super) async fn removed(filled: Filled) -> Response {
    let caller = &filled.caller;
    if let Err(refused) = allowed(caller, ConsoleRole::Operate).await {
        return refused;
    }
    let (client_id, name) = (filled.field("client_id").to_owned(), filled.field("name").to_owned());
    let text = format!("The subscription {name} is removed.");
    let remove = |correlation| Command::RemoveSubscription {
        client_id: Some(client_id),
        name,
        correlation: Some(correlation),
    };
    match carry_out(&caller.shared, &caller.visitor, remove).await {
        Ok(_) => done(caller, text, ("/admin/subscriptions".to_owned(), "Back to the subscriptions")).await,
        Err(refused) => refusal(caller, refused).await,
    }
}

/// Asks the node whether it would step down, and to do it unless it is only to tell.
async fn ask_to_step_down(caller: &Caller, dry: bool) -> Result<(), Response> {
    match caller.shared.ask_for(|reply| Request::StepDown { dry, reply }).await {
        Ok(()) => Ok(()),
        Err(refused) => Err(refusal(caller, refused).await),
    }
}

pub(super) async fn step_down(caller: Caller) -> Response {
    if let Err(refused) = allowed(&caller, ConsoleRole::Administer).await {
        return refused;
    }
    if let Err(refused) = ask_to_step_down(&caller, true).await {
        return refused;
    }
    let text = "Another node that has everything becomes the master; clients connect to it.".to_owned();
    let frame = Frame::of(&caller, "/admin/group", "Step down").await;
    let (fields, back) = (Vec::new(), "/admin/group".to_owned());
    show(&Confirm { frame, text, action: "/admin/step-down", fields, button: "Step down", back })
}

pub(super) async fn stepped_down(filled: Filled) -> Response {
    let caller = &filled.caller;
    if let Err(refused) = allowed(caller, ConsoleRole::Administer).await {
        return refused;
    }
    if let Err(refused) = ask_to_step_down(caller, false).await {
        return refused;
    }
    let text = "This node gives up the mastership; the group's page shows who takes it.".to_owned();
    done(caller, text, ("/admin/group".to_owned(), "Group")).await
}
