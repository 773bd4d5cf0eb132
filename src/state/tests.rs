//! The fold as a whole: scenarios, and properties over random logs.

use proptest::prelude::*;

use crate::model::{
    CatalogueChange, Destination, DestinationId, DestinationKind, DurableSubscription, Encoding, Field,
    Message, MessageBuilder, Offset, Outcome, Place, Record, Sequence,
};

use super::audit::AUDIT_ENTRIES_MAX;
use super::{Applied, Due, State};

fn message(duplicate_id: Option<String>) -> Message {
    let mut builder = MessageBuilder::new(Encoding::Native);
    if let Some(id) = duplicate_id {
        builder.field(Field::DuplicateId, id);
    }
    builder.build().unwrap()
}

fn create(id: u32) -> Record {
    let destination = Destination::new(DestinationKind::Queue, format!("Q{id}")).unwrap();
    Record::Catalogue(CatalogueChange::CreateDestination { id: DestinationId(id), destination })
}

fn place(id: u32, sequence: u64) -> Place {
    Place { destination: DestinationId(id), sequence: Sequence(sequence) }
}

fn enter(id: u32, sequence: u64, name: Option<&str>) -> Record {
    let message = message(name.map(str::to_owned));
    Record::Message { places: place(id, sequence).into(), message }
}

fn settle(id: u32, first: u64, last: u64) -> Record {
    Record::Settle { destination: DestinationId(id), outcome: Outcome::Consumed, ranges: vec![(first, last)] }
}

fn count(id: u32, first: u64, last: u64, count: u32) -> Record {
    Record::Redelivered { destination: DestinationId(id), counters: vec![(first, last, count)] }
}

fn fold(records: &[Record]) -> State {
    let mut state = State::new();
    for (n, record) in records.iter().enumerate() {
        state.apply(Offset(n as u64 * 100), record);
    }
    state
}

#[test]
fn a_message_enters_once_and_leaves_once() {
    let mut state = fold(&[create(1), enter(1, 1, None), enter(1, 2, None)]);
    assert_eq!(state.apply(Offset(300), &settle(1, 1, 1)), Applied::Settled(1));
    assert_eq!(state.apply(Offset(400), &settle(1, 1, 9)), Applied::Settled(1));
    let queue = state.destination(DestinationId(1)).unwrap();
    assert_eq!((queue.size(), queue.enqueued(), queue.dequeued(), queue.floor()), (0, 2, 2, 2));
    assert_eq!(
        state.apply(Offset(500), &enter(1, 2, None)),
        Applied::Entered(0),
        "an old sequence enters again"
    );
}

#[test]
fn a_repeated_name_is_settled_at_once_and_only_in_its_own_destination() {
    let mut state = fold(&[create(1), create(2), enter(1, 1, Some("a"))]);
    assert_eq!(state.apply(Offset(300), &enter(1, 2, Some("a"))), Applied::Entered(0));
    assert_eq!(state.apply(Offset(400), &enter(2, 1, Some("a"))), Applied::Entered(1));
    assert_eq!(state.apply(Offset(500), &enter(1, 3, Some("b"))), Applied::Entered(1));
    let queue = state.destination(DestinationId(1)).unwrap();
    assert_eq!(queue.unsettled(1, 9), [(1, 1), (3, 3)]);
    assert_eq!(queue.size(), 2);
}

#[test]
fn a_producers_number_is_a_name_too() {
    let numbered = |sequence, number| {
        let mut builder = MessageBuilder::new(Encoding::Native);
        builder.field(Field::ProducerId, "p");
        builder.producer_sequence = number;
        let message = builder.build().unwrap();
        Record::Message { places: place(1, sequence).into(), message }
    };
    let mut state = fold(&[create(1), numbered(1, 7)]);
    assert_eq!(state.apply(Offset(200), &numbered(2, 8)), Applied::Entered(1));
    assert_eq!(state.apply(Offset(300), &numbered(3, 7)), Applied::Entered(0));
    assert_eq!(state.apply(Offset(400), &numbered(4, 0)), Applied::Entered(1), "0 is no number");
    assert_eq!(state.apply(Offset(500), &numbered(5, 0)), Applied::Entered(1));
}

