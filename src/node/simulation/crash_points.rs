//! The power fails before every single call that changes the disk, in a run that appends, rolls, moves, checkpoints, lets
//! go of the old end, cuts, promises and writes sidecars; what was not synced is kept, lost or torn. Each disk is
//! recovered twice, and both must hold what was durable, and a state that the log once stood for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::env::{Keep, SimDisk, seeded};
use crate::model::{
    CatalogueChange, Destination, DestinationId, DestinationKind, Encoding, Epoch, Field, MessageBuilder,
    Offset, Outcome, Place, Record, RecordKind, Sequence,
};
use crate::node::cleaner::checkpoint_and_base;
use crate::state::State;
use crate::storage::by_hand;
use crate::storage::{
    BatchBuilder, Finished, LogOptions, StorageError, Store, WindowRequest, push_group, records,
};

const DIR: &str = "store";
const QUEUE: DestinationId = DestinationId(1);
const OPTIONS: LogOptions = LogOptions { segment_bytes: 2000, tail_bytes: 500 };
const STEPS: u64 = 48;

/// What a run was told, and what its log stood for at each end of a group.
#[derive(Default)]
struct Told {
    durable: Offset,
    promised: Epoch,
    /// Digests of the state at an offset; two where the log was cut in between.
    digests: BTreeMap<Offset, Vec<u64>>,
    /// What was ever written where; the digest says nothing of bodies.
    records: BTreeMap<Offset, Vec<Bytes>>,
    base: Offset,
    steps: u64,
}

/// A run in the middle of its work.
struct Script {
    store: Store,
    state: State,
    states: BTreeMap<Offset, (State, u32)>,
    last: u32,
    next: u64,
    told: Told,
}

fn open(disk: &SimDisk) -> Result<Store, StorageError> {
    Store::open(Arc::new(disk.clone()), Path::new(DIR), "n1", OPTIONS, Box::new(|_| ()))
}

fn message(sequence: u64) -> Record {
    let mut builder = MessageBuilder::new(Encoding::Native);
    builder.persistent = true;
    builder.body = vec![sequence as u8; (sequence as usize * 37) % 300].into();
    builder.field(Field::DuplicateId, sequence.to_string().into_bytes());
    let place = Place { destination: QUEUE, sequence: Sequence(sequence) };
    Record::Message { places: place.into(), message: builder.build().unwrap() }
}

fn settle(first: u64, last: u64) -> Record {
    Record::Settle { destination: QUEUE, outcome: Outcome::Consumed, ranges: vec![(first, last)] }
}

impl Script {
    /// Writes groups as the node does, applies them as if they were committed.
    fn append(&mut self, groups: &[Vec<Record>]) {
        let epoch = self.told.promised.max(Epoch(1));
        let mut builder = BatchBuilder::new(self.store.log.end(), self.last, epoch);
        for group in groups {
            push_group(&mut builder, group);
        }
        let batch = builder.finish();
        self.last = batch.last;
        for view in records(batch.at, &batch.bytes) {
            self.told.records.entry(view.offset).or_default().push(view.payload.clone());
            let record = Record::decode(view.kind, view.payload.clone()).unwrap();
            self.state.apply(view.offset, &record);
            if !view.more {
                self.told.digests.entry(view.end).or_default().push(self.state.digest());
                self.states.insert(view.end, (self.state.clone(), view.crc));
            }
        }
        self.store.log.append(batch);
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.told.durable = self.store.log.sync()?;
        Ok(())
    }

    /// As the node cleans: what is alive in the oldest stretch again, the state, the base; then the stretch goes.
    fn clean(&mut self) -> Result<(), StorageError> {
        let Some(Finished { end, .. }) = self.store.log.finished().into_iter().next() else { return Ok(()) };
        let ranges = self.state.destination(QUEUE).unwrap().unsettled(1, 100);
        let below = self.store.log.end();
        let request = WindowRequest { destination: QUEUE, ranges, below, entries_max: 4, bytes_max: 1 << 20 };
        let loaded = self.store.log.scan(&request)?;
        let moves =
            loaded.into_iter().map(|it| vec![Record::Move { places: it.places, message: it.message }]);
        let moves: Vec<_> = moves.collect();
        if !moves.is_empty() {
            self.append(&moves);
        }
        let groups = checkpoint_and_base(&self.state, end);
        self.append(&groups);
        self.sync()?;
        self.store.log.drop_below(end);
        self.told.base = end;
        self.store.log.write_now();
        Ok(())
    }

    /// Back by some groups, over segments.
    fn cut(&mut self, groups: usize) -> Result<(), StorageError> {
        let to = self.states.iter().rev().nth(groups).map(|(to, (state, last))| (*to, state.clone(), *last));
        let Some((to, state, last)) = to.filter(|it| it.0 > self.store.log.base()) else { return Ok(()) };
        self.told.durable = self.told.durable.min(to);
        self.store.log.truncate(to)?;
        (self.state, self.last) = (state, last);
        self.states.split_off(&Offset(to.0 + 1));
        Ok(())
    }

