//! Failed logins make those that follow wait, by address and by user. Nobody is ever locked out.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What the first failure costs; each further one twice as much.
const DELAY_FIRST: Duration = Duration::from_millis(100);
/// The longest delay.
const DELAY_MAX: Duration = Duration::from_secs(5);
/// Failures are forgotten after such a time without another.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Addresses and users that are remembered; beyond that those go whose failures are over, and then new ones are not
/// remembered: their address still is, and the places for hashing are bounded.
const ENTRIES_MAX: usize = 16_384;

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Who has failed lately.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    by_key: HashMap<String, Failures>,
}

impl Throttle {
    /// How long a login by any of these keys has to wait.
    pub(super) fn delay(&self, keys: &[String], now: Instant) -> Duration {
        let failed = keys.iter().filter_map(|key| self.by_key.get(key));
        let counts = failed.filter(|it| now - it.last < FORGOTTEN_AFTER).map(|it| it.count);
        let Some(count) = counts.max().filter(|count| *count > 0) else { return Duration::ZERO };
        DELAY_FIRST.saturating_mul(1 << (count - 1).min(16)).min(DELAY_MAX)
    }

    /// A login by these keys has failed.
    pub(super) fn failed(&mut self, keys: &[String], now: Instant) {
        for key in keys {
            if let Some(it) = self.by_key.get_mut(key) {
                let over = now - it.last >= FORGOTTEN_AFTER;
                (it.count, it.last) = (if over { 1 } else { it.count.saturating_add(1) }, now);
                continue;
            }
            if self.by_key.len() >= ENTRIES_MAX {
                self.by_key.retain(|_, it| now - it.last < FORGOTTEN_AFTER);
            }
            if self.by_key.len() < ENTRIES_MAX {
                self.by_key.insert(key.clone(), Failures { count: 1, last: now });
            }
        }
    }

    /// A login by these keys was right.
    pub(super) fn succeeded(&mut self, keys: &[String]) {
        for key in keys {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn each_failure_costs_more_up_to_a_bound_and_is_forgotten() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            throttle.failed(&keys(&["address"]), now);
            let delay = throttle.delay(&keys(&["address", "user"]), now);
            assert!(delay > last || delay == DELAY_MAX);
            last = delay;
        }
        assert_eq!(throttle.delay(&keys(&["another"]), now), Duration::ZERO);
        assert_eq!(throttle.delay(&keys(&["address"]), now + FORGOTTEN_AFTER), Duration::ZERO);
        throttle.succeeded(&keys(&["address"]));
        assert_eq!(throttle.delay(&keys(&["address"]), now), Duration::ZERO);
    }

    #[test]
    fn names_that_somebody_invents_take_no_more_than_their_bound() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..ENTRIES_MAX + 10 {
            throttle.failed(&[number.to_string()], now);
        }
        assert_eq!(throttle.by_key.len(), ENTRIES_MAX);
        throttle.failed(&keys(&["later"]), now + FORGOTTEN_AFTER);
        assert_eq!(throttle.by_key.len(), 1);
    }
}
