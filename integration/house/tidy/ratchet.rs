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

/// How many breaches of a rule are still let through.
pub(super) struct Count {
    pub(super) rule: &'static str,
    pub(super) known: usize,
}

impl Count {
    /// Each of `found` is a breach with its weight. More than are known are all told; fewer want the number lowered.
    pub(super) fn judge(&self, found: &[(usize, String)], out: &mut Vec<String>) {
        let sum: usize = found.iter().map(|(weight, _)| weight).sum();
        let (rule, known) = (self.rule, self.known);
        if sum > known {
            out.extend(found.iter().map(|(_, breach)| breach.clone()));
            out.push(format!("{sum} of {rule}, at most {known}"));
        } else if sum < known {
            out.push(format!("{sum} of {rule}, and not {known} any more; lower the ratchet"));
        }
    }
}

/// One list or number for each rule that is younger than the code.
pub(super) struct Ratchets {
    pub(super) long_files: Ratchet,
    pub(super) surfaces: Ratchet,
    pub(super) circles: Ratchet,
    pub(super) doubles: Ratchet,
    pub(super) wide_structs: Ratchet,
    pub(super) open_fields: Count,
    pub(super) scattered: Count,
    pub(super) unused: Count,
    pub(super) narrow: Count,
    pub(super) words: Count,
}

impl Ratchets {
    /// Nothing is let through.
    pub(super) const NONE: Ratchets = Ratchets::of(&[], &[], &[], &[], &[], [0; 5]);

    const fn of(
        long_files: &'static [&'static str],
        surfaces: &'static [&'static str],
        circles: &'static [&'static str],
        doubles: &'static [&'static str],
        wide_structs: &'static [&'static str],
        [open_fields, scattered, unused, narrow, words]: [usize; 5],
    ) -> Ratchets {
        Ratchets {
            long_files: Ratchet { rule: "a long file", known: long_files },
            surfaces: Ratchet { rule: "a mod.rs that works", known: surfaces },
            circles: Ratchet { rule: "a circle of files", known: circles },
            doubles: Ratchet { rule: "two public types of one name", known: doubles },
            wide_structs: Ratchet { rule: "a struct of many fields", known: wide_structs },
            open_fields: Count {
                rule: "fields that others than their struct's file can change",
                known: open_fields,
            },
            scattered: Count { rule: "impl blocks outside of their struct's file", known: scattered },
            unused: Count { rule: "pub items that no other layer uses", known: unused },
            narrow: Count {
                rule: "items seen by more files than their own, of which none uses them",
                known: narrow,
            },
            words: Count { rule: "words in the glossary", known: words },
        }
    }

    /// What stood when each rule came.
    pub(super) const TODAY: Ratchets =
        Ratchets::of(LONG_FILES, SURFACES, CIRCLES, DOUBLES, WIDE_STRUCTS, COUNTS);
}

const LONG_FILES: &[&str] = &["integration/model/steps.rs", "integration/model/world.rs", "src/node/core.rs"];
const SURFACES: &[&str] = &[
    "integration/faults/disk/mod.rs",
    "src/broker/mod.rs",
    "src/broker/serving/mod.rs",
    "src/config/mod.rs",
    "src/config/tests/mod.rs",
    "src/node/simulation/mod.rs",
];
const CIRCLES: &[&str] = &[
    "src/broker/destination/queue.rs",
    "src/broker/serving/acknowledge.rs",
    "src/broker/serving/applied.rs",
    "src/broker/serving/directory.rs",
    "src/broker/serving/disk/expiry.rs",
    "src/broker/serving/disk/reading.rs",
    "src/broker/serving/disk/spill.rs",
    "src/broker/serving/mod.rs",
    "src/broker/serving/schedule.rs",
    "src/broker/serving/send.rs",
    "src/broker/serving/sessions.rs",
    "src/node/cleaner.rs",
    "src/node/core.rs",
    "src/node/fold.rs",
    "src/node/mod.rs",
    "src/node/space.rs",
    "src/node/status.rs",
    "src/node/weights.rs",
];
const DOUBLES: &[&str] = &["Output"];
/// With the number of their fields.
const WIDE_STRUCTS: &[&str] = &["BrokerOptions 16", "Core 33", "Serving 31", "Status 25"];
/// Fields that are open, `impl` blocks that are scattered, items that are unused, items that are narrow, words.
const COUNTS: [usize; 5] = [76, 22, 11, 0, 25];
