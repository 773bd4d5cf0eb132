//! `quorate status`.

use anyhow::anyhow;

use super::ConsoleArgs;
use crate::broker::Page;
use crate::cli::exit::Failure;
use crate::cli::runtime::block_on;
use crate::cli::table;
use crate::network::{BridgeState, BridgeStatus};
use crate::node::{ElectionStatus, Status};

pub(in crate::cli) fn run(console: &ConsoleArgs, json: bool) -> Result<(), Failure> {
    let status: Option<Status> = block_on(console.get("/api/v1/broker"))?;
    let status = status.ok_or_else(|| anyhow!("the node tells no status"))?;
    if json {
        return table::json(&status);
    }
    let bridges: Option<Page<BridgeStatus>> = block_on(console.get("/api/v1/bridges"))?;
    table::print(&text(&status, &bridges.unwrap_or_default().items))
}

/// Those of the bridges that do not stand, and how many do.
fn network(bridges: &[BridgeStatus]) -> Vec<(&'static str, String)> {
    if bridges.is_empty() {
        return Vec::new();
    }
    let stand = bridges.iter().filter(|it| it.state == BridgeState::Bridging).count();
    let mut lines = vec![("bridges", format!("{stand} of {} stand", bridges.len()))];
    let others = bridges.iter().filter(|it| it.state != BridgeState::Bridging && !it.last_error.is_empty());
    lines.extend(others.map(|it| {
        let BridgeStatus { connector, direction, uri, last_error, .. } = it;
        ("BRIDGE", format!("{connector} ({direction}) to {uri}: {last_error}"))
    }));
    lines
}

fn text(status: &Status, bridges: &[BridgeStatus]) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let listening = if status.listening.is_empty() { "-".to_owned() } else { status.listening.join(", ") };
    let mut lines = vec![
        ("broker", status.broker.clone()),
        ("node", status.node.clone()),
        ("role", status.standing().to_owned()),
        ("serving", if status.serving { "yes" } else { "no" }.to_owned()),
        ("master", or_none(&status.master)),
        ("epoch", status.epoch.to_string()),
        ("listening", listening),
        ("log", format!("{} to {}", status.base, status.end)),
        ("durable", status.durable.to_string()),
        ("committed", status.committed.to_string()),
        ("applied", format!("{} (digest {})", status.applied, status.digest)),
        ("store", format!("{} {}", status.store, status.store_path)),
        ("destinations", status.counts.destination_count.to_string()),
        ("scheduled", status.counts.scheduled_count.to_string()),
        ("connections", status.counts.connection_count.to_string()),
    ];
    if let Some(reason) = &status.reason {
        lines.insert(4, ("reason", reason.clone()));
    }
    if let Some(election) = &status.election {
        lines.push(("election", self::election(election)));
    }
    lines.extend(network(bridges));
    for alarm in &status.alarms {
        lines.push(("ALARM", format!("{}: {}", alarm.name, alarm.message)));
    }
    table::pairs(&lines)
}

/// The last election in one line.
pub(super) fn election(election: &ElectionStatus) -> String {
    let took = election.took_ms.map_or_else(|| "under way".to_owned(), |ms| format!("took {ms} ms"));
    format!("epoch {}, {took}: {}", election.epoch, election.reason)
}
