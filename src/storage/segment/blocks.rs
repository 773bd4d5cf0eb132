//! The end of a segment as it is written: whole blocks past the page cache, which costs a busy log more than the disk
//! does. The last block is written again with what comes next, as the page cache would.

use std::io::{self, IoSlice};

use bytes::Bytes;

use super::Segment;
use crate::bugs;
use crate::env::{BLOCK_BYTES, Disk, DiskFile};
use crate::model::Offset;
use crate::storage::StorageError;

/// Most bytes of one write.
const MEMORY_BYTES: usize = 1 << 20;

/// Where records are put down.
pub(in crate::storage) struct Blocks {
    file: Box<dyn DiskFile>,
    /// Zero behind what is filled, up to the end of its block.
    memory: Vec<u8>,
    /// Where the aligned part of it begins, which is `MEMORY_BYTES` long.
    aligned: usize,
    /// Place in the file of the first byte in memory.
    place: u64,
    /// Bytes in memory, between two writes less than a block: what the last block holds so far.
    filled: usize,
}

impl Blocks {
    /// The end of this segment, whose records end at `to`.
    pub(in crate::storage) fn open(
        disk: &dyn Disk,
        segment: &Segment,
        to: Offset,
    ) -> Result<Blocks, StorageError> {
        let file = disk.open_direct(&segment.path).map_err(StorageError::io("open", &segment.path))?;
        let mut memory = vec![0; MEMORY_BYTES + BLOCK_BYTES];
        let aligned = memory.as_ptr().align_offset(BLOCK_BYTES);
        let filled = (segment.place(to) % BLOCK_BYTES as u64) as usize;
        let place = segment.place(to) - filled as u64;
        // No block holds both header and records.
        let last = segment.bytes(Offset(to.0 - filled as u64), to)?;
        memory[aligned..aligned + filled].copy_from_slice(&last);
        Ok(Blocks { file, memory, aligned, place, filled })
    }

    /// Writes `parts` one after the other, and at least `cleared` bytes of zeros behind them.
    pub(in crate::storage) fn write(&mut self, parts: &[Bytes], cleared: usize) -> io::Result<()> {
        for part in parts {
            let mut rest = &part[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(MEMORY_BYTES - self.filled));
                let from = self.aligned + self.filled;
                self.memory[from..from + now.len()].copy_from_slice(now);
                self.filled += now.len();
                rest = later;
                if self.filled == MEMORY_BYTES {
                    self.put(MEMORY_BYTES)?;
                }
            }
        }
        let end = (self.filled + cleared).next_multiple_of(BLOCK_BYTES).min(MEMORY_BYTES);
        self.memory[self.aligned + self.filled..self.aligned + end].fill(0);
        self.put(end)
    }

    /// Writes so many bytes, and keeps of them what does not fill a block.
    fn put(&mut self, bytes: usize) -> io::Result<()> {
        let memory = &mut self.memory[self.aligned..];
        if bytes > 0 {
            self.file.write_at(self.place, &mut [IoSlice::new(&memory[..bytes])])?;
        }
        let whole = self.filled - self.filled % BLOCK_BYTES;
        memory.copy_within(whole..self.filled, 0);
        (self.place, self.filled) = (self.place + whole as u64, self.filled - whole);
        Ok(())
    }

    /// Makes what was written durable.
    pub(in crate::storage) fn sync(&self) -> io::Result<()> {
        match self.file.sync_data() {
            Err(_) if bugs::on("retry_after_failed_fsync") => self.file.sync_data(),
            synced => synced,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::env::{SimDisk, SystemDisk, random_u64, seeded};
    use crate::storage::segment::OpenFiles;
    use crate::storage::segment::{Origin, SEGMENT_HEADER_BYTES};

    const SEGMENT_BYTES: u64 = 8 << 20;

    /// Writes parts of any length, now and then with another handle, and compares the file with what it should be.
    fn compare(disk: &Arc<dyn Disk>, dir: &Path) {
        let files = OpenFiles::new(Arc::clone(disk));
        let segment = Segment::create(&files, dir, Origin::default(), SEGMENT_BYTES).unwrap();
        let (disk, file) = (disk.as_ref(), segment.file().unwrap());
        // What is not cleared shows.
        let noise = vec![0xaa; SEGMENT_BYTES as usize];
        file.write_at(SEGMENT_HEADER_BYTES, &mut [IoSlice::new(&noise)]).unwrap();
        let header = file.len().unwrap();
        let mut blocks = Blocks::open(disk, &segment, Offset(0)).unwrap();
        let mut all: Vec<u8> = Vec::new();
        let lengths = [1, 4095, 4096, 4097, 100, 1 << 20, (1 << 20) + 1, 3_000_000, 0, 12_000];
        for turn in 0..60 {
            let parts: Vec<Bytes> = (0..1 + random_u64() % 3)
                .map(|_| {
                    let longest = lengths[(random_u64() % 10) as usize];
                    let length = if turn % 2 == 0 { longest } else { longest % 1000 };
                    (0..length).map(|n| (n % 251) as u8 + 1).collect::<Vec<u8>>().into()
                })
                .collect();
            let bytes: usize = parts.iter().map(Bytes::len).sum();
            if all.len() + bytes + 200_000 > SEGMENT_BYTES as usize {
                break;
            }
            let cleared = if bytes < 20_000 { (random_u64() % 130_000) as usize } else { 0 };
            blocks.write(&parts, cleared).unwrap();
            blocks.sync().unwrap();
            parts.iter().for_each(|part| all.extend_from_slice(part));
            if turn % 5 == 4 {
                blocks = Blocks::open(disk, &segment, Offset(all.len() as u64)).unwrap();
            }
            let zeros = (all.len() + cleared).next_multiple_of(BLOCK_BYTES) - all.len();
            let mut found = vec![0; all.len() + zeros];
            assert_eq!(file.read_at(SEGMENT_HEADER_BYTES, &mut found).unwrap(), found.len());
            assert!(found[..all.len()] == all, "turn {turn}: not what was written");
            assert!(found[all.len()..].iter().all(|byte| *byte == 0), "turn {turn}: no zeros behind");
        }
        assert!(all.len() > 100_000);
        assert_eq!(file.len().unwrap(), header, "nothing is written behind the segment");
    }

    #[test]
    fn what_is_written_in_blocks_reads_back_as_bytes() {
        for seed in 1..=20 {
            seeded::seed(Some(seed));
            let disk = SimDisk::new();
            disk.create_dir_all(Path::new("log")).unwrap();
            compare(&(Arc::new(disk) as Arc<dyn Disk>), Path::new("log"));
        }
        seeded::seed(None);
    }

    #[test]
    fn the_machine_s_disk_takes_it_past_the_page_cache_and_one_in_memory_does_too() {
        for place in [env!("CARGO_MANIFEST_DIR"), "/dev/shm"] {
            let dir = tempfile::tempdir_in(place).unwrap();
            seeded::seed(Some(1));
            compare(&(Arc::new(SystemDisk) as Arc<dyn Disk>), dir.path());
        }
    }
}