#[test]
fn the_audit_forgets_the_oldest_name_and_stays_bounded() {
    let mut state = fold(&[create(1), enter(1, 1, Some("first"))]);
    for n in 0..AUDIT_ENTRIES_MAX as u64 {
        state.apply(Offset(1000 + n), &enter(1, 2 + n, Some(&n.to_string())));
    }
    assert_eq!(state.audit.len(), AUDIT_ENTRIES_MAX);
    let next = state.destination(DestinationId(1)).unwrap().next();
    assert_eq!(state.apply(Offset(9_000_000), &enter(1, next, Some("0"))), Applied::Entered(0));
    assert_eq!(state.apply(Offset(9_000_001), &enter(1, next + 1, Some("first"))), Applied::Entered(1));
    let again = State::restore(state.snapshot()).unwrap();
    assert_eq!(again.digest(), state.digest());
}

#[test]
fn what_is_sent_to_a_removed_destination_is_dropped_and_its_number_is_never_used_again() {
    let remove = Record::Catalogue(CatalogueChange::RemoveDestination { id: DestinationId(1) });
    let mut state = fold(&[create(1), enter(1, 1, None), remove]);
    assert_eq!(state.apply(Offset(300), &enter(1, 2, None)), Applied::Entered(0));
    assert_eq!(state.apply(Offset(400), &settle(1, 1, 1)), Applied::Dropped);
    assert_eq!(state.apply(Offset(500), &create(1)), Applied::Dropped);
    assert_eq!(state.next_destination(), DestinationId(2));
    assert_eq!(state.destinations().count(), 0);
}

#[test]
fn counters_leave_with_their_message() {
    let mut state = fold(&[create(1), enter(1, 1, None), enter(1, 2, None), count(1, 1, 2, 3)]);
    assert_eq!(state.destination(DestinationId(1)).unwrap().failures(2), 3);
    state.apply(Offset(600), &settle(1, 2, 2));
    state.apply(Offset(700), &count(1, 1, 9, 4));
    let queue = state.destination(DestinationId(1)).unwrap();
    assert_eq!((queue.failures(1), queue.failures(2), queue.failures(3)), (4, 0, 0));
}

/// A log of a schedule: three messages, of which one has left and one was sent twice.
fn scheduled() -> Vec<Record> {
    let schedule = Destination::new(DestinationKind::Schedule, "S").unwrap();
    let id = DestinationId(1);
    let later = |sequence, due| {
        let mut builder = MessageBuilder::new(Encoding::Native);
        builder.due = due;
        Record::Message { places: place(1, sequence).into(), message: builder.build().unwrap() }
    };
    vec![
        Record::Catalogue(CatalogueChange::CreateDestination { id, destination: schedule }),
        later(1, 300),
        later(2, 100),
        later(3, 200),
        settle(1, 3, 3),
        Record::Rescheduled { destination: id, sequence: Sequence(2), due: 400, sent: 2 },
        Record::Rescheduled { destination: id, sequence: Sequence(3), due: 500, sent: 2 },
    ]
}

#[test]
fn the_schedule_is_sorted_by_time_and_a_checkpoint_knows_it() {
    let state = fold(&scheduled());
    let due = state.destination(DestinationId(1)).unwrap().due();
    assert_eq!(due.in_order().collect::<Vec<_>>(), [(300, 1), (400, 2)]);
    assert_eq!((due.get(2), due.get(3)), (Some(Due { at: 400, sent: 2 }), None));
    let again = State::restore(state.snapshot()).unwrap();
    assert_eq!(again.digest(), state.digest());
    assert_eq!(again.destination(DestinationId(1)), state.destination(DestinationId(1)));
    // An entry that says when a message is sent that has left is none that a fold writes.
    let mut wrong = state.clone();
    wrong.apply(Offset(900), &settle(1, 1, 2));
    let mut entries = wrong.snapshot();
    entries.extend(state.snapshot().into_iter().filter(|(key, _)| key.len() > 6 && key[5] == 6));
    assert!(State::restore(entries).is_err());
}

#[test]
fn a_fold_that_begins_above_zero_knows_what_the_next_checkpoint_says() {
    let log = [create(1), enter(1, 1, Some("a")), enter(1, 2, None), settle(1, 1, 1)];
    let whole = fold(&log);
    let (mut late, mut early) = (State::new(), whole.clone());
    late.apply(Offset(300), &settle(1, 1, 1));
    for (n, record) in whole.checkpoint().iter().enumerate() {
        late.apply(Offset(400 + n as u64), record);
        early.apply(Offset(400 + n as u64), record);
    }
    assert_eq!(late.digest(), whole.digest());
    assert_eq!(early.digest(), whole.digest());
    assert_eq!(late.apply(Offset(500), &enter(1, 3, Some("a"))), Applied::Entered(0));
}

