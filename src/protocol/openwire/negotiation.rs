//! What both sides agree on in their first words: the lower version, the lower sizes and times, and what both of them want.

use std::time::Duration;

use crate::config::WireFormatOptions;
use crate::model::{Encoding, MessageBuilder, PropertyValue};

use super::codec::{FrameError, Settings, VERSION_MAX, WireFormatInfo};
use super::convert::properties;

/// Entries of the other side's map that are looked at.
const ENTRIES_MAX: usize = 64;
/// Frames of a connection are at least so long, whatever is asked for.
const FRAME_BYTES_MIN: i64 = 1024;
/// How long ActiveMQ waits before it looks for silence; nothing here depends on it.
const FIRST_LOOK_MS: i64 = 10_000;
/// Values that a cache keeps free; a smaller one keeps nothing.
const CACHE_SIZE_MIN: i32 = 128;

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) settings: Settings,
    /// A side that is silent for so long is gone; zero: it may be silent.
    pub(crate) inactivity_max: Duration,
    pub(crate) frame_bytes_max: usize,
}

/// Our first words.
pub(crate) fn offer(options: &WireFormatOptions, frame_bytes_max: usize) -> WireFormatInfo {
    let mut map = MessageBuilder::new(Encoding::Native);
    let milliseconds = i64::try_from(options.inactivity_max.as_millis()).unwrap_or(i64::MAX);
    let entries = [
        ("CacheEnabled", PropertyValue::Bool(options.cache)),
        ("CacheSize", PropertyValue::Int(options.cache_size.into())),
        ("SizePrefixDisabled", PropertyValue::Bool(false)),
        ("StackTraceEnabled", PropertyValue::Bool(true)),
        ("TcpNoDelayEnabled", PropertyValue::Bool(options.no_delay)),
        ("TightEncodingEnabled", PropertyValue::Bool(options.tight_encoding)),
        ("MaxInactivityDuration", PropertyValue::Long(milliseconds)),
        // The protocol's spelling.
        ("MaxInactivityDurationInitalDelay", PropertyValue::Long(FIRST_LOOK_MS)),
        ("MaxFrameSize", PropertyValue::Long(i64::try_from(frame_bytes_max).unwrap_or(i64::MAX))),
        ("MaxFrameSizeEnabled", PropertyValue::Bool(true)),
    ];
    for (name, value) in entries {
        map.property(name, value);
    }
    let properties = map.build().ok().and_then(|map| properties::write(&map));
    WireFormatInfo { version: options.version.into(), properties }
}

/// What the other side's first words come to.
///
/// # Errors
/// [`FrameError::Settings`]: they are none.
pub(crate) fn agree(
    options: &WireFormatOptions,
    frame_bytes_max: usize,
    theirs: &WireFormatInfo,
) -> Result<Agreement, FrameError> {
    let mut map = MessageBuilder::new(Encoding::Native);
    if let Some(marshalled) = &theirs.properties {
        properties::read(marshalled, &mut map).ok_or(FrameError::Settings)?;
    }
    let map = map.build().map_err(|_| FrameError::Settings)?;
    let find = |wanted: &str| {
        let mut entries = map.properties().take(ENTRIES_MAX);
        entries.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let wants = |name| matches!(find(name), Some(PropertyValue::Bool(true)));
    let number = |name| match find(name) {
        Some(PropertyValue::Long(number)) => Some(number),
        Some(PropertyValue::Int(number)) => Some(number.into()),
        _ => None,
    };
    let cache_size = number("CacheSize")
        .map_or(i32::from(options.cache_size), |theirs| theirs.clamp(0, options.cache_size.into()) as i32);
    let caches = options.cache && wants("CacheEnabled") && cache_size >= CACHE_SIZE_MIN;
    let inactivity = number("MaxInactivityDuration")
        .map_or(options.inactivity_max, |ms| Duration::from_millis(u64::try_from(ms).unwrap_or_default()));
    let largest = number("MaxFrameSize").unwrap_or(i64::MAX).max(FRAME_BYTES_MIN);
    Ok(Agreement {
        settings: Settings {
            version: theirs.version.clamp(1, VERSION_MAX.into()).min(options.version.into()) as u8,
            tight: options.tight_encoding && wants("TightEncodingEnabled"),
            cache_size: caches.then_some(cache_size as u16),
            stack_traces: wants("StackTraceEnabled"),
        },
        inactivity_max: inactivity.min(options.inactivity_max),
        frame_bytes_max: frame_bytes_max.min(usize::try_from(largest).unwrap_or(usize::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: WireFormatOptions = WireFormatOptions {
        version: 11,
        cache: true,
        cache_size: 1000,
        tight_encoding: true,
        inactivity_max: Duration::from_secs(30),
        no_delay: true,
    };

    #[test]
    fn the_lower_one_counts_and_what_both_want() {
        let theirs = WireFormatOptions {
            version: 12,
            cache_size: 500,
            tight_encoding: false,
            inactivity_max: Duration::from_secs(10),
            ..OURS
        };
        let agreed = agree(&OURS, 1 << 20, &offer(&theirs, 1 << 30)).unwrap();
        let settings = Settings { version: 11, tight: false, cache_size: Some(500), stack_traces: true };
        let inactivity_max = Duration::from_secs(10);
        assert_eq!(agreed, Agreement { settings, inactivity_max, frame_bytes_max: 1 << 20 });
        let silent = WireFormatOptions { inactivity_max: Duration::ZERO, cache: false, ..theirs };
        let agreed = agree(&OURS, 1 << 20, &offer(&silent, 1 << 10)).unwrap();
        assert_eq!((agreed.inactivity_max, agreed.settings.cache_size), (Duration::ZERO, None));
        assert_eq!(agreed.frame_bytes_max, 1 << 10);
    }

    #[test]
    fn who_says_nothing_gets_the_plainest_and_who_says_nonsense_is_refused() {
        let agreed = agree(&OURS, 1 << 20, &WireFormatInfo { version: -3, properties: None }).unwrap();
        assert_eq!(
            agreed.settings,
            Settings { version: 1, tight: false, cache_size: None, stack_traces: false }
        );
        let damaged = WireFormatInfo { version: 12, properties: Some(b"\0\0\0\x01".as_slice().into()) };
        assert_eq!(agree(&OURS, 1 << 20, &damaged), Err(FrameError::Settings));
    }
}
