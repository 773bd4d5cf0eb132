//! Nodes start in any order and number, and ZooKeeper is not missed while it is away.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::load::{Load, Plan};
use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, publish, setting};

const LIMIT: Duration = Duration::from_secs(60);

fn one_server() -> Options {
    Options { zk_servers: 1, session_timeout: "4s", ..Options::default() }
}

async fn send(cluster: &Cluster, text: &str) {
    send_to(&cluster.stomp_all(), text).await;
}

async fn send_to(addresses: &[SocketAddr], text: &str) {
    let mut connection = Connection::any(addresses).await;
    let frame = Frame::new("SEND", &[("destination", "/queue/start"), ("persistent", "true")]);
    connection.request(frame.with_body(text.as_bytes()), "sent").await.unwrap();
}

async fn receive(cluster: &Cluster) -> String {
    receive_from(&cluster.stomp_all()).await
}

async fn receive_from(addresses: &[SocketAddr]) -> String {
    let mut connection = Connection::any(addresses).await;
    let subscribe = Frame::new(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", "/queue/start"), ("ack", "client-individual")],
    );
    connection.writer.send(&subscribe).await.unwrap();
    let message = tokio::time::timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap();
    let ack = Frame::new("ACK", &[("id", message.header("ack").unwrap())]);
    connection.request(ack, "acknowledged").await.unwrap();
    String::from_utf8(message.body).unwrap()
}

