//! Latencies in buckets of constant relative width.

use std::time::Duration;

/// Buckets for each doubling: the error of a quantile is below 1/64.
const FINE_BITS: u32 = 6;
const FINE: usize = 1 << FINE_BITS;

/// A histogram of durations from 1 us to some hours.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        Histogram { buckets: vec![0; FINE * 30], count: 0, max: Duration::ZERO }
    }

    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[index(micros).min(last)] += 1;
        self.count += 1;
        self.max = self.max.max(duration);
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many durations have been counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest one, exactly.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The duration that a part of `quantile` (0 to 1) does not exceed; zero if nothing has been counted.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = (quantile.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return Duration::from_micros(upper(at)).min(self.max);
            }
        }
        self.max
    }
}

/// The bucket of a number of us: exact below 64, then 64 buckets for each doubling.
fn index(micros: u64) -> usize {
    if micros < FINE as u64 {
        return micros as usize;
    }
    let exponent = micros.ilog2() - FINE_BITS;
    (exponent as usize + 1) * FINE + ((micros >> exponent) as usize - FINE)
}

/// The largest number of us in a bucket.
fn upper(index: usize) -> u64 {
    if index < FINE {
        return index as u64;
    }
    let exponent = index / FINE - 1;
    ((FINE + index % FINE + 1) as u64) << exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut histogram = Histogram::new();
        for micros in 1..=100_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (quantile, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.0001, 10.0)] {
            let found = histogram.quantile(quantile).as_micros() as f64;
            assert!((found - exact).abs() <= exact * 0.02 + 1.0, "{quantile}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(100_000));
        assert_eq!(Histogram::new().quantile(0.5), Duration::ZERO);
    }
}
