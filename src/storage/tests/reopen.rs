//! What a restart makes of files that were torn or damaged meanwhile.

use std::fs;

use super::*;
use crate::model::Position;
use crate::storage::StorageError;
use crate::storage::segment::SEGMENT_HEADER_BYTES;

/// A log of three batches of which the last `torn` came after the hint; returns its file's bytes and the batches.
fn written(dir: &Path) -> Vec<Batch> {
    let mut log = Fixture::open(dir, LogOptions { segment_bytes: 2000, tail_bytes: 0 });
    let batches = vec![
        log.send(1, 40),
        log.append(&[vec![record(1, 2, 30), record(2, 1, 20)], vec![record(1, 3, 0)]]),
        log.append(&[vec![record(1, 4, 10)], vec![record(1, 5, 10)]]),
    ];
    log.log.sync().unwrap();
    batches
}

fn set_hint(dir: &Path, end: Offset) {
    crate::storage::hint::Hint::open(&SystemDisk, dir, true).unwrap().0.force(end).unwrap();
}

/// Ends of the records in the batches.
fn ends(batches: &[Batch]) -> Vec<u64> {
    batches.iter().flat_map(|b| crate::storage::records(b.at, &b.bytes)).map(|r| r.end.0).collect()
}

/// Every tear of the last batches: `tear` makes the file of `bytes` invalid from record byte `at` on.
fn each_tear(tear: impl Fn(&mut Vec<u8>, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let batches = written(dir);
    let path = dir.join(&names(dir, ".log")[0]);
    let good = fs::read(&path).unwrap();
    let (known, end) = (batches[1].at, batches[2].end());
    let ends = ends(&batches);
    for at in 0..end.0 {
        let mut bad = good.clone();
        tear(&mut bad, at as usize + SEGMENT_HEADER_BYTES as usize);
        if bad == good {
            continue;
        }
        fs::write(&path, &bad).unwrap();
        set_hint(dir, known);
        let whole = Offset(ends.iter().copied().filter(|e| *e <= at).max().unwrap_or(0));
        let log = Fixture::open(dir, LogOptions { segment_bytes: 2000, tail_bytes: 0 });
        assert_eq!(log.opened.end.offset, whole, "torn at {at}");
        let expected: Vec<u8> =
            batches.iter().flat_map(|b| b.bytes.to_vec()).take(whole.0 as usize).collect();
        assert_eq!(log.all(), expected);
        let first = log.opened.clone();
        drop(log);
        let again = Fixture::open(dir, LogOptions { segment_bytes: 2000, tail_bytes: 0 }).opened;
        if at < known.0 {
            assert_eq!(first.damage.as_ref().map(|d| d.at), Some(whole), "damaged at {at}");
            assert_eq!(again, first);
            assert_eq!(fs::read(&path).unwrap(), bad, "damage is left as it is");
        } else {
            assert_eq!(first.damage, None, "torn at {at}");
            assert_eq!(again, Recovered { cut: 0, ..first });
            let file = fs::read(&path).unwrap();
            assert!(file[(SEGMENT_HEADER_BYTES + whole.0) as usize..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn a_file_that_ends_early_is_torn_above_the_hint_and_damaged_below() {
    each_tear(|file, at| file.truncate(at));
}

#[test]
fn a_flipped_bit_is_a_tear_above_the_hint_and_damage_below() {
    each_tear(|file, at| file[at] ^= 0x10);
}

#[test]
fn zeroes_to_the_end_are_a_tear_above_the_hint_and_damage_below() {
    each_tear(|file, at| {
        // A tear among bytes that are zero anyway begins at the next one that is not.
        if file[at] != 0 {
            file[at..].fill(0);
        }
    });
}

#[test]
fn damage_in_any_segment_ends_the_log_before_it_and_a_cut_there_makes_it_whole() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("log");
    let mut log = Fixture::open(&dir, SMALL);
    let batches: Vec<_> = (1..=30).map(|n| log.send(n, 100)).collect();
    log.log.sync().unwrap();
    drop(log);
    let segments = names(&dir, ".log");
    for (n, name) in segments.iter().enumerate() {
        for place in [0, 45, SEGMENT_HEADER_BYTES as usize + 200] {
            let copy = root.path().join(format!("{n}-{place}"));
            fs::create_dir(&copy).unwrap();
            for file in names(&dir, "").iter().filter(|name| !name.ends_with(".sidecar")) {
                fs::copy(dir.join(file), copy.join(file)).unwrap();
            }
            let mut bytes = fs::read(copy.join(name)).unwrap();
            bytes[place] ^= 1;
            fs::write(copy.join(name), &bytes).unwrap();
            let mut log = Fixture::open(&copy, SMALL);
            if place == 45 {
                assert_eq!(log.opened.damage, None, "padding means nothing");
                continue;
            }
            let base = name[..20].parse::<u64>().unwrap();
            let ends = ends(&batches);
            let at = ends.iter().copied().filter(|e| *e <= base + place.saturating_sub(4096) as u64).max();
            let at = Offset(at.unwrap_or(0));
            assert_eq!(log.opened.damage.as_ref().map(|d| d.at), Some(at), "{name} {place}");
            assert_eq!(log.opened.end.offset, at);
            if place == 0 && n == 0 {
                log.log.reset(Default::default(), 0).unwrap();
            } else {
                let cut = log.log.truncate(at).unwrap();
                assert_eq!(cut.end.offset, at);
            }
            log.send(99, 10);
            log.log.sync().unwrap();
            let end = log.at;
            drop(log);
            let again = Fixture::open(&copy, SMALL);
            assert_eq!((again.opened.damage, again.opened.end.offset), (None, end));
        }
    }
}

#[test]
fn a_missing_segment_is_damage() {
    let root = tempfile::tempdir().unwrap();
    let mut log = Fixture::open(root.path(), SMALL);
    (1..=30).for_each(|n| drop(log.send(n, 100)));
    let end = log.log.sync().unwrap();
    drop(log);
    let segments = names(root.path(), ".log");
    let held = root.path().join("held");
    for (n, name) in segments.iter().enumerate().skip(1) {
        fs::rename(root.path().join(name), &held).unwrap();
        let log = Fixture::open(root.path(), SMALL);
        let at = name[..20].parse().unwrap();
        assert_eq!(log.opened.damage.as_ref().map(|d| d.at), Some(Offset(at)), "segment {n}");
        drop(log);
        fs::rename(&held, root.path().join(name)).unwrap();
    }
    assert_eq!(Fixture::open(root.path(), SMALL).opened.end.offset, end);
}

#[test]
fn a_log_without_its_hint_or_its_segments_is_not_taken_for_a_whole_one() {
    let root = tempfile::tempdir().unwrap();
    written(root.path());
    fs::rename(root.path().join("durable"), root.path().join("held")).unwrap();
    for _ in 0..2 {
        assert!(Fixture::open(root.path(), SMALL).opened.damage.is_some());
    }
    fs::rename(root.path().join("held"), root.path().join("durable")).unwrap();
    assert!(Fixture::open(root.path(), SMALL).opened.damage.is_none());
    fs::remove_file(root.path().join(&names(root.path(), ".log")[0])).unwrap();
    for _ in 0..2 {
        let log = Fixture::open(root.path(), SMALL);
        assert_eq!(log.opened.damage.as_ref().map(|d| d.at), Some(Offset(0)));
        assert!(!log.opened.created);
    }
}

#[test]
fn a_crash_while_a_segment_is_created_costs_nothing() {
    let root = tempfile::tempdir().unwrap();
    let end = written(root.path())[2].end();
    fs::write(root.path().join("segment.tmp"), b"half a header").unwrap();
    let log = Fixture::open(root.path(), SMALL);
    assert_eq!((log.opened.end.offset, log.opened.damage), (end, None));
}

#[test]
fn a_log_begins_no_higher_than_it_can_grow_from() {
    let dir = tempfile::tempdir().unwrap();
    let highest = Position { epoch: Epoch(1), offset: Offset(1 << 62) };
    let mut log = Fixture::open(dir.path(), SMALL);
    let beyond = Position { offset: highest.offset.plus(1), ..highest };
    assert!(matches!(log.log.reset(beyond, 7), Err(StorageError::Range { .. })));
    log.send(1, 50);
    log.log.reset(highest, 7).unwrap();
    (log.at, log.last) = (highest.offset, 7);
    let all: Vec<u8> = (1..=20).flat_map(|n| log.send(n, 300).bytes.to_vec()).collect();
    log.log.sync().unwrap();
    drop(log);
    assert!(names(dir.path(), ".log").len() > 5);
    let again = Fixture::open(dir.path(), SMALL);
    assert_eq!((again.opened.damage.clone(), again.opened.base), (None, highest.offset));
    assert_eq!(again.all(), all);
}
