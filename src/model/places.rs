//! Where a message stands: written once, it may be in many destinations.

use std::ops::Deref;

use bytes::{Buf, BufMut, BytesMut};
use smallvec::SmallVec;

use super::message::Outline;
use super::{DestinationId, Sequence};

/// A place in a destination's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The destination.
    pub destination: DestinationId,
    /// The number in its order.
    pub sequence: Sequence,
}

/// Bytes of a place in a record.
pub const PLACE_BYTES: usize = 12;
/// Most places of one record.
pub const PLACES_MAX: usize = 2048;

/// The places of one message. Almost always one, which takes no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(SmallVec<[Place; 1]>);

impl Places {
    /// Adds a place; returns false, and adds nothing, when there are [`PLACES_MAX`].
    pub fn push(&mut self, place: Place) -> bool {
        let fits = self.0.len() < PLACES_MAX;
        if fits {
            self.0.push(place);
        }
        fits
    }

    /// Appends `{ u16 number, { u32 destination, u64 sequence }* }`, little endian.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u16_le(self.0.len() as u16);
        for place in &self.0 {
            out.put_u32_le(place.destination.0);
            out.put_u64_le(place.sequence.0);
        }
    }

    /// Takes what [`Places::encode`] wrote off the front; none when it has not written that.
    pub(super) fn decode(at: &mut impl Buf) -> Option<Places> {
        let number = usize::from(at.try_get_u16_le().ok()?);
        if !(1..=PLACES_MAX).contains(&number) || at.remaining() < number * PLACE_BYTES {
            return None;
        }
        let place =
            |_| Place { destination: DestinationId(at.get_u32_le()), sequence: Sequence(at.get_u64_le()) };
        Some((0..number).map(place).collect())
    }
}

impl Deref for Places {
    type Target = [Place];

    fn deref(&self) -> &[Place] {
        &self.0
    }
}

impl From<Place> for Places {
    fn from(place: Place) -> Places {
        Places(SmallVec::from_buf([place]))
    }
}

impl IntoIterator for Places {
    type Item = Place;
    type IntoIter = smallvec::IntoIter<[Place; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The first [`PLACES_MAX`] places of an iterator.
impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Places {
        Places(places.into_iter().take(PLACES_MAX).collect())
    }
}

/// What a table of messages says of one without holding it. Read off the front of a record's payload, in which places stand
/// before the message; none when that is too short to be one, which the fold will refuse.
pub fn outline(mut payload: &[u8]) -> Option<(Places, Outline)> {
    let places = Places::decode(&mut payload)?;
    Some((places, Outline::of(payload)?))
}
