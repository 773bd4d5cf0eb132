//! The `quorate` binary.

use std::process::ExitCode;

/// Messages are allocated on one thread and freed on another; this allocator does that at half the price of glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    quorate::cli::main()
}
