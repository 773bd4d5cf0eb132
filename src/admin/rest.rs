//! `/api/v1`: the node in JSON documents. `openapi.json` describes them; tests hold it against what is served.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, Path, Request as HttpRequest, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::listing::{self, Wanted};
use super::paging::Paging;
use super::shared::{Shared, refused};
use crate::broker::{
    Command, Correlation, Credentials, DestinationStatus, Gate, Page, Principal, SessionEvent, SessionId,
};
use crate::model::{Destination, DestinationKind};
use crate::node::{RecoveryPlan, Request};

/// How long an operator waits for what has to be committed.
const OPERATION_TIME_MAX: Duration = Duration::from_secs(8);
/// The description of all this.
const OPENAPI: &str = include_str!("openapi.json");

/// The paths with what answers at them.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/api/v1/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI))),
        ("/api/v1/broker", get(broker)),
        ("/api/v1/group", get(group)),
        ("/api/v1/group/step-down", post(step_down)),
        ("/api/v1/group/recover", get(recovery_plan).post(recover)),
        ("/api/v1/queues", get(queues)),
        ("/api/v1/queues/{name}", get(queue)),
        ("/api/v1/queues/{name}/purge", post(purge)),
        ("/api/v1/topics", get(topics)),
        ("/api/v1/topics/{name}", get(topic)),
        ("/api/v1/subscriptions", get(subscriptions)),
        ("/api/v1/subscriptions/remove", post(remove_subscription)),
        ("/api/v1/connections", get(connections)),
        ("/api/v1/bridges", get(bridges)),
    ]
}

async fn broker(State(shared): State<Shared>) -> Response {
    Json(&shared.snapshot().await.status).into_response()
}

async fn group(State(shared): State<Shared>) -> Response {
    match &shared.snapshot().await.group {
        Some(group) => Json(group).into_response(),
        None => refused(StatusCode::NOT_FOUND, "this broker is in no group"),
    }
}

async fn queues(State(shared): State<Shared>, uri: Uri) -> Response {
    destinations(&shared, true, &uri).await
}

async fn topics(State(shared): State<Shared>, uri: Uri) -> Response {
    destinations(&shared, false, &uri).await
}

