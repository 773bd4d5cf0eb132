//! Options of OpenWire's connectors that are agreed on with each client, in ActiveMQ's words: `wireFormat.` before them.

use std::time::Duration;

use super::value::{flag, milliseconds, number};

/// Newest version of OpenWire.
const VERSION_MAX: u8 = 12;
/// Java's clients keep 100 places of their cache free, and never end with a smaller one.
const CACHE_SIZE_MIN: usize = 128;
const CACHE_SIZE_MAX: usize = i16::MAX as usize / 2;

/// What a broker offers to clients; of each the lower one counts, and what both want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireFormatOptions {
    /// Newest version that is spoken, 1 to 12.
    pub version: u8,
    /// Whether what repeats may be said by a number.
    pub cache: bool,
    /// How many things may have a number.
    pub cache_size: u16,
    /// Whether frames may be encoded in two passes, which makes them shorter.
    pub tight_encoding: bool,
    /// A client that is silent for so long is gone; zero: it may be silent.
    pub inactivity_max: Duration,
    /// Whether sockets are asked not to wait for more.
    pub no_delay: bool,
}

impl Default for WireFormatOptions {
    fn default() -> WireFormatOptions {
        WireFormatOptions {
            version: VERSION_MAX,
            cache: true,
            cache_size: 1024,
            tight_encoding: true,
            inactivity_max: Duration::from_secs(30),
            no_delay: true,
        }
    }
}

/// The options that are served; each with a value of another effect than the default's.
pub(super) const SERVED: [(&str, &str); 6] = [
    ("wireFormat.cacheEnabled", "false"),
    ("wireFormat.cacheSize", "128"),
    ("wireFormat.maxInactivityDuration", "7"),
    ("wireFormat.tcpNoDelayEnabled", "false"),
    ("wireFormat.tightEncodingEnabled", "false"),
    ("wireFormat.version", "7"),
];

impl WireFormatOptions {
    /// Takes one option of [`SERVED`].
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "wireFormat.cacheEnabled" => self.cache = flag(option, value)?,
            "wireFormat.cacheSize" => {
                self.cache_size = number(option, value, CACHE_SIZE_MIN, CACHE_SIZE_MAX)? as u16;
            }
            "wireFormat.maxInactivityDuration" => self.inactivity_max = milliseconds(option, value, 0)?,
            "wireFormat.tcpNoDelayEnabled" => self.no_delay = flag(option, value)?,
            "wireFormat.tightEncodingEnabled" => self.tight_encoding = flag(option, value)?,
            "wireFormat.version" => self.version = number(option, value, 1, VERSION_MAX.into())? as u8,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_option_has_an_effect_and_refuses_what_it_cannot_read() {
        for (option, value) in SERVED {
            let mut options = WireFormatOptions::default();
            options.set(option, value).unwrap();
            assert_ne!(options, WireFormatOptions::default(), "{option}");
            assert!(options.set(option, "x").unwrap_err().contains(option), "{option}");
        }
        assert!(WireFormatOptions::default().set("wireFormat.version", "13").is_err());
    }
}
