//! Arguments of commands that are clients of a broker, and what is understood by them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::super::address::{Brokers, brokers};
use super::super::exit::Failure;
use super::interrupt::Interrupt;
use crate::client::{Client, ConnectOptions};
use crate::config::{parse_duration, parse_size};

/// Which broker, and who asks.
#[derive(Debug, Args)]
pub(super) struct BrokerArgs {
    /// Brokers to try in turn, host:port,host:port; failover:(tcp://host:port,..) is understood too
    #[arg(short, long, value_name = "ADDRESSES", env = "QUORATE_URL", default_value = "127.0.0.1:61613", value_parser = brokers)]
    broker: Brokers,
    /// User name; brokers of this version admit every one
    #[arg(long)]
    user: Option<String>,
    /// File that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Client id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Give up after so long without a connection
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    give_up_after: Duration,
}

impl BrokerArgs {
    pub(super) fn addresses(&self) -> Vec<String> {
        self.broker.0.clone()
    }

    pub(super) fn options(&self) -> Result<ConnectOptions, Failure> {
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

    pub(super) async fn connect(&self, interrupt: &mut Interrupt) -> Result<Client, Failure> {
        let (addresses, options) = (self.addresses(), self.options()?);
        tokio::select! {
            client = Client::connect(&addresses, options) => Ok(client?),
            () = interrupt.asked() => Err(Failure::interrupted("there was no connection yet")),
        }
    }
}

const DESTINATION_EXPECTED: &str = "expected a destination such as queue/Hello or topic/News";
const KINDS: [&str; 4] = ["queue", "topic", "temp-queue", "temp-topic"];

/// A destination in STOMP's form: `queue/A`, `queue://A` and plain `A` are `/queue/A`. What begins with a slash is left as it
/// is, because other brokers have other kinds.
pub(super) fn destination(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.starts_with('/') {
        let named = text.trim_matches('/').split_once('/').is_some_and(|(_, name)| !name.is_empty());
        return if named { Ok(text.to_owned()) } else { Err(format!("{text:?}; {DESTINATION_EXPECTED}")) };
    }
    let split = text.split_once("://").or_else(|| text.split_once('/'));
    match split {
        None if text.is_empty() => Err(DESTINATION_EXPECTED.to_owned()),
        None => Ok(format!("/queue/{text}")),
        Some((kind, name)) if KINDS.contains(&kind) && !name.is_empty() => Ok(format!("/{kind}/{name}")),
        Some(_) => Err(format!("{text:?} is none; {DESTINATION_EXPECTED}")),
    }
}

/// A queue in STOMP's form.
pub(super) fn queue(text: &str) -> Result<String, String> {
    let destination = destination(text)?;
    match destination.starts_with("/topic/") || destination.starts_with("/temp-topic/") {
        true => Err("a topic keeps no messages to look at; expected a queue such as queue/Hello".to_owned()),
        false => Ok(destination),
    }
}

/// What the commands write themselves: a second value would make the frame another one.
const HEADERS_TAKEN: [&str; 4] = ["destination", "receipt", "transaction", "content-length"];

/// `name=value`, for headers.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        None | Some(("", _)) => Err("expected name=value".to_owned()),
        Some((name, _)) if HEADERS_TAKEN.contains(&name) => {
            Err(format!("{name} is set by the command itself"))
        }
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}

/// No connector takes a larger frame, whatever its `wireFormat.maxFrameSize` says.
pub(super) const BODY_BYTES_MAX: u64 = 2 << 30;

/// The size of a body.
pub(super) fn body_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size > BODY_BYTES_MAX => {
            Err(format!("{text:?} is more than any broker takes; expected at most 2 GiB"))
        }
        size => Ok(size),
    }
}

/// A duration that is longer than none.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err(format!("{text:?} is no time at all")),
        duration => Ok(duration),
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
    fn what_can_be_no_destination_is_refused_with_the_right_form() {
        for text in ["queue/", "/queue/", "/", "topic://", "que/Hello", "stomp://127.0.0.1:61613"] {
            assert!(destination(text).unwrap_err().contains("queue/Hello"), "{text}");
        }
        assert!(queue("topic/News").is_err());
        assert_eq!(destination("/exchange/x"), Ok("/exchange/x".to_owned()));
    }

    #[test]
    fn headers_that_the_commands_write_themselves_are_refused() {
        assert_eq!(header("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        for text in ["a", "=b", "receipt=1", "content-length=5"] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
