//! The `quorate` binary.

use std::process::ExitCode;

/// Messages are allocated on one thread and freed on another; this allocator does that at half the price of glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only where there is a provider already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    quorate::cli::main()
}
