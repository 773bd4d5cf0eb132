//! What the log's records say. A record is a fact: every value that depends on time, chance or the master's memory is
//! in it, so that each node folds the same log to the same state. All numbers are little endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    Destination, DestinationId, DestinationKind, DurableSubscription, Epoch, Message, MessageError, Offset,
    Places, Sequence,
};

/// The kind byte of a record. The numbers are part of the format; `format` 2 of a group writes these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// A message enters destinations.
    Message = 1,
    /// Messages leave a destination.
    Settle = 2,
    /// Deliveries of messages that came back.
    Redelivered = 3,
    /// How far a destination has been dispatched.
    Dispatched = 4,
    /// Destinations come and go.
    Catalogue = 5,
    /// Verbs of prepared (XA) transactions.
    Transaction = 6,
    /// The cleaner writes a message again, at the new end of the log.
    Move = 7,
    /// The cleaner writes the whole state that is not in messages.
    Checkpoint = 8,
    /// The log begins here now.
    Base = 9,
    /// A new epoch: what stands before counts as committed once this is.
    EpochStart = 10,
    /// Part of the body of the message that ends this group.
    Chunk = 11,
    /// A scheduled message was sent, and will be sent again.
    Rescheduled = 12,
}

impl RecordKind {
    /// The kind with this number.
    pub fn from_code(code: u8) -> Option<RecordKind> {
        use RecordKind::*;
        let all = [
            Message,
            Settle,
            Redelivered,
            Dispatched,
            Catalogue,
            Transaction,
            Move,
            Checkpoint,
            Base,
            EpochStart,
            Chunk,
            Rescheduled,
        ];
        all.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// How a message left. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// A consumer acknowledged it.
    Consumed = 1,
    /// Its time ran out.
    Expired = 2,
    /// It was refused too often; the same group holds its copy in the dead-letter queue, if there is to be one.
    Rejected = 3,
    /// An operator removed it.
    Purged = 4,
    /// It moved to another destination in the same group of records.
    Moved = 5,
}

impl Outcome {
    fn from_code(code: u8) -> Option<Outcome> {
        use Outcome::*;
        [Consumed, Expired, Rejected, Purged, Moved].into_iter().find(|o| *o as u8 == code)
    }
}

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueChange {
    /// A destination exists from now on.
    CreateDestination {
        /// Its number, never used before.
        id: DestinationId,
        /// Its kind and name.
        destination: Destination,
    },
    /// A destination and all in it are gone.
    RemoveDestination {
        /// Its number.
        id: DestinationId,
    },
    /// A durable subscription exists from now on, as a destination.
    CreateSubscription {
        /// The number of the destination, never used before.
        id: DestinationId,
        /// What it is.
        subscription: DurableSubscription,
    },
    /// What waits in a destination is dispatched no more, or again.
    PauseDestination {
        /// Its number.
        id: DestinationId,
        /// Whether nothing is dispatched.
        paused: bool,
    },
}

/// One decoded record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A message enters destinations.
    Message {
        /// Where it enters, at least one place.
        places: Places,
        /// The message; when its body is in chunks, what stands here has no body.
        message: Message,
    },
    /// Messages leave.
    Settle {
        /// The destination.
        destination: DestinationId,
        /// Why they leave.
        outcome: Outcome,
        /// Inclusive ranges of sequences.
        ranges: Vec<(u64, u64)>,
    },
    /// Messages that came back after delivery.
    Redelivered {
        /// The destination.
        destination: DestinationId,
        /// First sequence, last sequence, deliveries so far that count.
        counters: Vec<(u64, u64, u32)>,
    },
    /// Everything up to `sequence` may have been seen by a consumer.
    Dispatched {
        /// The destination.
        destination: DestinationId,
        /// High-water mark.
        sequence: Sequence,
    },
    /// The catalogue changes.
    Catalogue(CatalogueChange),
    /// A verb of a prepared transaction, laid out by the transaction manager.
    Transaction(Bytes),
    /// A message again, at the new end of the log.
    Move {
        /// Its unchanged places, of which it has not left.
        places: Places,
        /// The message.
        message: Message,
    },
    /// The state that is not in messages, as `state` writes it.
    Checkpoint(Bytes),
    /// The log's new first offset.
    Base(Offset),
    /// A mastership begins.
    EpochStart {
        /// Its epoch, equal to the record's.
        epoch: Epoch,
        /// Name of the master's node.
        master: String,
        /// Time of the master's clock in ms since 1970.
        time: i64,
    },
    /// Part of a body.
    Chunk(Bytes),
    /// A scheduled message was sent so many times, and is sent again.
    Rescheduled {
        /// The schedule.
        destination: DestinationId,
        /// Which message.
        sequence: Sequence,
        /// When it is sent next, in ms since 1970.
        due: i64,
        /// How often it was sent.
        sent: u32,
    },
}

