//! A look at the logs of nodes that have ended.

use std::path::PathBuf;
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

/// Reads the log of a node that does not run, from its base to `committed`.
pub(crate) fn fingerprint(cluster: &Cluster, node: usize, committed: u64) -> Fingerprint {
    let directory = log_directory(cluster, node).unwrap();
    let opened = Log::open(Arc::new(SystemDisk), &directory, LogOptions::default(), Box::new(|_| {}));
    let (log, recovered) = opened.unwrap_or_else(|error| panic!("log of node {node}: {error}"));
    assert_eq!(recovered.damage, None, "log of node {node}");
    let (mut at, mut hash) = (recovered.base.0, 0xcbf2_9ce4_8422_2325_u64);
    while at < committed {
        let bytes = log.read(Offset(at), READ_BYTES).unwrap();
        assert!(!bytes.is_empty(), "log of node {node} ends at {at}, before {committed}");
        let wanted = bytes.len().min((committed - at) as usize);
        for byte in &bytes[..wanted] {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        at += wanted as u64;
    }
    Fingerprint { base: recovered.base.0, end: at, hash }
}