#[test]
fn snapshot_values_of_an_unknown_version_or_cut_short_are_refused() {
    let state =
        fold(&[create(1), enter(1, 1, Some("a")), enter(1, 2, None), count(1, 2, 2, 1), settle(1, 1, 1)]);
    for at in 0..state.snapshot().len() {
        let mut newer = state.snapshot();
        newer[at].1[0] = 9;
        assert!(State::restore(newer).is_err());
        let mut cut = state.snapshot();
        cut[at].1.pop();
        assert!(State::restore(cut).is_err());
    }
    assert!(State::restore(Vec::new()).is_err());
}

fn record() -> impl Strategy<Value = Record> {
    let id = 1u32..5;
    prop_oneof![
        2 => id.clone().prop_map(create),
        8 => (id.clone(), 1u64..40, prop::option::of(0u8..6))
            .prop_map(|(id, at, name)| enter(id, at, name.map(|n| n.to_string()).as_deref())),
        4 => (id.clone(), 1u64..40, 0u64..6).prop_map(|(id, first, more)| settle(id, first, first + more)),
        2 => (id.clone(), 1u64..40, 0u64..6, 0u32..4).prop_map(|(id, f, more, n)| count(id, f, f + more, n)),
        1 => (id.clone(), 1u64..40).prop_map(|(id, at)| Record::Dispatched {
            destination: DestinationId(id), sequence: Sequence(at) }),
        1 => id.clone().prop_map(|id| Record::Catalogue(
            CatalogueChange::RemoveDestination { id: DestinationId(id) })),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, paused)| Record::Catalogue(
            CatalogueChange::PauseDestination { id: DestinationId(id), paused })),
        1 => (1u32..4, id).prop_map(|(name, id)| Record::Catalogue(CatalogueChange::CreateSubscription {
            id: DestinationId(id), subscription: DurableSubscription {
                client_id: "c".into(), name: name.to_string(), topics: "T.>".into(),
                ..DurableSubscription::default() } })),
        1 => (0u64..99).prop_map(|at| Record::Base(Offset(at))),
    ]
}

proptest! {
    #[test]
    fn two_folds_of_one_log_are_equal_however_often_they_were_saved_on_the_way(
        log in prop::collection::vec(record(), 0..80),
        saves in prop::collection::vec(any::<bool>(), 80), renewals in prop::collection::vec(any::<bool>(), 80),
    ) {
        let (mut plain, mut saved) = (State::new(), State::new());
        for (n, record) in log.iter().enumerate() {
            let offset = Offset(n as u64 * 10);
            let verdict = plain.apply(offset, record);
            prop_assert_eq!(saved.apply(offset, record), verdict);
            if saves[n] {
                saved = State::restore(saved.snapshot()).unwrap();
            }
            prop_assert_eq!(plain.digest(), saved.digest());
            if renewals[n] {
                prop_assert_eq!(plain.renew_digest(), plain.digest());
                prop_assert_eq!(saved.renew_digest(), saved.digest());
            }
        }
        for (_, destination) in plain.destinations() {
            let wanted: u64 = destination.unsettled(1, usize::MAX).iter().map(|(a, b)| b - a + 1).sum();
            prop_assert_eq!(wanted, destination.size());
        }
    }

    #[test]
    fn a_checkpoint_stands_for_everything_before_it(
        before in prop::collection::vec(record(), 1..60), after in prop::collection::vec(record(), 0..40)
    ) {
        let mut whole = fold(&before);
        let mut late = State::new();
        let mut at = 1_000_000;
        for record in whole.checkpoint() {
            late.apply(Offset(at), &record);
            at += 1;
        }
        for record in &after {
            prop_assert_eq!(whole.apply(Offset(at), record), late.apply(Offset(at), record));
            at += 1;
        }
        prop_assert_eq!(whole.digest(), late.digest());
    }
}

#[test]
fn a_fold_that_begins_in_the_middle_is_whole_only_after_a_checkpoint() {
    let mut whole = State::new();
    whole.apply(Offset(0), &create(1));
    assert!(whole.is_whole());
    let mut part = State::new();
    assert!(!part.is_whole());
    part.apply(Offset(100), &create(2));
    assert!(!part.is_whole(), "an index made of it would be an empty state that looks like all");
    for record in whole.checkpoint() {
        part.apply(Offset(200), &record);
    }
    assert!(part.is_whole());
    assert_eq!(part.digest(), whole.digest());
}
