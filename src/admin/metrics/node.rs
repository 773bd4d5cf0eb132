//! The families that a snapshot of the node fills.

use super::text::{Family, Form, Kind, sample};
use crate::admin::health;
use crate::node::{MemberStatus, Role, Snapshot};

/// Adds a family's samples, given its name.
type Fill = fn(&mut String, &str, &Snapshot);

const fn gauge(name: &'static str, help: &'static str, fill: Fill) -> (Family, Fill) {
    (Family { name, kind: Kind::Gauge, help }, fill)
}

const fn counter(name: &'static str, help: &'static str, fill: Fill) -> (Family, Fill) {
    (Family { name, kind: Kind::Counter, help }, fill)
}

/// All of them.
pub(super) const FAMILIES: [(Family, Fill); 26] = [
    gauge("quorate_build_info", "Version of the program; always 1.", |out, name, shown| {
        sample(out, name, &[("version", &shown.status.version)], 1.0);
    }),
    gauge("quorate_node_info", "Names of the broker and of this node; always 1.", |out, name, shown| {
        sample(out, name, &[("broker", &shown.status.broker), ("node", &shown.status.node)], 1.0);
    }),
    gauge("quorate_role", "1 for what the node does, 0 for what it does not.", |out, name, shown| {
        for role in [Role::Master, Role::Slave, Role::Electing, Role::Waiting] {
            sample(out, name, &[("role", role.name())], yes(shown.status.role == role));
        }
    }),
    gauge("quorate_serving", "Whether the node is the master and lets clients in.", |out, name, shown| {
        sample(out, name, &[], yes(health::unserving(&shown.status).is_none()));
    }),
    gauge("quorate_ready", "Whether the node serves, or follows and is caught up.", |out, name, shown| {
        sample(out, name, &[], yes(health::unready(&shown.status).is_none()));
    }),
    gauge("quorate_alarm", "1 for each alarm that needs an operator.", |out, name, shown| {
        let mut names: Vec<_> = shown.status.alarms.iter().map(|alarm| &*alarm.name).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().for_each(|alarm| sample(out, name, &[("alarm", alarm)], 1.0));
    }),
    gauge("quorate_epoch", "The newest epoch that the node knows.", |out, name, shown| {
        sample(out, name, &[], shown.status.epoch.0 as f64);
    }),
    counter("quorate_elections_total", "Elections seen since the start.", |out, name, shown| {
        sample(out, name, &[], shown.status.election.as_ref().map_or(0, |last| last.number) as f64);
    }),
    gauge(
        "quorate_election_last_duration_seconds",
        "How long the last election took.",
        |out, name, shown| {
            let took = shown.status.election.as_ref().and_then(|election| election.took_ms);
            took.into_iter().for_each(|ms| sample(out, name, &[], ms as f64 / 1e3));
        },
    ),
    gauge("quorate_log_base_bytes", "First offset that the log still holds.", |out, name, shown| {
        sample(out, name, &[], shown.status.base.0 as f64);
    }),
    gauge("quorate_log_end_bytes", "Offset of the log's end.", |out, name, shown| {
        sample(out, name, &[], shown.status.end.offset.0 as f64);
    }),
    gauge("quorate_log_durable_bytes", "Offset up to which the log is on this disk.", |out, name, shown| {
        sample(out, name, &[], shown.status.durable.0 as f64);
    }),
    gauge(
        "quorate_log_committed_bytes",
        "Offset up to which the log is known to be on a quorum.",
        |out, name, shown| {
            sample(out, name, &[], shown.status.committed.0 as f64);
        },
    ),
    gauge(
        "quorate_log_applied_bytes",
        "Offset up to which the log is visible in the state.",
        |out, name, shown| {
            sample(out, name, &[], shown.status.applied.0 as f64);
        },
    ),
    counter(
        "quorate_log_syncs_total",
        "Syncs of records to the disk since the start.",
        |out, name, shown| {
            sample(out, name, &[], shown.status.fsyncs.count as f64);
        },
    ),
    counter(
        "quorate_log_sync_seconds_total",
        "Time that writing records and syncing them took since the start.",
        |out, name, shown| sample(out, name, &[], shown.status.fsyncs.took_us as f64 / 1e6),
    ),
    gauge("quorate_group_replicas", "Size of the group.", |out, name, shown| {
        shown.group.iter().for_each(|group| sample(out, name, &[], group.replicas as f64));
    }),
    gauge("quorate_group_voters", "Stores whose acknowledgements count.", |out, name, shown| {
        shown.group.iter().for_each(|group| sample(out, name, &[], group.voters.len() as f64));
    }),
    gauge("quorate_group_quorum", "How many voters make a quorum.", |out, name, shown| {
        shown.group.iter().for_each(|group| sample(out, name, &[], group.quorum as f64));
    }),
    gauge("quorate_group_members", "Members in sight.", |out, name, shown| {
        shown.group.iter().for_each(|group| sample(out, name, &[], group.members.len() as f64));
    }),
    gauge("quorate_zookeeper_connected", "Whether the session with ZooKeeper stands.", |out, name, shown| {
        shown.group.iter().for_each(|group| sample(out, name, &[], yes(group.zk_connected)));
    }),
    gauge("quorate_member_voter", "Whether a member's store is a voter.", |out, name, shown| {
        members(out, name, shown, |member| Some(yes(member.voter)));
    }),
    gauge(
        "quorate_member_attached",
        "Whether a member's stream from this master stands.",
        |out, name, shown| members(out, name, shown, |member| Some(yes(member.attached))),
    ),
    gauge("quorate_member_lag_bytes", "How far a member is behind this master's log.", |out, name, shown| {
        members(out, name, shown, |member| member.lag_bytes.map(|bytes| bytes as f64))
    }),
    gauge("quorate_scheduled_messages", "Messages that are to be sent later.", |out, name, shown| {
        sample(out, name, &[], shown.status.counts.scheduled_count as f64);
    }),
    gauge("quorate_connections", "Clients that are connected.", |out, name, shown| {
        sample(out, name, &[], shown.status.counts.connection_count as f64);
    }),
];

/// Adds all of them.
pub(super) fn fill(out: &mut String, form: Form, shown: &Snapshot) {
    for (family, fill) in &FAMILIES {
        form.begin(out, family);
        fill(out, family.name, shown);
    }
}

fn yes(it: bool) -> f64 {
    f64::from(u8::from(it))
}

/// A sample for each member. A node that is there twice is told by its first process.
fn members(out: &mut String, name: &str, shown: &Snapshot, value: fn(&MemberStatus) -> Option<f64>) {
    let members = shown.group.iter().flat_map(|group| &group.members);
    let mut told: Vec<&str> = Vec::new();
    for member in members {
        if told.contains(&&*member.node) {
            continue;
        }
        told.push(&member.node);
        value(member).into_iter().for_each(|value| sample(out, name, &[("member", &member.node)], value));
    }
}
