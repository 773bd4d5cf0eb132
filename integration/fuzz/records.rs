//! What the log says: messages, records, batches, the state that they fold to, and its snapshot.

use bytes::{Bytes, BytesMut};
use quorate::broker::Spilled;
use quorate::model::{
    BodyKind, CatalogueChange, Destination, DestinationId, DestinationKind, DurableSubscription, Encoding,
    Epoch, Field, Message, MessageBuilder, Offset, Outcome, Place, PropertyValue, Record, Sequence,
};
use quorate::state::State;
use quorate::storage::{BatchBuilder, RECORD_HEADER_BYTES, records, verify};

use crate::driver::{Target, as_it_is, kind, shape};
use crate::files::{crc, mend_records, pairs, pairs_to};

pub(crate) const MESSAGE: Target = Target {
    name: "message",
    run: message,
    mend: |input| mend_message(input),
    seeds: || vec![sample(b"body").encoded().to_vec(), sample(b"").encoded().to_vec()],
    words: &[],
    planted: |input| {
        let read = Message::decode(Bytes::copy_from_slice(input));
        read.is_ok_and(|message| message.priority() == 7 && message.properties().count() > 3)
    },
    memory: (64, 64 * 1024),
    bytes_max: 16 * 1024,
};

pub(crate) const SPILLED: Target = Target {
    name: "spilled",
    run: |input| {
        let read = Spilled::decode(input);
        if let Some(messages) = &read {
            assert_eq!(messages.encode(), input, "what is read is what was written");
        }
        kind(&read.map(|messages| format!("{messages:?}").matches("after").count().min(4)))
    },
    mend: |input| {
        if let Some((sum, rest)) = input.split_at_mut_checked(4) {
            sum.copy_from_slice(&crc(rest).to_le_bytes());
        }
    },
    seeds: spilled_seeds,
    words: &[],
    planted: |input| {
        let read = Spilled::decode(input);
        read.is_some_and(|messages| format!("{messages:?}").contains("failures: 7"))
    },
    memory: (64, 64 * 1024),
    bytes_max: 16 * 1024,
};

/// Files of no message and of two.
fn spilled_seeds() -> Vec<Vec<u8>> {
    let mut two = vec![0; 4];
    for (number, body) in [(1u64, &b"one"[..]), (2, b"a longer one")] {
        let encoded = sample(body).encoded().clone();
        two.extend(9u64.to_le_bytes());
        two.extend(number.to_le_bytes());
        two.extend([3, 0, 0, 0, (number % 2) as u8]);
        two.extend((encoded.len() as u32).to_le_bytes());
        two.extend(encoded);
    }
    let sum = crc(&two[4..]);
    two[..4].copy_from_slice(&sum.to_le_bytes());
    vec![vec![0; 4], two]
}

pub(crate) const RECORD: Target = Target {
    name: "record",
    run: record,
    mend: as_it_is,
    seeds: || samples().iter().map(one).collect(),
    words: &[],
    planted: |input| {
        let Some((kind, payload)) = input.split_first() else { return false };
        let read = Record::decode(*kind, Bytes::copy_from_slice(payload));
        matches!(read, Ok(Record::Settle { outcome: Outcome::Purged, ranges, .. }) if !ranges.is_empty())
    },
    memory: (64, 64 * 1024),
    bytes_max: 16 * 1024,
};

pub(crate) const BATCH: Target = Target {
    name: "batch",
    run: batch,
    mend: |input| {
        if let Some((head, rest)) = input.split_at_mut_checked(12) {
            let at = u64::from_le_bytes(*head.first_chunk().unwrap());
            let previous = u32::from_le_bytes(*head[8..].first_chunk().unwrap());
            mend_records(at, previous, rest);
        }
    },
    seeds: batch_seeds,
    words: &[],
    planted: |input| {
        let Some((at, previous, bytes)) = placed(input) else { return false };
        let whole = verify(at, previous, &bytes);
        whole.is_ok_and(|batch| batch.epoch > Epoch(1 << 32) && records(at, &bytes).count() > 1)
    },
    memory: (64, 64 * 1024),
    bytes_max: 16 * 1024,
};

