//! Intervals without a confirmation.

use std::time::Duration;

use super::history::{Event, What};

/// The longest interval without a confirmed send that touches `from..to`; up to `to` when none followed.
pub(crate) fn longest(events: &[Event], from: Duration, to: Duration) -> Duration {
    between(events, from, to, |what| matches!(what, What::Confirmed(_)))
}

/// The same for confirmed acknowledgements: how long consumers got nowhere.
pub(crate) fn thirst(events: &[Event], from: Duration, to: Duration) -> Duration {
    between(events, from, to, |what| matches!(what, What::Acknowledged(_)))
}

fn between(events: &[Event], from: Duration, to: Duration, counts: impl Fn(&What) -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    let mut last: Option<Duration> = None;
    let confirmed = events.iter().filter(|event| counts(&event.what)).map(|event| event.at);
    for at in confirmed.chain([to]) {
        let before = last.replace(at);
        if at < from {
            continue;
        }
        longest = longest.max(at.min(to).saturating_sub(before.unwrap_or(from)));
        if at >= to {
            break;
        }
    }
    longest
}

/// Many gaps and what is said about them.
pub(crate) struct Gaps(Vec<Duration>);

impl Gaps {
    /// Of these, in any order.
    pub(crate) fn new(mut gaps: Vec<Duration>) -> Gaps {
        gaps.sort();
        Gaps(gaps)
    }

    /// The gap below which `share` of all lie.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let index = ((self.0.len() as f64 * share).ceil() as usize).clamp(1, self.0.len()) - 1;
        self.0[index]
    }

    /// The middle one.
    pub(crate) fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    /// The worst one.
    pub(crate) fn worst(&self) -> Duration {
        self.quantile(1.0)
    }

    /// All in milliseconds, ascending, after median, p99 and worst.
    pub(crate) fn report(&self, what: &str) -> String {
        let all: Vec<String> = self.0.iter().map(|gap| gap.as_millis().to_string()).collect();
        format!(
            "{what}: {} times, median {} ms, p99 {} ms, worst {} ms; all: {}",
            self.0.len(),
            self.median().as_millis(),
            self.quantile(0.99).as_millis(),
            self.worst().as_millis(),
            all.join(" ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::MessageName;
    use super::*;

    fn confirmations(times: &[u64]) -> Vec<Event> {
        let message = MessageName { producer: 1, sequence: 1 };
        times
            .iter()
            .map(|ms| Event { at: Duration::from_millis(*ms), what: What::Confirmed(message) })
            .collect()
    }

    #[test]
    fn the_gap_of_a_fault_reaches_from_the_last_confirmation_before_it() {
        let events = confirmations(&[10, 20, 320, 330]);
        let gap = longest(&events, Duration::from_millis(25), Duration::from_millis(331));
        assert_eq!(gap, Duration::from_millis(300));
    }

    #[test]
    fn a_gap_that_never_ends_counts_to_the_end() {
        let events = confirmations(&[10, 20]);
        let gap = longest(&events, Duration::from_millis(25), Duration::from_millis(1020));
        assert_eq!(gap, Duration::from_millis(1000));
    }

    #[test]
    fn the_worst_gap_and_the_median_are_where_they_belong() {
        let gaps = Gaps::new([3, 1, 2, 100].map(Duration::from_millis).to_vec());
        assert_eq!((gaps.median(), gaps.worst()), (Duration::from_millis(2), Duration::from_millis(100)));
    }
}
