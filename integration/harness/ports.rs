//! Ranges of ports that no other test process uses, all below the ephemeral ones: a client that retries a dead loopback port
//! among those can connect to itself.

use std::fs::{File, TryLockError};
use std::sync::{Condvar, Mutex, PoisonError};

const FIRST: u16 = 10_000;
const WIDTH: u16 = 100;
const RANGES: u16 = 200;

/// A range of [`WIDTH`] ports, held by a lock on a file until it is dropped.
pub(crate) struct Ports {
    base: u16,
    _lock: File,
}

impl Ports {
    /// Takes a free range.
    pub(crate) fn take() -> Ports {
        let directory = std::env::temp_dir().join("quorate-test-ports");
        std::fs::create_dir_all(&directory).unwrap();
        // Runs side by side begin at different places, so that a range just left is not taken at once.
        let start = (std::process::id() % u32::from(RANGES)) as u16;
        for step in 0..RANGES {
            let number = (start + step) % RANGES;
            let lock = File::create(directory.join(number.to_string())).unwrap();
            match lock.try_lock() {
                Ok(()) => return Ports { base: FIRST + number * WIDTH, _lock: lock },
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("locking a port range: {error}"),
            }
        }
        panic!("no free range of ports");
    }

    /// Which range it is, from 0; below 200.
    pub(crate) fn number(&self) -> u16 {
        (self.base - FIRST) / WIDTH
    }

    /// The first port of the range.
    pub(crate) fn base(&self) -> u16 {
        self.base
    }
}

static BUSY: Mutex<bool> = Mutex::new(false);
static FREE: Condvar = Condvar::new();

/// The right to run a cluster: one test at a time, because timings on a shared machine say nothing.
pub(crate) struct Turn(());

impl Turn {
    /// Waits for it.
    pub(crate) fn take() -> Turn {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        while *busy {
            busy = FREE.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        *busy = true;
        Turn(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *BUSY.lock().unwrap_or_else(PoisonError::into_inner) = false;
        FREE.notify_one();
    }
}
