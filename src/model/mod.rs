//! The nouns: pure values that every other module speaks in. No I/O, no clock, no policy.

mod block;
mod body;
mod destination;
mod durable;
mod happening;
mod identity;
mod ids;
mod message;
mod pattern;
mod places;
mod property;
mod ranges;
mod record;
mod sequences;

/// What records, messages, their tables and snapshots look like: the only format that this version writes and reads.
pub const FORMAT: u32 = 2;

pub use block::Block;
pub use body::{BodyForm, BodyKind};
pub use destination::{Destination, DestinationKind, NameError};
pub use durable::DurableSubscription;
pub use happening::{Happening, ToldBroker, ToldConnection, ToldConsumer, ToldDestination, ToldProducer};
pub use identity::{Identity, Known};
pub use ids::{
    Claim, DestinationId, Epoch, GroupId, Offset, Position, Promise, Sequence, StoreId, Voter, quorum,
};
pub use message::{
    Encoding, Field, HEAD_BYTES_MAX, Message, MessageBuilder, MessageError, Outline, PRIORITY_DEFAULT,
};
pub use pattern::Pattern;
pub use places::{PLACE_BYTES, PLACES_MAX, Place, Places, outline};
pub use property::PropertyValue;
pub use ranges::touching;
pub use record::{CatalogueChange, Outcome, Record, RecordError, RecordKind};
pub use sequences::SequenceSet;
