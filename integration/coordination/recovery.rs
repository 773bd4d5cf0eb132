//! What an operator can do, and is told, when stores are lost: `group recover`, and the alarms before and after it.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::harness::cluster::{Cluster, Options, binary};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

const LIMIT: Duration = Duration::from_secs(60);
const MESSAGES: u64 = 3;

fn group(cluster: &Cluster, node: usize, arguments: &[&str]) -> Output {
    let console = cluster.console(node).to_string();
    let mut command = Command::new(binary());
    command.arg("group").args(arguments).args(["--console", &console]);
    command.stdin(std::process::Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The names of the voters in the group record.
fn voters(cluster: &Cluster) -> Option<Vec<String>> {
    let record: Value = serde_json::from_str(&cluster.zk(&["get", cluster.zk_path()])).ok()?;
    record["voters"].as_array()?.iter().map(|voter| Some(voter["node"].as_str()?.to_owned())).collect()
}

async fn logged(cluster: &Cluster, node: usize, line: &str) {
    eventually(line, LIMIT, || async { cluster.log(node).contains(line).then_some(()) }).await;
}

/// What is not what was shown is not done; the new plan is told instead.
fn refuses_a_plan_that_has_changed(cluster: &Cluster, node: usize) {
    let console = cluster.console(node);
    let shown = http::get(console, "/api/v1/group/recover").unwrap();
    let mut stale = shown.clone();
    stale["lost"].as_array_mut().unwrap().pop();
    let token = std::fs::read_to_string(cluster.directory(node).join("data/replicated/console.token"));
    let authorization = format!("Authorization: Bearer {}\r\n", token.unwrap());
    let answer = http::post(console, "/api/v1/group/recover", &authorization, &stale.to_string());
    let (code, told) = answer.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["plan"]["lost"]), (409, &shown["lost"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_has_lost_two_disks_of_three_goes_on_with_the_third_when_an_operator_says_so() {
    let cluster = Cluster::start("recovery", Options { zk_servers: 1, ..Options::default() }).await;
    let mut connection = Connection::any(&cluster.stomp_all()).await;
    for number in 0..MESSAGES {
        let body = number.to_string();
        let frame = Frame::new("SEND", &[("destination", "/queue/kept"), ("persistent", "true")]);
        connection.request(frame.with_body(body.as_bytes()), &body).await.unwrap();
    }
    cluster.agreement(LIMIT).await;
    let master = cluster.master(LIMIT).await;
    let [first, second] = [1 + master % 3, 1 + (master + 1) % 3];

    // All is well: nothing may be recovered.
    let refused = group(&cluster, first, &["recover", "--force", "--yes"]);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("nothing is lost"), "{refused:?}");

    // One store less is told by the master, and its return is.
    cluster.kill(first);
    logged(&cluster, master, "redundancy is reduced: 2 of 3 voters are in step").await;
    eventually("the master's member says so", LIMIT, || async {
        let group = http::get(cluster.console(master), "/api/v1/group")?;
        let reasons = group["members"].as_array()?.iter().filter_map(|m| m["reason"].as_str());
        reasons.into_iter().any(|reason| reason.contains("redundancy is reduced")).then_some(())
    })
    .await;
    assert!(said(&group(&cluster, master, &["status"])).contains("ALARM reduced-redundancy"));
    cluster.start_node(first);
    logged(&cluster, master, "all 3 voters are in step again").await;

    // Two disks are gone for good; their nodes come back with new ones, and nobody guesses.
    for node in [master, second] {
        cluster.kill(node);
        cluster.verb(&["wipe", &node.to_string()]);
    }
    for node in [master, second] {
        cluster.start_node(node);
    }
    let plan = eventually("the survivor sees that two are lost", LIMIT, || async {
        let plan = group(&cluster, first, &["recover"]);
        plan.status.success().then(|| said(&plan)).filter(|plan| plan.matches("(store").count() == 3)
    })
    .await;
    assert!(plan.contains("RISK") && plan.contains("nothing was done"), "{plan}");
    assert_eq!(cluster.serving(), None);
    let unconfirmed = group(&cluster, first, &["recover", "--force"]);
    assert_eq!(unconfirmed.status.code(), Some(1), "{unconfirmed:?}");
    assert_eq!(cluster.serving(), None);

    refuses_a_plan_that_has_changed(&cluster, first);
    assert_eq!(cluster.serving(), None);
    let done = group(&cluster, first, &["recover", "--force", "--yes"]);
    assert!(done.status.success(), "{done:?}");
    cluster.master(LIMIT).await;
    eventually("three voters", LIMIT, || async { voters(&cluster).filter(|names| names.len() == 3) }).await;
    cluster.agreement(LIMIT).await;
    let kept = eventually("the queue", LIMIT, || async {
        let queues = http::entries(cluster.console(cluster.serving()?), "/api/v1/queues")?;
        queues.iter().find(|queue| queue["name"] == "kept")?["size"].as_u64()
    })
    .await;
    assert_eq!(kept, MESSAGES);
    assert!(said(&group(&cluster, first, &["status"])).contains("election"));
}
