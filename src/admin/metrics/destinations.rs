//! The families of destinations: sums over all of a kind, and on request each, a page's length at a time.

use std::sync::Arc;

use super::text::{Family, Form, Kind, sample};
use crate::admin::sums::Sums;
use crate::broker::{DestinationCounts, Figures};
use crate::model::{Destination, DestinationKind};

/// Destinations that one answer shows one by one.
const SHOWN_MAX: usize = 100_000;

/// A family and the number of it.
type Column = (Family, fn(&DestinationCounts) -> u64);

const fn column(
    name: &'static str,
    kind: Kind,
    help: &'static str,
    read: fn(&DestinationCounts) -> u64,
) -> Column {
    (Family { name, kind, help }, read)
}

const KINDS: [DestinationKind; 4] = [
    DestinationKind::Queue,
    DestinationKind::Topic,
    DestinationKind::TemporaryQueue,
    DestinationKind::TemporaryTopic,
];
/// How many there are.
const COUNT: Family = Family { name: "quorate_destinations", kind: Kind::Gauge, help: "Destinations." };

/// Sums over all destinations of a kind.
const SUMS: [Column; 6] = [
    column("quorate_messages", Kind::Gauge, "Messages in destinations, those in flight too.", |it| it.size),
    column("quorate_consumers", Kind::Gauge, "Subscriptions.", |it| it.consumers),
    column("quorate_messages_in_flight", Kind::Gauge, "Messages sent and not yet settled.", |it| {
        it.in_flight
    }),
    column("quorate_messages_enqueued_total", Kind::Counter, "Messages that came in.", |it| it.enqueued),
    column("quorate_messages_dequeued_total", Kind::Counter, "Messages that left.", |it| it.dequeued),
    column("quorate_messages_dispatched_total", Kind::Counter, "Messages sent to consumers.", |it| {
        it.dispatched
    }),
];

/// The same of each destination.
const EACH: [Column; 8] = [
    column("quorate_destination_messages", Kind::Gauge, "Messages in it, those in flight too.", |it| it.size),
    column("quorate_destination_consumers", Kind::Gauge, "Subscriptions.", |it| it.consumers),
    column(
        "quorate_destination_messages_in_flight",
        Kind::Gauge,
        "Messages sent and not yet settled.",
        |it| it.in_flight,
    ),
    column("quorate_destination_messages_enqueued_total", Kind::Counter, "Messages that came in.", |it| {
        it.enqueued
    }),
    column("quorate_destination_messages_dequeued_total", Kind::Counter, "Messages that left.", |it| {
        it.dequeued
    }),
    column(
        "quorate_destination_messages_dispatched_total",
        Kind::Counter,
        "Messages sent to consumers.",
        |it| it.dispatched,
    ),
    column(
        "quorate_destination_messages_discarded_total",
        Kind::Counter,
        "Messages dropped because a subscription was too slow for them.",
        |it| it.discarded,
    ),
    column(
        "quorate_destination_paused",
        Kind::Gauge,
        "1 if nothing is dispatched by an operator's will.",
        |it| u64::from(it.paused),
    ),
];

/// All families, those that are shown on request last.
#[cfg(test)]
pub(super) fn families() -> Vec<Family> {
    std::iter::once(COUNT).chain(SUMS.iter().chain(&EACH).map(|(family, _)| *family)).collect()
}

/// Adds the sums.
pub(super) fn fill(out: &mut String, form: Form, sums: &Sums) {
    form.begin(out, &COUNT);
    for kind in KINDS {
        sample(out, COUNT.name, &[("kind", kind.scheme())], sums.count(kind) as f64);
    }
    for (family, read) in &SUMS {
        form.begin(out, family);
        for (kind, sum) in [("queue", &sums.queues), ("topic", &sums.topics)] {
            sample(out, family.name, &[("kind", kind)], read(sum) as f64);
        }
    }
}

/// Shows each destination, a part at a time: family by family, as both forms want a family's samples together.
pub(super) struct Each {
    figures: Figures,
    form: Form,
    family: usize,
    queues: bool,
    come_to: Option<Arc<Destination>>,
    /// Of this family.
    shown: usize,
}

impl Each {
    pub(super) fn new(figures: Figures, form: Form) -> Each {
        Each { figures, form, family: 0, queues: true, come_to: None, shown: 0 }
    }

    /// The next part; `None` after the last one.
    pub(super) fn next(&mut self) -> Option<String> {
        let (family, read) = EACH.get(self.family)?;
        let mut out = String::new();
        if self.queues && self.come_to.is_none() {
            self.form.begin(&mut out, family);
        }
        let shown = &mut self.shown;
        let come_to = self.figures.visit(self.queues, self.come_to.as_deref(), |destination, counts| {
            if *shown < SHOWN_MAX {
                *shown += 1;
                let labels = [("kind", destination.kind.scheme()), ("destination", &*destination.name)];
                sample(&mut out, family.name, &labels, read(&counts) as f64);
            }
        });
        self.come_to = come_to.filter(|_| self.shown < SHOWN_MAX);
        if self.come_to.is_none() {
            if !self.queues {
                (self.family, self.shown) = (self.family + 1, 0);
            }
            self.queues = !self.queues;
        }
        Some(out)
    }
}
