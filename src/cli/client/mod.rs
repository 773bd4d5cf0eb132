//! Commands that are clients of a broker.

mod bench;
mod browse;
mod consume;
mod produce;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

pub(super) use bench::{BenchArgs, run as bench};
pub(super) use browse::{BrowseArgs, run as browse};
pub(super) use consume::{ConsumeArgs, run as consume};
pub(super) use produce::{ProduceArgs, run as produce};

use super::exit::Failure;
use crate::client::{Client, ConnectOptions, Incoming};
use crate::config::parse_duration;

/// Which broker, and who asks.
#[derive(Debug, Args)]
struct BrokerArgs {
    /// Brokers to try in turn, host:port,host:port; failover:(tcp://host:port,..) is understood too
    #[arg(short, long, value_name = "ADDRESSES", env = "QUORATE_URL", default_value = "127.0.0.1:61613")]
    broker: String,
    /// User name
    #[arg(long)]
    user: Option<String>,
    /// File that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Client id, which durable subscriptions need
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Give up after so long without a connection
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    give_up_after: Duration,
}

impl BrokerArgs {
    fn addresses(&self) -> Vec<String> {
        addresses(&self.broker)
    }

    fn options(&self) -> Result<ConnectOptions, Failure> {
        let passcode = match &self.password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => None,
        };
        Ok(ConnectOptions {
            login: self.user.clone(),
            passcode,
            client_id: self.client_id.clone(),
            give_up_after: self.give_up_after,
            ..ConnectOptions::default()
        })
    }

    async fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(&self.addresses(), self.options()?).await?)
    }
}

/// Addresses without the failover transport around them.
fn addresses(text: &str) -> Vec<String> {
    let text = text.trim();
    let text = text.strip_prefix("failover:").map_or(text, |rest| rest.strip_prefix("//").unwrap_or(rest));
    let list = match text.strip_prefix('(') {
        Some(rest) => rest.split(')').next().unwrap_or_default(),
        None => text,
    };
    list.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A destination in STOMP's form: `queue/A`, `queue://A` and plain `A` are `/queue/A`.
fn destination(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_start_matches('/');
    if bare.is_empty() {
        return Err("expected a destination such as queue/Hello or topic/News".to_owned());
    }
    if let Some((kind, name)) = bare.split_once("://") {
        return Ok(format!("/{kind}/{name}"));
    }
    Ok(if bare.contains('/') { format!("/{bare}") } else { format!("/queue/{bare}") })
}

/// `name=value`, for headers.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_understood_in_every_usual_spelling() {
        for text in ["Hello", "queue/Hello", "/queue/Hello", "queue://Hello"] {
            assert_eq!(destination(text), Ok("/queue/Hello".to_owned()), "{text}");
        }
        assert_eq!(destination("topic://News.Sport"), Ok("/topic/News.Sport".to_owned()));
        assert!(destination(" ").is_err());
    }

    #[test]
    fn both_spellings_of_failover_are_understood() {
        let expected = ["tcp://a:1", "tcp://b:2"];
        for text in [
            "tcp://a:1,tcp://b:2",
            "failover:(tcp://a:1,tcp://b:2)?randomize=false",
            "failover://(tcp://a:1, tcp://b:2)",
        ] {
            assert_eq!(addresses(text), expected, "{text}");
        }
    }
}
