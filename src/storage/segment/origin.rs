//! The header of a segment's file: where the segment begins, and what stood before it.

use bytes::Buf;
use crc_fast::{CrcAlgorithm, checksum};

use super::SEGMENT_HEADER_BYTES;
use crate::model::{Epoch, Offset};

const MAGIC: [u8; 8] = *b"QUORLOG\n";
const VERSION: u32 = 1;
pub(super) const FIELDS: usize = 44;

/// What a segment's header says: where the segment begins, and what stood before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::storage) struct Origin {
    /// Offset of the first record.
    pub(in crate::storage) base: Offset,
    /// Checksum of the record before.
    pub(in crate::storage) previous: u32,
    /// Epoch of the record before; 0 for none.
    pub(in crate::storage) epoch: Epoch,
    /// Where the group began that is open at `base`; `base` when none is. Nothing but this group's records needs
    /// bytes below `base` to be understood.
    pub(in crate::storage) group: Offset,
}

impl Origin {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.previous.to_le_bytes());
        out.extend(self.base.0.to_le_bytes());
        out.extend(self.epoch.0.to_le_bytes());
        out.extend(self.group.0.to_le_bytes());
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &out) as u32;
        out.extend(crc.to_le_bytes());
        out.resize(SEGMENT_HEADER_BYTES as usize, 0);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Origin, String> {
        let Some((mut fields, rest)) = bytes.split_at_checked(FIELDS - 4) else {
            return Err("the segment's header is cut off".into());
        };
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, fields) as u32;
        if rest.get(..4) != Some(&crc.to_le_bytes()[..]) || fields[..8] != MAGIC {
            return Err("the segment's header is damaged".into());
        }
        fields.advance(8);
        match fields.get_u32_le() {
            VERSION => Ok(Origin {
                previous: fields.get_u32_le(),
                base: Offset(fields.get_u64_le()),
                epoch: Epoch(fields.get_u64_le()),
                group: Offset(fields.get_u64_le()),
            }),
            version => Err(format!("the segment is of version {version}, which is unknown here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_of_it_is_found() {
        let origin = Origin { base: Offset(1 << 40), previous: 7, epoch: Epoch(3), group: Offset(9) };
        let bytes = origin.encode();
        assert_eq!(Origin::decode(&bytes), Ok(origin));
        for bit in 0..FIELDS * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Origin::decode(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..FIELDS {
            assert!(Origin::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
