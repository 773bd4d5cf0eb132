//! Compiles `proto/` without `protoc`, and finds out which commit is built.

use std::path::Path;
use std::process::Command;

/// The commit for `--version`; nothing where there is no repository or no git, as in an unpacked archive.
fn commit() {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let shown = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    println!("cargo:rustc-env=QUORATE_COMMIT={shown}");
    // Every commit, checkout and pull writes there. A path that is missing would build everything each time.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| Path::new(path).exists())
    {
        println!("cargo:rerun-if-changed={log}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/replication.proto");
    commit();
    // A build with planted bugs, whose dependencies are those of every other build.
    println!("cargo:rerun-if-env-changed=QUORATE_BUGS");
    if std::env::var_os("QUORATE_BUGS").is_some() {
        println!("cargo:rustc-cfg=bugs");
    }
    let files = protox::compile(["proto/replication.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
