//! Power cuts and failures at every single call that changes the disk, in a run that appends, rolls, cuts and drops; and
//! at every call of the recovery after it.

use super::*;
use crate::env::{Keep, SimDisk};
use crate::model::Position;
use crate::storage::{StorageError, records};

const DIR: &str = "store/log";

/// What a run had been told when it ended.
#[derive(Default)]
struct Told {
    /// Bytes that were appended and not cut, from offset 0.
    bytes: Vec<u8>,
    /// Above what the log may be asked to hold: its durable end, or where it was to be cut.
    durable: u64,
    events: Vec<LogEvent>,
}

fn open(disk: &SimDisk) -> Result<(Log, Recovered, Receiver<LogEvent>), StorageError> {
    let (sender, events) = channel();
    let notify = Box::new(move |event| {
        let _ = sender.send(event);
    });
    let (log, opened) = Log::open(Arc::new(disk.clone()), Path::new(DIR), SMALL, notify)?;
    Ok((log, opened, events))
}

/// A fixed run; ends early when the log fails.
fn run(disk: &SimDisk) -> Told {
    let mut told = Told::default();
    let Ok((log, opened, events)) = open(disk) else { return told };
    let (mut at, mut last) = (opened.end.offset, opened.last);
    let mut work = || -> Result<(), StorageError> {
        for n in 1..=24u64 {
            let mut builder = BatchBuilder::new(at, last, Epoch(n / 8 + 1));
            builder.push(&record(1, n, (n as usize * 37) % 300), true);
            builder.push(&record(2, n, 10), false);
            let batch = builder.finish();
            (at, last) = (batch.end(), batch.last);
            told.bytes.extend_from_slice(&batch.bytes);
            log.append(batch);
            if n % 3 != 0 {
                told.durable = log.sync()?.0;
            }
            if n == 13 || n == 20 {
                // Back over several segments.
                let ends: Vec<_> =
                    records(Offset(0), &told.bytes.clone().into()).map(|r| (r.end, r.crc)).collect();
                let to = ends[ends.len() - 1 - n as usize / 2];
                told.durable = told.durable.min(to.0.0);
                let cut = log.truncate(to.0)?;
                assert_eq!((cut.end.offset, cut.last), to);
                told.bytes.truncate(to.0.0 as usize);
                (at, last) = to;
            }
        }
        told.durable = log.sync()?.0;
        Ok(())
    };
    let _ = work();
    drop(log);
    told.events = events.iter().collect();
    told
}

/// Checks what a start finds, twice, and returns it.
fn check(disk: &SimDisk, told: &Told, case: &str) -> Recovered {
    let (log, first, _) = open(disk).unwrap();
    assert_eq!(first.damage, None, "{case}");
    assert!(first.end.offset.0 >= told.durable, "{case}: {} of {}", first.end.offset, told.durable);
    let bytes = read_all(&log);
    let common = bytes.len().min(told.bytes.len());
    // Above its durable end a run that was cut may have left what it had not yet removed.
    let sure = common.min(told.durable as usize);
    assert_eq!(bytes[..sure], told.bytes[..sure], "{case}");
    crate::storage::verify(Offset(0), 0, &bytes)
        .map(|_| ())
        .or_else(|e| if bytes.is_empty() { Ok(()) } else { Err(e) })
        .unwrap();
    assert_eq!(log.verify(|_| ()).unwrap().damage, None, "{case}");
    drop(log);
    // What a start took for durable must be durable then.
    let (log, second, _) = open(&disk.after_crash(Keep::Nothing)).unwrap();
    assert_eq!(second, Recovered { cut: 0, created: false, ..first.clone() }, "{case}");
    assert_eq!(read_all(&log), bytes, "{case}");
    first
}

