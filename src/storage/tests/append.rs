//! Appending, reading, rolling, cutting.

use std::thread;

use super::*;
use crate::env::{Disk, SimDisk};
use crate::model::Position;
use crate::storage::{StorageError, verify};

#[test]
fn what_is_appended_is_read_back_before_and_after_it_is_durable_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    assert!(log.opened.created);
    assert_eq!(log.opened.end, Position::default());
    let mut all = Vec::new();
    for n in 1..=60 {
        let batch = log.send(n, n as usize);
        assert_eq!(log.log.read(batch.at, 1).unwrap(), batch.bytes);
        all.extend_from_slice(&batch.bytes);
    }
    assert_eq!(log.all(), all);
    assert_eq!(log.log.sync().unwrap(), log.at);
    assert_eq!(log.all(), all);
    assert!(log.log.read(log.at, 100).unwrap().is_empty());
    let (at, last) = (log.at, log.last);
    drop(log);
    let again = Fixture::open(dir.path(), SMALL);
    assert_eq!((again.at, again.last, again.opened.cut, again.opened.created), (at, last, 0, false));
    assert_eq!(again.opened.history, [(Epoch(1), at)]);
    assert_eq!(again.all(), all);
    assert!(names(dir.path(), ".log").len() > 5);
}

#[test]
fn durable_offsets_ascend_and_end_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    (1..=50).for_each(|n| drop(log.send(n, 100)));
    let end = log.log.sync().unwrap();
    assert_eq!(log.log.durable(), end);
    drop(log.log);
    let offsets: Vec<_> = log.events.iter().collect();
    let ends: Vec<_> =
        offsets.iter().map(|e| if let LogEvent::Durable(at) = e { at.0 } else { panic!("{e:?}") }).collect();
    assert!(ends.is_sorted());
    assert_eq!(ends.last(), Some(&end.0));
}

#[test]
fn a_segment_ends_before_the_record_that_does_not_fit_and_a_long_record_gets_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let small = vec![record(1, 1, 100)];
    let batch = log.append(&[small.clone(), small.clone(), vec![record(1, 2, 5000)], small]);
    log.log.sync().unwrap();
    let ends: Vec<_> = crate::storage::records(batch.at, &batch.bytes).map(|r| r.end.0).collect();
    let expected: Vec<_> = [0, ends[1], ends[2]].iter().map(|base| format!("{base:020}.log")).collect();
    assert_eq!(names(dir.path(), ".log"), expected);
    drop(log);
    let again = Fixture::open(dir.path(), SMALL);
    assert_eq!(again.all(), batch.bytes);
}

#[test]
fn a_read_gives_whole_records_and_at_least_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions { segment_bytes: 100_000, tail_bytes: 0 });
    let batches: Vec<_> = (1..=20).map(|n| log.send(n, 50)).collect();
    log.log.sync().unwrap();
    log.send(21, 50);
    let one = batches[0].bytes.len();
    for (bytes_max, expected) in
        [(0, 1), (1, 1), (one, 1), (one * 3 - 1, 2), (one * 3, 3), (one * 19 + 5, 19)]
    {
        let bytes = log.log.read(Offset(0), bytes_max).unwrap();
        assert_eq!(bytes.len(), one * expected, "at most {bytes_max}");
        verify(Offset(0), 0, &bytes).unwrap();
    }
    assert!(matches!(log.log.read(Offset(7), 100), Err(StorageError::Corrupt { at: Offset(7), .. })));
    assert!(matches!(log.log.read(log.at.plus(1), 100), Err(StorageError::Range { .. })));
}

#[test]
fn a_cut_log_ends_there_for_good_and_goes_on_with_other_records() {
    let dir = tempfile::tempdir().unwrap();
    for keep in [0usize, 1, 7, 8, 9, 25, 39, 40] {
        let dir = dir.path().join(keep.to_string());
        let mut log = Fixture::open(&dir, SMALL);
        let batches: Vec<_> = (1..=40).map(|n| log.send(n, 100)).collect();
        let to = batches.get(keep).map_or(log.at, |batch| batch.at);
        assert!(matches!(log.log.truncate(log.at.plus(1)), Err(StorageError::Range { .. })));
        let cut = log.log.truncate(to).unwrap();
        assert_eq!((cut.end.offset, log.log.end(), log.log.durable()), (to, to, to));
        assert_eq!(cut.last, if keep == 0 { 0 } else { batches[keep - 1].last });
        let expected: Vec<u8> = batches[..keep].iter().flat_map(|batch| batch.bytes.to_vec()).collect();
        assert_eq!(log.all(), expected);
        drop(log);
        let mut log = Fixture::open(&dir, SMALL);
        assert_eq!((log.at, log.last, log.opened.cut, &log.opened.damage), (to, cut.last, 0, &None));
        log.send(77, 10);
        log.log.sync().unwrap();
        assert!(log.all().starts_with(&expected));
    }
}

