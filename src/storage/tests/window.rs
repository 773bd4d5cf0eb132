//! Windows of messages, against a model that keeps everything in memory.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::storage::format::cut_body;
use crate::storage::{Finished, Loaded, StorageError, WeightRequest, WindowRequest};

/// What a step does to the log.
#[derive(Clone, Debug)]
enum Step {
    /// A group of messages: destination, body bytes.
    Send(Vec<(u32, usize)>),
    /// Some messages once more: which of those so far.
    Move(Vec<usize>),
    /// A group without its end, then an epoch start, which discards it.
    Discard(Vec<(u32, usize)>),
    /// Back to the end of an earlier batch.
    Cut(usize),
    Reopen,
    /// Reopen without some of the sidecars (every nth), or with a byte of each changed.
    Lose(usize),
    Spoil(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let sends = || prop::collection::vec((1u32..4, prop_oneof![0usize..200, Just(1500)]), 1..6);
    prop_oneof![
        8 => sends().prop_map(Step::Send),
        3 => prop::collection::vec(any::<usize>(), 1..4).prop_map(Step::Move),
        2 => sends().prop_map(Step::Discard),
        1 => any::<usize>().prop_map(Step::Cut),
        1 => Just(Step::Reopen),
        1 => (1usize..4).prop_map(Step::Lose),
        1 => any::<usize>().prop_map(Step::Spoil),
    ]
}

/// All copies of all visible messages.
#[derive(Clone, Default)]
struct Model {
    /// Destination, sequence, end of the record, message.
    copies: Vec<(u32, u64, Offset, Message)>,
    next: BTreeMap<u32, u64>,
}

impl Model {
    fn window(&self, request: &WindowRequest) -> Vec<Loaded> {
        let wanted = |sequence: u64| request.ranges.iter().any(|(a, b)| (*a..=*b).contains(&sequence));
        let found: BTreeMap<u64, &Message> = self
            .copies
            .iter()
            .filter(|(d, s, end, _)| {
                DestinationId(*d) == request.destination && wanted(*s) && *end <= request.below
            })
            .map(|(_, s, _, message)| (*s, message))
            .collect();
        let found = found.into_iter().take(request.entries_max);
        let loaded = |(s, m): (u64, &Message)| {
            let places = place(request.destination.0, s).into();
            Loaded { sequence: Sequence(s), places, message: m.clone() }
        };
        found.map(loaded).collect()
    }
}

/// Records of one message: long bodies in chunks of 400 bytes, so that they cross segments.
fn records_of(destination: u32, sequence: u64, message: &Message, moved: bool) -> Vec<Record> {
    let mut builder = MessageBuilder::from_message(message);
    let mut records = Vec::new();
    if message.body().len() > 1000 {
        let body = std::mem::take(&mut builder.body);
        records.extend(body.chunks(400).map(|c| Record::Chunk(Bytes::copy_from_slice(c))));
    }
    let (places, message) = (place(destination, sequence).into(), builder.build().unwrap());
    records.push(if moved { Record::Move { places, message } } else { Record::Message { places, message } });
    records
}

struct Run {
    log: Fixture,
    model: Model,
    /// End, last checksum, epoch and model after each batch.
    past: Vec<(Offset, u32, Epoch, Model)>,
}

impl Run {
    fn send(&mut self, all: &[(u32, u64, Message)], moved: bool, complete: bool) {
        let mut builder = BatchBuilder::new(self.log.at, self.log.last, self.log.epoch);
        let mut model = self.model.clone();
        for (n, (destination, sequence, message)) in all.iter().enumerate() {
            let records = records_of(*destination, *sequence, message, moved);
            for (m, record) in records.iter().enumerate() {
                let last = n + 1 == all.len() && m + 1 == records.len();
                builder.push(record, !(last && complete));
            }
            let end = self.log.at.plus(builder.len());
            model.copies.push((*destination, *sequence, end, message.clone()));
        }
        self.put(builder);
        if complete {
            self.model = model;
            self.past.push((self.log.at, self.log.last, self.log.epoch, self.model.clone()));
        }
    }

    fn put(&mut self, builder: BatchBuilder) {
        let batch = builder.finish();
        (self.log.at, self.log.last) = (batch.end(), batch.last);
        self.log.log.append(batch);
    }

