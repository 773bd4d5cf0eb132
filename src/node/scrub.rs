//! Reads the whole log again and again, slowly, to find damage while other nodes can still repair it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::storage::{Damage, Log};

/// From the end of one pass to the begin of the next one.
const PASS_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// After each mebibyte or so, which makes 32 MiB/s at most.
const PAUSE: Duration = Duration::from_millis(31);

/// The thread that reads; it ends with this value.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    over: Arc<AtomicBool>,
    nudge: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scrub {
    /// Begins to read at once; `found` hears of damage that two passes have seen.
    pub(super) fn start(log: Log, found: mpsc::UnboundedSender<Damage>) -> Scrub {
        let over = Arc::new(AtomicBool::new(false));
        let (nudge, nudges) = channel();
        let stop = Arc::clone(&over);
        let run = move || {
            loop {
                // What is cut while it is read looks like damage; it does not do so twice at one place.
                if let Some(damage) = pass(&log, &stop)
                    && pass(&log, &stop).is_some_and(|again| again.at == damage.at)
                    && damage.at >= log.base()
                {
                    // The node may have ended meanwhile.
                    let _ = found.send(damage);
                }
                match nudges.recv_timeout(PASS_EVERY) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new().name("scrub".into()).spawn(run);
        if let Err(error) = &thread {
            tracing::error!(%error, "the log is not checked for damage: there is no thread for it");
        }
        Scrub { over, nudge: Some(nudge), thread: thread.ok() }
    }

    /// One that only passes nudges on, for a simulation, which reads by itself.
    #[cfg(test)]
    pub(super) fn by_hand() -> (Scrub, std::sync::mpsc::Receiver<()>) {
        let (nudge, nudges) = channel();
        (Scrub { over: Arc::default(), nudge: Some(nudge), thread: None }, nudges)
    }

    /// Has it read once more, now.
    pub(super) fn nudge(&self) {
        if let Some(nudge) = &self.nudge {
            // The thread lives as long as this value.
            let _ = nudge.send(());
        }
    }
}

fn pass(log: &Log, over: &AtomicBool) -> Option<Damage> {
    let read = log.verify_while(|_| {
        std::thread::sleep(PAUSE);
        !over.load(Ordering::Relaxed)
    });
    match read {
        Ok(report) => report.damage.filter(|_| !over.load(Ordering::Relaxed)),
        Err(error) => {
            tracing::error!(%error, "the log cannot be read to check it");
            None
        }
    }
}

impl Drop for Scrub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            // It was told to end, and has nothing to say.
            let _ = thread.join();
        }
    }
}