pub(crate) const FOLD: Target = Target {
    name: "fold",
    run: fold,
    mend: as_it_is,
    seeds: || {
        vec![pairs_to(samples().iter().map(|it| (vec![it.kind() as u8], payload(it)))), checkpoint_seed()]
    },
    words: &[],
    planted: |input| folded(0, input).base() > Offset(1 << 40),
    memory: (256, 256 * 1024),
    bytes_max: 16 * 1024,
};

pub(crate) const SNAPSHOT: Target = Target {
    name: "snapshot",
    run: snapshot,
    mend: as_it_is,
    seeds: || vec![pairs_to(State::new().snapshot()), pairs_to(sample_state().snapshot())],
    words: &[],
    planted: |input| State::restore(pairs(input)).is_ok_and(|state| state.base() > Offset(1 << 40)),
    memory: (256, 256 * 1024),
    bytes_max: 16 * 1024,
};

/// A message with some of everything.
pub(crate) fn sample(body: &'static [u8]) -> Message {
    let mut builder = MessageBuilder::new(Encoding::Stomp);
    builder.persistent = true;
    builder.body_kind = BodyKind::Text;
    (builder.timestamp, builder.expiry, builder.producer_sequence, builder.group_sequence) = (5, 99, 7, -1);
    builder.body = Bytes::from_static(body);
    let queue = Destination::new(DestinationKind::Queue, "A.B").unwrap();
    builder.destination(Field::Destination, &queue).destination(Field::ReplyTo, &queue);
    builder.field(Field::MessageId, "ID:1").field(Field::ProducerId, "p").field(Field::DuplicateId, "d");
    builder.property("n", PropertyValue::Int(-3)).property("s", PropertyValue::String("x"));
    builder.property("d", PropertyValue::Double(0.5)).property("b", PropertyValue::Bool(true));
    builder.priority = if body == b"y" { 7 } else { 4 };
    builder.property("0", PropertyValue::Null).property("r", PropertyValue::Bytes(b"\0"));
    builder.build().unwrap()
}

/// A place in a destination's order.
pub(crate) fn place(destination: u32, sequence: u64) -> Place {
    Place { destination: DestinationId(destination), sequence: Sequence(sequence) }
}

/// One record of every kind, which fold to something.
pub(crate) fn samples() -> Vec<Record> {
    let (destination, message) = (DestinationId(1), sample(b"x"));
    let queue = Destination::new(DestinationKind::Queue, "A.B").unwrap();
    let topic = Destination::new(DestinationKind::Topic, "T").unwrap();
    let schedule = Destination::new(DestinationKind::Schedule, "S").unwrap();
    let create = |id, destination| {
        Record::Catalogue(CatalogueChange::CreateDestination { id: DestinationId(id), destination })
    };
    let subscription = CatalogueChange::CreateSubscription {
        id: DestinationId(3),
        subscription: DurableSubscription {
            client_id: "c".into(),
            name: "n".into(),
            topics: "T".into(),
            selector: "a = 1".into(),
            ..DurableSubscription::default()
        },
    };
    let settle = |destination, ranges: &[(u64, u64)]| Record::Settle {
        destination: DestinationId(destination),
        outcome: Outcome::Consumed,
        ranges: ranges.to_vec(),
    };
    let counters = vec![(2, 2, 1), (3, 4, 2)];
    vec![
        Record::EpochStart { epoch: Epoch(1), master: "n1".into(), time: 7 },
        create(1, queue),
        create(2, topic),
        Record::Catalogue(subscription),
        Record::Message { places: place(1, 1).into(), message: message.clone() },
        Record::Message { places: place(1, 4).into(), message: sample(b"y") },
        Record::Message { places: [place(3, 9), place(1, 5)].into_iter().collect(), message: sample(b"z") },
        settle(1, &[(1, 1), (3, 4)]),
        settle(3, &[(1, 8)]),
        Record::Redelivered { destination, counters: counters.clone() },
        Record::Redelivered { destination: DestinationId(3), counters },
        Record::Dispatched { destination, sequence: Sequence(4) },
        create(4, schedule),
        Record::Message { places: place(4, 1).into(), message: sample(b"later") },
        Record::Message { places: place(4, 2).into(), message: sample(b"once") },
        Record::Rescheduled { destination: DestinationId(4), sequence: Sequence(1), due: 1_500, sent: 3 },
        settle(4, &[(2, 2)]),
        Record::Transaction(Bytes::from_static(b"t")),
        Record::Move { places: [place(1, 1), place(2, 9)].into_iter().collect(), message },
        Record::Base(Offset(64)),
        Record::Chunk(Bytes::from_static(b"chunk")),
        Record::Catalogue(CatalogueChange::PauseDestination { id: destination, paused: true }),
        Record::Catalogue(CatalogueChange::RemoveDestination { id: DestinationId(9) }),
    ]
}