    fn promise(&mut self) -> Result<(), StorageError> {
        let mut identity = self.store.identity.clone();
        identity.promise.epoch = Epoch(identity.promise.epoch.0 + 1);
        self.store.file.save(&identity)?;
        self.told.promised = identity.promise.epoch;
        self.store.identity = identity;
        Ok(())
    }

    fn step(&mut self, n: u64) -> Result<(), StorageError> {
        let first = self.next;
        self.next += 2;
        self.append(&[vec![message(first), message(first + 1)]]);
        if !n.is_multiple_of(3) {
            self.sync()?;
        }
        if n % 4 == 3 {
            let gone = settle(first.saturating_sub(6).max(1), first - 1);
            self.append(&[vec![gone]]);
        }
        match n {
            _ if n % 7 == 6 => self.promise()?,
            _ if n % 11 == 10 => self.clean()?,
            19 | 37 => self.cut(3)?,
            _ => {}
        }
        if n % 5 == 4 {
            self.store.log.write_sidecars_now();
        }
        self.next = self.state.destination(QUEUE).unwrap().next();
        Ok(())
    }
}

/// The run; it ends early when the power does.
fn run(disk: &SimDisk) -> Told {
    let Ok(store) = open(disk) else { return Told::default() };
    let (state, told) = (
        State::new(),
        Told { digests: [(Offset(0), vec![State::new().digest()])].into(), ..Told::default() },
    );
    let mut script = Script { store, state, states: BTreeMap::new(), last: 0, next: 1, told };
    let destination = Destination::new(DestinationKind::Queue, "q").unwrap();
    let create = CatalogueChange::CreateDestination { id: QUEUE, destination };
    script.append(&[vec![Record::Catalogue(create)]]);
    for n in 0..STEPS {
        if script.step(n).is_err() {
            break;
        }
        script.told.steps = n + 1;
    }
    script.told
}

/// The fold of what a log holds: where its last whole group ends, and the digest there. It holds what was written.
fn fold(store: &Store, told: &Told, case: &str) -> (Offset, u64) {
    let (log, mut state, mut open) = (&store.log, State::new(), Vec::new());
    let (mut at, mut whole) = (log.base(), log.base());
    while at < log.end() {
        let bytes = log.read(at, 4000).unwrap();
        for view in records(at, &bytes) {
            at = view.end;
            let written = told.records.get(&view.offset).is_some_and(|known| known.contains(&view.payload));
            assert!(written, "{case}: nobody wrote what stands at {}", view.offset);
            if view.kind == RecordKind::EpochStart as u8 {
                open.clear();
            }
            open.push((view.offset, Record::decode(view.kind, view.payload.clone()).unwrap()));
            if !view.more {
                for (offset, record) in open.drain(..) {
                    state.apply(offset, &record);
                }
                whole = view.end;
            }
        }
    }
    (whole, state.digest())
}

/// What a start finds, looked at from all sides.
fn check(disk: &SimDisk, told: &Told, case: &str) {
    let store = open(disk).unwrap_or_else(|e| panic!("{case}: {e}"));
    let first = store.recovered.clone();
    assert_eq!(first.damage, None, "{case}");
    assert!(first.end.offset >= told.durable, "{case}: {} of {}", first.end.offset, told.durable);
    assert!(first.base <= told.base, "{case}: base {} above {}", first.base, told.base);
    assert!(store.identity.promise.epoch >= told.promised, "{case}: forgot its promise");
    let (whole, digest) = fold(&store, told, case);
    let known = told.digests.get(&whole).is_some_and(|known| known.contains(&digest));
    assert!(known || told.digests.is_empty(), "{case}: a state that never was, at {whole}");
    let identity = store.identity.clone();
    drop(store);
    let again = open(&disk.after_crash(Keep::Nothing)).unwrap_or_else(|e| panic!("{case}, again: {e}"));
    let expected = crate::storage::Recovered { cut: 0, created: false, ..first };
    assert_eq!((&again.recovered, &again.identity), (&expected, &identity), "{case}, again");
    assert_eq!(fold(&again, told, case), (whole, digest), "{case}, again");
}

#[test]
fn every_prefix_of_a_run_recovers_to_a_state_that_the_log_stood_for() {
    by_hand::want(true);
    seeded::seed(Some(7));
    let whole = SimDisk::new();
    let told = run(&whole);
    assert_eq!(told.steps, STEPS);
    assert!(told.base > Offset(4000) && told.promised > Epoch(4), "it cleans and promises");
    for call in 0..=whole.calls() {
        seeded::seed(Some(7));
        let disk = SimDisk::new();
        disk.power_until(call);
        let told = run(&disk);
        let keeps = [Keep::All, Keep::Nothing].into_iter().chain((0..4).map(|n| Keep::Some(call * 4 + n)));
        for keep in keeps {
            check(&disk.after_crash(keep), &told, &format!("call {call}, {keep:?}"));
        }
    }
    seeded::seed(None);
    by_hand::want(false);
}
