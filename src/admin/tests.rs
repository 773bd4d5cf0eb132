//! Tests of the admin interface over a real socket.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::Admin;
use crate::model::Epoch;
use crate::node::{
    DestinationStatus, GroupStatus, RecoveryPlan, Request, RequestError, Role, Snapshot, Status,
};

struct Console {
    admin: Admin,
    snapshots: watch::Sender<Arc<Snapshot>>,
    requests: mpsc::Receiver<Request>,
}

async fn console() -> Console {
    let (snapshots, seen) = watch::channel(Arc::new(Snapshot::default()));
    let (ask, requests) = mpsc::channel(4);
    let admin = Admin::start(([127, 0, 0, 1], 0).into(), seen, ask).await.unwrap();
    Console { admin, snapshots, requests }
}

/// Code and body of the answer.
async fn ask(console: &Console, head: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(console.admin.address()).await.unwrap();
    let request = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn what_the_node_published_last_is_what_is_shown() {
    let console = console().await;
    let (code, body) = ask(&console, "GET /api/status HTTP/1.1").await;
    assert_eq!((code, serde_json::from_str::<Status>(&body).unwrap().role), (200, Role::Waiting));
    let queue = |kind: &str, name: &str| DestinationStatus {
        kind: kind.to_owned(),
        name: name.to_owned(),
        ..DestinationStatus::default()
    };
    console.snapshots.send_replace(Arc::new(Snapshot {
        status: Status { role: Role::Master, epoch: Epoch(7), ..Status::default() },
        group: Some(GroupStatus { replicas: 3, ..GroupStatus::default() }),
        destinations: vec![queue("queue", "A"), queue("topic", "B"), queue("temp-queue", "C")],
        connections: Vec::new(),
    }));
    let (_, body) = ask(&console, "GET /api/status HTTP/1.1").await;
    assert!(body.contains("\"role\":\"master\"") && body.contains("\"epoch\":7"), "{body}");
    let (_, body) = ask(&console, "GET /api/group HTTP/1.1").await;
    assert_eq!(serde_json::from_str::<GroupStatus>(&body).unwrap().replicas, 3);
    let (_, body) = ask(&console, "GET /api/queues HTTP/1.1").await;
    let names: Vec<_> = serde_json::from_str::<Vec<DestinationStatus>>(&body).unwrap();
    assert_eq!(names.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["A", "C"]);
    let (code, body) = ask(&console, "GET / HTTP/1.1").await;
    assert!(code == 200 && body.contains("master, epoch 7"), "{body}");
    console.admin.stop().await;
}

#[tokio::test]
async fn a_lone_broker_has_no_group_and_unknown_pages_are_not_found() {
    let console = console().await;
    for path in ["/api/group", "/api/nothing"] {
        assert_eq!(ask(&console, &format!("GET {path} HTTP/1.1")).await.0, 404, "{path}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn step_down_needs_the_header_and_tells_what_the_node_said() {
    let mut console = console().await;
    let (code, _) = ask(&console, "POST /api/group/step-down HTTP/1.1").await;
    assert_eq!(code, 403);
    assert!(console.requests.try_recv().is_err());
    let answers = [Ok(()), Err(RequestError::NotMaster(Some("node2".to_owned())))];
    let expected =
        [(202, "{\"accepted\":true}"), (409, "{\"error\":\"not the master; the master is node2\"}")];
    for (answer, (code, body)) in answers.into_iter().zip(expected) {
        let (_, mut requests) = mpsc::channel(1);
        std::mem::swap(&mut requests, &mut console.requests);
        let node = async {
            let Some(Request::StepDown { reply }) = requests.recv().await else { panic!("no request") };
            reply.send(answer).unwrap();
        };
        let head = "POST /api/group/step-down HTTP/1.1\r\nX-Quorate: 1\r\nContent-Length: 0";
        let (told, ()) = tokio::join!(ask(&console, head), node);
        assert_eq!(told, (code, body.to_owned()));
        console.requests = requests;
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_recovery_is_told_by_one_request_and_done_by_another_that_needs_the_header() {
    let mut console = console().await;
    assert_eq!(ask(&console, "POST /api/group/recover HTTP/1.1").await.0, 403);
    assert!(console.requests.try_recv().is_err());
    let guarded = "POST /api/group/recover HTTP/1.1\r\nX-Quorate: 1\r\nContent-Length: 0";
    for (head, code, only_told) in [("GET /api/group/recover HTTP/1.1", 200, true), (guarded, 202, false)] {
        let (_, mut requests) = mpsc::channel(1);
        std::mem::swap(&mut requests, &mut console.requests);
        let node = async {
            let Some(Request::Recover { dry, reply }) = requests.recv().await else { panic!("no request") };
            reply.send(Ok(RecoveryPlan { quorum: 2, ..RecoveryPlan::default() })).unwrap();
            dry
        };
        let (told, dry) = tokio::join!(ask(&console, head), node);
        assert_eq!((told.0, dry), (code, only_told));
        assert_eq!(serde_json::from_str::<RecoveryPlan>(&told.1).unwrap().quorum, 2);
        console.requests = requests;
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
