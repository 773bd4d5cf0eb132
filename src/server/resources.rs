//! What the machine gives a node, asked of the system; where that is less than the configuration asks for, the log says so.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::plan::{Files, Memory, Volume};
use crate::config::{Config, StoreConfig};
use crate::env::{PatientDisk, SystemDisk, memory_total, raise_file_limit};
use crate::node::Temporary;

/// What the machine gives, divided.
pub(super) struct Resources {
    pub(super) files: Files,
    pub(super) memory: Memory,
    /// None for a store in memory.
    pub(super) volume: Option<Volume>,
    pub(super) disk: PatientDisk,
}

impl Resources {
    /// Asks the system, and warns of what is less than the configuration asks for.
    ///
    /// # Errors
    /// The volume of the store cannot be looked at.
    pub(super) fn of(config: &Config) -> io::Result<Resources> {
        let volume = match &config.store {
            StoreConfig::Replicated(it) => Some(volume(&it.directory, it.log_size)?),
            StoreConfig::Local(it) => Some(volume(&it.directory, it.log_size)?),
            StoreConfig::Memory => None,
        };
        let disk = PatientDisk::new(Arc::new(SystemDisk));
        Ok(Resources { files: files(config), memory: memory(config), volume, disk })
    }

    /// Bytes of the largest message that is taken.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.volume.map_or(usize::MAX, |volume| bytes(volume.message_max()))
    }
}

/// Bytes that may be in memory.
pub(super) fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Every connection takes a descriptor; says when there are fewer than the connectors may let in.
fn files(config: &Config) -> Files {
    let wanted = config
        .transport_connectors
        .iter()
        .filter(|c| c.is_served())
        .map(|c| c.maximum_connections)
        .fold(0, usize::saturating_add);
    let replicas = match &config.store {
        StoreConfig::Replicated(it) => it.replicas,
        _ => 1,
    };
    let limit = raise_file_limit().map_or(usize::MAX, bytes);
    let files = Files::of(limit, replicas);
    if files.clients < wanted {
        let Files { own, clients, .. } = files;
        tracing::warn!(
            limit,
            kept = own,
            clients,
            wanted,
            "this process may open fewer files (ulimit -n) than its connectors let clients in: further clients are refused"
        );
    }
    files
}

/// The memory limit, shrunk to what lets the process live.
fn memory(config: &Config) -> Memory {
    let total = memory_total();
    let asked = config.system_usage.memory.bytes_of(total);
    let memory = Memory::of(asked, total);
    if memory.limit < asked {
        let (asked, total, limit) = (asked >> 20, total >> 20, memory.limit >> 20);
        tracing::warn!(
            "Memory limit is {asked} MiB, whilst this process may use {total} MiB for it and all else - resetting to {limit} MiB"
        );
    }
    memory
}

/// The volume that `directory` is on or will be.
fn volume(directory: &Path, log_size: Option<u64>) -> io::Result<Volume> {
    let disk = rustix::fs::statvfs(existing(directory))?;
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let volume = Volume::of(total, log_size);
    let segment_max = volume.segment_max(total);
    if volume.segment > segment_max {
        let fitting = Volume::of(total, None).segment >> 20;
        let (log_size, total, most) = (volume.segment >> 20, total >> 20, segment_max >> 20);

        tracing::warn!(
            "log_size is {log_size} MiB, too much for a volume of {total} MiB: at most {most} MiB stores anything, and without log_size it is {fitting} MiB"
        );
    }
    Ok(volume)
}

/// The directory, or the one above that is there already.
fn existing(directory: &Path) -> &Path {
    let there = directory.ancestors().find(|it| !it.as_os_str().is_empty() && it.exists());
    there.unwrap_or(Path::new("."))
}

/// Where non-persistent messages go that memory has no room for, and how many bytes of them; a limit that the disk cannot
/// hold is shrunk to it.
///
/// # Errors
/// The volume cannot be looked at.
pub(super) fn temporary(config: &Config, resources: &Resources) -> io::Result<(Temporary, u64)> {
    let above = match &config.store {
        StoreConfig::Memory => &config.broker.data_directory,
        StoreConfig::Local(it) => &it.directory,
        StoreConfig::Replicated(it) => &it.directory,
    };
    // A store in memory makes no directory before it needs one.
    let disk = rustix::fs::statvfs(existing(above))?;
    let usable = disk.f_bavail.saturating_mul(disk.f_frsize);
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let asked = config.system_usage.temp.bytes_of(total);
    let kept = resources.volume.unwrap_or(Volume::of(total, None)).kept();
    let directory = above.join("tmp_storage");
    let temporary = Temporary::new(Arc::new(resources.disk.clone()), directory, kept);
    Ok((temporary, shrunk("Temporary Store", asked, usable, above)))
}

/// A limit in bytes that the disk of `path` can hold; says so when it is not what was asked.
pub(super) fn shrunk(what: &str, asked: u64, usable: u64, path: &Path) -> u64 {
    if asked > usable {
        let (asked, usable, path) = (asked >> 20, usable >> 20, path.display());
        tracing::warn!(
            "{what} limit is {asked} MiB, whilst the disk of {path} has {usable} MiB of usable space - resetting to that"
        );
    }
    asked.min(usable)
}
