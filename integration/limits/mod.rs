//! What happens at the bounds: full disks, many connections, peers that say nothing or nonsense.

mod disk;
mod hostile;
mod volumes;