#[test]
fn a_cut_inside_of_a_record_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    (1..=20).for_each(|n| drop(log.send(n, 100)));
    let all = log.all();
    let boundaries: Vec<_> = crate::storage::records(Offset(0), &all).map(|r| r.end.0).collect();
    for to in (1..all.len() as u64).rev().filter(|to| !boundaries.contains(to)).step_by(13) {
        assert!(matches!(log.log.truncate(Offset(to)), Err(StorageError::Range { .. })), "{to}");
    }
    assert_eq!(log.all(), all);
}

#[test]
fn cut_records_do_not_come_back_when_an_equal_prefix_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions::default());
    let first = log.send(1, 10);
    log.send(2, 10);
    log.send(3, 10);
    log.log.truncate(Offset(0)).unwrap();
    (log.at, log.last) = (Offset(0), 0);
    assert_eq!(log.send(1, 10), first);
    log.log.sync().unwrap();
    drop(log);
    assert_eq!(Fixture::open(dir.path(), LogOptions::default()).at, first.end());
}

#[test]
fn a_reset_log_is_empty_and_begins_anew_at_its_base() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    (1..=40).for_each(|n| drop(log.send(n, 100)));
    let base = Position { epoch: Epoch(4), offset: Offset(1 << 40) };
    let reset = log.log.reset(base, 99).unwrap();
    assert_eq!((reset.base, reset.end, reset.last), (base.offset, base, 99));
    assert_eq!((log.log.base(), log.log.end(), log.log.origin()), (base.offset, base.offset, (base, 99)));
    assert!(matches!(log.log.read(Offset(0), 1), Err(StorageError::Range { .. })));
    (log.at, log.last, log.epoch) = (base.offset, 99, Epoch(5));
    let batch = log.append(&[vec![epoch_start(5)]]);
    log.log.sync().unwrap();
    drop(log);
    let again = Fixture::open(dir.path(), SMALL);
    assert_eq!(again.opened.history, [(Epoch(4), base.offset), (Epoch(5), batch.end())]);
    assert_eq!(again.all(), batch.bytes);
}

#[test]
fn the_history_survives_restarts_cuts_and_dropped_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let mut expected = Vec::new();
    for epoch in [2, 3, 7, 8] {
        log.epoch = Epoch(epoch);
        log.append(&[vec![epoch_start(epoch)]]);
        (1..=20).for_each(|n| drop(log.send(n, 100)));
        expected.push((Epoch(epoch), log.at));
    }
    log.log.sync().unwrap();
    drop(log);
    let log = Fixture::open(dir.path(), SMALL);
    assert_eq!(log.opened.history, expected);
    let cut = log.log.truncate(expected[2].1).unwrap();
    assert_eq!((&cut.history[..], cut.end.epoch), (&expected[..3], Epoch(7)));
    log.log.drop_below(expected[1].1);
    log.log.sync().unwrap();
    let (base, _) = log.log.origin();
    assert!(base.offset > expected[0].1 && base.offset <= expected[1].1 && base.epoch == Epoch(3));
    drop(log);
    let log = Fixture::open(dir.path(), SMALL);
    assert_eq!(log.opened.history, expected[1..3]);
    assert_eq!((log.opened.base, log.opened.damage), (base.offset, None));
}

#[test]
fn readers_in_other_threads_see_a_growing_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let reader = log.log.clone();
    let until = 200 * message(100).encoded().len();
    let thread = thread::spawn(move || {
        let (mut at, mut last) = (Offset(0), 0);
        while at.0 < until as u64 {
            let bytes = reader.read(at, 700).unwrap();
            if bytes.is_empty() {
                thread::yield_now();
                continue;
            }
            let batch = verify(at, last, &bytes).unwrap();
            (at, last) = (batch.end(), batch.last);
        }
    });
    (1..=200).for_each(|n| drop(log.send(n, 100)));
    log.log.sync().unwrap();
    thread.join().unwrap();
}

#[test]
fn two_cannot_have_the_log_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = Fixture::open(dir.path(), SMALL);
    let open = || Log::open(Arc::new(SystemDisk), dir.path(), SMALL, Box::new(|_| ()));
    assert!(matches!(open(), Err(StorageError::Locked(path, _)) if path == dir.path()));
    drop(log);
    open().unwrap();
}

/// Appends one message and leaves the writing to whoever comes next.
fn defer(log: &mut Fixture, sequence: u64) -> Batch {
    let mut builder = BatchBuilder::new(log.at, log.last, log.epoch);
    builder.push(&record(1, sequence, 50), false);
    let batch = builder.finish();
    (log.at, log.last) = (batch.end(), batch.last);
    log.log.append_deferred(batch.clone());
    batch
}