fn payload(record: &Record) -> Vec<u8> {
    let mut out = BytesMut::new();
    record.encode(&mut out);
    out.to_vec()
}

fn one(record: &Record) -> Vec<u8> {
    [vec![record.kind() as u8], payload(record)].concat()
}

fn sample_state() -> State {
    let mut state = State::new();
    for (number, record) in samples().iter().enumerate() {
        state.apply(Offset(number as u64 * 100), record);
    }
    state
}

fn checkpoint_seed() -> Vec<u8> {
    let parts = sample_state().checkpoint();
    pairs_to(parts.iter().chain(&samples()).map(|it| (vec![it.kind() as u8], payload(it))))
}

/// Makes the two lengths of a message fit its bytes.
fn mend_message(input: &mut [u8]) {
    let Some(rest) = input.len().checked_sub(Message::BYTES_MIN) else { return };
    let fields = u32::from_le_bytes(*input[44..].first_chunk().unwrap()).min(rest as u32);
    input[44..48].copy_from_slice(&fields.to_le_bytes());
    input[48..52].copy_from_slice(&(rest as u32 - fields).to_le_bytes());
    input[0] = Message::VERSION;
}

fn message(input: &[u8]) -> u64 {
    let message = match Message::decode(Bytes::copy_from_slice(input)) {
        Ok(message) => message,
        Err(error) => return kind(&shape(&error)),
    };
    assert_eq!(message.encoded(), input);
    let properties = message.properties().count();
    let destinations = [Field::Destination, Field::ReplyTo, Field::OriginalDestination]
        .map(|tag| message.destinations(tag).count());
    let built = MessageBuilder::from_message(&message).build().unwrap();
    let again = Message::decode(built.encoded().clone()).expect("built from a message");
    assert_eq!(again.body(), message.body());
    // A field of no properties is left out when it is written again.
    let properties_of = |it: &Message| it.field(Field::Properties).unwrap_or_default().to_vec();
    assert_eq!(properties_of(&again), properties_of(&message));
    let fixed = |it: &Message| {
        let times = (it.timestamp(), it.expiry(), it.due(), it.producer_sequence(), it.group_sequence());
        (it.persistent(), it.priority(), it.body_kind(), it.encoding(), times)
    };
    assert_eq!(fixed(&again), fixed(&message));
    assert_eq!(MessageBuilder::from_message(&again).build().unwrap(), again);
    kind(&(
        properties.min(9),
        destinations,
        message.fields().count().min(9),
        message.body_kind() as u8,
        message.priority(),
    ))
}

fn record(input: &[u8]) -> u64 {
    let Some((code, payload)) = input.split_first() else { return 0 };
    match Record::decode(*code, Bytes::copy_from_slice(payload)) {
        Ok(record) => {
            assert_eq!(one(&record), input);
            kind(&(code, payload.len().min(256) / 16))
        }
        Err(error) => kind(&(code, shape(&error))),
    }
}

