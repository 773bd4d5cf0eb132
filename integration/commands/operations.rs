//! What tools ask of a running node: metrics, health, lists.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::harness::http;
use crate::harness::lone::Lone;
use crate::harness::python;
use crate::harness::stomp::{Connection, Frame};

async fn send(connection: &mut Connection, queue: &str) {
    let frame = Frame::new("SEND", &[("destination", queue), ("persistent", "true")]);
    connection.request(frame.with_body(b"one"), queue).await.unwrap();
}

fn metrics(console: SocketAddr, path: &str, accept: &str) -> String {
    let (code, body) = http::text(console, path, accept).unwrap();
    assert_eq!(code, 200, "{body}");
    body
}

/// What Prometheus's own tool says of a file.
fn promtool(arguments: &[&str], input: &str) {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the package prometheus");
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_accepts_the_metrics_of_a_node_and_the_alerts_on_them() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for queue in ["/queue/a", "/queue/a", "/queue/b \"\\"] {
        send(&mut connection, queue).await;
    }
    let text = metrics(lone.console(), "/metrics", "");
    for line in ["quorate_serving 1", "quorate_ready 1", "quorate_messages{kind=\"queue\"} 3"] {
        assert!(text.lines().any(|it| it == line), "no {line} in {text}");
    }
    assert!(!text.contains("quorate_destination_messages"));
    let each = metrics(lone.console(), "/metrics?destinations=each", "");
    let line = "quorate_destination_messages{kind=\"queue\",destination=\"a\"} 2";
    assert!(each.lines().any(|it| it == line), "no {line} in {each}");
    let newer = metrics(lone.console(), "/metrics", "Accept: application/openmetrics-text\r\n");
    assert!(newer.ends_with("# EOF\n") && newer.contains("# TYPE quorate_elections counter"), "{newer}");
    assert_eq!(http::text(lone.console(), "/metrics?destination=a", "").unwrap().0, 400);
    promtool(&["check", "metrics"], &text);
    promtool(&["check", "metrics"], &each);
    let alerts = concat!(env!("CARGO_MANIFEST_DIR"), "/config/alerts.yml");
    promtool(&["check", "rules", alerts], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_broker_is_healthy_and_lists_its_longest_queues_first() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for queue in ["/queue/a", "/queue/b", "/queue/c", "/queue/b", "/queue/c", "/queue/c"] {
        send(&mut connection, queue).await;
    }
    for path in ["live", "ready", "serving", "role"] {
        assert_eq!(http::text(lone.console(), &format!("/health/{path}"), "").unwrap().0, 200, "{path}");
    }
    let (mut names, mut next) = (Vec::new(), Some("/api/v1/queues?sort=size&limit=1".to_owned()));
    while let Some(path) = next {
        let page = http::get(lone.console(), &path).unwrap();
        names.push(page["items"][0]["name"].as_str().unwrap().to_owned());
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(names, ["c", "b", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jolokia_client_reads_a_broker() {
    let lone = Lone::start().await;
    let mut connection = Connection::open(lone.stomp()).await.unwrap();
    for _ in 0..3 {
        send(&mut connection, "/queue/orders").await;
    }
    let broker = http::get(lone.console(), "/api/v1/broker").unwrap();
    let broker = broker["broker"].as_str().unwrap();
    // As KEDA's scaler asks, which shows a user and the page that it stands for.
    let path = format!(
        "/api/jolokia/read/org.apache.activemq:type=Broker,brokerName={broker},destinationType=Queue,destinationName=orders/QueueSize"
    );
    let headers = format!("Authorization: Basic YWRtaW46YWRtaW4=\r\nOrigin: http://{}\r\n", lone.console());
    let (code, body) = http::text(lone.console(), &path, &headers).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &answer["status"], &answer["value"]), (200, &200.into(), &3.into()), "{body}");
    let output = Command::new(python::with("jolokia==0.4.0"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/integration/clients/jolokia_reads.py"))
        .args([&format!("http://{}/api/jolokia", lone.console()), broker, "orders", "3"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