async fn destinations(shared: &Shared, queues: bool, uri: &Uri) -> Response {
    let wanted = Wanted::of(uri.query().unwrap_or_default());
    match wanted {
        Ok(wanted) => match listing::page(&shared.shown.figures, queues, &wanted).await {
            Ok(page) => answer(uri, page, |after| wanted.next(after)),
            Err(error) => refused(StatusCode::BAD_REQUEST, &error),
        },
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn queue(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    destination(&shared, [DestinationKind::Queue, DestinationKind::TemporaryQueue], name)
}

async fn topic(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    destination(&shared, [DestinationKind::Topic, DestinationKind::TemporaryTopic], name)
}

/// The lasting destination of this name, else the temporary one.
fn destination(shared: &Shared, kinds: [DestinationKind; 2], name: String) -> Response {
    let mut destination = Destination { kind: kinds[0], name };
    for kind in kinds {
        destination.kind = kind;
        if let Some(counts) = shared.shown.figures.counts(&destination) {
            return Json(DestinationStatus::of(&destination, counts)).into_response();
        }
    }
    refused(StatusCode::NOT_FOUND, "there is no such destination")
}

async fn connections(State(shared): State<Shared>, uri: Uri) -> Response {
    let page = Paging::of(uri.query().unwrap_or_default()).and_then(|paging| {
        let number = |after: &str| after.parse().map_err(|_| "after is the number of a session".to_owned());
        let after = paging.after.as_deref().map(number).transpose()?;
        Ok((shared.shown.figures.connections(after.map(SessionId), paging.limit), paging))
    });
    match page {
        Ok((page, paging)) => answer(&uri, page, |after| paging.next(after)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

async fn subscriptions(State(shared): State<Shared>, uri: Uri) -> Response {
    let page = Paging::of(uri.query().unwrap_or_default())
        .map(|paging| (shared.shown.figures.subscriptions(paging.after.as_deref(), paging.limit), paging));
    match page {
        Ok((page, paging)) => answer(&uri, page, |after| paging.next(after)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error),
    }
}

/// All of them on one page: there are as many as the configuration names.
async fn bridges(State(shared): State<Shared>) -> Response {
    let items = shared.shown.bridges.all();
    Json(Page { total: items.len(), next: None, items }).into_response()
}

/// Names a durable subscription.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    client_id: String,
    name: String,
}

/// Ends a durable subscription that nobody consumes from.
async fn remove_subscription(State(shared): State<Shared>, request: HttpRequest) -> Response {
    if let Err((code, error)) = shared.guard.authorize(request.headers()) {
        return refused(code, &error);
    }
    let Named { client_id, name } = match Json::<Named>::from_request(request, &()).await {
        Ok(Json(named)) => named,
        Err(error) => return refused(error.status(), &error.body_text()),
    };
    let remove = |correlation| Command::RemoveSubscription {
        client_id: Some(client_id),
        name,
        correlation: Some(correlation),
    };
    match carry_out(&shared, remove).await {
        Ok(_) => Json(json!({ "accepted": true })).into_response(),
        Err(refusal) => refusal,
    }
}

/// A page of a list, with the request for the next one in it.
fn answer<T: Serialize>(uri: &Uri, page: Page<T>, next: impl FnOnce(&str) -> String) -> Response {
    let next = page.next.as_deref().map(|after| format!("{}?{}", uri.path(), next(after)));
    Json(Page { next, ..page }).into_response()
}

/// Takes everything out of a queue that waits in it.
async fn purge(State(shared): State<Shared>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Err((code, error)) = shared.guard.authorize(&headers) {
        return refused(code, &error);
    }
    let destination = match Destination::new(DestinationKind::Queue, name) {
        Ok(destination) => destination,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let purge = |correlation| Command::Purge { destination, correlation: Some(correlation) };
    match carry_out(&shared, purge).await {
        Ok(messages) => Json(json!({ "messages": messages })).into_response(),
        Err(refusal) => refusal,
    }
}

/// Has a command carried out within the time that an operator waits; returns how many messages it was about.
async fn carry_out(shared: &Shared, command: impl FnOnce(Correlation) -> Command) -> Result<u64, Response> {
    match timeout(OPERATION_TIME_MAX, operate(&shared.shown.gate, command)).await {
        Ok(done) => done.map_err(|refusal| refused(StatusCode::CONFLICT, &refusal)),
        Err(_) => {
            Err(refused(StatusCode::GATEWAY_TIMEOUT, "there was no answer; it may be done all the same"))
        }
    }
}

/// Has a command carried out in a session of its own; returns how many messages it was about.
async fn operate(gate: &Gate, command: impl FnOnce(Correlation) -> Command) -> Result<u64, String> {
    let elsewhere = || "this node does not serve; ask the master".to_owned();
    let principal = Principal::Claimed("console".to_owned());
    let mut session = gate.open("console", &Credentials::default(), principal).map_err(|_| elsewhere())?;
    session.submit(vec![command(Correlation(1))]).await.map_err(|_| elsewhere())?;
    let mut count = 0;
    loop {
        while session.holds() {
            let place = session.place().await.map_err(|_| elsewhere())?;
            session.advance(place).map_err(|_| elsewhere())?;
        }
        for event in session.events().await.ok_or_else(elsewhere)? {
            match event {
                SessionEvent::Affected { messages, .. } => count = messages,
                SessionEvent::Done { result, .. } => {
                    return result.map(|()| count).map_err(|refusal| refusal.to_string());
                }
                SessionEvent::Closed { .. } => return Err(elsewhere()),
                SessionEvent::Delivery { .. } | SessionEvent::BrowseEnd { .. } => {}
            }
        }
    }
}

/// An order that cannot help is refused with the reason, whoever gives it; only then does it need the token.
async fn step_down(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let authorized = shared.guard.authorize(&headers);
    let dry = authorized.is_err();
    match (shared.ask(|reply| Request::StepDown { dry, reply }).await, authorized) {
        (Err(refusal), _) => refusal,
        (Ok(()), Err((code, error))) => refused(code, &error),
        (Ok(()), Ok(())) => (StatusCode::ACCEPTED, Json(json!({ "accepted": true }))).into_response(),
    }
}

async fn recovery_plan(State(shared): State<Shared>) -> Response {
    match shared.ask(|reply| Request::Recover { seen: None, reply }).await {
        Ok(plan) => Json(plan).into_response(),
        Err(refusal) => refusal,
    }
}

async fn recover(State(shared): State<Shared>, request: HttpRequest) -> Response {
    if let Err((code, error)) = shared.guard.authorize(request.headers()) {
        return refused(code, &error);
    }
    let seen = match Json::<RecoveryPlan>::from_request(request, &()).await {
        Ok(Json(plan)) => Some(Box::new(plan)),
        Err(error) => {
            return refused(
                error.status(),
                &format!("expected the plan that GET has shown: {}", error.body_text()),
            );
        }
    };
    match shared.ask(|reply| Request::Recover { seen, reply }).await {
        Ok(plan) => (StatusCode::ACCEPTED, Json(plan)).into_response(),
        Err(refusal) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::broker::{ConnectionStatus, SubscriptionStatus};
    use crate::model::{Position, Promise, StoreId, Voter};
    use crate::network::BridgeStatus;
    use crate::node::{Alarm, ElectionStatus, Fsyncs, GroupStatus, MemberStatus, Status};

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().map(|it| it.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    #[test]
    fn the_description_has_the_paths_that_are_served_and_no_others() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let served: BTreeSet<_> = routes().iter().map(|(path, _)| *path).collect();
        assert_eq!(keys(&document["paths"]), served);
    }

    #[test]
    fn the_description_has_the_fields_that_are_served_and_no_others() {
        let voter = Voter { node: "a".to_owned(), store: StoreId(1) };
        let served = [
            ("Broker", json!(Status::default())),
            ("Group", json!(GroupStatus::default())),
            ("Member", json!(MemberStatus::default())),
            ("Voter", json!(voter)),
            ("Position", json!(Position::default())),
            ("Promise", json!(Promise::default())),
            ("Alarm", json!(Alarm::default())),
            ("Fsyncs", json!(Fsyncs::default())),
            ("Election", json!(ElectionStatus::default())),
            ("RecoveryPlan", json!(RecoveryPlan::default())),
            ("Destination", json!(DestinationStatus::default())),
            ("Connection", json!(ConnectionStatus::default())),
            ("Subscription", json!(SubscriptionStatus::default())),
            ("SubscriptionPage", json!(Page::<SubscriptionStatus>::default())),
            ("DestinationPage", json!(Page::<DestinationStatus>::default())),
            ("ConnectionPage", json!(Page::<ConnectionStatus>::default())),
            ("Bridge", json!(BridgeStatus::default())),
            ("BridgePage", json!(Page::<BridgeStatus>::default())),
        ];
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let schemas = &document["components"]["schemas"];
        for (name, value) in &served {
            assert_eq!(keys(&schemas[name]["properties"]), keys(value), "{name}");
        }
        let described: BTreeSet<_> =
            served.iter().map(|(name, _)| *name).chain(["Accepted", "Error"]).collect();
        assert_eq!(keys(schemas), described);
    }
}
