//! The sidecar of a finished segment: its messages sorted by destination and sequence, in a file of its own, so that a
//! backlog costs no memory. A cache: it belongs to exactly one content of the segment (base, end and the checksum of
//! the last record, which covers all before it), and is rebuilt from it when it does not fit.
//!
//! Layout, little endian: `magic, version, bytes of the tables`, the tables (counts, history, directory, blocks) with
//! their checksum, then the entries, 32 bytes each. Each block of entries has its checksum in the table of blocks.

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use crc_fast::{CrcAlgorithm, checksum};

use super::StorageError;
use super::live::{Entries, Entry, Held, History, Seeker, Summary};
use super::segment::{OpenFiles, Origin};
use crate::model::{DestinationId, Epoch, Offset};

const MAGIC: [u8; 8] = *b"QUORSID\n";
const VERSION: u32 = 2;
const HEAD_BYTES: usize = 20;
const ENTRY_BYTES: usize = 32;
/// Entries under one checksum; what a lookup reads at least.
const BLOCK_ENTRIES: u64 = 1024;
/// More is damage: tables hold 36 bytes for each destination of one segment, and 16 for each block.
const TABLES_BYTES_MAX: u64 = 1 << 30;

/// A finished segment: what its messages are, and where.
pub(super) struct Sealed {
    pub(super) origin: Origin,
    pub(super) end: Offset,
    pub(super) last: u32,
    pub(super) history: History,
    pub(super) places: Places,
}

/// Where a finished segment's entries are.
pub(super) enum Places {
    /// Until the sidecar is written.
    Memory(Entries),
    /// In the sidecar.
    File(Sidecar),
}

/// The tables of a sidecar.
pub(super) struct Sidecar {
    path: PathBuf,
    files: OpenFiles,
    /// No entry begins below the first or ends above the second.
    within: (Offset, Offset),
    directory: Vec<Directory>,
    blocks: Vec<Block>,
    entries: u64,
    entries_at: u64,
}

/// What a segment has of one destination.
struct Directory {
    destination: DestinationId,
    first: u64,
    last: u64,
    /// Number of its first entry in the file.
    index: u64,
    count: u64,
    /// Their parts of the bytes of their records.
    bytes: u64,
}

/// The first entry of a block and the checksum of all of it.
struct Block {
    destination: DestinationId,
    sequence: u64,
    crc: u32,
}

/// The sidecar does not hold what it should.
#[derive(Debug)]
pub(super) struct Unreadable;

impl Sealed {
    /// A segment whose sidecar is not written yet.
    pub(super) fn new(summary: Summary) -> Sealed {
        let Summary { origin, end, last, history, entries } = summary;
        Sealed { origin, end, last, history, places: Places::Memory(entries) }
    }

    /// The lowest wanted sequence that may be here.
    pub(super) fn first_wanted(&self, destination: DestinationId, ranges: &[(u64, u64)]) -> Option<u64> {
        let (first, last) = match &self.places {
            Places::Memory(entries) => entries.bounds(destination)?,
            Places::File(sidecar) => {
                let directory = sidecar.directory(destination)?;
                (directory.first, directory.last)
            }
        };
        let wanted = ranges.iter().find(|(_, to)| *to >= first)?;
        Some(wanted.0.max(first)).filter(|sequence| *sequence <= last)
    }

