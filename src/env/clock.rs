//! Time and chance.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two clocks of a node.
pub trait Clock: Send + Sync {
    /// Monotonic time since some fixed point of this process. Never goes back; may not be compared between nodes.
    fn now(&self) -> Duration;
    /// Wall-clock time in ms since 1970, for what people and clients see. May jump.
    fn wall_ms(&self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    #[expect(clippy::new_without_default, reason = "two calls give clocks that must not be mixed up")]
    pub fn new() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }
}

/// 64 random bits.
pub fn random_u64() -> u64 {
    #[cfg(test)]
    if let Some(word) = seeded::next() {
        return word;
    }
    rand::random()
}

/// 128 random bits.
pub fn random_u128() -> u128 {
    u128::from(random_u64()) << 64 | u128::from(random_u64())
}

/// Chance that repeats itself, for one thread of a test.
#[cfg(test)]
pub(crate) mod seeded {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on this thread draws what this seed says; none gives it back to real chance.
    pub(crate) fn seed(seed: Option<u64>) {
        STATE.set(seed);
    }

    /// The next word (splitmix64).
    pub(crate) fn next() -> Option<u64> {
        let state = STATE.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(Some(state));
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    }
}
