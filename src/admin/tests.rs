//! Tests of the admin interface over a real socket.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::door::Roles;
use super::listener::BODY_BYTES_MAX;
use super::{Admin, AdminOptions, Shown, Token};
use crate::broker::{Broker, BrokerOptions, DestinationStatus, Figures, Gate, Page};
use crate::model::{CatalogueChange, Destination, DestinationId, DestinationKind, Epoch, Offset, Record};
use crate::network::Bridges;
use crate::node::{GroupStatus, RecoveryPlan, Request, RequestError, Role, Snapshot, Status};
use crate::security::{Logins, Users};
use crate::state::State;

const CONNECTIONS_MAX: usize = 64;
const TOKEN: &str = "Authorization: Bearer sesame, open";

pub(super) struct Console {
    pub(super) admin: Admin,
    /// What the node would show if it were asked.
    pub(super) now: watch::Sender<Arc<Snapshot>>,
    /// What it has published by itself.
    published: watch::Sender<Arc<Snapshot>>,
    /// The other requests.
    requests: mpsc::Receiver<Request>,
}

/// The options of a console without users.
pub(super) fn options(token: Option<Token>) -> AdminOptions {
    AdminOptions {
        bind: ([127, 0, 0, 1], 0).into(),
        hosts: vec!["console.example".to_owned()],
        token,
        connections_max: CONNECTIONS_MAX,
        logins: Arc::new(Logins::new(Users::default())),
        asks: false,
        roles: Roles::default(),
    }
}

async fn console() -> Console {
    console_of(Figures::default()).await
}

pub(super) async fn console_of(figures: Figures) -> Console {
    console_with(options(Some(Token::given("sesame, open"))), figures).await
}

pub(super) async fn console_with(options: AdminOptions, figures: Figures) -> Console {
    let (published, seen) = watch::channel(Arc::new(Snapshot::default()));
    let (now, looks) = watch::channel(Arc::new(Snapshot::default()));
    let (ask, mut asked) = mpsc::channel(4);
    let (pass_on, requests) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            match request {
                Request::Look { reply } => drop(reply.send(looks.borrow().clone())),
                other => drop(pass_on.send(other).await),
            }
        }
    });
    let shown = Shown {
        figures,
        snapshots: seen,
        requests: ask,
        gate: Gate::bounded(1 << 20).0,
        bridges: Bridges::default(),
    };
    let admin = Admin::start(options, shown).await.unwrap();
    Console { admin, now, published, requests }
}

/// The console of a node that answers nobody.
async fn silent() -> Console {
    let (published, seen) = watch::channel(Arc::new(Snapshot::default()));
    let (ask_node, requests) = mpsc::channel(4);
    drop(requests);
    let options = options(None);
    let shown = Shown {
        figures: Figures::default(),
        snapshots: seen,
        requests: ask_node,
        gate: Gate::bounded(1 << 20).0,
        bridges: Bridges::default(),
    };
    let admin = Admin::start(options, shown).await.unwrap();
    let (now, requests) = (watch::channel(Arc::default()).0, mpsc::channel(1).1);
    Console { admin, now, published, requests }
}

