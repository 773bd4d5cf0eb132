//! Full disks: producers are held, consumers drain, nothing that was confirmed is lost, and service returns by itself.

use std::time::Duration;

use tokio::time::timeout;

use super::volumes::Volumes;
use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::load::{Load, Plan};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, publish, setting};

const LIMIT: Duration = Duration::from_secs(60);
/// Clients wait as long as producers are held.
const PATIENCE: Duration = Duration::from_secs(300);
const VOLUME_MIB: u64 = 256;
/// How long a held send is looked at: it must not be answered.
const LOOK: Duration = Duration::from_secs(1);
/// Sends to keep in the queue before disks are filled.
const BACKLOG: usize = 2_000;
/// Bytes that are stored while one slave has no room: more than its reserve, less than the others' volumes.
const STORED: u64 = 90 << 20;

/// Three nodes, each on a small volume of its own. The cluster ends before its volumes do.
struct Scene {
    cluster: Cluster,
    volumes: Volumes,
}

impl Scene {
    async fn start(name: &str) -> Scene {
        let options = Options { zk_servers: 1, log_size: "4MiB", ..Options::default() };
        let cluster = Cluster::prepare(name, options);
        let volumes = Volumes::mount(&cluster, name, VOLUME_MIB);
        cluster.verb(&["start", "1", "2", "3"]);
        cluster.master(LIMIT).await;
        Scene { cluster, volumes }
    }

    fn alarmed(&self, node: usize, name: &str) -> Option<bool> {
        let status = self.cluster.status(node)?;
        Some(status["alarms"].as_array()?.iter().any(|alarm| alarm["name"] == name))
    }

    async fn alarm(&self, node: usize, name: &str, on: bool) {
        eventually(&format!("alarm {name} of node {node} is {on}"), LIMIT, || async {
            (self.alarmed(node, name)? == on).then_some(())
        })
        .await;
    }

    /// All nodes follow one master, in the epoch in which they began.
    fn unmoved(&self, pids: &[u32], epoch: Option<u64>) {
        let now: Vec<u32> = (1..=NODES).map(|node| self.cluster.pid(node)).collect();
        assert_eq!(now, pids, "no process ends for want of room");
        assert!((1..=NODES).all(|node| self.cluster.runs(node)), "all nodes run");
        assert_eq!(self.cluster.epoch(), epoch, "the master stays");
    }

    fn pids(&self) -> Vec<u32> {
        (1..=NODES).map(|node| self.cluster.pid(node)).collect()
    }
}

fn plan(cluster: &Cluster, queue: &str, producers: u32, consumers: u32) -> Plan {
    let plan = Plan::new(cluster.stomp_all(), &format!("/queue/{queue}"));
    Plan { producers, consumers, body_bytes: 2048, patience: PATIENCE, pace: Duration::ZERO, ..plan }
}

fn send(queue: &str, persistent: bool, body: &[u8]) -> Frame {
    let persistent = if persistent { "true" } else { "false" };
    Frame::new("SEND", &[("destination", queue), ("persistent", persistent)]).with_body(body)
}

/// A persistent send gets no answer at all, a non-persistent one does.
async fn sends_are_held(cluster: &Cluster) {
    let mut other = Connection::any(&cluster.stomp_all()).await;
    other.request(send("/queue/fleeting", false, b"goes through"), "fleeting").await.unwrap();
    let mut held = Connection::any(&cluster.stomp_all()).await;
    let answer = timeout(LOOK, held.request(send("/queue/held", true, b"waits"), "held")).await;
    assert!(answer.is_err(), "a send was answered without room for it: {answer:?}");
}

