//! A look at the logs of nodes that have ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate::env::SystemDisk;
use quorate::model::Offset;
use quorate::storage::{Log, LogOptions};

use super::cluster::Cluster;

/// How much is read at a time.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// Range and hash of a log: equal logs have equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// First offset.
    pub(crate) base: u64,
    /// End of what was compared.
    pub(crate) end: u64,
    /// FNV-1a over all bytes between.
    pub(crate) hash: u64,
}

/// The directory that holds the segments of a node's log.
pub(crate) fn log_directory(cluster: &Cluster, node: usize) -> Option<PathBuf> {
    let mut waiting = vec![cluster.directory(node).join("data")];
    while let Some(directory) = waiting.pop() {
        if directory.join("durable").exists() {
            return Some(directory);
        }
        let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        waiting.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    None
}

fn open(directory: &Path) -> Result<(Log, Offset), String> {
    let opened = Log::open(Arc::new(SystemDisk), directory, LogOptions::default(), Box::new(|_| {}));
    let (log, recovered) = opened.map_err(|error| format!("{}: {error}", directory.display()))?;
    match recovered.damage {
        Some(damage) => Err(format!("{}: damaged at {}: {}", directory.display(), damage.at, damage.reason)),
        None => Ok((log, recovered.base)),
    }
}

fn hash(log: &Log, from: u64, to: u64) -> Result<Fingerprint, String> {
    let (mut at, mut hash) = (from, 0xcbf2_9ce4_8422_2325_u64);
    while at < to {
        let bytes = log.read(Offset(at), READ_BYTES).map_err(|error| error.to_string())?;
        if bytes.is_empty() {
            return Err(format!("the log ends at {at}, before {to}"));
        }
        let wanted = bytes.len().min((to - at) as usize);
        for byte in &bytes[..wanted] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        at += wanted as u64;
    }
    Ok(Fingerprint { base: from, end: at, hash })
}

/// Reads the log of a node that does not run, from its base to `committed`.
pub(crate) fn fingerprint(cluster: &Cluster, node: usize, committed: u64) -> Fingerprint {
    let read =
        open(&log_directory(cluster, node).unwrap()).and_then(|(log, base)| hash(&log, base.0, committed));
    read.unwrap_or_else(|error| panic!("log of node {node}: {error}"))
}

/// What is wrong with logs that should be equal from the highest of their bases up to `committed`, and undamaged.
pub(crate) fn differences(directories: &[PathBuf], committed: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut logs = Vec::new();
    for directory in directories {
        match open(directory) {
            Ok(opened) => logs.push((directory, opened)),
            Err(error) => wrong.push(error),
        }
    }
    let base = logs.iter().map(|(_, (_, base))| base.0).max().unwrap_or(0);
    let mut prints = Vec::new();
    for (directory, (log, _)) in &logs {
        match log.verify(|_| ()) {
            Ok(report) => wrong.extend(
                report
                    .damage
                    .map(|damage| format!("{}: {} at {}", directory.display(), damage.reason, damage.at)),
            ),
            Err(error) => wrong.push(format!("{}: {error}", directory.display())),
        }
        match hash(log, base, committed) {
            Ok(print) => prints.push(print),
            Err(error) => wrong.push(format!("{}: {error}", directory.display())),
        }
    }
    if prints.windows(2).any(|pair| pair[0] != pair[1]) {
        wrong.push(format!("the logs differ: {prints:?}"));
    }
    println!("logs {:?}", prints.first());
    wrong
}