    fn new_messages(&mut self, sizes: &[(u32, usize)], count: bool) -> Vec<(u32, u64, Message)> {
        let mut next = self.model.next.clone();
        let mut one = |&(destination, size): &(u32, usize)| {
            let sequence = next.entry(destination).or_insert(1);
            let mut builder = MessageBuilder::from_message(&message(size));
            builder.producer_sequence = self.log.at.0;
            builder.expiry = [0, 4_000, 8_500, 9_000][*sequence as usize % 4];
            *sequence += 1;
            (destination, *sequence - 1, builder.build().unwrap())
        };
        let all = sizes.iter().map(&mut one).collect();
        if count {
            self.model.next = next;
        }
        all
    }

    fn reopen(&mut self, dir: &Path) {
        let closed = Fixture::open(&dir.join("elsewhere"), SMALL);
        drop(std::mem::replace(&mut self.log, closed));
        self.log = Fixture::open(dir, SMALL);
        assert_eq!(self.log.opened.damage, None);
    }

    fn step(&mut self, dir: &Path, step: &Step) {
        match step {
            Step::Send(sizes) => {
                let all = self.new_messages(sizes, true);
                self.send(&all, false, true);
            }
            Step::Move(which) if !self.model.copies.is_empty() => {
                let copies = &self.model.copies;
                let pick = |n: &usize| copies[n % copies.len()].clone();
                let all: Vec<_> = which.iter().map(pick).map(|(d, s, _, m)| (d, s, m)).collect();
                self.send(&all, true, true);
            }
            Step::Move(_) => {}
            Step::Discard(sizes) => {
                let all = self.new_messages(sizes, false);
                self.send(&all, false, false);
                self.log.epoch = self.log.epoch.next();
                let mut builder = BatchBuilder::new(self.log.at, self.log.last, self.log.epoch);
                builder.push(&epoch_start(self.log.epoch.0), false);
                self.put(builder);
            }
            Step::Cut(n) if !self.past.is_empty() => {
                let n = n % self.past.len();
                self.past.truncate(n + 1);
                let (at, last, epoch, model) = self.past[n].clone();
                let cut = self.log.log.truncate(at).unwrap();
                assert_eq!((cut.end.offset, cut.last, cut.end.epoch), (at, last, epoch));
                (self.log.at, self.log.last, self.log.epoch, self.model) = (at, last, epoch, model);
            }
            Step::Cut(_) => {}
            Step::Reopen => self.reopen(dir),
            Step::Lose(nth) => {
                for name in names(dir, ".sidecar").iter().step_by(*nth) {
                    fs::remove_file(dir.join(name)).unwrap();
                }
                self.reopen(dir);
            }
            Step::Spoil(place) => {
                self.reopen(dir);
                for name in names(dir, ".sidecar") {
                    let mut bytes = fs::read(dir.join(&name)).unwrap();
                    let place = place % bytes.len();
                    bytes[place] ^= 1;
                    // In place, so that an open one is spoilt too.
                    fs::write(dir.join(&name), bytes).unwrap();
                }
            }
        }
    }

    fn check(&self, request: &WindowRequest) {
        assert_eq!(self.log.log.scan(request).unwrap(), self.model.window(request), "{request:?}");
        // Times are known to the second: what expires within one expires at its end.
        for wall in [3_999, 8_999, 9_000] {
            let all = self.model.window(&WindowRequest { entries_max: usize::MAX, ..request.clone() });
            let seconds = |it: &Loaded| it.message.expiry().saturating_add(999) / 1000;
            let (gone, later): (Vec<_>, Vec<_>) = all
                .into_iter()
                .filter(|it| it.message.expiry() != 0)
                .partition(|it| seconds(it) <= wall / 1000);
            let found = self.log.log.expired(request, wall).unwrap();
            let whole = gone.len() < request.entries_max;
            assert_eq!(
                (&found.messages[..], found.whole),
                (&gone[..gone.len().min(request.entries_max)], whole)
            );
            if whole {
                assert_eq!(found.next, later.iter().map(|it| seconds(it) * 1000).min());
            }
        }
    }
}

fn everything(destination: u32) -> WindowRequest {
    WindowRequest {
        destination: DestinationId(destination),
        ranges: vec![(0, u64::MAX)],
        below: Offset(u64::MAX),
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_window_holds_what_the_model_holds(
        steps in prop::collection::vec(step(), 1..30),
        ranges in prop::collection::vec((1u64..30, 0u64..10), 1..5),
        entries_max in 1usize..12,
        below in 0.0..1.0f64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = Fixture::open(dir.path(), SMALL);
        let mut run = Run { log, model: Model::default(), past: Vec::new() };
        for step in &steps {
            run.step(dir.path(), step);
            // What is applied ends with a group.
            let applied = run.past.get((run.past.len() as f64 * below) as usize).map_or(run.log.at, |past| past.0);
            for destination in 1..4 {
                let all = everything(destination);
                run.check(&all);
                let ranges = ranges.iter().map(|(first, more)| (*first, first + more)).collect();
                run.check(&WindowRequest { ranges, entries_max, below: applied, ..all });
            }
        }
        run.log.log.verify(|_| ()).unwrap();
    }
}

#[test]
fn a_window_stops_at_its_bytes_but_holds_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let batches: Vec<_> = (1..=20).map(|n| log.send(n, 100)).collect();
    let one = batches[0].bytes.len();
    for (bytes_max, expected) in [(0, 1), (one, 1), (one * 2 - 1, 1), (one * 2, 2), (one * 7, 7)] {
        let found = log.log.scan(&WindowRequest { bytes_max, ..everything(1) }).unwrap();
        assert_eq!(found.len(), expected, "{bytes_max} bytes");
    }
}

#[test]
fn an_open_group_is_not_in_a_window() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let mut builder = BatchBuilder::new(log.at, log.last, log.epoch);
    builder.push(&record(1, 1, 10), true);
    let batch = builder.finish();
    (log.at, log.last) = (batch.end(), batch.last);
    log.log.append(batch);
    assert!(log.log.scan(&everything(1)).unwrap().is_empty());
    log.send(2, 10);
    assert_eq!(log.log.scan(&everything(1)).unwrap().len(), 2);
}

