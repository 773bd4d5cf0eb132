//! Command lines: what cannot be is refused before the first attempt, help offers what works, output is for programs too.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{quorate, quorate_at, told, well};
use crate::harness::lone::Lone;

const USAGE: Option<i32> = Some(2);
const CONFIGURATION: Option<i32> = Some(3);

fn run(arguments: &[&str]) -> Output {
    quorate(arguments).output().unwrap()
}

#[test]
fn what_cannot_be_is_refused_before_the_first_attempt() {
    let nobody = "127.0.0.1:1";
    let cases: [(&[&str], &str); 20] = [
        (&["queues", "--console", "127.0.0.1"], "host:port"),
        (&["group", "status", "--console", "tcp://127.0.0.1:8161"], "no console"),
        (&["produce", "queue/x", "--broker", "127.0.0.1"], "host:port"),
        (&["produce", "queue/x", "--broker", "127.0.0.1:616130"], "is no port"),
        (&["produce", "queue/x", "--broker", "127.0.0.1:0"], "port 0"),
        (&["produce", "queue/x", "--broker", "http://127.0.0.1:8161"], "unknown scheme"),
        (&["produce", "queue/x", "--broker", ""], "no address"),
        (&["produce", "queue/x", "--broker", nobody, "--count", "0"], "--count"),
        (&["produce", "queue/x", "--broker", nobody, "--size", "3g"], "at most 2 GiB"),
        (&["produce", "queue/x", "--broker", nobody, "--outstanding", "0"], "--outstanding"),
        (&["produce", "queue/x", "--broker", nobody, "--header", "receipt=1"], "receipt"),
        (&["produce", "queue/", "--broker", nobody], "queue/Hello"),
        (&["consume", "queue/x", "--broker", nobody, "--count", "0"], "--count"),
        (&["consume", "queue/x", "--broker", nobody, "--idle", "-5s"], "-5"),
        (&["consume", "queue/x", "--broker", nobody, "--idle=0s"], "no time"),
        (&["consume", "queue/x", "--broker", nobody, "--prefetch", "0"], "--prefetch"),
        (&["produce", "queue/x", "--broker", nobody, "--priority", "10"], "--priority"),
        (&["browse", "topic/x", "--broker", nobody], "expected a queue"),
        (&["bench", "--broker", nobody, "--duration", "0s"], "no time"),
        (&["bench", "--broker", nobody, "--producers", "0", "--consumers", "0"], "nobody sends"),
    ];
    for (arguments, expected) in cases {
        let begun = Instant::now();
        let ended = run(arguments);
        assert_eq!(ended.status.code(), USAGE, "{arguments:?}: {}", told(&ended));
        assert!(told(&ended).contains(expected), "{arguments:?}: {}", told(&ended));
        assert!(begun.elapsed() < Duration::from_secs(20), "{arguments:?} was tried");
    }
    let ended =
        quorate(&["queues"]).env("QUORATE_URL", "127.0.0.1").arg("--json").arg("--what").output().unwrap();
    let fault: Value = serde_json::from_str(&told(&ended)).unwrap();
    assert!(fault["exit_code"] == 2 && fault["error"].as_str().unwrap().contains("--what"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_output_ends_every_command_with_an_error_and_without_a_panic() {
    let lone = Lone::start().await;
    well(&quorate_at(&lone, &["produce", "queue/x"]).output().unwrap());
    let commands: [&[&str]; 12] = [
        &["--help"],
        &["--version"],
        &["config", "show"],
        &["config", "check"],
        &["completions", "bash"],
        &["status"],
        &["queues"],
        &["topics"],
        &["connections", "--json"],
        &["browse", "queue/x"],
        &["consume", "queue/x", "--count", "1"],
        &["produce", "queue/x"],
    ];
    for arguments in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = quorate_at(&lone, arguments).stdout(Stdio::from(writer)).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", told(&ended));
        assert!(!told(&ended).contains("panicked"), "{arguments:?}: {}", told(&ended));
    }
}

#[test]
fn help_offers_what_works_and_shows_the_placeholder_as_it_is_written() {
    let help = well(&run(&["produce", "--help"]));
    assert!(help.contains("{n} in it") && help.contains("\"message {n}\"") && !help.contains('⏎'), "{help}");
    for command in ["consume", "browse"] {
        let help = well(&run(&[command, "--help"]));
        assert!(help.contains("--selector") && !help.contains("durable"), "{help}");
    }
}

#[test]
fn the_version_says_which_commit_it_was_built_from() {
    let version = well(&run(&["--version"]));
    let words: Vec<&str> = version.split_whitespace().collect();
    assert_eq!(words[..2], ["quorate", env!("CARGO_PKG_VERSION")], "{version}");
    let mut git = Command::new("git");
    let repository = git.args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    if repository.is_ok_and(|output| output.status.success()) {
        let commit = words[2].trim_matches(['(', ')']);
        assert!(commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{version}");
    } else {
        assert_eq!(words.len(), 2, "{version}");
    }
}

#[test]
fn completions_and_man_pages_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(well(&run(&["completions", shell])).contains("step-down"), "{shell}");
    }
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    well(&run(&["man", pages.to_str().unwrap()]));
    for page in ["quorate.1", "quorate-produce.1", "quorate-group-step-down.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
    assert!(std::fs::read_to_string(pages.join("quorate-produce.1")).unwrap().contains("{n}"));
}

#[test]
fn a_configuration_of_activemq_is_told_what_to_become() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("activemq.xml");
    std::fs::write(&path, "<?xml version=\"1.0\"?>\n<beans><broker brokerName=\"a\"/></beans>\n").unwrap();
    let ended = run(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(ended.status.code(), CONFIGURATION);
    assert!(
        told(&ended).contains("this is XML") && told(&ended).contains("[store.replicated]"),
        "{}",
        told(&ended)
    );
    assert!(!told(&ended).contains("no TOML"), "{}", told(&ended));
    let ended = run(&["config", "check", "--set", "transport_connector.stmp.uri=stomp://127.0.0.1:7000"]);
    assert_eq!(ended.status.code(), CONFIGURATION);
    assert!(told(&ended).contains("did you mean \"stomp\"?"), "{}", told(&ended));
}

#[test]
fn a_shown_configuration_holds_values_of_json() {
    let shown = well(&run(&[
        "config",
        "show",
        "--json",
        "--set",
        "transport_connector.more.uri=stomp://127.0.0.1:7000",
    ]));
    let settings: Vec<Value> = serde_json::from_str(&shown).unwrap();
    let value = |section: &str, element: &str, key: &str| {
        let found =
            settings.iter().find(|s| s["section"] == section && s["element"] == element && s["key"] == key);
        found.unwrap_or_else(|| panic!("{section} {element} {key}"))["value"].clone()
    };
    assert_eq!(value("store.replicated", "", "replicas"), 3);
    assert_eq!(value("store.replicated", "", "insecure"), false);
    assert_eq!(value("store", "", "kind"), "local");
    assert_eq!(value("store.replicated", "", "zk_auth"), Value::Null);
    assert_eq!(value("transport_connector", "stomp", "uri"), "stomp://127.0.0.1:61613");
    assert_eq!(value("transport_connector", "more", "uri"), "stomp://127.0.0.1:7000");
}

#[test]
fn variables_that_a_container_platform_makes_are_no_configuration() {
    let mut check = quorate(&["config", "check"]);
    for service in
        ["", "_STOMP", "_BROKER", "_STORE", "_STORE_REPLICATED", "_CONSOLE", "_LOG", "_SYSTEM_USAGE"]
    {
        let name = format!("QUORATE{service}");
        let stem = format!("{name}_PORT_61613_TCP");
        check.env(format!("{name}_SERVICE_HOST"), "10.96.33.7").env(format!("{name}_SERVICE_PORT"), "61613");
        check.env(format!("{name}_SERVICE_PORT_STOMP"), "61613");
        check.env(format!("{name}_PORT"), "tcp://10.96.33.7:61613").env(&stem, "tcp://10.96.33.7:61613");
        check.env(format!("{stem}_PROTO"), "tcp").env(format!("{stem}_PORT"), "61613");
        check.env(format!("{stem}_ADDR"), "10.96.33.7");
    }
    well(&check.output().unwrap());
    let ended = check.env("QUORATE_STORE_KNID", "local").output().unwrap();
    assert_eq!(ended.status.code(), CONFIGURATION);
    assert!(told(&ended).contains("did you mean \"QUORATE_STORE_KIND\"?"), "{}", told(&ended));
}
