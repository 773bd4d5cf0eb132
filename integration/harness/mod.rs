//! Real processes under load: clusters, clients, histories and what can be said against them.

pub(crate) mod checker;
pub(crate) mod cluster;
mod connectors;
pub(crate) mod gaps;
pub(crate) mod guest;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod lone;
pub(crate) mod ports;
pub(crate) mod python;
pub(crate) mod stomp;
pub(crate) mod stores;
pub(crate) mod usage;
pub(crate) mod wait;

pub(crate) use wait::eventually;

/// A number from the environment: the long runs of `scripts/long` ask for more than `scripts/check`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Prints a figure and adds it to the file that `QUORATE_RESULTS` names, if it does.
pub(crate) fn publish(figure: &str) {
    use std::io::Write;
    println!("{figure}");
    if let Some(path) = std::env::var_os("QUORATE_RESULTS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "- {figure}").unwrap();
    }
}