#[test]
fn a_body_in_full_size_chunks_is_joined() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions { segment_bytes: 500_000, tail_bytes: 0 });
    let whole = message(1_300_000);
    let (chunks, head) = cut_body(&whole).unwrap().unwrap();
    let mut group: Vec<_> = chunks.into_iter().map(Record::Chunk).collect();
    group.push(Record::Message { places: place(1, 1).into(), message: head });
    log.append(&[group, vec![record(1, 2, 5)]]);
    log.log.sync().unwrap();
    let found = log.log.scan(&everything(1)).unwrap();
    assert_eq!(found[0].message, whole);
    assert_eq!(found[1].message, message(5));
}

#[test]
fn a_flipped_bit_in_a_finished_segment_is_never_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions { segment_bytes: 1000, tail_bytes: 0 });
    (1..=30).for_each(|n| drop(log.send(n, 100)));
    log.log.sync().unwrap();
    drop(log);
    let name = &names(dir.path(), ".log")[1];
    let mut bytes = fs::read(dir.path().join(name)).unwrap();
    let place = bytes.len() - 10;
    bytes[place] ^= 4;
    fs::write(dir.path().join(name), bytes).unwrap();
    let log = Fixture::open(dir.path(), SMALL);
    assert!(matches!(log.log.scan(&everything(1)), Err(StorageError::Corrupt { .. })));
    let report = log.log.verify(|_| ()).unwrap();
    let damage = report.damage.unwrap();
    assert!(matches!(log.log.read(damage.at, 100), Err(StorageError::Corrupt { at, .. }) if at == damage.at));
    // An open trusts finished segments, unless it was told not to.
    assert_eq!(log.opened.damage, None);
    log.log.distrust(damage.at).unwrap();
    drop(log);
    assert_eq!(Fixture::open(dir.path(), SMALL).opened.damage.map(|found| found.at), Some(damage.at));
}

#[test]
fn a_sidecar_that_is_read_is_equal_to_the_entries_it_was_written_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions { segment_bytes: 300_000, tail_bytes: 0 });
    // More than one block of entries, and sequences that alternate between destinations.
    (0..4000u64).for_each(|n| drop(log.append(&[vec![record(1 + (n % 3) as u32, 1 + n / 3, 1)]])));
    log.log.sync().unwrap();
    drop(log);
    let log = Fixture::open(dir.path(), LogOptions { segment_bytes: 300_000, tail_bytes: 0 });
    assert!(!names(dir.path(), ".sidecar").is_empty());
    for destination in 1..=3 {
        let all = log.log.scan(&everything(destination)).unwrap();
        assert!(all.iter().map(|l| l.sequence.0).eq(1..=all.len() as u64));
        assert_eq!(all.len(), (4000 + 3 - destination as usize) / 3);
        for first in [1, 500, 1024, 1025, 1300] {
            let some = WindowRequest { ranges: vec![(first, first + 2)], ..everything(destination) };
            assert_eq!(log.log.scan(&some).unwrap(), all[first as usize - 1..first as usize + 2]);
        }
    }
}

