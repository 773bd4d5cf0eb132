//! The outside world as ports: time, chance and the disk. Everything that decides takes these as values or traits, so
//! that the simulation can supply its own.

mod clock;
mod disk;
mod files;
mod sim_disk;
mod socket;

#[cfg(test)]
pub(crate) use clock::seeded;
pub use clock::{Clock, SystemClock, random_u64, random_u128};
pub use disk::{BLOCK_BYTES, Disk, DiskFile, DiskLock, SystemDisk};
pub use files::raise_file_limit;
pub use sim_disk::{Keep, SimDisk};
pub use socket::{GONE_AFTER, KEEP_ALIVE_IDLE, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_PROBES, SocketOptions};
