//! What the files in `config/` say is what the code does.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::policy::NO_KEYS;
use crate::config::{Config, LoadedConfig, StoreConfig};

fn load(name: &str) -> LoadedConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    match Config::parse(Some(name), &text, &[], &[]) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

/// Keys of a commented sample, with the value that stands there: `section.key` -> (commented out, value).
fn written(text: &str) -> BTreeMap<String, (bool, String)> {
    let mut keys = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let line_value = bare.split("  #").next().unwrap_or_default().trim();
        if let Some(header) = line_value.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = line_value.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        {
            let out = (line.starts_with('#'), value.to_owned());
            assert_eq!(keys.insert(format!("{section}.{key}"), out), None, "{section}.{key} stands twice");
        }
    }
    keys
}

#[test]
fn the_sample_is_what_runs_without_a_file() {
    let sample = load("broker.toml");
    let bare = Config::parse(None, "", &[], &[]).unwrap();
    assert_eq!(sample.config, bare.config);
    assert_eq!(bare.warnings, [""; 0]);
}

#[test]
fn the_sample_holds_every_key_with_its_default() {
    let text = include_str!("../../../config/broker.toml");
    let mut written = written(text);
    let one_of_each = "[[transport_connector]]\nname = \"a\"\nuri = \"stomp://127.0.0.1:1\"\n\
                       [[network_connector]]\nuri = \"static:(tcp://a:1)\"\n\
                       [[users]]\nname = \"a\"\ncertificate = \"CN=a\"\n[[rights]]\nqueue = \"a\"\n\
                       [[policy]]\nqueue = \"a\"";
    let loaded = Config::parse(None, one_of_each, &[], &[]).unwrap();
    for setting in &loaded.settings {
        let path = format!("{}.{}", setting.section, setting.key);
        let Some((commented, value)) = written.remove(&path) else { panic!("{path} is missing") };
        // Keys that are required, or whose default is computed, show an example.
        if let Some(default) =
            setting.value.as_ref().filter(|_| setting.place == crate::config::Origin::Default)
        {
            assert_eq!(value, *default, "{path}");
            assert!(
                !commented
                    || ["network_connector", "users", "rights", "policy"].contains(&setting.section.as_str())
                    || setting.key == "zk_acl",
                "{path}"
            );
        }
    }
    assert!(written.is_empty(), "no such keys: {written:?}");
}

/// Keys that go with one strategy each.
const STRATEGIES: [&str; 2] = ["queue_prefix", "topic_prefix"];

#[test]
fn the_commented_examples_are_valid() {
    let text = include_str!("../../../config/broker.toml");
    let mut out = String::new();
    for line in text.lines() {
        let key = line.trim_start_matches("# ").split(' ').next().unwrap_or_default();
        // Files are read, and there are none.
        let file = [".properties\"", "\"tls/broker", "\"tls/clients"].iter().any(|it| line.contains(it));
        let skip = file
            || key.ends_with("_file")
            || key == "topic"
            || STRATEGIES.contains(&key)
            || key == "QUORATE_STORE_REPLICATED_REPLICAS=5.";
        let example = line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with("[["));
        if !skip {
            out.push_str(example.unwrap_or(line));
        }
        out.push('\n');
    }
    if let Err(error) = Config::parse(Some("broker.toml"), &out, &[], &[]) {
        panic!("{error}");
    }
}

#[test]
fn the_ready_groups_fit_on_one_host() {
    let mut ports = Vec::new();
    for (group, nodes) in [("group1", 1..=3), ("group2", 4..=6)] {
        for node in nodes {
            let config = load(&format!("{group}/node{node}.toml")).config;
            assert_eq!(config.broker.name, group);
            let StoreConfig::Replicated(store) = &config.store else {
                panic!("node{node} is not replicated")
            };
            assert_eq!(store.zk_path, format!("/activemq-cluster/leveldb-stores/{group}"));
            ports.extend([store.bind.port(), config.console.bind.port()]);
            ports.extend(config.transport_connectors.iter().map(|connector| connector.port));
        }
    }
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), count, "a port is used twice");
}

#[test]
fn the_table_of_policies_has_every_key_and_every_attribute_that_is_none() {
    let table = include_str!("../../../config/POLICIES.md");
    let (keys, others) = table.split_once("## What is no key").unwrap();
    let rows = |text: &str| -> Vec<(String, String)> {
        let row = |line: &str| {
            let (name, what) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
            Some((name.to_owned(), what.to_owned()))
        };
        text.lines().filter_map(row).collect()
    };
    let loaded = Config::parse(None, "[[policy]]\nqueue = \"a\"", &[], &[]).unwrap();
    let asked = loaded.settings.iter().filter(|it| it.section == "policy").map(|it| it.key.to_owned());
    let listed = rows(keys).into_iter().map(|(name, _)| name);
    assert_eq!(listed.collect::<Vec<_>>(), asked.collect::<Vec<_>>());
    let known = NO_KEYS.map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!(rows(others), known);
}
