//! The families of bridges to other brokers: a sample for each bridge.

use super::text::{Family, Form, Kind, sample};
use crate::network::{BridgeState, BridgeStatus};

/// A family, and what it shows of a bridge.
type Shown = (Family, fn(&BridgeStatus) -> f64);

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family { name, kind, help }
}

/// All of them.
pub(super) const FAMILIES: [Shown; 5] = [
    (family("quorate_bridge_up", Kind::Gauge, "Whether a bridge to another broker stands."), |it| {
        f64::from(u8::from(it.state == BridgeState::Bridging))
    }),
    (family("quorate_bridge_failures_total", Kind::Counter, "How often a bridge has failed."), |it| {
        it.failures as f64
    }),
    (
        family(
            "quorate_bridge_messages_under_way",
            Kind::Gauge,
            "Messages sent over a bridge and not yet confirmed.",
        ),
        |it| it.under_way as f64,
    ),
    (
        family(
            "quorate_bridge_messages_forwarded_total",
            Kind::Counter,
            "Messages that the other broker has confirmed.",
        ),
        |it| it.forwarded as f64,
    ),
    (
        family(
            "quorate_bridge_messages_dead_lettered_total",
            Kind::Counter,
            "Messages that became dead letters because the other broker does not take them.",
        ),
        |it| it.dead_lettered as f64,
    ),
];

/// Adds all of them.
pub(super) fn fill(out: &mut String, form: Form, bridges: &[BridgeStatus]) {
    for (family, value) in &FAMILIES {
        form.begin(out, family);
        for it in bridges {
            let labels = [("connector", &*it.connector), ("uri", &*it.uri), ("direction", &*it.direction)];
            sample(out, family.name, &labels, value(it));
        }
    }
}
