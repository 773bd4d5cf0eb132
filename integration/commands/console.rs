//! The console as operators meet it: figures, orders that cannot help, and nodes that are paused or cut off.

use std::process::{Command, Output};
use std::time::Duration;

use crate::harness::cluster::{Cluster, NODES, Options, binary};
use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

const LIMIT: Duration = Duration::from_secs(60);

async fn send(connection: &mut Connection, queue: &str) {
    let frame = Frame::new("SEND", &[("destination", queue), ("persistent", "true")]);
    connection.request(frame.with_body(b"one"), queue).await.unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_read_after_a_confirmation_show_what_was_confirmed() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for number in 0..20 {
        let name = format!("fresh.{number}");
        send(&mut connection, &format!("/queue/{name}")).await;
        let queues = http::get(lone.console(), "/api/queues").unwrap();
        let queue = queues.as_array().unwrap().iter().find(|queue| queue["name"] == *name);
        assert_eq!(queue.map(|queue| &queue["size"]), Some(&1.into()), "{name}: {queues}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_broker_that_is_told_to_step_down_says_why_not_and_goes_on() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    let console = lone.console().to_string();
    let output = Command::new(binary()).args(["group", "step-down", "--console", &console]).output().unwrap();
    let reason = "there is no other voter to hand over to";
    assert!(output.status.code() == Some(1) && said(&output).contains(reason), "{output:?}");
    let (code, told) = http::post(lone.console(), "/api/group/step-down", "", "").unwrap();
    assert!(code == 409 && told.contains(reason), "{code} {told}");
    send(&mut connection, "/queue/after").await;
}

/// What `scripts/cluster status` says of a node.
fn line(cluster: &Cluster, node: usize) -> String {
    let name = format!("node{node} ");
    let status = cluster.verb(&["status"]);
    status.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("{status}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_paused_or_cut_off_is_shown_as_such() {
    let cluster = Cluster::start("shown", Options { zk_servers: 1, ..Options::default() }).await;
    let master = cluster.master(LIMIT).await;
    let mut connection = Connection::open(cluster.stomp(master)).await.unwrap();
    send(&mut connection, "/queue/shown").await;
    eventually("each position is as far behind as is said", LIMIT, || async {
        let group = http::get(cluster.console(master), "/api/group")?;
        let end = cluster.status(master)?["end"]["offset"].as_u64()?;
        let right = |member: &serde_json::Value| {
            let position = member["position"]["offset"].as_u64()?;
            Some(position + member["lag_bytes"].as_u64()? == end)
        };
        let members = group["members"].as_array()?;
        (members.len() == NODES && members.iter().all(|m| right(m) == Some(true))).then_some(())
    })
    .await;

    let slave = 1 + master % NODES;
    cluster.verb(&["pause", &slave.to_string()]);
    assert!(line(&cluster, slave).ends_with(" paused"), "{}", line(&cluster, slave));
    cluster.verb(&["resume", &slave.to_string()]);
    eventually("the slave follows again", LIMIT, || async {
        line(&cluster, slave).contains("slave, epoch").then_some(())
    })
    .await;

    cluster.verb(&["partition", &master.to_string()]);
    eventually("the master that is cut off is shown as such", LIMIT, || async {
        line(&cluster, master).contains("master, cut off, epoch").then_some(())
    })
    .await;
    let other = eventually("another node serves", LIMIT, || async { cluster.serving() }).await;
    assert_ne!(other, master);
    assert!(line(&cluster, other).contains(" master, epoch"), "{}", line(&cluster, other));
    cluster.verb(&["heal"]);
    cluster.agreement(LIMIT).await;
}
