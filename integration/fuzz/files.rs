//! Several pieces in one input, and the formats of the store's files as far as their checksums need it.

use crc_fast::{CrcAlgorithm, checksum};
use quorate::storage::{RECORD_HEADER_BYTES, RECORD_VERSION};

/// Bytes of a segment before its first record.
const SEGMENT_HEADER_BYTES: usize = 4096;
/// Where the second slot of a hint begins, and what of a slot is used.
const SLOT_BYTES: usize = 4096;
const SLOT_FIELDS: usize = 28;
const SIDECAR_HEAD_BYTES: usize = 20;
const SIDECAR_COUNTS_BYTES: usize = 36;
const BLOCK_BYTES: usize = 1024 * 32;

/// Pieces with a key each.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) fn crc(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The pieces of an input: `{ u16 length, key, u32 length, value }*`. A length that is too long means all that is left.
pub(crate) fn pairs(input: &[u8]) -> Pairs {
    let (mut rest, mut out) = (input, Pairs::new());
    while !rest.is_empty() {
        let key = piece(&mut rest, 2);
        out.push((key, piece(&mut rest, 4)));
    }
    out
}

fn piece(rest: &mut &[u8], width: usize) -> Vec<u8> {
    let (head, after) = rest.split_at(width.min(rest.len()));
    let length = head.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let (taken, after) = after.split_at(length.min(after.len()));
    *rest = after;
    taken.to_vec()
}

/// The input with these pieces.
pub(crate) fn pairs_to(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in pairs {
        out.extend((key.len() as u16).to_le_bytes());
        out.extend(key);
        out.extend((value.len() as u32).to_le_bytes());
        out.extend(value);
    }
    out
}

/// Stamps whatever stands there as records from `at` on; gives where they end and the last checksum.
pub(crate) fn mend_records(at: u64, previous: u32, mut rest: &mut [u8]) -> (u64, u32) {
    let (mut at, mut last) = (at, previous);
    while rest.len() >= RECORD_HEADER_BYTES && rest[..RECORD_HEADER_BYTES].iter().any(|byte| *byte != 0) {
        let length = u32::from_le_bytes(*rest[4..].first_chunk().unwrap()) as usize;
        let length = length.min(rest.len() - RECORD_HEADER_BYTES);
        let (record, after) = rest.split_at_mut(RECORD_HEADER_BYTES + length);
        record[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        record[10..12].copy_from_slice(&RECORD_VERSION.to_le_bytes());
        record[20..24].copy_from_slice(&last.to_le_bytes());
        last = crc(&[&at.to_le_bytes(), &record[4..]].concat());
        record[..4].copy_from_slice(&last.to_le_bytes());
        (at, rest) = (at.wrapping_add(record.len() as u64), after);
    }
    (at, last)
}

/// Mends every file of a log.
pub(crate) fn mend_log(input: &mut Vec<u8>) {
    let mut files = pairs(input);
    let mut before = None;
    for (name, bytes) in &mut files {
        let name = String::from_utf8_lossy(name).into_owned();
        if let Some(base) = name.strip_suffix(".log").and_then(|digits| digits.parse::<u64>().ok()) {
            before = mend_segment(base, before, bytes);
        } else if name == "durable" {
            mend_hint(bytes);
        } else if name.ends_with(".sidecar") {
            mend_sidecar(bytes);
        }
    }
    *input = pairs_to(files);
}

fn mend_segment(base: u64, before: Option<(u64, u32)>, bytes: &mut [u8]) -> Option<(u64, u32)> {
    let (header, records) = bytes.split_at_mut_checked(SEGMENT_HEADER_BYTES)?;
    if let Some((_, last)) = before.filter(|(end, _)| *end == base) {
        header[12..16].copy_from_slice(&last.to_le_bytes());
    }
    header[16..24].copy_from_slice(&base.to_le_bytes());
    let sum = crc(&header[..40]);
    header[40..44].copy_from_slice(&sum.to_le_bytes());
    let previous = u32::from_le_bytes(*header[12..].first_chunk()?);
    Some(mend_records(base, previous, records))
}

/// Mends the checksums of a hint's slots.
pub(crate) fn mend_hint(bytes: &mut [u8]) {
    for at in [0, SLOT_BYTES] {
        if let Some(slot) = bytes.get_mut(at..at + SLOT_FIELDS) {
            let sum = crc(&slot[..SLOT_FIELDS - 4]);
            slot[SLOT_FIELDS - 4..].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// Mends the checksums of a sidecar: of each block, then of the tables.
pub(crate) fn mend_sidecar(bytes: &mut [u8]) {
    let Some((head, rest)) = bytes.split_at_mut_checked(SIDECAR_HEAD_BYTES) else { return };
    let wanted = u64::from_le_bytes(*head[12..].first_chunk().unwrap());
    let tables_bytes = usize::try_from(wanted).unwrap_or(usize::MAX).min(rest.len());
    head[12..20].copy_from_slice(&(tables_bytes as u64).to_le_bytes());
    let (tables, entries) = rest.split_at_mut(tables_bytes);
    let Some((tables, sum)) = tables.split_at_mut_checked(tables_bytes.saturating_sub(4)) else { return };
    if tables.len() >= SIDECAR_COUNTS_BYTES && sum.len() == 4 {
        let count = u64::from_le_bytes(*tables[28..].first_chunk().unwrap());
        let blocks = usize::try_from(count.div_ceil(1024)).unwrap_or(usize::MAX).min(tables.len() / 16);
        let first = tables.len() - blocks * 16;
        for (block, bytes) in tables[first..].chunks_exact_mut(16).zip(entries.chunks(BLOCK_BYTES)) {
            let used = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(32).min(bytes.len());
            block[12..16].copy_from_slice(&crc(&bytes[..used]).to_le_bytes());
        }
        sum.copy_from_slice(&crc(tables).to_le_bytes());
    }
}
