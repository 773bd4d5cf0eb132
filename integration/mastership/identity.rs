//! Two processes that say that they are one node: the second is refused with both places named, and the group goes on.
//! A node that comes back elsewhere is none of these.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::eventually;
use crate::harness::load::{Load, Plan};
use crate::harness::lone::ends;

const LIMIT: Duration = Duration::from_secs(60);
const DATA_DIRECTORY: Option<i32> = Some(5);

fn options() -> Options {
    Options { zk_servers: 1, session_timeout: "2s", ..Options::default() }
}

fn configuration(cluster: &Cluster, node: usize) -> String {
    std::fs::read_to_string(cluster.directory(node).join("quorate.toml")).unwrap()
}

fn data(cluster: &Cluster, node: usize) -> PathBuf {
    cluster.directory(node).join("data")
}

/// The configuration of a node with another data directory, and ports that nobody uses.
fn elsewhere(cluster: &Cluster, node: usize, directory: &Path) -> String {
    let mut config = configuration(cluster, node);
    let own = data(cluster, node).display().to_string();
    assert!(config.contains(&own));
    config = config.replace(&own, &directory.display().to_string());
    // Of the three kinds of ports in a range of the harness the fourth of each is free.
    let stomp = usize::from(cluster.stomp(node).port());
    for used in [stomp, stomp + 10, stomp + 20] {
        config = config.replace(&format!(":{used}\""), &format!(":{}\"", used + 4 - node));
    }
    config
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// A slave of the group.
async fn slave(cluster: &Cluster) -> usize {
    1 + cluster.master(LIMIT).await % NODES
}

async fn attached(cluster: &Cluster, node: usize) {
    eventually("the node follows", LIMIT, || async {
        (cluster.role(node).as_deref() == Some("slave")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_of_a_node_is_refused_with_both_places_and_the_group_does_not_notice() {
    let cluster = Cluster::start("twin", options()).await;
    let node = slave(&cluster).await;
    attached(&cluster, node).await;
    cluster.stop(node);
    let clones = tempfile::tempdir().unwrap();
    let (cloned, blank) = (clones.path().join("cloned"), clones.path().join("blank"));
    copy(&data(&cluster, node), &cloned);
    cluster.start_node(node);
    attached(&cluster, node).await;
    let (epoch, logged) = (cluster.epoch(), cluster.log(node).lines().count());
    let load = Load::start(Plan::new(cluster.stomp_all(), "/queue/twin"));
    load.confirmations(100, LIMIT).await;
    // Its name and its store, and its name alone.
    for directory in [&cloned, &blank] {
        let ended = ends(&elsewhere(&cluster, node, directory), LIMIT).await;
        assert_eq!(ended.code, DATA_DIRECTORY, "{}", ended.text);
        let last = ended.text.lines().last().unwrap();
        let pid = cluster.pid(node).to_string();
        for part in [
            data(&cluster, node).to_str().unwrap(),
            directory.to_str().unwrap(),
            &pid,
            &format!("node{node}"),
        ] {
            assert!(last.contains(part), "{part}: {}", ended.text);
        }
        assert!(ended.text.lines().count() < 40, "{}", ended.text);
        assert!(cluster.log(node).contains(directory.to_str().unwrap()), "the first one tells of it too");
        load.confirmations(100, LIMIT).await;
    }
    assert_eq!((cluster.epoch(), load.failures()), (epoch, 0));
    assert!(cluster.log(node).lines().count() < logged + 10, "{}", cluster.log(node));
    assert_eq!(cluster.role(node).as_deref(), Some("slave"));
    // The store under another name.
    let config =
        elsewhere(&cluster, node, &cloned).replace(&format!("node = \"node{node}\""), "node = \"another\"");
    let ended = ends(&config, LIMIT).await;
    assert_eq!(ended.code, DATA_DIRECTORY, "{}", ended.text);
    assert!(ended.text.contains(&format!("node{node}")) && ended.text.contains("another"), "{}", ended.text);
    let verdict = judge(&load.finish(Duration::from_secs(10)).await.events());
    assert!(verdict.is_clean(), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_moved_is_let_in_as_soon_as_its_old_place_is_gone() {
    let cluster = Cluster::start("moved", options()).await;
    let node = slave(&cluster).await;
    attached(&cluster, node).await;
    cluster.kill(node);
    let moved = cluster.directory(node).join("moved");
    std::fs::rename(data(&cluster, node), &moved).unwrap();
    let own = data(&cluster, node).display().to_string();
    let config = configuration(&cluster, node).replace(&own, &moved.display().to_string());
    // Another address too.
    let config = config.replace(&format!("127.0.0.{}", 10 + node), &format!("127.0.0.{}", 40 + node));
    std::fs::write(cluster.directory(node).join("quorate.toml"), config).unwrap();
    cluster.start_node(node);
    attached(&cluster, node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_comes_back_at_another_address_is_found_there() {
    let cluster = Cluster::start("address", options()).await;
    let node = cluster.master(LIMIT).await;
    cluster.stop(node);
    let config = configuration(&cluster, node);
    let config = config.replace(&format!("127.0.0.{}", 10 + node), &format!("127.0.0.{}", 40 + node));
    // It is preferred from now on.
    let config = config.replace("replicas = 3", "replicas = 3\nweight = 100");
    std::fs::write(cluster.directory(node).join("quorate.toml"), config).unwrap();
    cluster.start_node(node);
    attached(&cluster, node).await;
    while cluster.master(LIMIT).await != node {
        let master = cluster.master(LIMIT).await;
        cluster.step_down(master);
        eventually("another master serves", LIMIT, || async {
            cluster.serving().filter(|serving| *serving != master)
        })
        .await;
    }
    for other in (1..=NODES).filter(|other| *other != node) {
        attached(&cluster, other).await;
    }
    let logged: Vec<String> = (1..=NODES).map(|node| cluster.log(node)).collect();
    assert!(logged[node - 1].contains(&format!("tcp://127.0.0.{}", 40 + node)), "{}", logged[node - 1]);
}
