//! When a bridge that has failed is tried again: options of ActiveMQ's static discovery.

use std::time::Duration;

use super::value::{flag, milliseconds};

/// The options.
pub(super) const OPTIONS: [&str; 7] = [
    "initialReconnectDelay",
    "maxReconnectDelay",
    "useExponentialBackOff",
    "backOffMultiplier",
    "maxReconnectAttempts",
    "minConnectTime",
    "randomize",
];
/// Shortest pause, in ms: a bridge never runs in circles.
const PAUSE_MS_MIN: usize = 10;
const MULTIPLIER_MAX: f64 = 100.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Pause after the first failure.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// What each pause is longer by than the one before; 1: all are equal.
    pub multiplier: f64,
    /// A bridge that has stood for so long begins again with the shortest pause.
    pub lasting_time: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            pause_min: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
            multiplier: 2.0,
            lasting_time: Duration::from_secs(5),
        }
    }
}

impl Retry {
    /// The pause that follows one.
    pub fn longer(&self, pause: Duration) -> Duration {
        let longer = pause.as_secs_f64() * self.multiplier;
        Duration::try_from_secs_f64(longer).map_or(self.pause_max, |longer| longer.min(self.pause_max))
    }

    /// Takes one of [`OPTIONS`].
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "initialReconnectDelay" => self.pause_min = milliseconds(option, value, PAUSE_MS_MIN)?,
            "maxReconnectDelay" => self.pause_max = milliseconds(option, value, PAUSE_MS_MIN)?,
            "minConnectTime" => self.lasting_time = milliseconds(option, value, 0)?,
            "useExponentialBackOff" if flag(option, value)? => {}
            "useExponentialBackOff" => self.multiplier = 1.0,
            "backOffMultiplier" => match value.parse::<f64>() {
                Ok(multiplier) if (1.0..=MULTIPLIER_MAX).contains(&multiplier) => {
                    // As in ActiveMQ, useExponentialBackOff=false counts, wherever it stands.
                    if self.multiplier > 1.0 {
                        self.multiplier = multiplier;
                    }
                }
                _ => return Err(format!("{option}={value} is no number from 1 to {MULTIPLIER_MAX}")),
            },
            "maxReconnectAttempts" if matches!(value, "-1" | "0") => {}
            "maxReconnectAttempts" => {
                return Err(format!("{option}={value}: a bridge never gives up; leave it out"));
            }
            _ if flag(option, value)? => {
                return Err(format!(
                    "{option}={value}: brokers are tried in the order of the list; leave it out"
                ));
            }
            _ => {}
        }
        self.pause_max = self.pause_max.max(self.pause_min);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_not_without_a_back_off() {
        let mut retry = Retry::default();
        for (option, value) in
            [("initialReconnectDelay", "100"), ("maxReconnectDelay", "350"), ("backOffMultiplier", "3")]
        {
            retry.set(option, value).unwrap();
        }
        let pauses = [retry.pause_min, retry.longer(retry.pause_min), retry.longer(retry.pause_max)];
        assert_eq!(pauses.map(|it| it.as_millis()), [100, 300, 350]);
        retry.set("useExponentialBackOff", "false").unwrap();
        assert_eq!(retry.longer(retry.pause_min), retry.pause_min);
        for (option, value) in
            [("backOffMultiplier", "NaN"), ("maxReconnectAttempts", "3"), ("randomize", "true")]
        {
            assert!(retry.set(option, value).is_err(), "{option}={value}");
        }
    }
}
