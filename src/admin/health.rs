//! `/health`: what probes, load balancers and rolling updates ask. Each answer says why.
//!
//! | path | 200 when | else 503 |
//! |---|---|---|
//! | `/health/live` | the process answers; neither ZooKeeper nor quorum nor disk count, or every node would be killed in an outage | |
//! | `/health/ready` | the node serves, or follows a master and has all that it knows to be committed | |
//! | `/health/serving` | the node is the master and lets clients in | |
//! | `/health/role` | always, with the role | |

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::door::Ends;
use super::shared::{LOOK_TIME_MAX, Shared};
use crate::node::{Role, Status};

/// The paths with what answers at them.
pub(super) fn routes() -> [(&'static str, MethodRouter<Shared>); 4] {
    [
        ("/health/live", get(async || Json(json!({ "live": true })))),
        ("/health/ready", get(ready)),
        ("/health/serving", get(serving)),
        ("/health/role", get(role)),
    ]
}

/// Whether this is one of the paths here, at which nobody has to log in.
pub(super) fn serves(path: &str) -> bool {
    path.starts_with("/health/")
}

async fn ready(State(shared): State<Shared>) -> Response {
    judged(&shared, "ready", unready).await
}

async fn serving(State(shared): State<Shared>) -> Response {
    judged(&shared, "serving", unserving).await
}

/// To who asks from the same host it also tells where the token is, which is for the broker's user only.
async fn role(State(shared): State<Shared>, Extension(ends): Extension<Ends>) -> Json<Value> {
    let snapshot = shared.snapshot().await;
    let status = &snapshot.status;
    let (role, serving, reason) = (status.role, status.serving, &status.reason);
    let mut told = json!({ "role": role, "serving": serving, "master": status.master, "reason": reason });
    if ends.from.is_loopback() {
        told["store_path"] = json!(status.store_path);
    }
    Json(told)
}

/// 200, or 503 with the reason. A node that does not answer is neither ready nor serving, whatever it said before.
async fn judged(shared: &Shared, word: &str, fault: fn(&Status) -> Option<String>) -> Response {
    let fault = match shared.look().await {
        Some(snapshot) => fault(&snapshot.status),
        None => Some(format!("the node has not answered for {} s", LOOK_TIME_MAX.as_secs())),
    };
    let code = if fault.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ word: fault.is_none(), "reason": fault }))).into_response()
}

/// Why a node is not ready.
pub(super) fn unready(status: &Status) -> Option<String> {
    match status.role {
        Role::Slave if status.durable >= status.committed => None,
        Role::Slave => {
            let behind = status.committed.0 - status.durable.0;
            Some(format!("it follows {} and is {behind} bytes behind", master(status)))
        }
        _ => unserving(status),
    }
}

/// Why a node does not serve.
pub(super) fn unserving(status: &Status) -> Option<String> {
    if status.role == Role::Master && status.serving {
        return None;
    }
    let standing = match status.role {
        Role::Slave => format!("it follows {}", master(status)),
        _ => status.standing().to_owned(),
    };
    Some(status.reason.as_ref().map_or(standing.clone(), |reason| format!("{standing}: {reason}")))
}

fn master(status: &Status) -> &str {
    status.master.as_deref().unwrap_or("a master")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Offset;

    #[test]
    fn a_master_that_serves_and_a_slave_that_has_all_are_ready_and_others_say_why_not() {
        let status = |role, serving, durable, committed| Status {
            role,
            serving,
            durable: Offset(durable),
            committed: Offset(committed),
            master: Some("a".to_owned()),
            ..Status::default()
        };
        for (status, ready, serving) in [
            (status(Role::Master, true, 5, 9), "", ""),
            (status(Role::Master, false, 9, 9), "not serving yet", "not serving yet"),
            (status(Role::Slave, false, 9, 9), "", "follows a"),
            (status(Role::Slave, false, 7, 9), "2 bytes behind", "follows a"),
            (status(Role::Electing, false, 9, 9), "electing", "electing"),
            (status(Role::Waiting, false, 0, 0), "waiting", "waiting"),
        ] {
            for (fault, expected) in [(unready(&status), ready), (unserving(&status), serving)] {
                let right = fault.as_ref().map_or(expected.is_empty(), |it| it.contains(expected));
                assert!(right && fault.is_none() == expected.is_empty(), "{status:?}: {fault:?}");
            }
        }
    }
}