    /// How much this segment holds of each destination.
    pub(super) fn held(&self) -> impl Iterator<Item = Held> + '_ {
        let (entries, sidecar) = match &self.places {
            Places::Memory(entries) => (Some(entries), None),
            Places::File(sidecar) => (None, Some(sidecar)),
        };
        let held = |of: &Directory| {
            let Directory { destination, first, last, count, bytes, .. } = *of;
            Held { destination, first, last, count, bytes }
        };
        let in_file = sidecar.into_iter().flat_map(move |sidecar| sidecar.directory.iter().map(held));
        entries.into_iter().flat_map(Entries::held).chain(in_file)
    }

    /// Offers to `window` what it wants of this segment.
    pub(super) fn collect<'a>(
        &self,
        destination: DestinationId,
        window: &mut impl Seeker<'a>,
    ) -> Result<(), Unreadable> {
        match &self.places {
            Places::Memory(entries) => {
                entries.collect(destination, window);
                Ok(())
            }
            Places::File(sidecar) => sidecar.collect(destination, window),
        }
    }

    /// The same with its entries in a file: writes the sidecar.
    pub(super) fn written(&self, files: &OpenFiles, dir: &Path) -> Result<Option<Sealed>, StorageError> {
        let Places::Memory(entries) = &self.places else { return Ok(None) };
        let disk = files.disk.as_ref();
        let path = dir.join(Sidecar::name(self.origin.base));
        let draft = dir.join("sidecar.tmp");
        let write = || {
            let (tables, entries) = self.encode(&entries.sorted());
            let file = disk.create(&draft)?;
            file.write_at(0, &mut [IoSlice::new(&tables), IoSlice::new(&entries)])?;
            // Not synced: a torn one is found by its checksums.
            disk.rename(&draft, &path)
        };
        if let Err(error) = write() {
            // A torn one would only take room.
            let _ = disk.remove(&draft);
            return Err(StorageError::io("write", &path)(error));
        }
        files.forget(&path);
        Sealed::open(files, dir, self.origin, self.end, self.last)
    }

    fn encode(&self, sorted: &[(DestinationId, Entry)]) -> (Vec<u8>, Vec<u8>) {
        let mut entries = Vec::with_capacity(sorted.len() * ENTRY_BYTES);
        sorted.iter().for_each(|(_, entry)| put_entry(&mut entries, entry));
        let mut directory: Vec<Directory> = Vec::new();
        for (index, (destination, entry)) in sorted.iter().enumerate() {
            match directory.last_mut() {
                Some(of) if of.destination == *destination => {
                    (of.last, of.count) = (entry.sequence, of.count + 1);
                    of.bytes += entry.bytes();
                }
                _ => directory.push(Directory {
                    destination: *destination,
                    first: entry.sequence,
                    last: entry.sequence,
                    index: index as u64,
                    count: 1,
                    bytes: entry.bytes(),
                }),
            }
        }
        let mut tables = Vec::new();
        tables.put_u64_le(self.origin.base.0);
        tables.put_u64_le(self.end.0);
        tables.put_u32_le(self.last);
        tables.put_u32_le(self.history.len() as u32);
        tables.put_u32_le(directory.len() as u32);
        tables.put_u64_le(sorted.len() as u64);
        for (epoch, end) in &self.history {
            tables.put_u64_le(epoch.0);
            tables.put_u64_le(end.0);
        }
        for of in &directory {
            tables.put_u32_le(of.destination.0);
            tables.put_u64_le(of.first);
            tables.put_u64_le(of.last);
            tables.put_u64_le(of.count);
            tables.put_u64_le(of.bytes);
        }
        let blocks = sorted.chunks(BLOCK_ENTRIES as usize);
        for (block, bytes) in blocks.zip(entries.chunks(BLOCK_ENTRIES as usize * ENTRY_BYTES)) {
            tables.put_u32_le(block[0].0.0);
            tables.put_u64_le(block[0].1.sequence);
            tables.put_u32_le(crc(bytes));
        }
        tables.put_u32_le(crc(&tables));
        let mut file = MAGIC.to_vec();
        file.put_u32_le(VERSION);
        file.put_u64_le(tables.len() as u64);
        file.extend(tables);
        (file, entries)
    }

    /// Opens the sidecar of the segment with this origin, end and last checksum; none when there is no such sidecar.
    pub(super) fn open(
        files: &OpenFiles,
        dir: &Path,
        origin: Origin,
        end: Offset,
        last: u32,
    ) -> Result<Option<Sealed>, StorageError> {
        let path = dir.join(Sidecar::name(origin.base));
        let Ok(file) = files.get(&path) else { return Ok(None) };
        let read = || -> std::io::Result<Option<(Vec<u8>, u64)>> {
            let mut head = [0; HEAD_BYTES];
            let read = file.read_at(0, &mut head)?;
            let Some(bytes) = tables_bytes(&head[..read]) else { return Ok(None) };
            let mut tables = vec![0; bytes.min(file.len()?) as usize];
            let read = file.read_at(HEAD_BYTES as u64, &mut tables)?;
            Ok((read as u64 == bytes).then_some((tables, HEAD_BYTES as u64 + bytes)))
        };
        let Some((tables, entries_at)) = read().map_err(StorageError::io("read", &path))? else {
            return Ok(None);
        };
        Ok(decode(&tables, origin.base, end, last).map(|(history, directory, blocks, entries)| {
            let (files, within) = (files.clone(), (origin.group, end));
            let sidecar = Sidecar { path, files, within, directory, blocks, entries, entries_at };
            Sealed { origin, end, last, history, places: Places::File(sidecar) }
        }))
    }
}

impl Sidecar {
    /// File name of the sidecar of the segment with this base.
    pub(super) fn name(base: Offset) -> String {
        format!("{:020}.sidecar", base.0)
    }

    fn directory(&self, destination: DestinationId) -> Option<&Directory> {
        let found = self.directory.binary_search_by_key(&destination, |of| of.destination).ok()?;
        self.directory.get(found)
    }

