//! `scripts/cluster`: each verb says what it did, and fails where it could do nothing.

use std::path::Path;
use std::process::Output;

use super::{script, told, well};

/// What stands for a node: a script that runs until it is ended.
const NODE: &str = "#!/bin/bash\nwhile :; do read -rt 0.2 <> <(:); done\n";

fn run(directory: &Path, arguments: &[&str]) -> Output {
    script("cluster").args(arguments).env("QUORATE_RUN", directory).output().unwrap()
}

#[test]
fn every_verb_says_what_it_did_and_to_kill_a_dead_node_fails() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let node = path.join("node");
    std::fs::write(&node, NODE).unwrap();
    std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(path.join("node2")).unwrap();
    let layout = format!(
        "groups=1\nzk_servers=1\nport_base=21000\nbinary={}\nsession_timeout=10s\nlog_size=100MiB\nlog_filter=info\nnetwork=off\n",
        node.display()
    );
    std::fs::write(path.join("cluster.env"), layout).unwrap();
    for verb in ["kill", "pause", "resume"] {
        let ended = run(path, &[verb, "2"]);
        assert_eq!(ended.status.code(), Some(1), "{verb}");
        assert!(told(&ended).contains("node2 does not run"), "{verb}: {}", told(&ended));
    }
    for (verb, expected) in [
        ("start", "node2 started (pid "),
        ("start", "node2 runs already (pid "),
        ("pause", "node2 paused (pid "),
        ("resume", "node2 goes on (pid "),
        ("restart", "node2 ended (pid "),
        ("kill", "node2 killed (pid "),
        ("stop", "node2 did not run"),
        ("wipe", "node2 wiped"),
        ("start", "node2 started (pid "),
        ("stop", "node2 ended (pid "),
    ] {
        let said = well(&run(path, &[verb, "2"]));
        assert!(said.starts_with(expected), "{verb}: {said}");
    }
    assert!(well(&run(path, &["heal"])).contains("nothing to mend"));
}
