//! A whole group on this ZooKeeper, used by the program's own clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::harness::cluster::{Cluster, Options, binary};

const LIMIT: Duration = Duration::from_secs(60);

fn client(cluster: &Cluster, arguments: &[&str]) -> String {
    let brokers: Vec<String> = cluster.stomp_all().iter().map(ToString::to_string).collect();
    let output = Command::new(binary())
        .args(&arguments[..1])
        .args(["--broker", &brokers.join(",")])
        .args(&arguments[1..])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What a server says of itself.
fn version(cluster: &Cluster) -> String {
    let mut socket = TcpStream::connect(cluster.zookeeper(1)).unwrap();
    socket.write_all(b"srvr").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_three_hands_out_after_the_loss_of_its_master_what_was_sent_before() {
    let cluster = Cluster::start("coordination-group", Options::default()).await;
    println!("{}", version(&cluster));
    let first = cluster.master(LIMIT).await;
    client(&cluster, &["produce", "queue/group", "--body", "before"]);
    client(&cluster, &["produce", "queue/group", "--body", "after"]);
    assert!(client(&cluster, &["consume", "queue/group", "--count", "1"]).contains("before"));
    cluster.kill(first);
    let second = cluster.master(LIMIT).await;
    assert_ne!(first, second);
    assert!(client(&cluster, &["consume", "queue/group", "--count", "1"]).contains("after"));
    cluster.start_node(first);
    cluster.agreement(LIMIT).await;
}