/// Why a payload is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The kind byte is unknown here.
    #[error("record kind {0} is unknown here")]
    Kind(u8),
    /// The payload does not fit its kind.
    #[error("the payload does not fit a record of kind {0:?}")]
    Payload(RecordKind),
    /// The message inside is damaged.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl Record {
    /// The record's kind.
    pub fn kind(&self) -> RecordKind {
        match self {
            Record::Message { .. } => RecordKind::Message,
            Record::Settle { .. } => RecordKind::Settle,
            Record::Redelivered { .. } => RecordKind::Redelivered,
            Record::Dispatched { .. } => RecordKind::Dispatched,
            Record::Catalogue(_) => RecordKind::Catalogue,
            Record::Transaction(_) => RecordKind::Transaction,
            Record::Move { .. } => RecordKind::Move,
            Record::Checkpoint(_) => RecordKind::Checkpoint,
            Record::Base(_) => RecordKind::Base,
            Record::EpochStart { .. } => RecordKind::EpochStart,
            Record::Chunk(_) => RecordKind::Chunk,
            Record::Rescheduled { .. } => RecordKind::Rescheduled,
        }
    }

    /// Appends the payload to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Record::Message { places, message } | Record::Move { places, message } => {
                places.encode(out);
                out.put_slice(message.encoded());
            }
            Record::Settle { destination, outcome, ranges } => {
                out.put_u32_le(destination.0);
                out.put_u8(*outcome as u8);
                for (first, last) in ranges {
                    out.put_u64_le(*first);
                    out.put_u64_le(*last);
                }
            }
            Record::Redelivered { destination, counters } => {
                out.put_u32_le(destination.0);
                for (first, last, count) in counters {
                    out.put_u64_le(*first);
                    out.put_u64_le(*last);
                    out.put_u32_le(*count);
                }
            }
            Record::Dispatched { destination, sequence } => {
                out.put_u32_le(destination.0);
                out.put_u64_le(sequence.0);
            }
            Record::Rescheduled { destination, sequence, due, sent } => {
                out.put_u32_le(destination.0);
                out.put_u64_le(sequence.0);
                out.put_i64_le(*due);
                out.put_u32_le(*sent);
            }
            Record::Catalogue(change) => change.encode(out),
            Record::Transaction(bytes) | Record::Checkpoint(bytes) | Record::Chunk(bytes) => {
                out.put_slice(bytes)
            }
            Record::Base(offset) => out.put_u64_le(offset.0),
            Record::EpochStart { epoch, master, time } => {
                out.put_u64_le(epoch.0);
                out.put_i64_le(*time);
                out.put_slice(master.as_bytes());
            }
        }
    }

    /// Reads a payload of the kind with number `kind`. Messages and chunks are slices of `payload`, not copies.
    ///
    /// # Errors
    /// [`RecordError`]: the payload is damaged or of a newer format; a checksum should have caught the former.
    pub fn decode(kind: u8, payload: Bytes) -> Result<Record, RecordError> {
        let kind = RecordKind::from_code(kind).ok_or(RecordError::Kind(kind))?;
        let wrong = RecordError::Payload(kind);
        let mut at = payload.clone();
        Ok(match kind {
            RecordKind::Message | RecordKind::Move => {
                let places = Places::decode(&mut at).ok_or(wrong)?;
                let message = Message::decode(at)?;
                if kind == RecordKind::Message {
                    Record::Message { places, message }
                } else {
                    Record::Move { places, message }
                }
            }
            RecordKind::Settle => Record::decode_settle(at).ok_or(wrong)?,
            RecordKind::Redelivered => Record::decode_redelivered(at).ok_or(wrong)?,
            RecordKind::Dispatched if at.len() == 12 => Record::Dispatched {
                destination: DestinationId(at.get_u32_le()),
                sequence: Sequence(at.get_u64_le()),
            },
            RecordKind::Catalogue => Record::Catalogue(CatalogueChange::decode(at).ok_or(wrong)?),
            RecordKind::Transaction => Record::Transaction(at),
            RecordKind::Checkpoint => Record::Checkpoint(at),
            RecordKind::Chunk => Record::Chunk(at),
            RecordKind::Base if at.len() == 8 => Record::Base(Offset(at.get_u64_le())),
            RecordKind::EpochStart if at.len() >= 16 => {
                let (epoch, time) = (Epoch(at.get_u64_le()), at.get_i64_le());
                let master = String::from_utf8(at.to_vec()).map_err(|_| wrong)?;
                Record::EpochStart { epoch, master, time }
            }
            RecordKind::Rescheduled if at.len() == 24 => Record::Rescheduled {
                destination: DestinationId(at.get_u32_le()),
                sequence: Sequence(at.get_u64_le()),
                due: at.get_i64_le(),
                sent: at.get_u32_le(),
            },
            RecordKind::Dispatched | RecordKind::Base | RecordKind::EpochStart | RecordKind::Rescheduled => {
                return Err(wrong);
            }
        })
    }

    fn decode_settle(mut at: Bytes) -> Option<Record> {
        let destination = DestinationId(at.try_get_u32_le().ok()?);
        let outcome = Outcome::from_code(at.try_get_u8().ok()?)?;
        if !at.len().is_multiple_of(16) {
            return None;
        }
        let ranges = (0..at.len() / 16).map(|_| (at.get_u64_le(), at.get_u64_le())).collect();
        Some(Record::Settle { destination, outcome, ranges })
    }

    fn decode_redelivered(mut at: Bytes) -> Option<Record> {
        let destination = DestinationId(at.try_get_u32_le().ok()?);
        if !at.len().is_multiple_of(20) {
            return None;
        }
        let counters =
            (0..at.len() / 20).map(|_| (at.get_u64_le(), at.get_u64_le(), at.get_u32_le())).collect();
        Some(Record::Redelivered { destination, counters })
    }
}