/// Where the batch stands, then its bytes.
fn placed(input: &[u8]) -> Option<(Offset, u32, Bytes)> {
    let (head, bytes) = input.split_at_checked(12)?;
    let at = u64::from_le_bytes(*head.first_chunk()?);
    Some((Offset(at), u32::from_le_bytes(*head[8..].first_chunk()?), Bytes::copy_from_slice(bytes)))
}

fn batch(input: &[u8]) -> u64 {
    let Some((at, previous, bytes)) = placed(input) else { return 0 };
    let views: Vec<_> = records(at, &bytes).collect();
    let batch = match verify(at, previous, &bytes) {
        Ok(batch) => batch,
        Err(error) => return kind(&(shape(&error), views.len().min(8))),
    };
    let last = views.last().expect("a batch has a record");
    assert_eq!((batch.at, batch.end(), batch.last, batch.epoch), (at, last.end, last.crc, last.epoch));
    let (mut builder, mut epoch) = (BatchBuilder::new(at, previous, views[0].epoch), views[0].epoch);
    let mut same = Vec::new();
    for view in &views {
        assert!(view.epoch >= epoch);
        if view.epoch > epoch {
            let done =
                std::mem::replace(&mut builder, BatchBuilder::new(view.offset, view.previous, view.epoch));
            same.extend(done.finish().bytes);
            epoch = view.epoch;
        }
        builder.push_encoded(view.kind, &view.payload, view.more);
    }
    same.extend(builder.finish().bytes);
    // Flags that are not known here are lost; all else is as it was.
    assert_eq!(same.len(), bytes.len());
    let kinds: Vec<u8> = views.iter().map(|view| view.kind.min(12)).take(4).collect();
    kind(&(kinds, views.len().min(8), views.iter().any(|view| view.more)))
}

fn batch_seeds() -> Vec<Vec<u8>> {
    let all = samples();
    let of = |at: u64, previous: u32, records: &[Record]| {
        let mut builder = BatchBuilder::new(Offset(at), previous, Epoch(3));
        for (number, record) in records.iter().enumerate() {
            builder.push(record, number % 3 == 1);
        }
        let mut seed = at.to_le_bytes().to_vec();
        seed.extend(previous.to_le_bytes());
        seed.extend(builder.finish().bytes);
        assert!(seed.len() > 12 + RECORD_HEADER_BYTES);
        seed
    };
    vec![of(0, 0, &all[..1]), of(4096, 77, &all[..6]), of(1 << 40, 1, &all[7..])]
}

/// The state after these records, the first of them at `from`; what is no record is left out.
fn folded(from: u64, input: &[u8]) -> State {
    let mut state = State::new();
    for (number, (code, payload)) in pairs(input).into_iter().enumerate() {
        let code = code.first().copied().unwrap_or_default();
        if let Ok(record) = Record::decode(code, payload.into()) {
            state.apply(Offset(from + number as u64 * 32), &record);
        }
    }
    state
}

fn fold(input: &[u8]) -> u64 {
    let state = folded(0, input);
    let part = folded(32, input);
    for state in [&state, &part] {
        let restored = State::restore(state.snapshot()).expect("a snapshot restores");
        assert_eq!(restored.digest(), state.digest());
        assert_eq!(restored.snapshot(), state.snapshot());
    }
    let count = |state: &State| state.destinations().count().min(4);
    kind(&(count(&state), count(&part), state.snapshot().len().min(16), state.base() > Offset(0)))
}

fn snapshot(input: &[u8]) -> u64 {
    match State::restore(pairs(input)) {
        Ok(state) => {
            let again = State::restore(state.snapshot()).expect("a snapshot restores");
            assert_eq!((again.digest(), again.snapshot()), (state.digest(), state.snapshot()));
            kind(&(state.destinations().count().min(4), state.snapshot().len().min(16)))
        }
        Err(error) => kind(&shape(&error)),
    }
}
