//! What the processes of a cluster take of the machine.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::cluster::Cluster;
use super::stores::log_directory;

/// What one node takes at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Resident memory in KiB, pages of mapped files among it.
    pub(crate) resident_kib: u64,
    /// Open file descriptors.
    pub(crate) descriptors: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Bytes that the files of its log take on the disk, reserved ones among them.
    pub(crate) log_bytes: u64,
}

impl Usage {
    /// Looks at a running node; `None` when it does not run.
    pub(crate) fn of(cluster: &Cluster, node: usize) -> Option<Usage> {
        let text = std::fs::read_to_string(cluster.directory(node).join("pid")).ok()?;
        let process = Path::new("/proc").join(text.trim());
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Some(Usage {
            resident_kib: field("VmRSS:")?,
            descriptors: std::fs::read_dir(process.join("fd")).ok()?.count() as u64,
            threads: field("Threads:")?,
            log_bytes: log_bytes(cluster, node),
        })
    }
}

/// Bytes that a node's segments and sidecars take on the disk; not the reserve, which is always the same. Files that go
/// meanwhile count nothing.
pub(crate) fn log_bytes(cluster: &Cluster, node: usize) -> u64 {
    let Some(directory) = log_directory(cluster, node) else { return 0 };
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let counts = |path: &Path| path.extension().is_some_and(|it| it == "log" || it == "sidecar");
    let files = files.filter(|file| counts(&file.path()));
    files.filter_map(|file| file.metadata().ok()).map(|it| it.blocks() * 512).sum()
}
