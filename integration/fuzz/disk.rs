//! What a start finds on its disk: the log with its sidecars and its hint, the identity, the index.

use std::io::IoSlice;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use quorate::env::{Disk, Keep, SimDisk};
use quorate::model::{
    Claim, Destination, DestinationId, DestinationKind, Epoch, GroupId, Identity, Known, Offset, Position,
    Promise, Record, StoreId, Voter,
};
use quorate::storage::{
    BatchBuilder, IdentityFile, Index, Loaded, Log, LogOptions, Recovered, SledIndex, StorageError,
    WindowRequest, records,
};

use crate::driver::{Target, kind, shape};
use crate::files::{crc, mend_hint, mend_log, mend_sidecar, pairs, pairs_to};
use crate::records::{place, sample, samples};

const DIR: &str = "/log";
/// Small segments, so that a small log has several.
const SMALL: LogOptions = LogOptions { segment_bytes: 1000, tail_bytes: 500 };
/// A reader takes a MiB at once, whatever a segment holds.
const MEMORY: (u64, u64) = (64, 8 << 20);

pub(crate) const LOG: Target = Target {
    name: "log",
    run: log,
    mend: mend_log,
    seeds: log_seeds,
    words: &[
        b"00000000000000000000.log",
        b"18446744073709551615.log",
        b"00000000000000001024.sidecar",
        b"durable",
    ],
    planted: |input| {
        let opened = open(&disk_of(input));
        opened.is_ok_and(|(_, found)| found.damage.is_none() && found.cut > 0 && found.end.offset > Offset(0))
    },
    memory: MEMORY,
    bytes_max: 40 * 1024,
};

pub(crate) const SIDECAR: Target = Target {
    name: "sidecar",
    run: sidecar,
    mend: |input| mend_sidecar(input),
    seeds: || vec![file(&whole(), &sidecar_name())],
    words: &[],
    planted: |input| {
        // A reader that believes a sidecar which does not know all messages.
        let disk = whole().after_crash(Keep::All);
        put(&disk, &sidecar_name(), input);
        let (log, _) = open(&disk).unwrap();
        scan(&log, 1).is_ok_and(|found| found.len() < whole_messages().len())
    },
    memory: MEMORY,
    bytes_max: 16 * 1024,
};

pub(crate) const HINT: Target = Target {
    name: "hint",
    run: hint,
    mend: |input| mend_hint(input),
    seeds: || vec![file(&whole(), "durable")],
    words: &[b"\xff\xff\xff\xff\xff\xff\xff\xff"],
    planted: |input| {
        let disk = whole().after_crash(Keep::All);
        put(&disk, "durable", input);
        let damage = open(&disk).ok().and_then(|(_, found)| found.damage);
        damage.is_some_and(|damage| damage.reason.contains("was durable up to"))
    },
    memory: MEMORY,
    bytes_max: 16 * 1024,
};

pub(crate) const IDENTITY: Target = Target {
    name: "identity",
    run: identity,
    mend: |input| {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        input.truncate(end);
        input.extend(format!("\n{:08x}\n", crc(&input[..end])).into_bytes());
    },
    seeds: identity_seeds,
    words: &[
        b"null",
        b"\"",
        b"{",
        b"}",
        b"[",
        b",",
        b":",
        b"\"format\":1",
        b"18446744073709551615",
        b"-1",
        b"1e9",
    ],
    planted: |input| {
        let disk = SimDisk::new();
        put(&disk, "identity.json", input);
        IdentityFile::open(Arc::new(disk), Path::new(DIR), "n1")
            .is_ok_and(|(_, it)| it.promise.epoch > Epoch(1 << 32))
    },
    memory: (64, 64 * 1024),
    bytes_max: 8 * 1024,
};

pub(crate) const INDEX: Target = Target {
    name: "index",
    run: |input| match index(input) {
        Some(found) => kind(&(found.entries.len().min(8), found.applied.epoch.0.min(3))),
        None => 0,
    },
    mend: mend_index,
    seeds: index_seeds,
    words: &[],
    planted: |input| index(input).is_some_and(|found| found.entries.len() == 1),
    // sled itself takes most of it.
    memory: (64, 64 << 20),
    bytes_max: 4 * 1024,
};

