//! The description says what is served.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::broker::{ConnectionStatus, SubscriptionStatus};
use crate::model::{Position, Promise, StoreId, Voter};
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
    ];
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    for (name, value) in &served {
        assert_eq!(keys(&schemas[name]["properties"]), keys(value), "{name}");
    }
    let described: BTreeSet<_> = served.iter().map(|(name, _)| *name).chain(["Accepted", "Error"]).collect();
    assert_eq!(keys(schemas), described);
}
