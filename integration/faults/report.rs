//! What a run amounts to, for people and for the sum over runs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::nemesis::Kind;
use crate::harness::checker::Verdict;
use crate::harness::gaps::Gaps;

/// A run that confirmed less proves nothing.
const CONFIRMED_MIN: usize = 1000;

/// One fault of a run.
#[derive(Clone, Debug)]
pub(crate) struct Struck {
    /// What was done.
    pub(crate) kind: Kind,
    /// What was seen of it; a fault without effect does not count.
    pub(crate) seen: Option<String>,
    /// How long no send was confirmed, at the longest; `None` when another fault was at work too.
    pub(crate) gap: Option<Duration>,
}

/// A whole run.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) faults: Vec<Struck>,
    pub(crate) verdict: Verdict,
    /// What the other loads have to say.
    pub(crate) beside: [String; 2],
    /// Whatever else is wrong, in words.
    pub(crate) wrong: Vec<String>,
}

impl Report {
    /// Faults whose effect was seen.
    pub(crate) fn counted(&self) -> usize {
        self.faults.iter().filter(|fault| fault.seen.is_some()).count()
    }

    fn void(&self) -> Option<&'static str> {
        if self.verdict.confirmed < CONFIRMED_MIN {
            return Some("fewer than 1,000 messages were confirmed");
        }
        (self.counted() == 0).then_some("no fault was seen to have an effect")
    }

    /// Everything that speaks against the run.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.wrong.clone();
        if !self.verdict.is_clean() {
            complaints.push(self.verdict.summary());
        }
        if let Some(reason) = self.void() {
            complaints.push(format!("void: {reason}"));
        }
        complaints
    }

    /// A section of `integration/results/faults.md`. The first line of it is what `scripts/long faults-sum` reads.
    pub(crate) fn section(&self, when: &str, commit: &str) -> String {
        let verdict = &self.verdict;
        let word = if self.complaints().is_empty() { "passed" } else { "FAILED" };
        let mut text = format!(
            "\n## {when}\n\nrun: {word}; commit {commit}; seed {}; minutes {:.1}; faults {}; confirmed {}; lost {}; phantom {}; \
             dispatched-again {}\n\n",
            self.seed,
            self.took.as_secs_f64() / 60.0,
            self.counted(),
            verdict.confirmed,
            verdict.lost.len(),
            verdict.phantom.len(),
            verdict.resurrected.len(),
        );
        for complaint in self.complaints() {
            writeln!(text, "- against it: {complaint}").ok();
        }
        writeln!(text, "- {}", verdict.summary()).ok();
        writeln!(text, "- {}\n", self.beside.join("\n- ")).ok();
        text += "| fault | counted | without effect | longest time without a confirmed send: median, p99, worst (ms) |\n|---|---|---|---|\n";
        text += &self.table();
        text
    }

    fn table(&self) -> String {
        let mut kinds: BTreeMap<Kind, (usize, usize, Vec<Duration>)> = BTreeMap::new();
        for fault in &self.faults {
            let row = kinds.entry(fault.kind).or_default();
            if fault.seen.is_some() {
                row.0 += 1
            } else {
                row.1 += 1
            }
            row.2.extend(fault.gap.filter(|_| fault.seen.is_some()));
        }
        let mut text = String::new();
        for (kind, (counted, without, gaps)) in kinds {
            let gaps = if gaps.is_empty() {
                "-".to_owned()
            } else {
                let gaps = Gaps::new(gaps);
                let [median, p99, worst] =
                    [gaps.median(), gaps.quantile(0.99), gaps.worst()].map(|gap| gap.as_millis());
                format!("{median}, {p99}, {worst}")
            };
            writeln!(text, "| {} | {counted} | {without} | {gaps} |", kind.name()).ok();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(confirmed: usize, seen: Option<&str>) -> Report {
        Report {
            seed: 1,
            took: Duration::from_secs(60),
            faults: vec![Struck {
                kind: Kind::KillMaster,
                seen: seen.map(str::to_owned),
                gap: Some(Duration::from_millis(70)),
            }],
            verdict: Verdict { confirmed, ..Verdict::default() },
            beside: [String::new(), String::new()],
            wrong: Vec::new(),
        }
    }

    #[test]
    fn a_run_without_effect_or_without_messages_is_void_and_so_failed() {
        assert!(report(1000, Some("node1")).complaints().is_empty());
        assert_eq!(report(999, Some("node1")).complaints().len(), 1);
        let void = report(1000, None);
        assert_eq!(void.complaints().len(), 1);
        assert!(void.section("now", "abc").contains("run: FAILED; commit abc"));
    }

    #[test]
    fn only_faults_with_an_effect_are_counted_and_measured() {
        assert!(
            report(1000, Some("node1")).table().contains("| kill -9 of the master | 1 | 0 | 70, 70, 70 |")
        );
        assert!(report(1000, None).table().contains("| kill -9 of the master | 0 | 1 | - |"));
    }
}