/// Fills the disks of `victims` under load, drains the queue meanwhile, and gives the disks back.
async fn producers_are_held(scene: &Scene, victims: &[usize], name: &str, queue: &str) {
    let Scene { cluster, volumes } = scene;
    let master = cluster.master(LIMIT).await;
    let (pids, epoch) = (scene.pids(), cluster.epoch());
    let producers = Load::start(plan(cluster, queue, 4, 0));
    producers.confirmations(BACKLOG, LIMIT).await;
    for node in victims {
        volumes.fill(*node);
    }
    scene.alarm(master, "producers-held", true).await;
    for node in victims {
        scene.alarm(*node, "disk-full", true).await;
    }
    sends_are_held(cluster).await;
    let place = producers.history().len();
    let consumers = producers.beside(plan(cluster, queue, 0, 4));
    // From before they began: they may be done by the time this task is on again.
    consumers.progress_from(place, 0, BACKLOG, LIMIT).await;
    cluster.empty(queue, LIMIT).await;
    assert_eq!(scene.alarmed(master, "producers-held"), Some(true), "the disks are still full");
    let events = producers.history().events_from(place);
    let confirmed =
        events.iter().filter(|event| matches!(event.what, crate::harness::history::What::Confirmed(_)));
    assert_eq!(confirmed.count(), 0, "no send was confirmed while consumers drained");
    scene.unmoved(&pids, epoch);
    for node in victims {
        volumes.relieve(*node);
    }
    producers.confirmations(100, LIMIT).await;
    scene.alarm(master, "producers-held", false).await;
    assert_eq!(producers.failures(), 0, "held sends are answered in the end, on the same connection");
    producers.finish(Duration::from_millis(200)).await;
    let history = consumers.finish(LIMIT).await;
    let verdict = judge(&history.events());
    publish(&format!("disk full on {name}: {}", verdict.summary()));
    assert!(verdict.is_clean() && verdict.unknown == 0, "{verdict:?}");
    scene.unmoved(&pids, epoch);
}

/// Fills the disk of one slave: the group goes on without it, it starts on the full disk too, and is taken back when it
/// has room.
async fn one_slave_is_left_behind(scene: &Scene, queue: &str) {
    let Scene { cluster, volumes } = scene;
    let master = cluster.master(LIMIT).await;
    let slave = 1 + master % NODES;
    let (pids, epoch) = (scene.pids(), cluster.epoch());
    volumes.fill(slave);
    let from = cluster.number(master, "committed").unwrap();
    let producers = Load::start(Plan { body_bytes: 64 << 10, ..plan(cluster, queue, 4, 0) });
    eventually("more is stored than the slave has in reserve", LIMIT, || async {
        assert_eq!(scene.alarmed(master, "producers-held"), Some(false), "the other slave suffices");
        (cluster.number(master, "committed")? > from + STORED).then_some(())
    })
    .await;
    scene.alarm(slave, "disk-full", true).await;
    assert!(cluster.log(slave).contains("no records are taken from the master"), "its reserve is used up");
    scene.unmoved(&pids, epoch);
    cluster.kill(slave);
    cluster.start_node(slave);
    scene.alarm(slave, "disk-full", true).await;
    let pids = scene.pids();
    let consumers = producers.beside(plan(cluster, queue, 0, 4));
    volumes.relieve(slave);
    producers.finish(Duration::from_millis(200)).await;
    let history = consumers.finish(LIMIT).await;
    let verdict = judge(&history.events());
    publish(&format!("disk full on one slave, {} MiB stored: {}", STORED >> 20, verdict.summary()));
    assert!(verdict.is_clean() && verdict.unknown == 0, "{verdict:?}");
    cluster.agreement(LIMIT).await;
    scene.alarm(slave, "disk-full", false).await;
    scene.unmoved(&pids, epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disks_hold_producers_and_let_consumers_drain_and_lose_nothing() {
    let scene = Scene::start("full-disks").await;
    for round in 0..setting("QUORATE_DISK_ROUNDS", 1) {
        let master = scene.cluster.master(LIMIT).await;
        let (first, second) = (1 + master % NODES, 1 + (master + 1) % NODES);
        // Each has a queue of its own: a name that was used before would be taken for a repetition.
        let queue = |name: &str| format!("{name}-{round}");
        producers_are_held(&scene, &[master], "the master", &queue("master")).await;
        producers_are_held(&scene, &[master, first], "the master and a slave", &queue("two")).await;
        producers_are_held(&scene, &[first, second], "both slaves", &queue("slaves")).await;
        one_slave_is_left_behind(&scene, &queue("one")).await;
    }
}
