//! Tests of the configuration as a whole.

mod defaults;
mod doors;
mod wrong;

use std::time::Duration;

use super::{Config, ConfigError, DeadLetterStrategy, LoadedConfig, Scheme, Secret, StoreConfig, Sync};
use crate::model::DestinationKind;

fn parse(text: &str) -> Result<LoadedConfig, ConfigError> {
    Config::parse(Some("node.toml"), text, &[], &[])
}

/// The file that the documentation shows.
const SHOWN: &str = r#"
[broker]
name = "group1"                       # brokerName; the same on all nodes of a group
data_directory = "data"

[store]
kind = "replicated"                   # replicated | local | memory   (later: shared_file, sql)

[store.replicated]
replicas = 3
bind = "tcp://0.0.0.0:62621"          # bound by the master only; nodes on one host get one each
hostname = "192.168.0.231"            # advertised; must be reachable by the other nodes
zk_address = "192.168.0.240:2181,192.168.0.250:2181,192.168.0.225:2181"
zk_path = "/activemq-cluster/leveldb-stores/group1"
zk_session_timeout = "10s"
sync = "quorum_disk"
weight = 1

[store.replicated.tls]
certificate = "tls/node.pem"
key = "tls/node.key"
ca = "tls/ca.pem"

[[transport_connector]]
name = "openwire"
uri = "tcp://0.0.0.0:61616?maximumConnections=1000&wireFormat.maxFrameSize=104857600"
allow_anonymous = true
allow_plaintext = true

[[network_connector]]
name = "group1-to-group2"
uri = "static:(tcp://192.168.0.241:61616,tcp://192.168.0.241:61617,tcp://192.168.0.241:61618)"
duplex = true
"#;

#[test]
fn the_file_of_the_documentation_parses_as_printed() {
    let loaded = parse(SHOWN).unwrap();
    let StoreConfig::Replicated(store) = &loaded.config.store else { panic!("not replicated") };
    assert_eq!(store.replicas, 3);
    assert_eq!(store.node, "192.168.0.231:62621");
    assert_eq!(store.sync, Sync::QuorumDisk);
    assert_eq!(store.zk_session_timeout.as_secs(), 10);
    assert_eq!(store.directory.to_str(), Some("data/replicated"));
    assert_eq!(store.tls.as_ref().and_then(|tls| tls.ca.to_str()), Some("tls/ca.pem"));
    assert_eq!(loaded.config.transport_connectors[0].scheme, Scheme::OpenWire);
    assert_eq!(loaded.config.transport_connectors[0].maximum_connections, 1000);
    assert_eq!(loaded.config.network_connectors[0].brokers.len(), 3);
    assert_eq!(
        loaded.warnings,
        [
            "network connector group1-to-group2: temporary destinations are not bridged by this version; \
                 bridge_temp_destinations = false says that this is known",
            "transport connector openwire: tcp://0.0.0.0:61616 is reached from other machines and asks for no login \
             (allow_anonymous): whoever reaches the port can read and write every queue",
        ]
    );
}

#[test]
fn arguments_win_over_the_environment_which_wins_over_the_file() {
    let file = "[broker]\nname = \"file\"\ndata_directory = \"file\"\n[log]\nlevel = \"error\"";
    let environment = [
        ("QUORATE_BROKER_NAME".to_owned(), "environment".to_owned()),
        ("QUORATE_BROKER_DATA_DIRECTORY".to_owned(), "environment".to_owned()),
    ];
    let arguments = ["broker.name=argument".to_owned()];
    let config = Config::parse(Some("node.toml"), file, &arguments, &environment).unwrap().config;
    assert_eq!(config.broker.name, "argument");
    assert_eq!(config.broker.data_directory.to_str(), Some("environment"));
    assert_eq!(config.log.level.name(), "error");
}

#[test]
fn connectors_are_overridden_and_added_by_name() {
    let file = "[[transport_connector]]\nname = \"stomp\"\nuri = \"stomp://127.0.0.1:61613\"";
    let arguments = [
        "transport_connector.stomp.uri=stomp://127.0.0.1:7000".to_owned(),
        "transport_connector.more.uri=stomp://127.0.0.1:7001".to_owned(),
    ];
    let config = Config::parse(Some("node.toml"), file, &arguments, &[]).unwrap().config;
    let ports: Vec<_> = config.transport_connectors.iter().map(|c| (c.name.as_str(), c.port)).collect();
    assert_eq!(ports, [("stomp", 7000), ("more", 7001)]);
}

