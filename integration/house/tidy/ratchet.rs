//! What broke a rule before there was the rule. These lists may only shrink: who mends an entry takes it out.

/// A breach with the name that a list knows it by.
pub(super) struct Found {
    key: String,
    breach: String,
}

impl Found {
    pub(super) fn new(key: &str, breach: String) -> Found {
        Found { key: key.to_owned(), breach }
    }
}

/// What is still let through.
pub(super) struct Ratchet {
    pub(super) rule: &'static str,
    pub(super) known: &'static [&'static str],
}

impl Ratchet {
    /// What is not in the list is a breach, and so is an entry of the list that is no longer found.
    pub(super) fn judge(&self, found: Vec<Found>, out: &mut Vec<String>) {
        for entry in self.known.iter().filter(|entry| !found.iter().any(|found| found.key == **entry)) {
            out.push(format!("{entry}: is mended ({}); take it out of the ratchet", self.rule));
        }
        let new = found.into_iter().filter(|found| !self.known.contains(&found.key.as_str()));
        out.extend(new.map(|found| found.breach));
    }
}

/// One list for each rule that is younger than the code.
pub(super) struct Ratchets {
    pub(super) long_files: Ratchet,
    pub(super) surfaces: Ratchet,
    pub(super) circles: Ratchet,
    pub(super) doubles: Ratchet,
    pub(super) wide_structs: Ratchet,
}

impl Ratchets {
    /// Nothing is let through.
    pub(super) const NONE: Ratchets = Ratchets::of(&[], &[], &[], &[], &[]);

    const fn of(
        long_files: &'static [&'static str],
        surfaces: &'static [&'static str],
        circles: &'static [&'static str],
        doubles: &'static [&'static str],
        wide_structs: &'static [&'static str],
    ) -> Ratchets {
        Ratchets {
            long_files: Ratchet { rule: "a long file", known: long_files },
            surfaces: Ratchet { rule: "a mod.rs that works", known: surfaces },
            circles: Ratchet { rule: "a circle of files", known: circles },
            doubles: Ratchet { rule: "two public types of one name", known: doubles },
            wide_structs: Ratchet { rule: "a struct of many fields", known: wide_structs },
        }
    }

    /// What stood when each rule came.
    pub(super) const TODAY: Ratchets = Ratchets::of(LONG_FILES, SURFACES, CIRCLES, DOUBLES, WIDE_STRUCTS);
}

const LONG_FILES: &[&str] = &[
    "integration/model/steps.rs",
    "integration/model/world.rs",
    "src/env/sim_disk.rs",
    "src/model/message.rs",
    "src/node/core.rs",
    "src/replication/access/tests.rs",
    "src/replication/leading.rs",
    "src/replication/tests.rs",
    "src/storage/index.rs",
    "src/storage/log.rs",
];
const SURFACES: &[&str] = &[
    "integration/faults/disk/mod.rs",
    "src/broker/mod.rs",
    "src/broker/serving/mod.rs",
    "src/cli/client/mod.rs",
    "src/config/mod.rs",
    "src/config/tests/mod.rs",
    "src/node/simulation/mod.rs",
    "src/replication/replica/mod.rs",
    "src/state/mod.rs",
    "src/storage/segment/mod.rs",
];
const CIRCLES: &[&str] = &[
    "src/broker/destination/queue.rs",
    "src/broker/serving/acknowledge.rs",
    "src/broker/serving/applied.rs",
    "src/broker/serving/directory.rs",
    "src/broker/serving/expiry.rs",
    "src/broker/serving/mod.rs",
    "src/broker/serving/reading.rs",
    "src/broker/serving/send.rs",
    "src/broker/serving/sessions.rs",
    "src/broker/serving/spill.rs",
    "src/cli/client/browse.rs",
    "src/cli/client/consume.rs",
    "src/cli/client/produce.rs",
    "src/cli/config.rs",
    "src/cli/connections.rs",
    "src/cli/destinations.rs",
    "src/cli/group.rs",
    "src/cli/mod.rs",
    "src/cli/run.rs",
    "src/cli/status.rs",
    "src/client/load.rs",
    "src/client/load/consumer.rs",
    "src/client/load/producer.rs",
    "src/coordination/process.rs",
    "src/coordination/tree.rs",
    "src/coordination/znodes.rs",
    "src/coordination/zookeeper.rs",
    "src/node/cleaner.rs",
    "src/node/core.rs",
    "src/node/fold.rs",
    "src/node/mod.rs",
    "src/node/space.rs",
    "src/node/status.rs",
    "src/node/weights.rs",
    "src/replication/access/door.rs",
    "src/replication/access/guarded.rs",
    "src/replication/campaign.rs",
    "src/replication/dialling.rs",
    "src/replication/following.rs",
    "src/replication/leading.rs",
    "src/replication/peers.rs",
    "src/replication/replica/mod.rs",
    "src/replication/serving.rs",
    "src/state/destination.rs",
    "src/state/mod.rs",
    "src/storage/live.rs",
    "src/storage/log.rs",
    "src/storage/recovery.rs",
    "src/storage/segment/space.rs",
    "src/storage/sidecar.rs",
    "src/storage/window.rs",
    "src/storage/writer.rs",
];
const DOUBLES: &[&str] = &["Batch", "Broker", "Event", "Frame", "Loaded", "Log", "Output", "Store"];
const WIDE_STRUCTS: &[&str] = &["BrokerOptions", "Core", "Queue", "Serving", "Status"];