fn put(disk: &SimDisk, name: &str, bytes: &[u8]) {
    let file = disk.create(&Path::new(DIR).join(name)).unwrap();
    file.write_at(0, &mut [IoSlice::new(bytes)]).unwrap();
    file.sync_data().unwrap();
}

fn file(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(&Path::new(DIR).join(name)).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn files(disk: &SimDisk) -> Vec<u8> {
    let mut names = disk.list(Path::new(DIR)).unwrap();
    names.sort();
    pairs_to(names.into_iter().map(|name| (name.clone().into_bytes(), file(disk, &name))))
}

/// A disk with the files of the input; those whose name is none are left out.
fn disk_of(input: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    for (name, bytes) in pairs(input) {
        if let Ok(name) = String::from_utf8(name)
            && !name.is_empty()
            && !name.contains(['/', '\0'])
            && name != "."
            && name != ".."
        {
            put(&disk, &name, &bytes);
        }
    }
    disk.sync_dir(Path::new(DIR)).unwrap();
    disk
}

fn open(disk: &SimDisk) -> Result<(Log, Recovered), StorageError> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), SMALL, Box::new(|_| {}))
}

/// A log of several segments, closed.
fn whole() -> SimDisk {
    static WHOLE: OnceLock<SimDisk> = OnceLock::new();
    let made = WHOLE.get_or_init(|| {
        let disk = SimDisk::new();
        let (log, _) = open(&disk).unwrap();
        let mut groups: Vec<Vec<Record>> = samples().into_iter().map(|record| vec![record]).collect();
        for sequence in 10..16 {
            let of = |destinations: &[u32]| Record::Message {
                places: destinations.iter().map(|it| place(*it, sequence)).collect(),
                message: sample(b"a body that is somewhat longer than others"),
            };
            groups.push(vec![of(&[1]), Record::Chunk(Bytes::from_static(b"a part")), of(&[2, 3])]);
        }
        let (mut at, mut last) = (Offset(0), 0);
        for (number, group) in groups.iter().enumerate() {
            let mut builder = BatchBuilder::new(at, last, Epoch(1 + number as u64 / 12));
            for (place, record) in group.iter().enumerate() {
                builder.push(record, place + 1 < group.len());
            }
            let batch = builder.finish();
            (at, last) = (batch.end(), batch.last);
            log.append(batch);
            log.sync().unwrap();
        }
        drop(log);
        disk
    });
    made.clone()
}

fn sidecar_name() -> String {
    let mut names = whole().list(Path::new(DIR)).unwrap();
    names.sort();
    // The one that says most.
    names
        .into_iter()
        .filter(|name| name.ends_with(".sidecar"))
        .max_by_key(|name| file(&whole(), name).len())
        .unwrap()
}

fn whole_messages() -> &'static [Loaded] {
    static MESSAGES: OnceLock<Vec<Loaded>> = OnceLock::new();
    MESSAGES.get_or_init(|| scan(&open(&whole().after_crash(Keep::All)).unwrap().0, 1).unwrap())
}

fn whole_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| read(&open(&whole().after_crash(Keep::All)).unwrap().0).unwrap())
}

fn log_seeds() -> Vec<Vec<u8>> {
    let torn = whole().after_crash(Keep::All);
    let mut names = torn.list(Path::new(DIR)).unwrap();
    names.sort();
    let names: Vec<_> = names.into_iter().filter(|name| name.ends_with(".log")).collect();
    let last = names.last().unwrap();
    let tail = pairs_to([
        (last.clone().into_bytes(), file(&torn, last)),
        (b"durable".to_vec(), file(&torn, "durable")),
    ]);
    let blank = SimDisk::new();
    drop(open(&blank).unwrap());
    vec![files(&whole()), tail, files(&blank), reset_at(1 << 40), reset_at(1 << 62)]
}

