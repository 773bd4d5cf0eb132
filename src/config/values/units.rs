//! Durations and sizes as people write them.

use std::time::Duration;

/// A bound on a resource, in bytes or as a share of what the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many bytes.
    Bytes(u64),
    /// So many percent, 1 to 100: of the memory that the process may use, or of the disk that holds the directory.
    Percent(u8),
}

impl Limit {
    /// The bound in bytes, if `total` bytes are there.
    pub fn bytes_of(self, total: u64) -> u64 {
        match self {
            Limit::Bytes(bytes) => bytes,
            Limit::Percent(percent) => (u128::from(total) * u128::from(percent) / 100) as u64,
        }
    }
}

const DURATIONS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// As in ActiveMQ, `kb` is 1024 bytes, and so is `KiB`.
const SIZES: [(&str, u64); 13] = [
    ("b", 1),
    ("k", 1 << 10),
    ("kb", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mb", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gb", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1 << 40),
    ("tb", 1 << 40),
    ("tib", 1 << 40),
];

pub(in crate::config) const DURATION_EXPECTED: &str = "expected a duration such as \"10s\" or \"500ms\"";
pub(in crate::config) const SIZE_EXPECTED: &str = "expected a size such as \"100 MiB\" or \"64kb\"";
pub(in crate::config) const LIMIT_EXPECTED: &str =
    "expected a size such as \"1 GiB\" or a share such as \"70%\"";

/// A duration as people write it: `10s`, `500ms`, `2 min`, `1h`, `1d`.
///
/// # Errors
/// Says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let Ok(number) = number.parse::<u64>() else {
        return Err(format!("{text:?} is no duration; {DURATION_EXPECTED}"));
    };
    if unit.is_empty() {
        return Err(format!("{text:?} has no unit; {DURATION_EXPECTED}"));
    }
    let Some((_, ms)) = DURATIONS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{unit:?} is no unit of time; expected ms, s, min, h or d"));
    };
    let ms = number.checked_mul(*ms).ok_or_else(|| format!("{text:?} is too long"))?;
    Ok(Duration::from_millis(ms))
}

/// A size in bytes as people write it: `104857600`, `100 MiB`, `64kb`.
///
/// # Errors
/// Says what was expected.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let Ok(number) = number.parse::<u64>() else {
        return Err(format!("{text:?} is no size; {SIZE_EXPECTED}"));
    };
    if unit.is_empty() {
        return Ok(number);
    }
    let lower = unit.to_ascii_lowercase();
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == lower) else {
        return Err(format!("{unit:?} is no unit of size; expected B, KiB, MiB, GiB or TiB"));
    };
    number.checked_mul(*bytes).ok_or_else(|| format!("{text:?} is too large"))
}

/// A size, or `70%`.
pub(in crate::config) fn limit(text: &str) -> Result<Limit, String> {
    let Some(number) = text.trim().strip_suffix('%') else {
        return match size(text) {
            Ok(0) => Err(format!("0 bytes leave no room; {LIMIT_EXPECTED}")),
            Ok(bytes) => Ok(Limit::Bytes(bytes)),
            Err(error) => Err(error.replace(SIZE_EXPECTED, LIMIT_EXPECTED)),
        };
    };
    match number.trim().parse::<u8>() {
        Ok(percent @ 1..=100) => Ok(Limit::Percent(percent)),
        _ => Err(format!("{text:?} is out of range; expected 1% to 100%")),
    }
}

/// Digits, and what follows them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Shortest exact spelling of a duration.
pub(in crate::config) fn show_duration(value: Duration) -> String {
    let ms = value.as_millis() as u64;
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}min", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// Shortest exact spelling of a size.
pub(in crate::config) fn show_size(value: u64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if value != 0 && value.trailing_zeros() >= shift {
            return format!("{} {unit}", value >> shift);
        }
    }
    format!("{value} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_as_people_write_them() {
        for (text, bytes) in
            [("100 MiB", 100 << 20), ("64kb", 64 << 10), ("104857600", 100 << 20), ("1 b", 1)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, ms) in [("10s", 10_000), ("500ms", 500), ("2 min", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(limit("70%"), Ok(Limit::Percent(70)));
        assert_eq!(limit("1 GiB"), Ok(Limit::Bytes(1 << 30)));
        assert_eq!(Limit::Percent(70).bytes_of(1000), 700);
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for bytes in [1, 1023, 1024, 100 << 20, 1 << 30, (1 << 30) + 1] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        for ms in [0, 1, 999, 1000, 60_000, 61_000, 3_600_000] {
            let value = Duration::from_millis(ms);
            assert_eq!(duration(&show_duration(value)), Ok(value));
        }
    }
}
