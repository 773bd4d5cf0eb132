//! `/api/v1`: the node in JSON documents. `openapi.json` describes them; tests hold it against what is served.

mod content;
mod destinations;
mod messages;
mod node;
mod operations;
mod sending;

use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{MethodRouter, get, post};

use super::shared::Shared;

pub(super) use messages::{BEHIND_MAX, Browse, MessageStatus, browse};
pub(super) use sending::{Sending, send};

/// The description of all this.
const OPENAPI: &str = include_str!("openapi.json");

/// The paths with what answers at them.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/api/v1/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], OPENAPI))),
        ("/api/v1/broker", get(node::broker)),
        ("/api/v1/group", get(node::group)),
        ("/api/v1/group/step-down", post(node::step_down)),
        ("/api/v1/group/recover", get(node::recovery_plan).post(node::recover)),
        ("/api/v1/queues", get(destinations::queues)),
        ("/api/v1/queues/{name}", get(destinations::queue).delete(operations::delete)),
        ("/api/v1/queues/{name}/purge", post(operations::purge)),
        ("/api/v1/queues/{name}/move", post(operations::move_messages)),
        ("/api/v1/queues/{name}/copy", post(operations::copy_messages)),
        ("/api/v1/queues/{name}/retry", post(operations::retry)),
        ("/api/v1/queues/{name}/pause", post(operations::pause)),
        ("/api/v1/queues/{name}/resume", post(operations::resume)),
        (
            "/api/v1/queues/{name}/messages",
            get(content::messages_of).post(content::send_to_queue).layer(large()),
        ),
        ("/api/v1/queues/{name}/messages/{id}", get(content::message_of)),
        ("/api/v1/topics", get(destinations::topics)),
        ("/api/v1/topics/{name}", get(destinations::topic)),
        ("/api/v1/topics/{name}/messages", post(content::send_to_topic).layer(large())),
        ("/api/v1/subscriptions", get(destinations::subscriptions)),
        ("/api/v1/subscriptions/remove", post(operations::remove_subscription)),
        ("/api/v1/connections", get(destinations::connections)),
        ("/api/v1/bridges", get(node::bridges)),
    ]
}

fn large() -> DefaultBodyLimit {
    DefaultBodyLimit::max(sending::SEND_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::broker::{ConnectionStatus, DestinationStatus, Page, SubscriptionStatus};
    use crate::model::{Position, Promise, StoreId, Voter};
    use crate::network::BridgeStatus;
    use crate::node::{Alarm, ElectionStatus, Fsyncs, GroupStatus, MemberStatus, RecoveryPlan, Status};

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
            ("Message", json!(MessageStatus::default())),
            ("Property", json!(messages::PropertyStatus::default())),
            ("Sending", json!(Sending::default())),
        ];
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let schemas = &document["components"]["schemas"];
        for (name, value) in &served {
            assert_eq!(keys(&schemas[name]["properties"]), keys(value), "{name}");
        }
        let described: BTreeSet<_> =
            served.iter().map(|(name, _)| *name).chain(["Accepted", "Error", "MessagePage"]).collect();
        assert_eq!(keys(schemas), described);
    }
}
