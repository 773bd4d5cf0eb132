//! What the two encodings have to know of the closed set of structures, which the table gives.

/// A structure of any type.
pub(super) trait Coded: Clone {
    /// The type of no command at all.
    const NULL: u8;

    /// Its type number.
    fn code(&self) -> u8;

    /// Whether it is small, and named again and again: an id or a destination.
    fn may_be_cached(&self) -> bool;

    /// Whether Java can have the encoded form of a structure of this type at hand, and then sends that.
    fn may_come_encoded(code: u8) -> bool;
}