/// A log that began anew at some offset.
fn reset_at(base: u64) -> Vec<u8> {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    let at = Offset(base);
    log.reset(Position { epoch: Epoch(2), offset: at }, 7).unwrap();
    let mut builder = BatchBuilder::new(at, 7, Epoch(2));
    for record in &samples() {
        builder.push(record, false);
    }
    log.append(builder.finish());
    log.sync().unwrap();
    drop(log);
    files(&disk)
}

fn scan(log: &Log, destination: u32) -> Result<Vec<Loaded>, StorageError> {
    let destination = DestinationId(destination);
    log.scan(&WindowRequest {
        destination,
        ranges: vec![(0, u64::MAX)],
        below: log.end(),
        entries_max: 100,
        bytes_max: 1 << 16,
    })
}

/// All bytes of the log, in small reads.
fn read(log: &Log) -> Result<Vec<u8>, StorageError> {
    let (mut all, mut at) = (Vec::new(), log.base());
    while at < log.end() {
        let bytes = log.read(at, 300)?;
        assert!(!bytes.is_empty(), "nothing at {at} of {log:?}");
        let whole: usize = records(at, &bytes).map(|view| (view.end.0 - view.offset.0) as usize).sum();
        assert_eq!(whole, bytes.len(), "a part of a record at {at}");
        at = at.plus(bytes.len());
        all.extend(bytes);
    }
    Ok(all)
}

fn log(input: &[u8]) -> u64 {
    let disk = disk_of(input);
    let (log, found) = match open(&disk) {
        Ok(opened) => opened,
        Err(error) => return kind(&shape(&error)),
    };
    let bytes = read(&log);
    let held: Vec<_> =
        (0..4).map(|destination| scan(&log, destination).map(|found| found.len()).ok()).collect();
    let finished = log.finished().len();
    let whole = log.verify(|_| {}).is_ok_and(|report| report.damage.is_none());
    drop(log);
    let (log, again) = open(&disk).expect("it opened before");
    // A sidecar whose checksums are right is believed until its messages are looked for, as they were above.
    let believed = input.windows(8).any(|bytes| bytes == b".sidecar");
    let history = if believed { again.history.clone() } else { found.history.clone() };
    assert_eq!(again, Recovered { cut: 0, created: false, history, ..found.clone() }, "opened twice");
    assert_eq!(read(&log).ok(), bytes.as_ref().ok().cloned());
    if found.damage.is_none() {
        let mut builder = BatchBuilder::new(found.end.offset, found.last, found.end.epoch.max(Epoch(1)));
        builder.push(&Record::Base(Offset(0)), false);
        let batch = builder.finish();
        let end = batch.end();
        log.append(batch);
        assert_eq!(log.sync().ok(), Some(end));
        drop(log);
        let (_, again) = open(&disk).expect("it opened before");
        assert_eq!((again.end.offset, again.damage, again.cut), (end, None, 0));
    }
    let damage = found.damage.map(|damage| shape(&damage.reason));
    kind(&(damage, bytes.is_ok(), held, finished.min(4), whole, found.cut > 0, found.history.len().min(4)))
}

/// What a sidecar says may be wrong, but not what a message is: that comes from the log, which is checked.
fn sidecar(input: &[u8]) -> u64 {
    let disk = whole().after_crash(Keep::All);
    put(&disk, &sidecar_name(), input);
    let (log, found) = open(&disk).unwrap();
    assert_eq!(found.damage, None);
    assert_eq!(read(&log).unwrap(), whole_bytes());
    let held: u64 = log.finished().iter().flat_map(|it| it.held()).fold(0, |sum, held| sum ^ held.count);
    let scanned = match scan(&log, 1) {
        Ok(messages) => {
            assert!(messages.iter().all(|message| whole_messages().contains(message)));
            Ok(messages.len())
        }
        Err(error) => Err(shape(&error)),
    };
    kind(&(scanned, held.min(64)))
}

fn hint(input: &[u8]) -> u64 {
    let disk = whole().after_crash(Keep::All);
    put(&disk, "durable", input);
    let (log, found) = open(&disk).unwrap();
    assert_eq!(read(&log).unwrap(), whole_bytes());
    drop(log);
    let (_, again) = open(&disk).unwrap();
    assert_eq!(again, Recovered { cut: 0, ..found.clone() });
    kind(&found.damage.map(|damage| shape(&damage.reason)))
}

