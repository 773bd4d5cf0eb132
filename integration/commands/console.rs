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
        let queues = http::entries(lone.console(), "/api/v1/queues").unwrap();
        let queue = queues.iter().find(|queue| queue["name"] == *name);
        assert_eq!(queue.map(|queue| &queue["size"]), Some(&1.into()), "{name}: {queues:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_come_in_pages_and_their_commands_print_all_of_them() {
    const QUEUES: usize = 1005;
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    let name = |number: usize| format!("many.{number:04}");
    for number in 0..QUEUES - 1 {
        let frame = Frame::new("SEND", &[("destination", &format!("/queue/{}", name(number)))]);
        connection.writer.send(&frame.with_body(b"one")).await.unwrap();
    }
    send(&mut connection, &format!("/queue/{}", name(QUEUES - 1))).await;
    let page = http::get(lone.console(), "/api/v1/queues").unwrap();
    let length = page["items"].as_array().unwrap().len();
    assert_eq!((length, &page["total"]), (100, &QUEUES.into()), "{page}");
    let asked = |arguments: &[&str]| {
        let console = lone.console().to_string();
        let output = Command::new(binary()).args(arguments).args(["--console", &console]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed: Vec<serde_json::Value> = serde_json::from_str(&asked(&["queues", "--json"])).unwrap();
    let shown: Vec<_> = listed.iter().map(|queue| (queue["name"].as_str(), queue["size"].as_u64())).collect();
    let all: Vec<_> = (0..QUEUES).map(name).collect();
    assert_eq!(shown, all.iter().map(|name| (Some(&**name), Some(1))).collect::<Vec<_>>());
    let table = asked(&["queues"]);
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("name       pending"), "{table}");
    assert!(lines.zip(&all).all(|(line, name)| line.starts_with(&**name)), "{table}");
    assert_eq!(table.lines().count(), 1 + QUEUES);
    assert_eq!((asked(&["topics", "--json"]), asked(&["topics"]).lines().count()), ("[]\n".to_owned(), 1));
    assert_eq!(asked(&["connections"]).lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_broker_that_is_told_to_step_down_says_why_not_and_goes_on() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    let console = lone.console().to_string();
    let output = Command::new(binary()).args(["group", "step-down", "--console", &console]).output().unwrap();
    let reason = "there is no other voter to hand over to";
    assert!(output.status.code() == Some(1) && said(&output).contains(reason), "{output:?}");
    let (code, told) = http::post(lone.console(), "/api/v1/group/step-down", "", "").unwrap();
    assert!(code == 409 && told.contains(reason), "{code} {told}");
    send(&mut connection, "/queue/after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_purged_by_who_has_the_consoles_token_and_by_nobody_else() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for _ in 0..3 {
        send(&mut connection, "/queue/a b.c").await;
    }
    let console = lone.console().to_string();
    let purge = |queue: &str| {
        Command::new(binary()).args(["purge", queue, "--console", &console, "--json"]).output().unwrap()
    };
    let (code, _) = http::post(lone.console(), "/api/v1/queues/a%20b.c/purge", "", "").unwrap();
    assert_eq!(code, 401);
    let output = purge("a b.c");
    assert!(output.status.success() && said(&output).contains("\"messages\": 3"), "{output:?}");
    let output = purge("a b.c");
    assert!(output.status.success() && said(&output).contains("\"messages\": 0"), "{output:?}");
    let output = purge("none");
    assert!(!output.status.success() && said(&output).contains("there is no queue none"), "{output:?}");
    let (code, told) = http::text(lone.console(), "/api/v1/queues/a%20b.c", "").unwrap();
    assert!(code == 200 && told.contains("\"size\":0"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_moved_copied_and_retried_and_queues_paused_and_deleted_by_commands() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for _ in 0..5 {
        send(&mut connection, "/queue/a").await;
    }
    let console = lone.console().to_string();
    let run = |words: &[&str]| {
        let output = Command::new(binary()).args(words).args(["--console", &console]).output().unwrap();
        (output.status.success(), said(&output))
    };
    let size = |queue: &str| {
        let shown = http::get(lone.console(), &format!("/api/v1/queues/{queue}"))?;
        Some((shown["size"].as_u64()?, shown["paused"].as_bool()?))
    };
    let (code, _) = http::post(lone.console(), "/api/v1/queues/a/move", "", "{\"to\": \"b\"}").unwrap();
    assert_eq!(code, 401);
    assert_eq!(run(&["move", "a", "b", "--max", "2"]), (true, "2 messages moved from a to b\n".to_owned()));
    assert_eq!(
        run(&["copy", "a", "b", "--selector", "JMSPriority = 4"]).1,
        "3 messages copied from a to b\n"
    );
    assert_eq!((size("a"), size("b")), (Some((3, false)), Some((5, false))));
    let (done, told) = run(&["move", "a", "b", "--selector", "x ="]);
    assert!(!done && told.contains("selector"), "{told}");
    // What was moved from `a` goes back there.
    assert_eq!(run(&["retry", "b", "--json", "--max", "4"]).1.matches("\"messages\": 4").count(), 1);
    assert_eq!((size("a"), size("b")), (Some((7, false)), Some((1, false))));
    assert!(run(&["pause", "a"]).0);
    assert_eq!(size("a"), Some((7, true)));
    assert!(run(&["queues"]).1.lines().any(|line| line.starts_with("a ") && line.ends_with("yes")));
    assert!(run(&["resume", "a"]).0);
    assert_eq!(size("a"), Some((7, false)));
    let (done, told) = run(&["delete", "a"]);
    assert!(!done && told.contains("has 7 messages"), "{told}");
    assert_eq!(run(&["delete", "a", "--with-messages"]), (true, "a is deleted\n".to_owned()));
    assert_eq!(size("a"), None);
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
        let group = http::get(cluster.console(master), "/api/v1/group")?;
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
    for (node, expected) in [(master, false), (slave, true)] {
        let broker = cluster.status(node).unwrap()["broker"].as_str().unwrap().to_owned();
        let bean = format!("/api/jolokia/read/org.apache.activemq:type=Broker,brokerName={broker}");
        let read =
            |path: &str| http::get(cluster.console(node), &format!("{bean}{path}")).unwrap()["value"].clone();
        assert_eq!(read("/Slave"), expected, "node {node}");
        assert_eq!(read(",destinationType=Queue,destinationName=shown/QueueSize"), 1, "node {node}");
        let serving = http::text(cluster.console(node), "/health/serving", "").unwrap();
        let ready = http::text(cluster.console(node), "/health/ready", "").unwrap();
        assert_eq!((serving.0, ready.0), (if expected { 503 } else { 200 }, 200), "{serving:?} {ready:?}");
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn durable_subscriptions_are_listed_outlive_a_restart_and_are_ended_when_nobody_consumes() {
    let mut lone = Lone::start().await;
    let subscribe = [
        ("id", "1"),
        ("destination", "/topic/T.>"),
        ("activemq.subscriptionName", "kept"),
        ("selector", "kind = 'a'"),
    ];
    let mut consumer = Connection::open_with(lone.stomp(), &[("client-id", "c-1")]).await.unwrap();
    consumer.request(Frame::new("SUBSCRIBE", &subscribe), "subscribed").await.unwrap();
    let quorate = |lone: &Lone, arguments: &[&str]| {
        let console = lone.console().to_string();
        let output = Command::new(binary()).args(arguments).args(["--console", &console, "--json"]).output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let end = ["unsubscribe", "kept", "--client-id", "c-1"];
    let (code, _, said) = quorate(&lone, &end);
    assert!(code != Some(0) && said.contains("in use"), "{said}");
    drop(consumer);

    let mut producer = Connection::open(lone.stomp()).await.unwrap();
    let message = Frame::new("SEND", &[("destination", "/topic/T.x"), ("persistent", "true"), ("kind", "a")]);
    producer.request(message.with_body(b"one"), "sent").await.unwrap();
    lone.kill_and_start().await;
    let (_, listed, _) = quorate(&lone, &["subscriptions"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let shown =
        ["client_id", "name", "topics", "selector", "size", "consumers"].map(|key| listed[0][key].clone());
    let expected = serde_json::json!(["c-1", "kept", "T.>", "kind = 'a'", 1, 0]);
    assert_eq!(serde_json::json!(shown), expected, "{listed}");

    assert_eq!(http::post(lone.console(), "/api/v1/subscriptions/remove", "", "{}").unwrap().0, 401);
    let (code, _, said) = quorate(&lone, &end);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = quorate(&lone, &end);
    assert!(code != Some(0) && said.contains("No durable subscription"), "{said}");
    assert_eq!(quorate(&lone, &["subscriptions"]).1.trim(), "[]");
}
