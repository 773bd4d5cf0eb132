//! When a producer at a fixed rate sends, and since when each of its messages counts as sent.

use std::time::Duration;

use tokio::time::Instant;

/// The times at which one producer's messages are due. A message that is late because the window was full counts from
/// its due time, so that a broker's pause is seen by all that it kept waiting; what the tool's own clock makes late does
/// not count.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    /// Seconds from one message to the next; none: as fast as the window allows.
    interval: Option<f64>,
    sent: u64,
    /// Whether due messages wait for room in the window.
    held: bool,
}

impl Pace {
    /// Producer `number` of `producers` that send `rate` messages a second together, in turns.
    pub(super) fn new(rate: Option<u64>, number: usize, producers: usize, now: Instant) -> Pace {
        let interval = rate.map(|rate| producers.max(1) as f64 / rate.max(1) as f64);
        let turn = interval.map_or(0.0, |interval| interval * number as f64 / producers.max(1) as f64);
        Pace { begun: now + Duration::from_secs_f64(turn), interval, sent: 0, held: false }
    }

    fn due_at(&self, message: u64, interval: f64) -> Instant {
        self.begun + Duration::from_secs_f64(message as f64 * interval)
    }

    /// How many messages may be sent now.
    pub(super) fn due(&self, now: Instant) -> u64 {
        let Some(interval) = self.interval else { return u64::MAX };
        // Half a nanosecond of a rounded interval decides nothing.
        let passed = now.saturating_duration_since(self.begun).as_secs_f64() + 1e-9;
        let all = if now < self.begun { 0 } else { (passed / interval) as u64 + 1 };
        all.saturating_sub(self.sent)
    }

    /// Notes that a message is sent, and gives the time that it counts from.
    pub(super) fn send(&mut self, now: Instant) -> Instant {
        let message = self.sent;
        self.sent += 1;
        match self.interval {
            Some(interval) if self.held => self.due_at(message, interval).min(now),
            _ => now,
        }
    }

    /// Notes whether the window has room left.
    pub(super) fn window(&mut self, full: bool, now: Instant) {
        self.held = full && self.due(now) > 0;
    }

    /// When the next message is due, if that is a matter of time.
    pub(super) fn next(&self) -> Option<Instant> {
        Some(self.due_at(self.sent, self.interval?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn producers_take_turns_and_keep_the_rate_together() {
        let now = Instant::now();
        let mut second = Pace::new(Some(1000), 1, 4, now);
        assert_eq!(second.due(now), 0);
        assert_eq!(second.next(), Some(now + MS));
        assert_eq!(second.due(now + MS), 1);
        second.send(now + MS);
        assert_eq!(second.due(now + MS), 0);
        assert_eq!(second.next(), Some(now + 5 * MS));
        assert_eq!(second.due(now + 1001 * MS), 250);
    }

    #[test]
    fn a_message_counts_from_its_due_time_only_when_the_window_was_full() {
        let now = Instant::now();
        let mut pace = Pace::new(Some(1000), 0, 1, now);
        let late = now + MS / 2;
        assert_eq!(pace.send(late), late);
        pace.window(true, now + 3 * MS);
        assert_eq!(pace.send(now + 9 * MS), now + MS);
        assert_eq!(pace.send(now + 9 * MS), now + 2 * MS);
        pace.window(false, now + 9 * MS);
        assert_eq!(pace.send(now + 9 * MS), now + 9 * MS);
    }

    #[test]
    fn without_a_rate_only_the_window_bounds_a_producer() {
        let now = Instant::now();
        let mut pace = Pace::new(None, 3, 8, now);
        assert_eq!((pace.due(now), pace.next()), (u64::MAX, None));
        pace.window(true, now);
        assert_eq!(pace.send(now + MS), now + MS);
    }
}
