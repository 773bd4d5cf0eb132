//! The experiments of the articles that people learned this from, with their own tools.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::python;
use crate::harness::stomp::{Connection, Frame};

const LIMIT: Duration = Duration::from_secs(60);
/// The version that the articles' script was written for.
const THEN: &str = "stomp.py==4.1.24";
/// Whatever is newest.
const NOW: &str = "stomp.py";

/// A client's script with nothing changed but its lists of hosts, which name all nodes.
fn script(cluster: &Cluster, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/clients").join(name);
    let hosts: Vec<String> = cluster
        .stomp_all()
        .iter()
        .map(|address| format!("('{}', {})", address.ip(), address.port()))
        .collect();
    let hosts = format!("[{}]", hosts.join(", "));
    let text = std::fs::read_to_string(source).unwrap();
    let text =
        text.replace("[('192.168.0.231', 61613)]", &hosts).replace("[('192.168.0.241', 61613)]", &hosts);
    let copy = cluster.directory(1).with_file_name(name);
    std::fs::write(&copy, text).unwrap();
    copy
}

fn run(python: &Path, script: &Path) -> String {
    let Output { status, stdout, stderr } = Command::new(python).arg(script).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{}: {said}\n{complained}", script.display());
    said.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_zookeeper_shows_the_members_as_activemq_did_and_who_is_master() {
    let cluster = Cluster::start("t7", Options::default()).await;
    let master = cluster.master(LIMIT).await;
    cluster.agreement(LIMIT).await;
    let list = cluster.zk(&["ls", cluster.zk_path()]);
    let names: Vec<&str> = list.trim_matches(['[', ']']).split(", ").collect();
    assert_eq!(names.len(), NODES, "{list}");
    let mut ids = Vec::new();
    for name in &names {
        assert!(name.len() == 11 && name.bytes().all(|b| b.is_ascii_digit()), "{name}");
        let text = cluster.zk(&["get", &format!("{}/{name}", cluster.zk_path())]);
        let mut at = 0;
        for key in ["id", "container", "address", "position", "weight", "elected", "guid", "node", "store"] {
            let found = text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}"));
            assert!(found >= at, "{key} stands before its predecessor in {text}");
            at = found;
        }
        let member: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((member["id"].as_str(), &member["container"]), (Some("group1"), &Value::Null));
        let leads = member["node"].as_str() == Some(&format!("node{master}"));
        assert_eq!(member["address"].is_string(), leads, "only the master has an address: {text}");
        if leads {
            ids.push(name[1..].to_owned());
        }
        let stat = cluster.verb(&["zk", "stat", &format!("{}/{name}", cluster.zk_path())]);
        let owner = stat.lines().find_map(|line| line.strip_prefix("ephemeralOwner = ")).unwrap();
        assert_ne!(owner, "0x0", "{name} outlives its session");
    }
    let record: Value = serde_json::from_str(&cluster.zk(&["get", cluster.zk_path()])).unwrap();
    assert_eq!(record["state"], "serving");
    assert_eq!(record["master"]["member"].as_str(), ids.first().map(String::as_str), "{record}");
    assert_eq!(record["voters"].as_array().map(Vec::len), Some(NODES));
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("zk/README.md")).unwrap();
    let member = cluster.zk(&["get", &format!("{}/{}", cluster.zk_path(), names[0])]);
    let member: Value = serde_json::from_str(&member).unwrap();
    for field in [&record, &member].into_iter().flat_map(|value| value.as_object().unwrap().keys()) {
        assert!(readme.contains(&format!("| `{field}` |")), "zk/README.md does not explain {field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t8_the_articles_script_sends_and_receives_through_the_group() {
    let cluster = Cluster::start("t8", Options::default()).await;
    let python = python::with(THEN);
    let article = script(&cluster, "article.py");
    let said = run(&python, &article);
    assert!(said.contains("message: len 123"), "{said}");

    let mut child = Command::new(&python)
        .args(["-u", "-c", "import article; article.receive_from_topic()"])
        .current_dir(article.parent().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let heard = lines.map_while(Result::ok).filter(|line| line == "message: topic").take(2).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(heard, 2, "the topic's subscriber hears each message");
}

#[tokio::test(flavor = "multi_thread")]
async fn t8_the_current_stomp_py_speaks_its_versions_too() {
    let cluster = Cluster::start("t8-now", Options::default()).await;
    let said = run(&python::with(NOW), &script(&cluster, "current.py"));
    assert!(said.contains("all said"), "{said}");
}

async fn send_all(cluster: &Cluster, queue: &str, persistent: &str, count: usize) {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    for number in 0..count {
        let frame = Frame::new("SEND", &[("destination", queue), ("persistent", persistent)]);
        connection.request(frame.with_body(number.to_string().as_bytes()), "sent").await.unwrap();
    }
}

/// Takes what comes until nothing comes for two seconds.
async fn take_all(cluster: &Cluster, queue: &str) -> Vec<String> {
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    let subscribe = Frame::new("SUBSCRIBE", &[("id", "1"), ("destination", queue), ("ack", "auto")]);
    connection.writer.send(&subscribe).await.unwrap();
    let mut bodies = Vec::new();
    while let Ok(frame) = tokio::time::timeout(Duration::from_secs(2), connection.reader.frame()).await {
        bodies.push(String::from_utf8(frame.unwrap().body).unwrap());
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn t9_a_slave_takes_over_with_everything_and_the_old_master_comes_back_as_a_slave() {
    let cluster = Cluster::start("t9", Options::default()).await;
    let python = python::with(THEN);
    send_all(&cluster, "/queue/t9", "true", 500).await;
    let old = cluster.master(LIMIT).await;
    cluster.kill(old);
    let new = cluster.master(LIMIT).await;
    assert_ne!(old, new);
    let expected: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(take_all(&cluster, "/queue/t9").await, expected);
    let said = run(&python, &script(&cluster, "article.py"));
    assert!(said.contains("message: len 123"), "the script finds the new master: {said}");
    cluster.start_node(old);
    cluster.agreement(LIMIT).await;
    assert_eq!(cluster.role(old).as_deref(), Some("slave"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_persistent_messages_survive_a_killed_master_and_others_are_gone() {
    let cluster = Cluster::start("t15", Options::default()).await;
    send_all(&cluster, "/queue/t15.persistent", "true", 100).await;
    send_all(&cluster, "/queue/t15.memory", "false", 100).await;
    let master = cluster.master(LIMIT).await;
    cluster.kill(master);
    cluster.master(LIMIT).await;
    assert_eq!(take_all(&cluster, "/queue/t15.persistent").await.len(), 100);
    assert_eq!(
        take_all(&cluster, "/queue/t15.memory").await,
        Vec::<String>::new(),
        "they lived on the old master only"
    );
}