#[test]
fn a_file_without_connectors_keeps_its_default_beside_those_of_arguments_and_variables() {
    let arguments = ["transport_connector.more.uri=stomp://127.0.0.1:7001".to_owned()];
    let name = "QUORATE_TRANSPORT_CONNECTOR_STOMP_URI".to_owned();
    let environment = [(name, "stomp://127.0.0.1:7000".to_owned())];
    for text in ["", "transport_connector = []"] {
        let config = Config::parse(Some("node.toml"), text, &arguments, &environment).unwrap().config;
        let ports: Vec<_> = config.transport_connectors.iter().map(|c| (c.name.as_str(), c.port)).collect();
        assert_eq!(ports, [("stomp", 7000), ("more", 7001)]);
    }
}

#[test]
fn a_connector_that_goes_on_or_counts_on_from_another_is_a_new_one() {
    let file = "[[transport_connector]]\nname = \"stomp1\"\nuri = \"stomp://127.0.0.1:61613\"";
    for (name, new) in [("stomp2", true), ("stomp1-inside", true), ("stmp1", false), ("stopm1", false)] {
        let argument = [format!("transport_connector.{name}.uri=stomp://127.0.0.1:7001")];
        assert_eq!(Config::parse(None, file, &argument, &[]).is_ok(), new, "{name}");
    }
}

#[test]
fn a_group_whose_size_brings_no_more_than_a_smaller_one_is_told_so() {
    let sizes = [
        (1, "nothing is replicated"),
        (2, "stops when either is lost"),
        (4, "as 3 nodes do"),
        (6, "as 5 nodes do"),
    ];
    for (replicas, told) in sizes {
        let bind = "bind = \"tcp://127.0.0.1:62621\"";
        let text =
            format!("[store]\nkind = \"replicated\"\n[store.replicated]\nreplicas = {replicas}\n{bind}");
        let warnings = parse(&text).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(told), "{replicas}: {warnings:?}");
        for odd in [3, 5, 7] {
            let text = text.replace(&format!("replicas = {replicas}"), &format!("replicas = {odd}"));
            assert_eq!(parse(&text).unwrap().warnings, [""; 0]);
        }
    }
}

#[test]
fn secrets_come_from_files_and_variables_and_are_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zk.auth");
    std::fs::write(&path, "user:from-a-file\n").unwrap();
    let arguments =
        ["zk_auth_file", "secret_file"].map(|key| format!("store.replicated.{key}={}", path.display()));
    let bind = "[store]\nkind = \"replicated\"\n[store.replicated]\nbind = \"tcp://127.0.0.1:1\"\n";
    let from_file = Config::parse(None, bind, &arguments, &[]).unwrap();
    let environment = [("ZK_PASSWORD".to_owned(), "from-a-variable".to_owned())];
    let file =
        format!("{bind}zk_auth = \"user:${{env:ZK_PASSWORD}}\"\nsecret = \"user:${{env:ZK_PASSWORD}}\"");
    let from_variable = Config::parse(None, &file, &[], &environment).unwrap();
    for (loaded, secret) in [(from_file, "user:from-a-file"), (from_variable, "user:from-a-variable")] {
        let StoreConfig::Replicated(store) = &loaded.config.store else { panic!("not replicated") };
        assert_eq!(store.zk_auth.as_ref().map(Secret::expose), Some(secret));
        assert_eq!(store.secret.as_ref().map(Secret::expose), Some(secret));
        assert!(!format!("{loaded:?}").contains("from-a"), "{loaded:?}");
    }
}

#[test]
fn plain_text_between_machines_runs_when_it_is_meant_and_says_what_it_risks() {
    let group = "[store]\nkind = \"replicated\"\n[store.replicated]\n";
    let secret = "secret = \"as long as it has to be\"\n";
    let tls = "[store.replicated.tls]\ncertificate = \"a\"\nkey = \"b\"\nca = \"c\"\n";
    let cases = [
        (format!("{group}insecure = true"), Some("whoever reaches the port can read what the group stores")),
        (format!("{group}insecure = true\n{secret}"), Some("whoever stands between the nodes can read")),
        (format!("{group}{tls}"), None),
        (format!("{group}{secret}{tls}"), None),
        (format!("{group}bind = \"tcp://127.0.0.9:62621\""), None),
        (format!("{group}bind = \"tcp://[::1]:62621\""), None),
    ];
    for (text, warning) in cases {
        let warnings = parse(&text).unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(warning.is_some()), "{text}: {warnings:?}");
        assert!(warning.is_none_or(|warning| warnings[0].contains(warning)), "{warnings:?}");
    }
}

