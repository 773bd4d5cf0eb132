//! Whether the node's task sleeps while it waits. To be woken takes the system some 40 us, more than a quarter of the way of
//! a lone message for its four wake-ups. So while one wait after the other is short, the task stays awake: it lets every other
//! task and process run, and looks again. When waits are long it sleeps at once; an idle node takes no time.

use std::time::{Duration, Instant};

/// The longest wait that is worth to stay awake for.
const LONGEST: Duration = Duration::from_micros(250);
/// How long the first wait after a short one is.
const FIRST: Duration = Duration::from_micros(50);

/// What the last waits were like.
pub(super) struct Vigil {
    longest: Duration,
    /// How long to stay awake.
    limit: Duration,
    began: Instant,
}

impl Vigil {
    pub(super) fn new() -> Vigil {
        let longest = if is_throttled() { Duration::ZERO } else { LONGEST };
        Vigil { longest, limit: Duration::ZERO, began: Instant::now() }
    }

    /// A wait begins: stays awake until something has come, but only as long as that lately was worth it.
    pub(super) async fn keep(&mut self, has_come: impl Fn() -> bool) {
        self.began = Instant::now();
        while !has_come() && self.began.elapsed() < self.limit {
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }

    /// The wait is over.
    pub(super) fn end(&mut self) {
        self.learn(self.began.elapsed());
    }

    /// As the system does with its idle processors: twice as long after a wait that was only just too long, and no more after
    /// a long one.
    fn learn(&mut self, waited: Duration) {
        if waited > self.longest {
            self.limit = Duration::ZERO;
        } else if waited > self.limit {
            self.limit = (self.limit * 2).clamp(FIRST, self.longest);
        }
    }
}

/// Whether the process has less time than its processors have: then waiting awake would use up what work needs.
fn is_throttled() -> bool {
    let processors = rustix::thread::sched_getaffinity(None).map_or(u32::MAX, |set| set.count());
    std::thread::available_parallelism().map_or(true, |granted| (granted.get() as u32) < processors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vigil() -> Vigil {
        Vigil { longest: LONGEST, limit: Duration::ZERO, began: Instant::now() }
    }

    #[test]
    fn short_waits_keep_it_awake_and_a_long_one_lets_it_sleep() {
        let (mut vigil, short, long) = (vigil(), LONGEST * 4 / 5, LONGEST * 2);
        let limits: Vec<_> = (0..5)
            .map(|_| {
                vigil.learn(short);
                vigil.limit.as_micros()
            })
            .collect();
        assert_eq!(limits, [50, 100, 200, 200, 200]);
        vigil.learn(long);
        assert_eq!(vigil.limit, Duration::ZERO);
    }

    #[tokio::test]
    async fn it_waits_no_longer_than_its_limit_and_not_at_all_when_something_has_come() {
        let mut vigil = vigil();
        vigil.limit = Duration::from_millis(20);
        vigil.keep(|| true).await;
        assert!(vigil.began.elapsed() < Duration::from_millis(20));
        vigil.keep(|| false).await;
        assert!(vigil.began.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test]
    async fn others_run_while_it_is_kept() {
        let mut vigil = vigil();
        vigil.limit = Duration::from_secs(60);
        let (came, comes) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move { came.send(()) });
        vigil.keep(|| !comes.is_empty()).await;
        assert!(vigil.began.elapsed() < Duration::from_secs(60));
    }
}
