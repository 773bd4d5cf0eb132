//! What a record did to the state, for whoever has to answer for it.

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The message is in so many of its destinations now.
    Entered(usize),
    /// Its destination or subscription is gone, or it is older than what is known: nothing happened.
    Dropped,
    /// So many messages left; 0 when all of them were gone already, which is harmless.
    Settled(u64),
    /// The change was made.
    Done,
    /// Nothing to do: the record says nothing about the state, or this version does not know how.
    Ignored,
}

/// What came of a message in one of its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// It is in the destination.
    New,
    /// It was sent there before: it is settled at once and nobody sees it. For its sender that is a success.
    Duplicate,
    /// The destination is gone, or the place is below what is known: nothing happened.
    Dropped,
}
