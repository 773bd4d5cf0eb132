//! Why bytes are no frame.

/// The connection cannot go on: where the next frame begins is not known, or what both sides remember may differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// The frame's length is above the limit, or negative.
    #[error("a frame of {0} bytes is too large")]
    TooLarge(u32),
    /// Something inside of the frame is longer than what is left of it.
    #[error("a frame does not fit its own lengths")]
    Short,
    /// Bytes are left behind what the frame says.
    #[error("{0} bytes are left at the end of a frame")]
    Left(usize),
    /// No structure has this type here.
    #[error("unknown data type: {0}")]
    Unknown(u8),
    /// A structure stands where it does not belong.
    #[error("data type {0} does not belong there")]
    Misplaced(u8),
    /// Structures inside of structures, or causes of causes, or too many of them.
    #[error("a frame has too many structures, or too deep inside of one another")]
    Deep,
    /// The peer names what it has not sent before.
    #[error("{0} names nothing in the cache")]
    NotCached(u16),
    /// Text that is no Unicode.
    #[error("a text is no modified UTF-8")]
    Text,
    /// The first frame of the connection is another protocol's.
    #[error("no OpenWire: the magic is wrong")]
    Magic,
    /// The settings of the first frame cannot be read.
    #[error("the settings of the wire format cannot be read")]
    Settings,
}