#[test]
fn weak_sync_runs_when_it_is_meant_and_says_what_can_be_lost() {
    for sync in ["quorum_mem", "remote_mem", "remote_disk", "local_mem", "local_disk"] {
        let text = format!(
            "[store]\nkind = \"replicated\"\n[store.replicated]\nbind = \"tcp://127.0.0.1:62621\"\nsync = \"{sync}\"\nallow_weak_sync = true"
        );
        let loaded = parse(&text).unwrap();
        assert_eq!(loaded.warnings.len(), 1, "{sync}");
        assert!(loaded.warnings[0].contains("acknowledged messages are lost when"), "{}", loaded.warnings[0]);
    }
}

#[test]
fn sections_of_another_kind_are_checked_and_have_no_effect() {
    let loaded = parse("[store]\nkind = \"memory\"\n[store.replicated]\nreplicas = 5").unwrap();
    assert_eq!(loaded.config.store, StoreConfig::Memory);
    assert_eq!(loaded.warnings, ["[store.replicated] has no effect: store.kind is \"memory\""]);
    assert!(parse("[store]\nkind = \"memory\"\n[store.replicated]\nreplica = 5").is_err());
}

#[test]
fn a_file_that_is_not_there_is_told_by_name() {
    let error = Config::load(Some(std::path::Path::new("no/such.toml")), &[]).unwrap_err();
    assert_eq!(error.to_string(), "no/such.toml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn the_consoles_names_and_token_are_read_and_the_token_is_never_printed() {
    let file = "[console]\nhosts = [\"console.example\", \"192.0.2.1\"]\ntoken = \"a token that is long\"";
    let loaded = parse(file).unwrap();
    assert_eq!(loaded.config.console.hosts, ["console.example", "192.0.2.1"]);
    assert_eq!(loaded.config.console.token.as_ref().map(Secret::expose), Some("a token that is long"));
    assert!(!format!("{loaded:?}").contains("a token"), "{loaded:?}");
}

#[test]
fn the_most_specific_policy_counts_and_no_two_add_up() {
    let text = r#"
[[policy]]
queue = ">"
memory_limit = "1 MiB"
[[policy]]
queue = "A.>"
dead_letter_strategy = "discard"
[[policy]]
queue = "A.*"
gc_inactive_destinations = true
[[policy]]
queue = "A.B"
consumers_before_dispatch_starts = 3
[[policy]]
queue = "A.B"
process_expired = false
[[policy]]
topic = "A.>"
pending_message_limit = 10
"#;
    let policies = parse(text).unwrap().config.policies;
    let of = |name: &str| policies.of(DestinationKind::Queue, name);
    assert_eq!(of("B").memory_limit, Some(1 << 20));
    let deep = of("A.B.C");
    assert_eq!((deep.memory_limit, &deep.dead_letters.strategy), (None, &DeadLetterStrategy::Discard));
    assert_eq!(of("A.C").idle_max, Some(Duration::from_secs(60)));
    let exact = of("A.B");
    assert_eq!(
        (exact.gathered_min, exact.gathering_time, exact.dead_letters.expired),
        (3, Duration::from_secs(1), true)
    );
    assert_eq!(policies.of(DestinationKind::Topic, "A.B").pending_messages_max, Some(10));
    assert_eq!(policies.of(DestinationKind::TemporaryTopic, "B"), policies.of(DestinationKind::Topic, "B"));
}

#[test]
fn what_is_there_from_the_start_is_a_list_of_names() {
    let config = parse("[broker]\ndestinations = [\"A\", \"queue://B.C\", \"topic://T\"]").unwrap().config;
    let shown: Vec<_> = config.broker.destinations.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["queue://A", "queue://B.C", "topic://T"]);
    for wrong in ["A.>", "temp-queue://A", "queue://"] {
        assert!(parse(&format!("[broker]\ndestinations = [\"{wrong}\"]")).is_err(), "{wrong}");
    }
}
