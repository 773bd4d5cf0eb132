//! Compiles `proto/` without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/replication.proto");
    // A build with planted bugs, whose dependencies are those of every other build.
    println!("cargo:rerun-if-env-changed=QUORATE_BUGS");
    if std::env::var_os("QUORATE_BUGS").is_some() {
        println!("cargo:rustc-cfg=bugs");
    }
    let files = protox::compile(["proto/replication.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