fn keeps(seed: u64) -> impl Iterator<Item = Keep> {
    [Keep::All, Keep::Nothing].into_iter().chain((0..4).map(move |n| Keep::Some(seed * 4 + n)))
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_durable() {
    let whole = SimDisk::new();
    run(&whole);
    for call in 0..=whole.calls() {
        let disk = SimDisk::new();
        disk.power_until(call);
        let told = run(&disk);
        for keep in keeps(call) {
            check(&disk.after_crash(keep), &told, &format!("call {call}, {keep:?}"));
        }
    }
}

#[test]
fn a_power_cut_at_any_call_of_a_recovery_changes_nothing_durable() {
    let disk = SimDisk::new();
    disk.power_until(70);
    let told = run(&disk);
    for keep in keeps(70) {
        let start = disk.after_crash(keep);
        let probe = disk.after_crash(keep);
        drop(open(&probe).unwrap());
        for call in 0..=probe.calls() {
            let again = start.after_crash(Keep::All);
            again.power_until(call);
            drop(open(&again));
            for keep in keeps(call) {
                check(&again.after_crash(keep), &told, &format!("call {call} of the recovery, {keep:?}"));
            }
        }
    }
}

#[test]
fn a_failure_of_any_call_ends_the_log_once_and_loses_nothing_durable() {
    let whole = SimDisk::new();
    run(&whole);
    for call in 0..whole.calls() {
        let disk = SimDisk::new();
        disk.fail_at(call);
        let told = run(&disk);
        let failures = told.events.iter().filter(|e| matches!(e, LogEvent::Failed(_))).count();
        assert!(failures <= 1, "call {call}: {failures} failures");
        if failures == 1 {
            assert!(
                matches!(told.events.last(), Some(LogEvent::Failed(_))),
                "call {call}: told more after the failure"
            );
        }
        for keep in keeps(call) {
            check(&disk.after_crash(keep), &told, &format!("call {call} failed, {keep:?}"));
        }
    }
}

#[test]
fn a_log_that_failed_does_nothing_more() {
    let disk = SimDisk::new();
    let (log, _, events) = open(&disk).unwrap();
    let mut builder = BatchBuilder::new(Offset(0), 0, Epoch(1));
    builder.push(&record(1, 1, 10), false);
    disk.fail_at(disk.calls());
    let batch = builder.finish();
    log.append(batch.clone());
    assert!(matches!(log.sync(), Err(StorageError::Failed(_))));
    assert!(matches!(events.recv(), Ok(LogEvent::Failed(_))));
    let calls = disk.calls();
    let mut builder = BatchBuilder::new(batch.end(), batch.last, Epoch(1));
    builder.push(&record(1, 2, 10), false);
    log.append(builder.finish());
    assert!(matches!(log.sync(), Err(StorageError::Failed(_))));
    assert!(matches!(log.truncate(Offset(0)), Err(StorageError::Failed(_))));
    assert!(matches!(log.reset(Position::default(), 0), Err(StorageError::Failed(_))));
    drop(log);
    assert_eq!((disk.calls(), events.iter().count()), (calls, 0));
}

/// Drops the log's old end and begins it anew elsewhere.
fn drop_and_reset(disk: &SimDisk) -> Result<(), StorageError> {
    let (log, _, _) = open(disk)?;
    let base = Position { epoch: Epoch(1), offset: Offset(1 << 20) };
    for (mut at, mut last) in [(Offset(0), 0), (base.offset, 7)] {
        for n in 1..=12 {
            let mut builder = BatchBuilder::new(at, last, Epoch(1));
            builder.push(&record(1, n, 300), false);
            let batch = builder.finish();
            (at, last) = (batch.end(), batch.last);
            log.append(batch);
            log.sync()?;
            if n == 8 {
                log.drop_below(at);
            }
        }
        if at < base.offset {
            assert_eq!(log.reset(base, 7)?.end, base);
        }
    }
    Ok(())
}

#[test]
fn a_log_whose_reset_has_failed_can_be_asked_where_it_begins() {
    let base = Position { epoch: Epoch(1), offset: Offset(1 << 20) };
    let mut failed = 0;
    for call in 1..100 {
        let disk = SimDisk::new();
        let (log, _, _) = open(&disk).unwrap();
        let mut builder = BatchBuilder::new(Offset(0), 0, Epoch(1));
        for n in 1..=9 {
            builder.push(&record(1, n, 300), false);
        }
        log.append(builder.finish());
        log.sync().unwrap();
        disk.fail_at(disk.calls() + call);
        // A sidecar that cannot be removed is no failure.
        let Err(error) = log.reset(base, 7) else { continue };
        assert!(matches!(error, StorageError::Failed(_)), "call {call}: {error}");
        assert!(log.base() <= base.offset && log.origin().0.offset == log.base(), "call {call}");
        failed += 1;
    }
    assert!(failed > 10, "only {failed} of its calls could fail");
}

#[test]
fn a_power_cut_while_segments_are_dropped_or_the_log_is_reset_leaves_a_whole_log() {
    let whole = SimDisk::new();
    drop_and_reset(&whole).unwrap();
    for call in 0..=whole.calls() {
        let disk = SimDisk::new();
        disk.power_until(call);
        let cut = drop_and_reset(&disk).is_err();
        for keep in keeps(call) {
            let again = disk.after_crash(keep);
            let (log, first, _) = open(&again).unwrap();
            assert_eq!(first.damage, None, "call {call}, {keep:?}");
            assert!(cut || first.end.offset > Offset(1 << 20), "call {call}, {keep:?}");
            assert_eq!(log.verify(|_| ()).unwrap().damage, None);
            drop(log);
            let second = open(&again.after_crash(Keep::Nothing)).unwrap().1;
            assert_eq!(second, Recovered { cut: 0, created: false, ..first }, "call {call}, {keep:?}");
        }
    }
}
