//! The outside world as ports: time, chance and the disk. Everything that decides takes these as values or traits, so
//! that the simulation can supply its own.

mod clock;
mod control_group;
mod dial;
mod disk;
mod files;
mod names;
mod patient;
mod read_only;
mod sim_crash;
mod sim_disk;
mod socket;
mod threads;

#[cfg(test)]
pub(crate) use clock::seeded;
pub use clock::{Clock, SystemClock, random_u64, random_u128};
pub use control_group::memory_total;
pub use dial::{DialError, DialLimits, connect_any, dial, resolve};
pub use disk::{BLOCK_BYTES, Disk, DiskFile, DiskLock, SystemDisk};
pub use files::{ConnectionLimit, ConnectionPermit, raise_file_limit};
pub use names::Names;
pub use patient::PatientDisk;
pub use read_only::ReadOnlyDisk;
pub use sim_crash::Keep;
pub use sim_disk::SimDisk;
pub use socket::SocketOptions;
pub use threads::probe_threads;
