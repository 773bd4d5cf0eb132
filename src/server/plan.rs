//! How a node divides what it was given: descriptors, memory, the volume of its store. Pure figures.

/// Descriptors of every node besides its connections: outputs, timers, listeners, the log with the files that are read, the
/// index, temporary files, ZooKeeper.
const OWN_FILES: usize = 36;
/// More of them for each node of the group: a stream each way, and one that is being dialled.
const NODE_FILES: usize = 4;
/// Which part of the rest the console and half-open connections of the replication port may have each, up to a number that
/// serves them well.
const SIDE_SHARE: usize = 10;
const SIDE_MAX: usize = 64;

/// How many descriptors each kind of connection may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// What the node itself needs: nobody else may have these.
    pub(super) own: usize,
    /// Clients of all connectors together.
    pub(super) clients: usize,
    /// Connections of the replication port that have not shown yet who they are.
    pub(super) half_open: usize,
}

impl Files {
    /// Divides so many descriptors, in a group of so many nodes.
    pub(super) fn of(limit: usize, replicas: usize) -> Files {
        let own = OWN_FILES + NODE_FILES * replicas;
        let rest = limit.saturating_sub(own);
        let side = (rest / SIDE_SHARE).clamp(1, SIDE_MAX);
        // The console has as many as the replication port.
        Files { own, clients: rest.saturating_sub(2 * side).max(1), half_open: side }
    }
}

const MIB: u64 = 1 << 20;
/// Memory of a node that does nothing.
const IDLE_BYTES: u64 = 64 * MIB;
/// Smallest useful limit.
const MEMORY_MIN: u64 = 16 * MIB;
/// Windows and log tail take no more than this, however much memory there is, and of a little memory no larger part.
const WINDOWS_BYTES: u64 = 64 * MIB;
const WINDOWS_SHARE: u64 = 20;
const TAIL_BYTES: u64 = 16 * MIB;
const TAIL_SHARE: u64 = 80;

/// Sizes that follow the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// `system_usage.memory`, in bytes: non-persistent messages. Three quarters as much again go to what waits, what is
    /// delivered, large frames, transactions and the log's pipeline.
    pub(super) limit: u64,
    /// Messages read ahead from the disk.
    pub(super) windows: u64,
    /// The end of the log, for slaves that keep up.
    pub(super) tail: u64,
}

impl Memory {
    /// Of `asked` bytes what lets the process live within `total` with everything else that it holds: half of what an idle
    /// node leaves.
    pub(super) fn of(asked: u64, total: u64) -> Memory {
        let most = (total.saturating_sub(IDLE_BYTES) / 2).max(MEMORY_MIN);
        let limit = asked.min(most);
        let (windows, tail) = (total / WINDOWS_SHARE, total / TAIL_SHARE);
        Memory { limit, windows: WINDOWS_BYTES.min(windows), tail: TAIL_BYTES.min(tail) }
    }
}

/// Segments of a log whose size nobody wrote: this on a large volume, and on a small one a part of it.
const SEGMENT_BYTES: u64 = 100 * MIB;
const SEGMENT_BYTES_MIN: u64 = 2 * MIB;
const SEGMENTS: u64 = 32;
/// Disk in reserve for what makes room when the disk is full. With what stays free it is more than what may be in flight when
/// that is noticed.
const RESERVE_BYTES: u64 = 64 * MIB;
const RESERVE_BYTES_MIN: u64 = 24 * MIB;
/// Disk that stays free beside it, for sidecars and the index.
const FREE_BYTES: u64 = 32 * MIB;
const FREE_BYTES_MIN: u64 = 16 * MIB;

/// How the volume of a store is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// Bytes of one segment.
    pub(super) segment: u64,
    /// Bytes in reserve.
    pub(super) reserve: u64,
    /// Bytes that stay free.
    pub(super) free: u64,
}

impl Volume {
    /// For a volume of so many bytes, and segments of the size that is written, if one is.
    pub(super) fn of(total: u64, written: Option<u64>) -> Volume {
        let fitting = (total / SEGMENTS / MIB * MIB).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES);
        Volume {
            segment: written.unwrap_or(fitting),
            reserve: (total / 4).max(RESERVE_BYTES_MIN).min(total / 8 * 3).min(RESERVE_BYTES),
            free: (total / 8).max(FREE_BYTES_MIN).min(total / 4).min(FREE_BYTES),
        }
    }

    /// Largest segments with which the volume stores anything: two of them beside the reserve, which is whole segments.
    pub(super) fn segment_max(&self, total: u64) -> u64 {
        let rest = total.saturating_sub(self.free);
        (rest / 4).min(rest.saturating_sub(self.reserve) / 3) / MIB * MIB
    }

    /// Bytes that are kept back.
    pub(super) fn kept(&self) -> u64 {
        self.reserve + self.free
    }

    /// Bytes of the largest message: on a small volume a larger one than what is kept back could fill the disk half way, and
    /// what makes room would wait behind it.
    pub(super) fn message_max(&self) -> u64 {
        if self.reserve < RESERVE_BYTES { self.kept() } else { u64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_128_descriptors_64_clients_are_served_on_each_node_of_three() {
        assert_eq!(Files::of(128, 3), Files { own: 48, clients: 64, half_open: 8 });
        assert_eq!(Files::of(1_048_576, 3).half_open, 64);
        for limit in [0, 1, 47, 48, 60, 128, 1024, usize::MAX] {
            let files = Files::of(limit, 3);
            assert!(files.clients > 0 && files.half_open > 0);
            assert!(limit < 60 || files.own + files.clients + 2 * files.half_open == limit, "{limit}");
        }
    }

    #[test]
    fn all_that_grows_with_the_memory_fits_into_it_together() {
        for total in [256, 300, 400, 1024, 65_536].map(|mib| mib * MIB) {
            for asked in [1, 50, 1 << 30, u64::MAX] {
                let memory = Memory::of(asked, total);
                let all = memory.limit + memory.limit / 4 * 3 + memory.windows + memory.tail + IDLE_BYTES;
                assert!(all <= total && memory.limit <= asked, "{total}: {memory:?}");
            }
        }
        assert_eq!(Memory::of(168 * MIB, 400 * MIB).limit, 168 * MIB, "what fits is what is asked for");
        let usual = Memory::of(1 << 30, 16 << 30);
        assert_eq!(usual, Memory { limit: 1 << 30, windows: 64 * MIB, tail: 16 * MIB });
    }

    #[test]
    fn segments_and_reserve_follow_a_small_volume() {
        let usual = Volume { segment: 100 * MIB, reserve: 64 * MIB, free: 32 * MIB };
        assert_eq!(Volume::of(1 << 40, None), usual);
        assert_eq!(Volume::of(1 << 40, Some(4 * MIB)), Volume { segment: 4 * MIB, ..usual });
        assert_eq!(
            Volume::of(200 * MIB, None),
            Volume { segment: 6 * MIB, reserve: 50 * MIB, free: 25 * MIB }
        );
        assert_eq!(
            Volume::of(64 * MIB, None),
            Volume { segment: 2 * MIB, reserve: 24 * MIB, free: 16 * MIB }
        );
    }

    #[test]
    fn every_volume_from_32_mib_on_holds_two_segments_beside_what_is_kept_back() {
        for total in (32..4096).map(|mib| mib * MIB) {
            for written in [None, Some(Volume::of(total, None).segment_max(total))] {
                let volume = Volume::of(total, written);
                let reserve = volume.reserve.div_ceil(volume.segment) * volume.segment;
                assert!(2 * volume.segment + reserve + volume.free <= total, "{total}: {volume:?}");
            }
        }
    }
}
