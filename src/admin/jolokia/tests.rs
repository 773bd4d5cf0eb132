//! Requests as tools send them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admin::tests::{Console, ask, console_of, figures, post};
use crate::model::DestinationKind;
use crate::node::{Role, Snapshot, Status};

const QUEUE: &str = "org.apache.activemq:type=Broker,brokerName=b,destinationType=Queue,destinationName";

/// The console of a broker `b` with these queues.
async fn broker(names: &[&str]) -> Console {
    let console = console_of(figures(DestinationKind::Queue, names)).await;
    let status = Status {
        broker: "b".to_owned(),
        role: Role::Master,
        serving: true,
        listening: vec!["stomp://127.0.0.1:61613".to_owned()],
        started_ms: 5_000,
        time_ms: 67_000,
        ..Status::default()
    };
    console.now.send_replace(Arc::new(Snapshot { status, group: None }));
    console
}

async fn get(console: &Console, path: &str) -> Value {
    let (code, body) = ask(console, &format!("GET /api/jolokia{path} HTTP/1.1")).await;
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

async fn posted(console: &Console, body: &Value) -> Value {
    let (code, body) = post(console, "/api/jolokia", "Accept: */*", &body.to_string()).await;
    assert_eq!(code, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn one_attribute_of_one_queue_is_read_as_a_scaler_does() {
    let console = broker(&["orders", "a/b:c"]).await;
    let answer = get(&console, &format!("/read/{QUEUE}=orders/QueueSize")).await;
    assert_eq!(
        (&answer["value"], &answer["status"], &answer["timestamp"]),
        (&json!(0), &json!(200), &json!(67))
    );
    assert_eq!(answer["request"]["attribute"], "QueueSize");
    // The keys in another order, a slash in the name, and a character that names do not have.
    let other = "org.apache.activemq:destinationName=a!%2Fb_c,destinationType=Queue,type=Broker,brokerName=b";
    assert_eq!(get(&console, &format!("/read/{other}/Name")).await["value"], "a/b:c");
    for (path, status, error) in [
        (format!("/read/{QUEUE}=none/QueueSize"), 404, "javax.management.InstanceNotFoundException"),
        (format!("/read/{QUEUE}=a_c/QueueSize"), 404, "javax.management.InstanceNotFoundException"),
        (format!("/read/{QUEUE}=orders/None"), 404, "javax.management.AttributeNotFoundException"),
        ("/read/nonsense/None".to_owned(), 400, "javax.management.MalformedObjectNameException"),
        (format!("/exec/{QUEUE}=orders/purge"), 501, "java.lang.UnsupportedOperationException"),
        ("/nonsense".to_owned(), 400, "java.lang.IllegalArgumentException"),
    ] {
        let answer = get(&console, &path).await;
        assert_eq!((&answer["status"], &answer["error_type"]), (&json!(status), &json!(error)), "{path}");
        assert_eq!(answer.get("value"), None, "{path}");
    }
    assert!(
        get(&console, &format!("/exec/{QUEUE}=orders/purge")).await["error"]
            .as_str()
            .unwrap()
            .contains("purge")
    );
    console.admin.stop().await;
}

#[tokio::test]
async fn the_broker_tells_what_it_is_and_on_a_slave_that_it_is_one() {
    let console = broker(&["a", "b"]).await;
    let name = "org.apache.activemq:type=Broker,brokerName=b";
    let answer = get(&console, &format!("/read/{name}")).await;
    let value = &answer["value"];
    let known = json!({"BrokerName": "b", "Slave": false, "UptimeMillis": 62_000, "Uptime": "1 minutes",
        "TotalQueuesCount": 2, "TotalTopicsCount": 0, "TotalMessageCount": 0,
        "TransportConnectors": {"stomp": "stomp://127.0.0.1:61613"},
        "Queues": [
            {"objectName": "org.apache.activemq:brokerName=b,destinationName=a,destinationType=Queue,type=Broker"},
            {"objectName": "org.apache.activemq:brokerName=b,destinationName=b,destinationType=Queue,type=Broker"}]});
    for (attribute, expected) in known.as_object().unwrap() {
        assert_eq!(&value[attribute], expected, "{attribute}");
    }
    let short =
        get(&console, &format!("/read/{name}/Queues?maxCollectionSize=1&canonicalNaming=false")).await;
    assert_eq!(short["value"], json!([{ "objectName": format!("{QUEUE}=a") }]));
    let flat = get(&console, &format!("/read/{name}/Queues?maxDepth=1&maxCollectionSize=1")).await;
    assert!(flat["value"][0].as_str().unwrap().starts_with("{\"objectName\""), "{flat}");
    let (_, plain) = ask(&console, "GET /api/jolokia/version?mimeType=text/plain HTTP/1.1").await;
    assert!(plain.contains("\"protocol\":\"7.2\""), "{plain}");

    let status = Status { broker: "b".to_owned(), role: Role::Slave, ..Status::default() };
    console.now.send_replace(Arc::new(Snapshot { status, group: None }));
    assert_eq!(get(&console, &format!("/read/{name}/Slave")).await["value"], true);
    assert_eq!(get(&console, &format!("/read/{QUEUE}=a/QueueSize")).await["value"], 0);
    console.admin.stop().await;
}

#[tokio::test]
async fn several_requests_in_one_body_are_answered_in_their_order() {
    let console = broker(&["x.a", "x.b", "y"]).await;
    let asked = json!([
        {"type": "version"},
        {"type": "search", "mbean": format!("{QUEUE}=x.*")},
        {"type": "read", "mbean": format!("{QUEUE}=x.?"), "attribute": ["Name", "QueueSize", "None"]},
        {"type": "read", "mbean": format!("{QUEUE}=y"), "attribute": ["Name", "None"], "config": {"ignoreErrors": true}},
        {"type": "read", "mbean": format!("{QUEUE}=y"), "attribute": ["Name", "None"]},
        {"type": "list", "path": "org.apache.activemq"},
        {"type": "exec", "mbean": format!("{QUEUE}=y"), "operation": "purge", "arguments": []},
        {"type": "read", "mbean": "java.lang:type=Memory"},
    ]);
    let answers = posted(&console, &asked).await;
    assert!(answers.is_array(), "{answers}");
    let name = |queue: &str| {
        format!("org.apache.activemq:brokerName=b,destinationName={queue},destinationType=Queue,type=Broker")
    };
    let statuses: Vec<_> =
        answers.as_array().unwrap().iter().map(|it| it["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 404, 200, 501, 404]);
    assert_eq!(answers[0]["value"]["protocol"], "7.2");
    assert_eq!(answers[1]["value"], json!([name("x.a"), name("x.b")]));
    assert_eq!(answers[2]["value"][name("x.b")], json!({"Name": "x.b", "QueueSize": 0}));
    assert_eq!(answers[2]["value"].as_object().unwrap().len(), 2);
    assert_eq!(answers[3]["value"]["Name"], "y");
    assert!(answers[3]["value"]["None"].as_str().unwrap().starts_with("ERROR: javax.management.Attribute"));
    let listed = &answers[5]["value"];
    assert_eq!(listed.as_object().unwrap().len(), 2 + 3);
    let key = "brokerName=b,destinationName=y,destinationType=Queue,type=Broker";
    assert_eq!(listed[key]["attr"]["QueueSize"]["type"], "long");
    for (body, status) in
        [(json!(vec![json!({"type": "version"}); 257]), 400), (json!("x"), 400), (json!({}), 400)]
    {
        assert_eq!(posted(&console, &body).await["status"], status);
    }
    assert_eq!(
        post(&console, "/api/jolokia", "Accept: */*", "{").await.1.matches("\"status\":400").count(),
        1
    );
    console.admin.stop().await;
}

#[tokio::test]
async fn what_is_told_of_each_bean_is_what_can_be_read_of_it() {
    let console = broker(&["a"]).await;
    let listed = get(&console, "/list").await;
    for (name, bean) in listed["value"]["org.apache.activemq"].as_object().unwrap() {
        let read = get(&console, &format!("/read/org.apache.activemq:{name}")).await;
        let told: Vec<_> = bean["attr"].as_object().unwrap().keys().collect();
        assert_eq!(read["value"].as_object().unwrap().keys().collect::<Vec<_>>(), told, "{name}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_pattern_that_stands_for_too_many_beans_is_refused_and_not_cut_off() {
    let names: Vec<_> = (0..10_001).map(|number| number.to_string()).collect();
    let console = broker(&names.iter().map(|name| &**name).collect::<Vec<_>>()).await;
    let answer = get(&console, &format!("/read/{QUEUE}=*/QueueSize")).await;
    assert_eq!(answer["status"], 500, "{answer}");
    let answer = get(&console, &format!("/read/{QUEUE}=9*/QueueSize")).await;
    assert_eq!(answer["value"].as_object().map(|it| it.len()), Some(1111));
    console.admin.stop().await;
}