/// Code and body of the answer to what is sent as it stands.
async fn say(console: &Console, request: &str) -> (u16, String) {
    let (head, body) = exchange(console, request).await;
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// Head and body of the answer to what is sent as it stands.
pub(super) async fn exchange(console: &Console, request: &str) -> (String, String) {
    let mut socket = TcpStream::connect(console.admin.address()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Code and body of the answer.
pub(super) async fn ask(console: &Console, head: &str) -> (u16, String) {
    say(console, &format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
}

/// Posts `body` with more headers.
pub(super) async fn post(console: &Console, path: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    say(console, &format!("{head}\r\n{more}")).await
}

#[tokio::test]
async fn what_the_node_looks_like_now_is_what_is_shown() {
    let console = console().await;
    let (code, body) = ask(&console, "GET /api/v1/broker HTTP/1.1").await;
    assert_eq!((code, serde_json::from_str::<Status>(&body).unwrap().role), (200, Role::Waiting));
    console.now.send_replace(Arc::new(Snapshot {
        status: Status { role: Role::Master, serving: true, epoch: Epoch(7), ..Status::default() },
        group: Some(GroupStatus { replicas: 3, ..GroupStatus::default() }),
    }));
    let (_, body) = ask(&console, "GET /api/v1/broker HTTP/1.1").await;
    assert!(body.contains("\"role\":\"master\"") && body.contains("\"epoch\":7"), "{body}");
    let (_, body) = ask(&console, "GET /api/v1/group HTTP/1.1").await;
    assert_eq!(serde_json::from_str::<GroupStatus>(&body).unwrap().replicas, 3);
    let (code, body) = ask(&console, "GET / HTTP/1.1").await;
    assert!(code == 200 && body.contains("master, epoch 7"), "{body}");
    console.admin.stop().await;
}

#[tokio::test]
async fn a_node_that_answers_no_more_is_shown_as_it_was_last() {
    let console = silent().await;
    let status = Status { epoch: Epoch(9), ..Status::default() };
    console.published.send_replace(Arc::new(Snapshot { status, ..Snapshot::default() }));
    let (code, body) = ask(&console, "GET /api/v1/broker HTTP/1.1").await;
    assert!(code == 200 && body.contains("\"epoch\":9"), "{body}");
    console.admin.stop().await;
}

/// The figures of a node that knows these destinations.
pub(super) fn figures(kind: DestinationKind, names: &[&str]) -> Figures {
    let mut state = State::new();
    for (number, name) in (1..).zip(names) {
        let destination = Destination::new(kind, *name).unwrap();
        let change = CatalogueChange::CreateDestination { id: DestinationId(number), destination };
        state.apply(Offset(0), &Record::Catalogue(change));
    }
    Broker::new(BrokerOptions::default(), state).figures().clone()
}

#[tokio::test]
async fn lists_are_read_page_by_page_while_the_node_answers_nobody() {
    let names = ["A B/&", "C", "D", "E", "F"];
    let mut console = console_of(figures(DestinationKind::Queue, &names)).await;
    let (mut seen, mut next) = (Vec::new(), Some("/api/v1/queues?limit=2".to_owned()));
    while let Some(path) = next {
        let (code, body) = ask(&console, &format!("GET {path} HTTP/1.1")).await;
        let page: Page<DestinationStatus> = serde_json::from_str(&body).unwrap();
        assert_eq!((code, page.total), (200, 5), "{body}");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|it| it.name));
        next = page.next;
    }
    assert_eq!(seen, names);
    for path in ["/api/v1/topics", "/api/v1/connections", "/api/v1/connections?after=7"] {
        let (code, body) = ask(&console, &format!("GET {path} HTTP/1.1")).await;
        assert_eq!((code, &*body), (200, r#"{"total":0,"next":null,"items":[]}"#), "{path}");
    }
    for path in ["/api/v1/queues?limit=1001", "/api/v1/topics?page=2", "/api/v1/connections?after=A"] {
        assert_eq!(ask(&console, &format!("GET {path} HTTP/1.1")).await.0, 400, "{path}");
    }
    assert!(console.requests.try_recv().is_err(), "the node was asked");
    console.admin.stop().await;
}

#[tokio::test]
async fn one_destination_is_shown_by_its_name_and_lists_are_filtered() {
    let console = console_of(figures(DestinationKind::Queue, &["A B/&", "C", "c.d"])).await;
    let (code, body) = ask(&console, "GET /api/v1/queues/A%20B%2F%26 HTTP/1.1").await;
    assert!(code == 200 && body.contains(r#""name":"A B/&","size":0"#), "{code} {body}");
    assert_eq!(ask(&console, "GET /api/v1/queues/B HTTP/1.1").await.0, 404);
    assert_eq!(ask(&console, "GET /api/v1/topics/C HTTP/1.1").await.0, 404);
    let (_, body) = ask(&console, "GET /api/v1/queues?name=c&limit=1&sort=size HTTP/1.1").await;
    let page: Page<DestinationStatus> = serde_json::from_str(&body).unwrap();
    assert_eq!((page.total, &*page.items[0].name), (2, "C"), "{body}");
    let (_, body) = ask(&console, &format!("GET {} HTTP/1.1", page.next.unwrap())).await;
    let page: Page<DestinationStatus> = serde_json::from_str(&body).unwrap();
    assert_eq!((page.total, &*page.items[0].name, page.next), (2, "c.d", None), "{body}");
    console.admin.stop().await;
}

#[tokio::test]
async fn a_node_that_answers_nobody_lives_but_is_neither_ready_nor_serving() {
    let console = console().await;
    console.now.send_replace(Arc::new(Snapshot {
        status: Status { role: Role::Master, serving: true, ..Status::default() },
        group: None,
    }));
    for path in ["live", "ready", "serving", "role"] {
        assert_eq!(ask(&console, &format!("GET /health/{path} HTTP/1.1")).await.0, 200, "{path}");
    }
    console.admin.stop().await;

    let console = silent().await;
    for (path, code) in [("live", 200), ("ready", 503), ("serving", 503), ("role", 200)] {
        let (told, body) = ask(&console, &format!("GET /health/{path} HTTP/1.1")).await;
        assert_eq!((told, body.contains("has not answered")), (code, code == 503), "{path}: {body}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_lone_broker_has_no_group_and_unknown_pages_are_not_found() {
    let console = console().await;
    for path in ["/api/v1/group", "/api/nothing"] {
        assert_eq!(ask(&console, &format!("GET {path} HTTP/1.1")).await.0, 404, "{path}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn only_requests_that_name_this_console_are_answered_whatever_they_ask() {
    let mut console = console().await;
    let port = console.admin.address().port();
    let own =
        format!("GET /api/v1/broker HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://localhost:{port}");
    let proxied =
        "GET http://console.example/ HTTP/1.1\r\nHost: console.example\r\nSec-Fetch-Site: same-origin";
    for head in [&own, proxied, "GET / HTTP/1.0\r\nHost: localhost"] {
        assert_eq!(say(&console, &format!("{head}\r\nConnection: close\r\n\r\n")).await.0, 200, "{head}");
    }
    for (code, head) in [
        (421, "GET /api/v1/connections HTTP/1.1\r\nHost: attacker.example:8161"),
        (421, "GET /api/nothing HTTP/1.1\r\nHost: attacker.example"),
        (421, &format!("POST /api/v1/group/step-down HTTP/1.1\r\nHost: attacker.example\r\n{TOKEN}")),
        (421, "GET http://attacker.example/ HTTP/1.1\r\nHost: localhost"),
        (400, "GET / HTTP/1.0"),
        (400, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: attacker.example"),
        (403, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://attacker.example"),
        (403, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null"),
        (403, "GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site"),
    ] {
        assert_eq!(say(&console, &format!("{head}\r\nConnection: close\r\n\r\n")).await.0, code, "{head}");
    }
    assert!(console.requests.try_recv().is_err(), "the node was asked");
    console.admin.stop().await;
}

#[tokio::test]
async fn step_down_needs_the_token_unless_the_node_refuses_it_anyhow() {
    const PATH: &str = "/api/v1/group/step-down";
    let mut console = console().await;
    let alone = || Err(RequestError::Refused("there is no other voter".to_owned()));
    for (headers, answer, dry, code) in [
        ("X-Quorate: 1", Ok(()), true, 401),
        ("X-Quorate: 1", alone(), true, 409),
        ("Authorization: Bearer sesame", Ok(()), true, 401),
        ("Authorization: Basic c2VzYW1l", Ok(()), true, 401),
        (TOKEN, alone(), false, 409),
        (TOKEN, Ok(()), false, 202),
    ] {
        let (_, mut requests) = mpsc::channel(1);
        std::mem::swap(&mut requests, &mut console.requests);
        let node = async {
            let Some(Request::StepDown { dry, reply }) = requests.recv().await else { panic!("no request") };
            reply.send(answer).unwrap();
            dry
        };
        let ((told, body), asked) = tokio::join!(post(&console, PATH, headers, ""), node);
        assert_eq!((told, asked), (code, dry), "{headers}: {body}");
        assert_eq!(body.contains("there is no other voter"), code == 409, "{body}");
        console.requests = requests;
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_recovery_is_done_as_it_was_shown_and_only_with_the_token() {
    const PATH: &str = "/api/v1/group/recover";
    let mut console = console().await;
    let plan = RecoveryPlan { quorum: 2, epoch: Epoch(3), ..RecoveryPlan::default() };
    let shown = serde_json::to_string(&plan).unwrap();
    let large = format!("{shown}{}", " ".repeat(BODY_BYTES_MAX));
    for (headers, body, code) in
        [("X-Quorate: 1", &*shown, 401), (TOKEN, "{}", 422), (TOKEN, "no plan", 400), (TOKEN, &large, 413)]
    {
        assert_eq!(post(&console, PATH, headers, body).await.0, code, "{headers}");
    }
    assert!(console.requests.try_recv().is_err(), "the node was asked");
    let now = RecoveryPlan { epoch: Epoch(4), ..plan.clone() };
    let changed = Err(RequestError::PlanChanged(Box::new(now.clone())));
    for (only_told, answer, code, told) in [
        (true, Ok(plan.clone()), 200, &plan),
        (false, Ok(plan.clone()), 202, &plan),
        (false, changed, 409, &now),
    ] {
        let (_, mut requests) = mpsc::channel(1);
        std::mem::swap(&mut requests, &mut console.requests);
        let node = async {
            let Some(Request::Recover { seen, reply }) = requests.recv().await else { panic!("no request") };
            reply.send(answer).unwrap();
            seen
        };
        let asked = async {
            match only_told {
                true => ask(&console, &format!("GET {PATH} HTTP/1.1")).await,
                false => post(&console, PATH, TOKEN, &shown).await,
            }
        };
        let ((got, body), seen) = tokio::join!(asked, node);
        assert_eq!((got, seen.as_deref()), (code, (!only_told).then_some(&plan)));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let shown = if code == 409 { &body["plan"] } else { &body };
        assert_eq!(&serde_json::from_value::<RecoveryPlan>(shown.clone()).unwrap(), told);
        console.requests = requests;
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn more_connections_than_there_may_be_end_the_oldest_idle_ones() {
    let console = console().await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX + 8 {
        let mut socket = TcpStream::connect(console.admin.address()).await.unwrap();
        socket.write_all(b"GET /api/v1/broker HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        idle.push(socket);
    }
    for (number, socket) in idle.iter_mut().enumerate() {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.ok();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
        let answered = String::from_utf8_lossy(&rest).contains("HTTP/1.1 200");
        assert_eq!(answered, number >= 8, "connection {number}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let console = console().await;
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(17 << 10));
    assert_eq!(say(&console, &long).await.0, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(100));
    assert_eq!(say(&console, &many).await.0, 431);
    console.admin.stop().await;
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_ended() {
    let console = console().await;
    let mut sockets = Vec::new();
    for sent in ["", "GET / HTTP/1.1\r\nHost: loc", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut socket = TcpStream::connect(console.admin.address()).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    for mut socket in sockets {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_stop() {
    let console = console().await;
    let address = console.admin.address();
    let idle = TcpStream::connect(address).await.unwrap();
    tokio::time::timeout(2 * Admin::STOP_WITHIN, console.admin.stop()).await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err());
}
