//! The nouns: pure values that every other module speaks in. No I/O, no clock, no policy.

mod destination;
mod identity;
mod ids;
mod message;
mod ranges;
mod record;

pub use destination::{Destination, DestinationKind, NameError};
pub use identity::{Identity, Known};
pub use ids::{
    Claim, DestinationId, Epoch, GroupId, Offset, Position, Promise, Sequence, StoreId, Voter, quorum,
};
pub use message::{
    BodyKind, Encoding, Field, HEAD_BYTES_MAX, Message, MessageBuilder, MessageError, PropertyValue,
};
pub use ranges::{RangeSet, touching};
pub use record::{CatalogueChange, Outcome, Record, RecordError, RecordKind, SubscriptionId};
