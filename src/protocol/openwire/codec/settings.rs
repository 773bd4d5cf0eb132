//! What both sides have agreed on.

/// The highest version that is spoken here.
pub(in crate::protocol) const VERSION_MAX: u8 = 12;

/// How frames are written, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Settings {
    /// 1 to [`VERSION_MAX`]: which fields there are.
    pub(in crate::protocol) version: u8,
    /// Whether booleans stand before values, eight in a byte, and numbers without leading zeros.
    pub(in crate::protocol) tight: bool,
    /// How many ids and destinations each direction remembers; none without a cache.
    pub(in crate::protocol) cache_size: Option<u16>,
    /// Whether exceptions come with their stack.
    pub(in crate::protocol) stack_traces: bool,
}

impl Settings {
    /// Before anything is agreed on: the first frame of each side is written so.
    pub(in crate::protocol) const FIRST: Settings =
        Settings { version: 1, tight: false, cache_size: None, stack_traces: false };

    pub(super) fn caches(&self) -> bool {
        self.cache_size.is_some()
    }
}
