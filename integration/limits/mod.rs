//! What happens at the bounds: full disks, many connections, peers that say nothing or nonsense.

mod adversaries;
mod connections;
mod crowd;
mod disk;
mod host;
mod hostile;
mod temporary;
mod volumes;
