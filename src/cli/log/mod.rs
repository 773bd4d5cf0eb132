//! The log of a running node, on stdout: lines close to ActiveMQ's, or JSON.

mod outlet;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::panic;

use anyhow::Context;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{LogConfig, LogFormat};

pub(super) use outlet::last_words;
use outlet::{END_TIME_MAX, Outlet, Tell};

/// Filter directives, e.g. `info,quorate::replication=debug`; wins over `log.level`.
const FILTER_VARIABLE: &str = "QUORATE_LOG";

/// Has what is still to be written of the log written when it is dropped, for a second at most.
pub(super) struct Started(Outlet);

impl Drop for Started {
    fn drop(&mut self) {
        self.0.drain(END_TIME_MAX);
    }
}

/// Begins to write the log. Nothing that happens to its reader blocks or ends what logs.
pub(super) fn start(log: &LogConfig) -> anyhow::Result<Started> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(&text).with_context(|| format!("{FILTER_VARIABLE}={text} is no filter"))?
        }
        // Libraries below us chatter at info; their warnings count.
        _ => EnvFilter::try_new(format!("warn,quorate={}", log.level.name()))?,
    };
    let tell: Tell = match log.format {
        LogFormat::Text => lost_text,
        LogFormat::Json => lost_json,
    };
    let outlet = Outlet::start(io::stdout().as_fd(), tell).context("cannot write the log")?;
    let writer = outlet.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(move || writer.clone());
    let set = match log.format {
        LogFormat::Text => subscriber.event_format(Lines).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| anyhow::anyhow!("the log is already started: {error}"))?;
    panic::set_hook(Box::new(|panic| {
        let trace = Backtrace::capture();
        match trace.status() {
            BacktraceStatus::Captured => tracing::error!("{panic}\n{trace}"),
            _ => tracing::error!("{panic}"),
        }
    }));
    Ok(Started(outlet))
}

const LOST: &str = "lines of the log were lost: they could not be written";

fn now() -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn lost_text(lines: u64) -> String {
    format!("{} |  WARN | {LOST} lines={lines}\n", now())
}

fn lost_json(lines: u64) -> String {
    let line = serde_json::json!({
        "timestamp": now(), "level": "WARN", "message": LOST, "lines": lines, "target": module_path!()
    });
    format!("{line}\n")
}

/// `2026-11-21T09:14:21.123456Z |  INFO | message key=value`.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        write!(writer, " | {:>5} | ", event.metadata().level().as_str())?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_look_like_those_that_operators_grep_for() {
        let buffer = Buffer::default();
        let out = buffer.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .event_format(Lines)
            .with_writer(move || out.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || tracing::info!(epoch = 7, "Promoted to master"));
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with("Z |  INFO | Promoted to master epoch=7\n"), "{text}");
    }
}
