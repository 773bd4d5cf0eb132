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
    rand::random()
}

/// 128 random bits.
pub fn random_u128() -> u128 {
    rand::random()
}
