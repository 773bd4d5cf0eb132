//! Starts that must fail: a clear message, the documented exit code, and nothing damaged.

use std::net::TcpListener;
use std::time::Duration;

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::eventually;
use crate::harness::lone::{configuration, ends, ends_with};
use crate::harness::ports::Ports;

const LIMIT: Duration = Duration::from_secs(60);
const UNREACHABLE: Option<i32> = Some(4);
const DATA_DIRECTORY: Option<i32> = Some(5);
const PORT_OCCUPIED: Option<i32> = Some(6);

#[tokio::test(flavor = "multi_thread")]
async fn an_occupied_port_is_named() {
    let ports = Ports::take();
    for occupied in [ports.base(), ports.base() + 1] {
        let directory = tempfile::tempdir().unwrap();
        let _holder = TcpListener::bind(("127.0.0.1", occupied)).unwrap();
        let ended = ends(&configuration(directory.path(), ports.base()), LIMIT).await;
        assert_eq!(ended.code, PORT_OCCUPIED, "{}", ended.text);
        assert!(ended.text.contains(&occupied.to_string()), "{}", ended.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_written_is_named() {
    let ports = Ports::take();
    // Not even root can make a directory in either.
    for directory in ["/proc/quorate", "/dev/null/quorate"] {
        let ended = ends(&configuration(directory.as_ref(), ports.base()), LIMIT).await;
        assert_eq!(ended.code, DATA_DIRECTORY, "{}", ended.text);
        assert!(ended.text.contains(directory), "{}", ended.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_in_use_is_refused_and_its_owner_goes_on() {
    let cluster = Cluster::start("in-use", Options { zk_servers: 1, ..Options::default() }).await;
    let config = std::fs::read_to_string(cluster.directory(1).join("quorate.toml")).unwrap();
    let ended = ends(&config, LIMIT).await;
    assert!(ended.code == DATA_DIRECTORY || ended.code == PORT_OCCUPIED, "{:?} {}", ended.code, ended.text);
    assert!(cluster.runs(1));
    cluster.master(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_zookeeper_is_named_at_the_end_of_a_start_that_does_not_wait_for_ever() {
    let cluster = Cluster::prepare("unreachable", Options { zk_servers: 1, ..Options::default() });
    cluster.verb(&["stop", "zk"]);
    let config = std::fs::read_to_string(cluster.directory(1).join("quorate.toml")).unwrap();
    let ended = ends_with(&config, &["--zookeeper-wait", "1s"], LIMIT).await;
    assert_eq!(ended.code, UNREACHABLE, "{}", ended.text);
    assert!(ended.text.contains(&cluster.zookeeper(1).port().to_string()), "{}", ended.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_zookeeper_does_not_admit_are_named() {
    let cluster = Cluster::prepare("credentials", Options { zk_servers: 1, ..Options::default() });
    let path = cluster.zk_path();
    cluster.zk_session(&format!(
        "addauth digest broker:right\ncreate /activemq-cluster\ncreate /activemq-cluster/leveldb-stores\n\
         create {path}\nsetAcl {path} auth::cdrwa\n"
    ));
    let config = std::fs::read_to_string(cluster.directory(1).join("quorate.toml")).unwrap();
    let config = config.replace("zk_path", "zk_auth = \"broker:wrong\"\nzk_path");
    let ended = ends_with(&config, &["--zookeeper-wait", "3s"], LIMIT).await;
    assert_eq!(ended.code, UNREACHABLE, "{}", ended.text);
    assert!(ended.text.contains(path) && ended.text.contains("zk_auth"), "{}", ended.text);
    assert!(!ended.text.contains("wrong"), "a password in the log: {}", ended.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_of_another_group_is_refused_with_both_named_and_stays_as_it_was() {
    let cluster = Cluster::start(
        "another-group",
        Options { zk_servers: 1, session_timeout: "2s", ..Options::default() },
    )
    .await;
    let record: serde_json::Value = serde_json::from_str(&cluster.zk(&["get", cluster.zk_path()])).unwrap();
    let first = record["group_id"].as_str().unwrap().to_owned();
    for node in 1..=NODES {
        cluster.stop(node);
    }
    let (data, aside) = (cluster.directory(1).join("data"), cluster.directory(1).join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    cluster.verb(&["wipe", "2", "3"]);
    cluster.verb(&["zk", "deleteall", cluster.zk_path()]);
    cluster.verb(&["start", "1", "2", "3"]);
    cluster.master(LIMIT).await;
    let record: serde_json::Value = serde_json::from_str(&cluster.zk(&["get", cluster.zk_path()])).unwrap();
    let second = record["group_id"].as_str().unwrap().to_owned();
    cluster.stop(1);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    let config = std::fs::read_to_string(cluster.directory(1).join("quorate.toml")).unwrap();
    let ended = ends(&config, LIMIT).await;
    assert_eq!(ended.code, DATA_DIRECTORY, "{}", ended.text);
    assert!(ended.text.contains(&first) && ended.text.contains(&second), "{first} {second}: {}", ended.text);
    // Where it belongs it is as good as before.
    cluster.stop(2);
    cluster.stop(3);
    cluster.verb(&["wipe", "2", "3"]);
    cluster.verb(&["zk", "deleteall", cluster.zk_path()]);
    cluster.start_node(1);
    eventually("the old store waits for its group", LIMIT, || async { cluster.status(1) }).await;
    assert!(cluster.runs(1));
}
