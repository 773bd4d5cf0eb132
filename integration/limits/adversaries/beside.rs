//! Clients that behave, beside a generator of hostile ones, against three nodes with little memory and few descriptors each:
//! nobody ends, nothing is lost, and they are as fast as beside the same generator against a sink.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::control_group::{Bound, ControlGroup, confined};
use super::generator::Part;
use super::is_served;
use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::history::What;
use crate::harness::load::{Load, Plan};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::usage::Usage;
use crate::harness::{publish, setting};

/// What a node may take.
const GROUP_BYTES: u64 = 256 << 20;
const DESCRIPTORS: u64 = 128;
/// What its configuration lets messages take.
const USAGE: &str = "\n[system_usage]\nmemory = \"64 MiB\"\ntemp = \"1 GiB\"\n";
/// Percent of one processor for the generator.
const GENERATOR_SHARE: u64 = 25;
/// Clients that behave and are connected all the while: those of the load, and others that ask now and then.
const CONNECTIONS: u64 = 64;
const CLIENTS_OF_LOAD: u32 = 4;
/// How often one of the others asks, and how long it may wait.
const ASK_EVERY: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(20);
/// The part of a slice that is not counted: the generator has just turned.
const SETTLING: Duration = Duration::from_secs(1);
/// The least share of the rate beside the sink that is right.
const SHARE_MIN: f64 = 0.9;

/// Clients that hold a connection and ask something on it again and again.
struct Regulars {
    going: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    clients: JoinSet<Result<(), String>>,
}