    fn collect<'a>(
        &self,
        destination: DestinationId,
        window: &mut impl Seeker<'a>,
    ) -> Result<(), Unreadable> {
        let Some(of) = self.directory(destination) else { return Ok(()) };
        let (index, end) = (of.index, of.index + of.count);
        let mut number = u64::MAX;
        let mut block = Vec::new();
        for &(first, last) in window.ranges() {
            if last < of.first || first > of.last {
                continue;
            }
            // The last block that begins before the first wanted one, for equal sequences may cross a border.
            let before =
                self.blocks.partition_point(|b| (b.destination, b.sequence) < (destination, first)) as u64;
            let mut at = index.max(before.saturating_sub(1) * BLOCK_ENTRIES);
            'range: while at < end {
                if number != at / BLOCK_ENTRIES {
                    number = at / BLOCK_ENTRIES;
                    block = self.block(number)?;
                }
                let until = (end - number * BLOCK_ENTRIES).min(BLOCK_ENTRIES) as usize;
                // All of one destination from here, so they ascend.
                let here = &block[(at % BLOCK_ENTRIES) as usize..until.min(block.len())];
                for entry in &here[here.partition_point(|entry| entry.sequence < first)..] {
                    if entry.sequence > last {
                        break 'range;
                    }
                    if !window.offer(*entry) {
                        return Ok(());
                    }
                }
                at = (number + 1) * BLOCK_ENTRIES;
            }
        }
        Ok(())
    }

    fn block(&self, number: u64) -> Result<Vec<Entry>, Unreadable> {
        let first = number * BLOCK_ENTRIES;
        let count = self.entries.checked_sub(first).ok_or(Unreadable)?.min(BLOCK_ENTRIES) as usize;
        let mut bytes = vec![0; count * ENTRY_BYTES];
        let place = self.entries_at + first * ENTRY_BYTES as u64;
        let read = self.files.get(&self.path).and_then(|file| file.read_at(place, &mut bytes));
        let read = read.map_err(|_| Unreadable)?;
        let block = self.blocks.get(number as usize).ok_or(Unreadable)?;
        if read < bytes.len() || crc(&bytes) != block.crc {
            return Err(Unreadable);
        }
        let entries: Vec<Entry> = bytes.chunks_exact(ENTRY_BYTES).map(get_entry).collect();
        let (from, to) = self.within;
        let fits = |entry: &Entry| {
            entry.start >= from && entry.start.0.checked_add(entry.span).is_some_and(|end| end <= to.0)
        };
        if entries.iter().all(fits) { Ok(entries) } else { Err(Unreadable) }
    }
}

type Tables = (History, Vec<Directory>, Vec<Block>, u64);

fn tables_bytes(mut head: &[u8]) -> Option<u64> {
    if head.len() < HEAD_BYTES || head[..8] != MAGIC {
        return None;
    }
    head.advance(8);
    let version = head.get_u32_le();
    Some(head.get_u64_le()).filter(|bytes| version == VERSION && *bytes <= TABLES_BYTES_MAX)
}

fn decode(tables: &[u8], base: Offset, end: Offset, last: u32) -> Option<Tables> {
    let (mut at, sum) = tables.split_at_checked(tables.len().checked_sub(4)?)?;
    if sum != crc(at).to_le_bytes() {
        return None;
    }
    if (at.try_get_u64_le().ok()?, at.try_get_u64_le().ok()?, at.try_get_u32_le().ok()?)
        != (base.0, end.0, last)
    {
        return None;
    }
    let (epochs, destinations) = (at.try_get_u32_le().ok()? as usize, at.try_get_u32_le().ok()? as usize);
    let entries = at.try_get_u64_le().ok()?;
    let blocks = usize::try_from(entries.div_ceil(BLOCK_ENTRIES)).ok()?;
    if at.len()
        != epochs
            .checked_mul(16)?
            .checked_add(destinations.checked_mul(36)?)?
            .checked_add(blocks.checked_mul(16)?)?
    {
        return None;
    }
    let history = (0..epochs).map(|_| (Epoch(at.get_u64_le()), Offset(at.get_u64_le()))).collect();
    let mut index = 0u64;
    let mut directory = Vec::with_capacity(destinations);
    for _ in 0..destinations {
        let (destination, first) = (DestinationId(at.get_u32_le()), at.get_u64_le());
        let (last, count, bytes) = (at.get_u64_le(), at.get_u64_le(), at.get_u64_le());
        directory.push(Directory { destination, first, last, index, count, bytes });
        index = index.checked_add(count)?;
    }
    let block = |_| Block {
        destination: DestinationId(at.get_u32_le()),
        sequence: at.get_u64_le(),
        crc: at.get_u32_le(),
    };
    let blocks = (0..blocks).map(block).collect();
    (index == entries).then_some((history, directory, blocks, entries))
}

fn crc(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.put_u64_le(entry.sequence);
    out.put_u64_le(entry.start.0);
    out.put_u32_le(entry.span as u32);
    out.put_u32_le(entry.expiry);
    out.put_u32_le(entry.due);
    out.put_u8(entry.priority);
    out.put_u8(entry.shares);
    // A body has at most 4 GiB, so its span has less than 48 bits.
    out.put_u16_le((entry.span >> 32) as u16);
}

/// Reads one entry of exactly [`ENTRY_BYTES`].
fn get_entry(mut at: &[u8]) -> Entry {
    let (sequence, start, low) = (at.get_u64_le(), Offset(at.get_u64_le()), at.get_u32_le());
    let (expiry, due, priority, shares) = (at.get_u32_le(), at.get_u32_le(), at.get_u8(), at.get_u8());
    let span = u64::from(low) | u64::from(at.get_u16_le()) << 32;
    Entry { sequence, start, span, expiry, due, priority, shares }
}