impl CatalogueChange {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            CatalogueChange::CreateDestination { id, destination } => {
                out.put_u8(1);
                out.put_u32_le(id.0);
                out.put_u8(destination.kind as u8);
                out.put_u32_le(destination.name.len() as u32);
                out.put_slice(destination.name.as_bytes());
            }
            CatalogueChange::RemoveDestination { id } => {
                out.put_u8(2);
                out.put_u32_le(id.0);
            }
            CatalogueChange::CreateSubscription { id, subscription } => {
                out.put_u8(3);
                out.put_u32_le(id.0);
                subscription.encode(out);
            }
            CatalogueChange::PauseDestination { id, paused } => {
                out.put_u8(4);
                out.put_u32_le(id.0);
                out.put_u8(u8::from(*paused));
            }
        }
    }

    fn decode(mut at: Bytes) -> Option<CatalogueChange> {
        let text = |at: &mut Bytes| {
            let length = at.try_get_u32_le().ok()? as usize;
            if length > at.len() {
                return None;
            }
            String::from_utf8(at.split_to(length).to_vec()).ok()
        };
        let op = at.try_get_u8().ok()?;
        let id = at.try_get_u32_le().ok()?;
        let change = match op {
            1 => {
                let kind = DestinationKind::from_code(at.try_get_u8().ok()?)?;
                if kind == DestinationKind::Subscription {
                    return None;
                }
                let destination = Destination::new(kind, text(&mut at)?).ok()?;
                CatalogueChange::CreateDestination { id: DestinationId(id), destination }
            }
            2 => CatalogueChange::RemoveDestination { id: DestinationId(id) },
            3 => {
                let subscription = DurableSubscription::decode(&mut at)?;
                CatalogueChange::CreateSubscription { id: DestinationId(id), subscription }
            }
            4 => match at.try_get_u8().ok()? {
                flag @ (0 | 1) => {
                    CatalogueChange::PauseDestination { id: DestinationId(id), paused: flag == 1 }
                }
                _ => return None,
            },
            _ => return None,
        };
        at.is_empty().then_some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Encoding, MessageBuilder, Place};

    fn samples() -> Vec<Record> {
        let message = MessageBuilder::new(Encoding::Native).build().unwrap();
        let (destination, sequence) = (DestinationId(3), Sequence(9));
        let queue = Destination::new(DestinationKind::Queue, "Q").unwrap();
        let places = (1..4).map(|n| Place { destination: DestinationId(n), sequence: Sequence(7) });
        vec![
            Record::Message { places: Place { destination, sequence }.into(), message: message.clone() },
            Record::Move { places: places.collect(), message },
            Record::Settle { destination, outcome: Outcome::Consumed, ranges: vec![(1, 2), (5, 5)] },
            Record::Redelivered { destination, counters: vec![(1, 4, 2)] },
            Record::Dispatched { destination, sequence },
            Record::Catalogue(CatalogueChange::CreateDestination { id: destination, destination: queue }),
            Record::Catalogue(CatalogueChange::RemoveDestination { id: destination }),
            Record::Catalogue(CatalogueChange::PauseDestination { id: destination, paused: true }),
            Record::Catalogue(CatalogueChange::CreateSubscription {
                id: DestinationId(2),
                subscription: DurableSubscription {
                    client_id: "c".into(),
                    name: "n".into(),
                    topics: "T.>".into(),
                    selector: "a = 1".into(),
                    no_local: true,
                    shared: false,
                },
            }),
            Record::Transaction(Bytes::from_static(b"xa")),
            Record::Checkpoint(Bytes::from_static(b"state")),
            Record::Base(Offset(77)),
            Record::EpochStart { epoch: Epoch(4), master: "n1".into(), time: -1 },
            Record::Chunk(Bytes::from_static(b"part")),
        ]
    }

    #[test]
    fn every_record_kind_reads_back_as_it_was_written() {
        for record in samples() {
            let mut out = BytesMut::new();
            record.encode(&mut out);
            assert_eq!(Record::decode(record.kind() as u8, out.freeze()).unwrap(), record);
        }
    }

    #[test]
    fn damaged_payloads_never_panic() {
        // What is still taken for a record must be one: it can be written again and is read back.
        let read = |kind: RecordKind, payload: Vec<u8>| {
            let Ok(record) = Record::decode(kind as u8, payload.into()) else { return };
            let mut again = BytesMut::new();
            record.encode(&mut again);
            assert_eq!(Record::decode(kind as u8, again.freeze()), Ok(record));
        };
        for record in samples() {
            let mut out = BytesMut::new();
            record.encode(&mut out);
            (0..out.len()).for_each(|cut| read(record.kind(), out[..cut].to_vec()));
            for bit in 0..8 * out.len() {
                let mut flipped = out.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                read(record.kind(), flipped);
            }
        }
        assert_eq!(Record::decode(99, Bytes::new()), Err(RecordError::Kind(99)));
    }
}