impl Regulars {
    async fn start(count: u64, to: &[SocketAddr]) -> Regulars {
        let (going, answers) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU64>::default());
        let mut clients = JoinSet::new();
        for number in 0..count {
            let mut connection = timeout(PATIENCE, Connection::any(to)).await.expect("regulars get in");
            let (going, answers) = (going.clone(), answers.clone());
            clients.spawn(async move {
                let mut asked = 0;
                while going.load(Ordering::Relaxed) {
                    sleep(ASK_EVERY).await;
                    asked += 1;
                    let frame = Frame::new("SEND", &[("destination", "/topic/regulars")]);
                    let answer = timeout(PATIENCE, connection.request(frame, &asked.to_string())).await;
                    let what = format!("regular {number}, question {asked}");
                    answer
                        .map_err(|_| format!("{what}: no answer in {PATIENCE:?}"))?
                        .map_err(|e| format!("{what}: {e}"))?;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Regulars { going, answers, clients }
    }

    /// Ends them; gives how many answers they had, and what went wrong.
    async fn finish(self) -> (u64, Vec<String>) {
        self.going.store(false, Ordering::Relaxed);
        let faults = self.clients.join_all().await.into_iter().filter_map(Result::err).collect();
        (self.answers.load(Ordering::Relaxed), faults)
    }
}

/// Nodes that run in groups of their own, and what is known of them.
struct Confined {
    cluster: Cluster,
    pids: Vec<u32>,
    most: [Usage; NODES],
    groups: Vec<ControlGroup>,
    _directory: tempfile::TempDir,
}

impl Confined {
    async fn start() -> Confined {
        let directory = tempfile::tempdir().unwrap();
        let groups: Vec<_> = (1..=NODES)
            .map(|node| ControlGroup::new(&format!("node{node}"), Bound::Memory(GROUP_BYTES)))
            .collect();
        let binary = Some(confined(directory.path(), &groups, DESCRIPTORS));
        let cluster = Cluster::prepare("hostile", Options { binary, ..Options::default() });
        for node in 1..=NODES {
            let path = cluster.directory(node).join("quorate.toml");
            let text = std::fs::read_to_string(&path).unwrap() + USAGE;
            std::fs::write(path, text).unwrap();
        }
        cluster.verb(&["start", "1", "2", "3"]);
        cluster.master(PATIENCE).await;
        let pids = (1..=NODES).map(|node| cluster.pid(node)).collect();
        Confined { cluster, pids, most: Default::default(), groups, _directory: directory }
    }

    /// Keeps the highest figures, and says who has ended.
    fn look(&mut self) -> Vec<String> {
        let mut faults = Vec::new();
        for node in 1..=NODES {
            let most = &mut self.most[node - 1];
            if !self.cluster.runs(node) || self.cluster.pid(node) != self.pids[node - 1] {
                let last = self.cluster.log(node).lines().last().unwrap_or_default().to_owned();
                faults.push(format!("node {node} has ended: {last}"));
            } else if let Some(now) = Usage::of(&self.cluster, node) {
                most.resident_kib = most.resident_kib.max(now.resident_kib);
                most.descriptors = most.descriptors.max(now.descriptors);
                most.threads = most.threads.max(now.threads);
            }
            if self.groups[node - 1].kills() > 0 {
                faults.push(format!("the kernel has killed a process of node {node}"));
            }
            if self.cluster.log(node).contains("panicked") {
                faults.push(format!("a task of node {node} has panicked"));
            }
        }
        faults
    }
}

/// The rate of a load of its own in one slice of the run, one that leaves the machine some room, and what the checker holds
/// against it.
async fn slice(addresses: &[SocketAddr], number: u64, length: Duration) -> (f64, Option<String>) {
    let plan = Plan {
        producers: CLIENTS_OF_LOAD,
        consumers: CLIENTS_OF_LOAD,
        patience: PATIENCE,
        ..Plan::new(addresses.to_vec(), &format!("/queue/good.{number}"))
    };
    let load = Load::start(plan);
    sleep(SETTLING).await;
    let (begun, before) = (Instant::now(), load.history().len());
    sleep(length).await;
    let seconds = begun.elapsed().as_secs_f64();
    let events = load.history().events_from(before);
    let confirmed = events.iter().filter(|event| matches!(event.what, What::Confirmed(_))).count();
    let failures = load.failures();
    let verdict = judge(&load.finish(PATIENCE).await.events());
    let whole = verdict.is_clean() && verdict.acknowledged == verdict.attempted && failures == 0;
    let fault = (!whole).then(|| format!("slice {number}: {failures} sends failed; {}", verdict.summary()));
    (confirmed as f64 / seconds, fault)
}

fn median(rates: &[f64]) -> f64 {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_behave_are_served_beside_hostile_ones() {
    let seconds = setting("QUORATE_HOSTILE_SECONDS", 40);
    let length = Duration::from_secs(setting("QUORATE_HOSTILE_SLICE_SECONDS", 3));
    let mut confined = Confined::start().await;
    let master = confined.cluster.master(PATIENCE).await;
    let addresses = confined.cluster.stomp_all();
    let regulars = Regulars::start(CONNECTIONS - 2 * u64::from(CLIENTS_OF_LOAD), &addresses).await;
    let sink: SocketAddr = ([127, 0, 0, 1], confined.cluster.stomp(1).port() + 90).into();
    let _sink = Part::start(&format!("sink {sink}"));
    let share = ControlGroup::new("generator", Bound::Processor(GENERATOR_SHARE));
    let mut generator = Part::start("visits 1");
    share.enter(generator.pid());

    let (mut beside_broker, mut beside_sink, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    for number in 0.. {
        if begun.elapsed() >= Duration::from_secs(seconds) && number % 2 == 0 || !faults.is_empty() {
            break;
        }
        let (target, rates) = match number % 2 {
            0 => (confined.cluster.stomp(master), &mut beside_broker),
            _ => (sink, &mut beside_sink),
        };
        generator.turn_to(target);
        let (rate, fault) = slice(&addresses, number, length).await;
        rates.push(rate);
        faults.extend(fault);
        faults.extend(confined.look());
    }
    drop((generator, share));
    let (answers, complaints) = regulars.finish().await;
    faults.extend(complaints);
    faults.extend(
        is_served(confined.cluster.stomp(master), PATIENCE).await.err().map(|e| format!("afterwards: {e}")),
    );
    let (hostile, quiet) = (median(&beside_broker), median(&beside_sink));
    publish(&format!(
        "{:.0} minutes, {} slices each: {hostile:.0} confirmed/s beside hostile clients, {quiet:.0} beside the same against a sink, \
         {:.2} of it; {CONNECTIONS} connections of clients that behave, {answers} answers to those that ask now and then",
        begun.elapsed().as_secs_f64() / 60.0,
        beside_sink.len(),
        hostile / quiet
    ));
    for (node, most) in confined.most.iter().enumerate() {
        publish(&format!(
            "node {}: at most {} MiB resident of {} MiB, {} descriptors of {DESCRIPTORS}, {} threads",
            node + 1,
            most.resident_kib / 1024,
            GROUP_BYTES >> 20,
            most.descriptors,
            most.threads
        ));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    confined.cluster.agreement(PATIENCE).await;
    let bound = setting("QUORATE_BOUNDS", 0) == 0 || hostile >= quiet * SHARE_MIN;
    assert!(bound, "{hostile:.0}/s beside hostile clients, {quiet:.0}/s beside a sink");
}