/// The members' records, by node.
fn members(cluster: &Cluster) -> Vec<Value> {
    let names = cluster.zk(&["ls", cluster.zk_path()]);
    let names = names.trim_matches(['[', ']']).split(", ").filter(|name| !name.is_empty());
    // In a session, because a member that expires after it was listed is no failure.
    let commands: String = names.map(|name| format!("get {}/{name}\n", cluster.zk_path())).collect();
    let said = cluster.zk_session(&commands);
    said.lines().filter_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_group_waits_for_all_its_nodes_and_an_old_one_for_a_quorum_in_any_order() {
    let cluster = Cluster::prepare("order", one_server());
    cluster.start_node(3);
    eventually("the first node says what it waits for", LIMIT, || async {
        cluster.log(3).contains("Not enough cluster members connected to elect a master").then_some(())
    })
    .await;
    cluster.start_node(1);
    eventually("the second node answers", LIMIT, || async { cluster.status(1) }).await;
    assert_eq!(cluster.serving(), None, "two blank nodes of three may not found a group");
    cluster.start_node(2);
    cluster.master(LIMIT).await;
    send(&cluster, "first").await;

    for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
        for node in order {
            cluster.stop(node);
        }
        cluster.start_node(order[0]);
        eventually("a lone node of three says in its znode what it waits for", LIMIT, || async {
            members(&cluster).iter().any(|member| member["reason"].is_string()).then_some(())
        })
        .await;
        assert_eq!(cluster.serving(), None, "one node of three may not serve");
        cluster.start_node(order[1]);
        cluster.master(LIMIT).await;
        assert_eq!(receive(&cluster).await, "first");
        send(&cluster, "first").await;
        cluster.start_node(order[2]);
        cluster.agreement(LIMIT).await;
    }
    for node in 1..=NODES {
        cluster.kill(node);
    }
    cluster.verb(&["start", "1", "2", "3"]);
    cluster.master(LIMIT).await;
    assert_eq!(receive(&cluster).await, "first");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_before_zookeeper_say_that_they_wait_and_form_the_group_when_it_comes() {
    let cluster = Cluster::prepare("late", one_server());
    cluster.verb(&["stop", "zk"]);
    let address = format!(":{}", cluster.zookeeper(1).port());
    cluster.verb(&["start", "1", "2", "3"]);
    for node in 1..=NODES {
        eventually("the status says what the node waits for", LIMIT, || async {
            let status = cluster.status(node)?;
            let reason = status["reason"].as_str()?.to_owned();
            (reason.contains("waits for ZooKeeper") && reason.contains(&address)).then_some(())
        })
        .await;
        let told = cluster.log(node).lines().filter(|line| line.contains("no server answers")).count();
        assert!((1..5).contains(&told), "{}", cluster.log(node));
    }
    cluster.verb(&["start", "zk"]);
    cluster.master(LIMIT).await;
    send(&cluster, "late").await;
    assert!(cluster.log(1).contains("ZooKeeper answers again"), "{}", cluster.log(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_comes_back_with_all_data_and_regains_its_vote() {
    let cluster = Cluster::start("wiped", one_server()).await;
    send(&cluster, "kept").await;
    let master = cluster.master(LIMIT).await;
    let wiped = 1 + master % NODES;
    let other = 1 + wiped % NODES;
    let old_store = cluster.status(wiped).unwrap()["store"].clone();
    cluster.kill(wiped);
    cluster.verb(&["wipe", &wiped.to_string()]);
    cluster.start_node(wiped);
    let store = eventually("the wiped node is a voter with its new store", LIMIT, || async {
        let store = cluster.status(wiped)?["store"].as_str()?.to_owned();
        let record: Value = serde_json::from_str(&cluster.zk(&["get", cluster.zk_path()])).ok()?;
        let voters = record["voters"].as_array()?;
        voters.iter().any(|voter| voter["store"] == store.as_str()).then_some(store)
    })
    .await;
    assert_ne!(old_store, store.as_str());
    cluster.agreement(LIMIT).await;
    // Its vote counts now: with the third node away the two others are a quorum, whichever leads.
    cluster.kill(other);
    cluster.kill(master);
    cluster.start_node(other);
    cluster.master(LIMIT).await;
    assert_eq!(receive(&cluster).await, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_broker_whose_identity_is_damaged_or_gone_keeps_its_messages() {
    let mut lone = Lone::start().await;
    let identity = lone.directory().join("data/local/identity.json");
    for sent in ["one", "two", "three"] {
        send_to(&[lone.stomp()], sent).await;
        match sent {
            "one" => {}
            "two" => std::fs::write(&identity, "no identity").unwrap(),
            _ => std::fs::remove_file(&identity).unwrap(),
        }
        lone.kill_and_start().await;
        send_to(&[lone.stomp()], "after").await;
        assert_eq!(receive_from(&[lone.stomp()]).await, sent);
        assert_eq!(receive_from(&[lone.stomp()]).await, "after");
    }
}

/// Load goes on while `away` lasts; not one send fails and no epoch passes.
async fn nothing_happens(
    cluster: &Cluster,
    strike: impl Fn(&Cluster),
    mend: impl Fn(&Cluster),
    away: Duration,
) {
    let load = Load::start(Plan::new(cluster.stomp_all(), "/queue/steady"));
    load.confirmations(200, LIMIT).await;
    let epoch = cluster.epoch();
    let failures = load.failures();
    strike(cluster);
    let until = load.history().now() + away;
    while load.history().now() < until {
        load.confirmations(50, Duration::from_secs(5)).await;
    }
    mend(cluster);
    load.confirmations(200, LIMIT).await;
    // A session that expired meanwhile is followed by new members; they must not elect either.
    let until = load.history().now() + Duration::from_secs(5);
    while load.history().now() < until {
        load.confirmations(50, Duration::from_secs(5)).await;
    }
    assert_eq!(load.failures(), failures, "a send failed");
    assert_eq!(cluster.epoch(), epoch, "an election");
    let verdict = judge(&load.finish(Duration::from_secs(10)).await.events());
    publish(&verdict.summary());
    assert!(verdict.is_clean() && verdict.unknown == 0, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn zookeeper_away_under_load_costs_not_one_send_and_no_election() {
    let cluster =
        Cluster::start("zookeeper-away", Options { session_timeout: "4s", ..Options::default() }).await;
    let away = Duration::from_secs(setting("QUORATE_ZOOKEEPER_AWAY_SECONDS", 15));
    let strike = |cluster: &Cluster| drop(cluster.verb(&["kill", "zk"]));
    nothing_happens(&cluster, strike, |cluster| drop(cluster.verb(&["start", "zk"])), away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_cut_from_zookeeper_alone_costs_not_one_send_and_no_election() {
    let cluster =
        Cluster::start("zookeeper-cut", Options { session_timeout: "4s", ..Options::default() }).await;
    let away = Duration::from_secs(setting("QUORATE_ZOOKEEPER_AWAY_SECONDS", 15));
    let master = cluster.master(LIMIT).await.to_string();
    let strike = |cluster: &Cluster| drop(cluster.verb(&["partition", &master, "--from", "zookeeper"]));
    nothing_happens(&cluster, strike, |cluster| drop(cluster.verb(&["heal"])), away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_without_a_quorum_closes_its_clients_says_so_and_serves_again_by_itself() {
    let cluster = Cluster::start("no-quorum", one_server()).await;
    let master = cluster.master(LIMIT).await;
    let mut waiting = Connection::open(cluster.stomp(master)).await.unwrap();
    let slaves: Vec<usize> = (1..=NODES).filter(|node| *node != master).collect();
    for slave in &slaves {
        cluster.kill(*slave);
    }
    let frame =
        Frame::new("SEND", &[("destination", "/queue/start"), ("persistent", "true")]).with_body(b"unknown");
    let answer = waiting.request(frame, "never").await.expect_err("confirmed without a quorum");
    assert!(
        !answer.to_string().contains("ERROR"),
        "an ERROR says \"not stored\", which nobody knows: {answer}"
    );
    eventually("the client port is closed", LIMIT, || async {
        Connection::open(cluster.stomp(master)).await.is_err().then_some(())
    })
    .await;
    eventually("the znode says why", LIMIT, || async {
        members(&cluster).iter().any(|member| member["reason"].is_string()).then_some(())
    })
    .await;
    cluster.start_node(slaves[0]);
    cluster.master(LIMIT).await;
    send(&cluster, "after").await;
}
