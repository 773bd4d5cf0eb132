//! Values of options.

use std::time::Duration;

/// Longest time in an option: a day.
const MILLISECONDS_MAX: usize = 24 * 3600 * 1000;

pub(super) fn flag(option: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{option}={value} is neither true nor false"))
}

pub(super) fn milliseconds(option: &str, value: &str, least: usize) -> Result<Duration, String> {
    number(option, value, least, MILLISECONDS_MAX).map(|number| Duration::from_millis(number as u64))
}

/// A whole number in an option.
pub(super) fn number(option: &str, value: &str, least: usize, most: usize) -> Result<usize, String> {
    match value.parse::<usize>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(number) => Err(format!("{option}={number} is out of range; expected {least} to {most}")),
        Err(_) => Err(format!("{option}={value} is no number; expected {least} to {most}")),
    }
}
