//! What both sides have agreed on.

/// The highest version that is spoken here.
pub(crate) const VERSION_MAX: u8 = 12;

/// How frames are written, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// 1 to [`VERSION_MAX`]: which fields there are.
    pub(crate) version: u8,
    /// Whether booleans stand before values, eight in a byte, and numbers without leading zeros.
    pub(crate) tight: bool,
    /// How many ids and destinations each direction remembers; none without a cache.
    pub(crate) cache_size: Option<u16>,
    /// Whether exceptions come with their stack.
    pub(crate) stack_traces: bool,
}

impl Settings {
    /// Before anything is agreed on: the first frame of each side is written so.
    pub(crate) const FIRST: Settings =
        Settings { version: 1, tight: false, cache_size: None, stack_traces: false };

    pub(super) fn caches(&self) -> bool {
        self.cache_size.is_some()
    }
}