#[test]
fn a_small_batch_is_durable_when_its_appender_has_written_it_to_a_quick_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions::default());
    // A disk that was slow the last time leaves the batch to the thread; no disk is slow a thousand times.
    let at_once = |n| {
        let batch = defer(&mut log, n);
        assert_eq!(log.log.read(batch.at, 1).unwrap(), batch.bytes);
        log.log.write_deferred();
        let at_once = log.log.durable() == batch.end();
        assert_eq!(log.log.sync().unwrap(), batch.end());
        assert_eq!(log.events.try_recv(), Ok(LogEvent::Durable(batch.end())));
        at_once
    };
    assert!((1..=1000).any(at_once));
    log.log.write_deferred();
    assert!(log.events.try_recv().is_err(), "nothing was left to be written");
}

#[test]
fn a_deferred_batch_is_written_before_whatever_comes_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions::default());
    let mut all = Vec::new();
    for n in 0..10 {
        all.extend(defer(&mut log, 4 * n + 1).bytes);
        all.extend(defer(&mut log, 4 * n + 2).bytes);
        all.extend(log.send(4 * n + 3, 60).bytes);
        log.log.write_deferred();
        all.extend(defer(&mut log, 4 * n + 4).bytes);
        assert_eq!(log.log.sync().unwrap(), log.at);
    }
    all.extend(defer(&mut log, 41).bytes);
    drop(log);
    let again = Fixture::open(dir.path(), LogOptions::default());
    assert_eq!((again.opened.cut, again.opened.damage.clone()), (0, None));
    assert_eq!(again.all(), all);
}

#[test]
fn a_deferred_batch_that_is_truncated_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions::default());
    let kept = log.send(1, 50);
    defer(&mut log, 2);
    log.log.truncate(kept.end()).unwrap();
    log.log.write_deferred();
    assert_eq!((log.log.end(), log.log.durable()), (kept.end(), kept.end()));
}

#[test]
fn two_threads_that_append_and_write_leave_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), SMALL);
    let other = log.log.clone();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            other.write_deferred();
            thread::yield_now();
        }
    });
    for n in 1..=500 {
        if n % 3 == 0 { drop(log.send(n, 40)) } else { drop(defer(&mut log, n)) }
    }
    drop(ended);
    writer.join().unwrap();
    assert_eq!(log.log.sync().unwrap(), log.at);
    let all = log.all();
    verify(Offset(0), 0, &all).unwrap();
    drop(log);
    assert_eq!(Fixture::open(dir.path(), SMALL).all(), all);
}

#[test]
fn segments_end_between_groups_so_that_each_can_be_dropped_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(dir.path(), LogOptions { segment_bytes: 10_000, tail_bytes: 0 });
    // Groups of seven messages, some 90 in all: with borders anywhere most would be within a group.
    for n in 0..90u64 {
        let group: Vec<_> = (1..=7).map(|m| record(1, 7 * n + m, 40 + (n % 9) as usize)).collect();
        log.append(&[group]);
    }
    log.log.sync().unwrap();
    let segments = names(dir.path(), ".log").len();
    assert!(segments > 5, "{segments} segments");
    assert_eq!(log.log.finished().len(), segments - 1);
}

#[test]
fn a_small_write_clears_the_room_that_the_next_ones_take_and_a_large_one_does_not() {
    let disk = SimDisk::new();
    let dir = Path::new("log");
    let options = LogOptions { segment_bytes: 1 << 20, tail_bytes: 0 };
    let (log, _) = Log::open(Arc::new(disk.clone()), dir, options, Box::new(|_| {})).unwrap();
    let (mut at, mut last, mut written) = (Offset(0), 0, Vec::new());
    let mut send = |body| {
        let mut builder = BatchBuilder::new(at, last, Epoch(1));
        builder.push(&record(1, at.0 + 1, body), false);
        let batch = builder.finish();
        (at, last) = (batch.end(), batch.last);
        let before = disk.written();
        log.append(batch);
        log.sync().unwrap();
        written.push(disk.written() - before);
    };
    send(100_000);
    (0..200).for_each(|_| send(1000));
    let (large, small) = written.split_at(1);
    assert!(large[0] < 110_000, "{written:?}");
    let (with_zeros, others): (Vec<u64>, Vec<u64>) = small.iter().partition(|bytes| **bytes > 128 << 10);
    // 200 times some 1,060 bytes; the others are written with the rest of their blocks, and the hint.
    assert_eq!(with_zeros.len(), 2, "{written:?}");
    assert!(others.iter().all(|bytes| *bytes <= 2 * 4096 + 100), "{written:?}");
    let segment = disk.open(&dir.join("00000000000000000000.log")).unwrap();
    assert_eq!(segment.len().unwrap(), 4096 + (1 << 20), "what is cleared is part of the segment");
}