#[test]
fn the_weight_of_a_stretch_is_that_of_the_messages_which_are_alive_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 200_000, tail_bytes: 0 };
    let mut log = Fixture::open(dir.path(), options);
    let mut bytes = Vec::new();
    for n in 0..6000u64 {
        let batch = log.append(&[vec![record(1 + (n % 2) as u32, 1 + n / 2, (n % 90) as usize)]]);
        bytes.push((batch.at, n, batch.bytes.len() as u64));
    }
    log.log.sync().unwrap();
    drop(log);
    let log = Fixture::open(dir.path(), options);
    let stretches = log.log.finished();
    assert!(stretches.len() > 2);
    for stretch in &stretches {
        // Of destination 1 each third message, of destination 2 a range.
        let third = |n: u64| n.is_multiple_of(2) && (1 + n / 2).is_multiple_of(3);
        let range = |n: u64| !n.is_multiple_of(2) && (1000..=1900).contains(&(1 + n / 2));
        let expected = bytes
            .iter()
            .filter(|(at, n, _)| (stretch.base..stretch.end).contains(at) && (third(*n) || range(*n)));
        let expected: u64 = expected.map(|(_, _, bytes)| bytes).sum();
        let thirds = (1..=1000).map(|n| (3 * n, 3 * n)).collect();
        let alive = vec![(DestinationId(1), thirds), (DestinationId(2), vec![(1000, 1900)])];
        let request = WeightRequest { base: stretch.base, end: stretch.end, alive };
        assert_eq!(log.log.weigh(&request).unwrap(), expected);
    }
}

#[test]
fn a_window_is_whole_while_segments_are_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let reader = log.log.clone();
    let (said, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        for (below, last) in told {
            let found = reader.scan(&WindowRequest { below, ..everything(1) }).unwrap();
            assert!(found.iter().map(|it| it.sequence.0).eq(1..=last), "{} of {last}", found.len());
        }
    });
    for sequence in 1..=300 {
        log.send(sequence, 100);
        said.send((log.at, sequence)).unwrap();
    }
    drop(said);
    thread.join().unwrap();
}

#[test]
fn a_look_at_the_finished_stretches_costs_no_memory_for_their_destinations() {
    let looked = |destinations: u32| {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: 100_000, tail_bytes: 0 };
        let mut log = Fixture::open(dir.path(), options);
        for n in 0..4000 {
            log.append(&[vec![record(n % destinations, 1 + u64::from(n / destinations), 1)]]);
        }
        log.log.sync().unwrap();
        drop(log);
        let log = Fixture::open(dir.path(), options);
        let mut held = 0;
        let memory = allocation_counter::measure(|| {
            held = log.log.finished().iter().flat_map(Finished::held).count();
        });
        (held, memory.bytes_total)
    };
    let ((few, few_bytes), (many, many_bytes)) = (looked(2), looked(1000));
    assert!(many > 100 * few, "{few} and {many} entries");
    assert_eq!(few_bytes, many_bytes);
}

#[test]
fn a_message_in_several_places_is_read_from_each_and_its_bytes_count_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 4000, tail_bytes: 0 };
    let mut log = Fixture::open(dir.path(), options);
    let places: Places = (1..=5).map(|destination| place(destination, u64::from(destination) * 10)).collect();
    let of_all = log.append(&[vec![Record::Message { places: places.clone(), message: message(3000) }]]);
    (1..=9).for_each(|n| drop(log.send(100 + n, 900)));
    log.log.sync().unwrap();
    drop(log);
    let log = Fixture::open(dir.path(), LogOptions { segment_bytes: 4000, tail_bytes: 0 });
    for destination in 2..=5 {
        let sequence = Sequence(u64::from(destination) * 10);
        let whole = Loaded { sequence, places: places.clone(), message: message(3000) };
        assert_eq!(log.log.scan(&everything(destination)).unwrap(), [whole]);
    }
    let oldest = &log.log.finished()[0];
    let (held, all) = (oldest.held().map(|held| held.bytes).sum::<u64>(), of_all.bytes.len() as u64);
    assert!((all..all + 5).contains(&held), "{held} of {all} bytes");
    let alive = (2..=5).map(|n| (DestinationId(n), vec![(1, 1000)])).collect();
    let request = WeightRequest { base: oldest.base, end: oldest.end, alive };
    let weight = log.log.weigh(&request).unwrap();
    assert!((all * 4 / 5..all * 4 / 5 + 5).contains(&weight), "{weight} of {all} bytes");
}