fn identity_seeds() -> Vec<Vec<u8>> {
    let disk = SimDisk::new();
    let (file_of, mut identity) = IdentityFile::open(Arc::new(disk.clone()), Path::new(DIR), "n1").unwrap();
    identity.store = StoreId(7);
    file_of.save(&identity).unwrap();
    let blank = file(&disk, "identity.json");
    let known = Known {
        group_id: GroupId(1 << 100),
        epoch: Epoch(3),
        config: 4,
        voters: vec![Voter { node: "n1".into(), store: identity.store }],
    };
    let promise = Promise { epoch: Epoch(9), claim: Claim(7) };
    file_of.save(&Identity { promise, known: Some(known), ..identity }).unwrap();
    vec![blank, file(&disk, "identity.json")]
}

fn identity(input: &[u8]) -> u64 {
    let disk = SimDisk::new();
    put(&disk, "identity.json", input);
    let disk: Arc<dyn Disk> = Arc::new(disk);
    match IdentityFile::open(disk.clone(), Path::new(DIR), "n1") {
        Ok((file, identity)) => {
            file.save(&identity).unwrap();
            let (_, again) = IdentityFile::open(disk, Path::new(DIR), "n1").expect("it was saved");
            assert_eq!(again, identity);
            kind(&identity.known.map(|known| known.voters.len()))
        }
        Err(error) => kind(&shape(&error.to_string().rsplit('(').next().unwrap_or_default())),
    }
}

/// The marker, then entries with the generation before each key.
fn index_seeds() -> Vec<Vec<u8>> {
    let destination = Destination::new(DestinationKind::Queue, "A").unwrap();
    let entries = [b"k1".to_vec(), destination.name.into_bytes()]
        .map(|key| ([&1u64.to_be_bytes(), &key[..]].concat(), b"\x01v".to_vec()));
    let marker = [vec![1], 1u64.to_be_bytes().to_vec(), vec![0; 40]].concat();
    let mut seed = pairs_to([(Vec::new(), marker)].into_iter().chain(entries));
    mend_index(&mut seed);
    vec![seed]
}

fn mend_index(input: &mut Vec<u8>) {
    let mut pieces = pairs(input);
    let Some(((_, marker), entries)) = pieces.split_first_mut() else { return };
    if marker.len() < 9 {
        return;
    }
    marker.resize(49, 0);
    let mut own: Vec<_> = entries
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(&marker[1..9])?, value.get(1..)?)))
        .collect();
    own.sort();
    own.dedup_by(|after, before| after.0 == before.0);
    let content: Vec<u8> = own
        .iter()
        .flat_map(|(key, value)| [*key, *value])
        .flat_map(|part| [&(part.len() as u64).to_le_bytes(), part].concat())
        .collect();
    let count = own.len() as u64;
    marker[33..41].copy_from_slice(&count.to_be_bytes());
    marker[41..45].copy_from_slice(&crc(&content).to_be_bytes());
    let sum = crc(&marker[..45]);
    marker[45..49].copy_from_slice(&sum.to_be_bytes());
    *input = pairs_to(pieces);
}

fn index(input: &[u8]) -> Option<quorate::storage::Checkpoint> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let pieces = pairs(input);
    {
        let db = sled::Config::new().path(&path).flush_every_ms(None).cache_capacity(1 << 20).open().unwrap();
        let (meta, state) = (db.open_tree("meta").unwrap(), db.open_tree("state").unwrap());
        for (number, (key, value)) in pieces.into_iter().enumerate() {
            let tree = if number == 0 { meta.insert("marker", value) } else { state.insert(key, value) };
            tree.unwrap();
        }
        db.flush().unwrap();
    }
    let mut index = SledIndex::open(&path);
    let found = index.load();
    let checkpoint = found.clone().unwrap_or_default();
    index.store(&checkpoint).unwrap();
    assert_eq!(index.load().as_ref(), Some(&checkpoint));
    found
}
