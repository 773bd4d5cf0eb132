//! The console's pages as people meet them: logins, roles and rights on a node, and a real browser that visits every page.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{quorate_at, told, well};
use crate::harness::cluster::binary;
use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{http, python};

const HOSTILE: &str = "<script>alert(1)</script>'\"&";

/// A broker with a user for each role, whose passwords are their names. The operator may not touch SECRET.
async fn with_users() -> Lone {
    let user = |name: &str, groups: &str| {
        format!("[[users]]\nname = \"{name}\"\npassword = \"{name}\"\ngroups = [{groups}]\n")
    };
    let right = |queue: &str, groups: &str| {
        let rights = ["read", "write", "admin"].map(|right| format!("{right} = [{groups}]\n")).concat();
        format!("[[rights]]\n{queue}\n{rights}")
    };
    let more = [
        "view = [\"viewers\"]\noperate = [\"operators\"]\nadminister = [\"admins\"]\n",
        "[security]\nallow_plain_passwords = true\n",
        &user("anna", "\"admins\""),
        &user("otto", "\"operators\""),
        &user("vera", "\"viewers\""),
        &right("queue = \"OPEN.>\"", "\"*\""),
        &right("queue = \">\"", "\"admins\""),
        &right("topic = \">\"", "\"admins\""),
    ];
    Lone::run_by(binary(), "", &more.concat()).await
}

fn login(user: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{user}")))
}

fn get(lone: &Lone, user: &str, path: &str) -> (u16, Value) {
    let (code, body) = http::text(lone.console(), path, &login(user)).unwrap();
    (code, serde_json::from_str(&body).unwrap_or_default())
}

fn send(lone: &Lone, user: &str, queue: &str, message: &Value) -> (u16, Value) {
    let queue: String = form_urlencoded::byte_serialize(queue.as_bytes()).collect();
    let path = format!("/api/v1/queues/{}/messages", queue.replace('+', "%20"));
    let (code, body) = http::post(lone.console(), &path, &login(user), &message.to_string()).unwrap();
    (code, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_browsed_in_parts_by_selector_and_one_by_one_and_stay() {
    let lone = with_users().await;
    for number in 0..250 {
        let message = json!({ "body": format!("message {number}"), "persistent": number % 2 == 0, "properties": { "number": number } });
        assert_eq!(send(&lone, "anna", "OPEN.Q", &message).0, 201);
    }
    let (mut bodies, mut next) = (Vec::new(), Some("/api/v1/queues/OPEN.Q/messages?limit=70".to_owned()));
    while let Some(path) = next {
        let (code, page) = get(&lone, "vera", &path);
        assert_eq!(code, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 70);
        bodies.extend(items.iter().map(|it| it["text"].as_str().unwrap().to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(bodies, (0..250).map(|number| format!("message {number}")).collect::<Vec<_>>());
    let selector = "/api/v1/queues/OPEN.Q/messages?limit=2&selector=number%20%3E%20200";
    let (_, page) = get(&lone, "vera", selector);
    let texts = |page: &Value| {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&page), ["message 201", "message 202"]);
    let (_, page) = get(&lone, "vera", page["next"].as_str().unwrap());
    assert_eq!(texts(&page), ["message 203", "message 204"]);
    let id = page["items"][0]["id"].as_str().unwrap();
    let (code, one) = get(&lone, "vera", &format!("/api/v1/queues/OPEN.Q/messages/{id}"));
    assert_eq!((code, &one["text"], &one["user"]), (200, &json!("message 203"), &json!("anna")), "{one}");
    assert_eq!(one["properties"], json!([{ "name": "number", "type": "long", "value": "203" }]));
    for (path, code) in [
        ("/api/v1/queues/OPEN.Q/messages/ID:none", 404),
        ("/api/v1/queues/OPEN.NONE/messages", 404),
        ("/api/v1/queues/OPEN.Q/messages?selector=%3D", 400),
        ("/api/v1/queues/OPEN.Q/messages?after=x", 400),
        ("/api/v1/queues/OPEN.Q/messages?after=10001", 400),
    ] {
        assert_eq!(get(&lone, "vera", path).0, code, "{path}");
    }
    let (_, queue) = get(&lone, "vera", "/api/v1/queues/OPEN.Q");
    assert_eq!(
        (&queue["size"], &queue["in_flight"], &queue["consumers"]),
        (&json!(250), &json!(0), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_operates_does_so_under_his_own_rights_and_commands_find_the_token() {
    let lone = with_users().await;
    let message = json!({ "body": "x" });
    assert_eq!(send(&lone, "anna", "SECRET", &message).0, 201);
    assert_eq!(send(&lone, "otto", "OPEN.Q", &message).0, 201);
    for (user, queue, code) in [("otto", "SECRET", 403), ("vera", "OPEN.Q", 403), ("mallory", "OPEN.Q", 401)]
    {
        assert_eq!(send(&lone, user, queue, &message).0, code, "{user} {queue}");
    }
    assert_eq!(get(&lone, "otto", "/api/v1/queues/SECRET/messages").0, 403);
    assert_eq!(get(&lone, "anna", "/api/v1/queues/SECRET/messages").0, 200);
    let purge = |user: &str, queue: &str| {
        http::post(lone.console(), &format!("/api/v1/queues/{queue}/purge"), &login(user), "").unwrap().0
    };
    assert_eq!((purge("otto", "SECRET"), purge("otto", "OPEN.Q"), purge("vera", "OPEN.Q")), (403, 200, 403));
    // Commands of the broker's user find the token by themselves; others need it.
    assert!(well(&quorate_at(&lone, &["queues"]).output().unwrap()).contains("SECRET"));
    assert!(well(&quorate_at(&lone, &["status"]).output().unwrap()).contains("master"));
    let wrong =
        quorate_at(&lone, &["queues"]).env("QUORATE_CONSOLE_TOKEN", "no token at all").output().unwrap();
    assert!(!wrong.status.success() && told(&wrong).contains("not the console's token"), "{wrong:?}");
    assert_eq!(http::text(lone.console(), "/api/v1/queues", "").unwrap().0, 401);
    assert_eq!(http::text(lone.console(), "/health/serving", "").unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_visits_every_page_does_every_action_and_has_nothing_to_complain_of() {
    let lone = with_users().await;
    for number in 0..3 {
        let message = json!({ "body": format!("{HOSTILE} {number}"), "properties": { "p": HOSTILE } });
        assert_eq!(send(&lone, "anna", HOSTILE, &message).0, 201);
    }
    let headers = [("login", "anna"), ("passcode", "anna"), ("client-id", HOSTILE)];
    let mut client = Connection::open_with(lone.stomp(), &headers).await.unwrap();
    let subscribe = Frame::new(
        "SUBSCRIBE",
        &[("destination", "/topic/prices"), ("id", "1"), ("activemq.subscriptionName", HOSTILE)],
    );
    client.request(subscribe, "subscribed").await.unwrap();
    client.request(Frame::new("UNSUBSCRIBE", &[("id", "1")]), "left").await.unwrap();
    let shots = concat!(env!("CARGO_TARGET_TMPDIR"), "/console");
    std::fs::create_dir_all(shots).unwrap();
    let url = format!("http://{}", lone.console());
    let output = Command::new(python::with("selenium==4.51.0 axe-core-python==0.1.0"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/integration/clients/console_visit.py"))
        .args([&*url, "anna", "anna", HOSTILE, shots])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
