//! What may come into the build: licences, sources, and crates that must not.

use std::process::Command;

use serde_json::Value;

const LICENCES: [&str; 10] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Crates that must not come in, and why.
const BANNED: [(&str, &str); 6] = [
    ("ring", "two crypto providers at once panic at run time; ours is aws-lc-rs"),
    ("openssl-sys", "needs a system library; TLS is rustls"),
    ("native-tls", "needs a system library; TLS is rustls"),
    ("async-std", "unmaintained, and a second runtime"),
    ("rocksdb", "a C++ build of ten minutes"),
    ("protoc-bin-vendored", "code is generated without protoc"),
];
/// Where a second version would be two truths in one process, not only build time.
const ONCE: [&str; 8] = ["bytes", "hyper", "prost", "rustls", "serde", "sled", "tokio", "tonic"];

fn packages() -> Vec<Value> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Names of the crates that are built. `cargo metadata` also tells of those that are only named by a feature: ring, which
/// rustls-webpki could use.
fn built() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be met by what we accept: every AND part by one of its OR parts.
fn accepted(expression: &str) -> bool {
    expression.split(" AND ").all(|part| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        part.replace('/', " OR ").split(" OR ").any(|licence| LICENCES.contains(&licence.trim()))
    })
}

#[test]
fn licences_and_sources_are_ones_that_we_accept() {
    let mut found = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !accepted(licence) {
            found.push(format!("{name}: licence {licence}"));
        }
        if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
            found.push(format!("{name}: from {}", package["source"]));
        }
    }
    let built = built();
    assert!(["tonic", "tempfile", "aws-lc-rs"].iter().all(|name| built.iter().any(|it| it == name)));
    for (name, reason) in BANNED.iter().filter(|(banned, _)| built.iter().any(|name| name == banned)) {
        found.push(format!("{name}: {reason}"));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn crates_that_hold_shared_state_come_in_once() {
    let packages = packages();
    for name in ONCE {
        let versions: Vec<&str> =
            packages.iter().filter(|p| p["name"] == name).filter_map(|p| p["version"].as_str()).collect();
        assert!(versions.len() <= 1, "{name}: {versions:?}");
    }
}

#[test]
fn licence_expressions_are_understood() {
    for (expression, expected) in [
        ("MIT OR Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only", false),
        ("MIT AND GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
    ] {
        assert_eq!(accepted(expression), expected, "{expression}");
    }
}
