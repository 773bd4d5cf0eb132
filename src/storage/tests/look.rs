//! Looking at a store, and repairing it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::env::ReadOnlyDisk;
use crate::storage::{Look, Store};

fn store(dir: &Path) -> Store {
    Store::open(Arc::new(SystemDisk), dir, "n1", SMALL, Box::new(|_| ())).unwrap()
}

/// A store of forty messages in many segments.
fn filled(dir: &Path) -> Offset {
    let store = store(dir);
    let (mut at, mut last) = (Offset(0), 0);
    for sequence in 0..40 {
        let mut builder = BatchBuilder::new(at, last, Epoch(1));
        builder.push(&record(1, sequence, 300), false);
        let batch = builder.finish();
        (at, last) = (batch.end(), batch.last);
        store.log.append(batch);
    }
    store.log.sync().unwrap()
}

/// Every file with its bytes and the time of its last change.
fn files(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path.clone(), (fs::read(&path).unwrap(), changed));
        }
    }
    found
}

fn look(dir: &Path) -> Look {
    let before = files(dir);
    let found = Look::at(Arc::new(ReadOnlyDisk), dir).unwrap();
    assert!(files(dir) == before, "a look changes nothing");
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_look_changes_nothing_and_finds_what_a_start_would() {
    let dir = tempfile::tempdir().unwrap();
    let end = filled(dir.path());
    let found = look(dir.path());
    assert_eq!((found.base, found.end, found.torn, found.lost), (Offset(0), end, 0, 0));
    assert_eq!((found.report.records, found.report.bytes, &found.damage), (40, end.0, &None));
    let last = dir.path().join("log").join(names(&dir.path().join("log"), ".log").pop().unwrap());
    let mut bytes = fs::read(&last).unwrap();
    let torn = bytes.len() - 7;
    bytes[torn] = 1;
    fs::write(&last, bytes).unwrap();
    let found = look(dir.path());
    assert!(found.torn > 0 && found.damage.is_none() && found.end == end, "{found:?}");
    assert_eq!(store(dir.path()).recovered.cut, found.torn);
}

#[test]
fn a_store_that_a_node_has_open_is_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let _open = store(dir.path());
    let error = Look::at(Arc::new(ReadOnlyDisk), dir.path()).unwrap_err();
    assert!(matches!(error, crate::storage::StorageError::Locked(..)), "{error}");
}

#[test]
fn files_that_may_only_be_read_suffice() {
    let dir = tempfile::tempdir().unwrap();
    let end = filled(dir.path());
    for path in files(dir.path()).keys() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    assert_eq!(look(dir.path()).end, end);
}

#[test]
fn damage_inside_of_the_log_is_found_and_cut_with_all_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let end = filled(dir.path());
    let log = dir.path().join("log");
    // A start trusts this segment.
    flip(&log.join(&names(&log, ".log")[3]), 4096 + 500);
    let found = look(dir.path());
    let damage = found.damage.unwrap();
    assert!(damage.at > Offset(0) && damage.at < end);
    assert_eq!(found.lost, end.0 - damage.at.0);
    let options = LogOptions { segment_bytes: 0, ..SMALL };
    let (opened, _) = Log::open(Arc::new(SystemDisk), &log, options, Box::new(|_| ())).unwrap();
    opened.cut_damage(damage.at).unwrap();
    drop(opened);
    let repaired = look(dir.path());
    assert_eq!((repaired.end, repaired.damage, repaired.lost), (damage.at, None, 0));
    assert_eq!(store(dir.path()).recovered.damage, None);
}

#[test]
fn a_damaged_first_header_costs_the_whole_log() {
    let dir = tempfile::tempdir().unwrap();
    let end = filled(dir.path());
    let log = dir.path().join("log");
    flip(&log.join(&names(&log, ".log")[0]), 3);
    let found = look(dir.path());
    assert_eq!((found.damage.as_ref().map(|damage| damage.at), found.lost), (Some(Offset(0)), end.0));
    let (opened, _) = Log::open(Arc::new(SystemDisk), &log, SMALL, Box::new(|_| ())).unwrap();
    opened.cut_damage(Offset(0)).unwrap();
    drop(opened);
    assert_eq!((look(dir.path()).damage, store(dir.path()).recovered.damage), (None, None));
}
