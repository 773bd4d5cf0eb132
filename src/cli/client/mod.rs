//! Commands that are clients of a broker.

mod arguments;
mod bench;
mod browse;
mod consume;
mod interrupt;
mod produce;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

pub(super) use bench::{BenchArgs, run as bench};
pub(super) use browse::{BrowseArgs, run as browse};
pub(super) use consume::{ConsumeArgs, run as consume};
pub(super) use produce::{ProduceArgs, run as produce};

use crate::client::Incoming;

/// One message in a line: its body, or all of it as JSON.
fn line(message: &Incoming, json: bool) -> String {
    let body = String::from_utf8_lossy(message.body());
    if !json {
        return format!("{body}\n");
    }
    let headers: serde_json::Map<String, serde_json::Value> =
        message.headers().map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    format!("{}\n", serde_json::json!({ "headers": headers, "body": body }))
}

/// A line on the terminal that is written over, for work that takes a while; nothing without a terminal.
struct Progress {
    shown: Option<Instant>,
    enabled: bool,
}

impl Progress {
    const EVERY: Duration = Duration::from_millis(100);

    fn new() -> Progress {
        Progress { shown: None, enabled: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, text: impl FnOnce() -> String) {
        if self.enabled && self.shown.is_none_or(|at| at.elapsed() >= Progress::EVERY) {
            self.shown = Some(Instant::now());
            // A display that fails is no reason to stop the work.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
