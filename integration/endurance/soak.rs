//! Everything at once for long: bodies of all sizes, every kind of acknowledgement, transactions, clients that come and go,
//! and a failover every minute. Nothing is lost, and what the nodes take of the machine stays as it is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::checker::judge;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::load::{Load, Plan};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::usage::Usage;
use crate::harness::{eventually, publish, setting};

use super::bulk;

const LIMIT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages of a transaction.
const TRANSACTION: u64 = 5;
/// Deliveries after which a consumer goes and comes again.
const STAY: usize = 300;
/// Pause of the clients beside the judged load, so that the nodes are busy and not full.
const PACE: Duration = Duration::from_millis(5);
/// What a window has least and most may be so much above the window before.
const GROWTH: f64 = 1.15;
/// And so much more, whatever the ratio: KiB, descriptors, threads, bytes of the log.
const SLACK: [u64; 4] = [32 * 1024, 16, 4, 2 * SEGMENT_BYTES];
const SEGMENT_BYTES: u64 = 16 << 20;

/// What all clients share.
struct Shared {
    cluster: Arc<Cluster>,
    going: AtomicBool,
    sent: AtomicU64,
    taken: AtomicU64,
}

impl Shared {
    fn goes(&self) -> bool {
        self.going.load(Ordering::Relaxed)
    }

    async fn connect(&self) -> Connection {
        Connection::any(&self.cluster.stomp_all()).await
    }
}

/// Bytes of a body, from a few to some that are cut into chunks.
fn size(number: u64) -> usize {
    const SIZES: [usize; 12] = [16, 200, 1000, 4000, 64, 16_000, 300, 1000, 60_000, 128, 300_000, 2000];
    SIZES[(number % SIZES.len() as u64) as usize]
}

fn send(queue: &str, number: u64, transaction: Option<&str>) -> Frame {
    let mut body = format!("{number} ").into_bytes();
    body.resize(size(number).max(body.len()), b'.');
    let name = number.to_string();
    let mut headers = vec![("destination", queue), ("persistent", "true"), ("duplicate-id", name.as_str())];
    headers.extend(transaction.map(|it| ("transaction", it)));
    Frame::new("SEND", &headers).with_body(&body)
}

fn number_of(frame: &Frame) -> u64 {
    let text: String = frame.body.iter().take_while(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
    text.parse().unwrap()
}

/// How many messages a queue's consumer has to see before it may end; known when its producer has ended.
type Total = Arc<AtomicU64>;

/// Sends in transactions, each until it is confirmed; a resend of what was committed counts once.
async fn transact(shared: Arc<Shared>, queue: &'static str, total: Total) -> u64 {
    let (mut connection, mut number) = (shared.connect().await, 0);
    while shared.goes() {
        loop {
            let whole = async {
                connection.writer.send(&Frame::new("BEGIN", &[("transaction", "t")])).await?;
                for each in number + 1..=number + TRANSACTION {
                    connection.writer.send(&send(queue, each, Some("t"))).await?;
                }
                connection.request(Frame::new("COMMIT", &[("transaction", "t")]), "committed").await
            };
            match timeout(PATIENCE, whole).await {
                Ok(Ok(())) => break,
                _ => connection = shared.connect().await,
            }
        }
        number += TRANSACTION;
        shared.sent.fetch_add(TRANSACTION, Ordering::Relaxed);
        tokio::time::sleep(PACE).await;
    }
    total.store(number, Ordering::Relaxed);
    number
}

/// Takes with one kind of acknowledgement, goes away and comes again, until it has seen all; gives what it saw.
async fn take(shared: Arc<Shared>, queue: &'static str, mode: &'static str, total: Total) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    // What is acknowledged before it arrives may be lost on the way.
    let goes = |seen: &BTreeSet<u64>| match mode {
        "auto" => shared.goes(),
        _ => (seen.len() as u64) < total.load(Ordering::Relaxed),
    };
    while goes(&seen) {
        let mut connection = shared.connect().await;
        let headers = [("id", "1"), ("destination", queue), ("ack", mode), ("activemq.prefetchSize", "50")];
        if connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.is_err() {
            continue;
        }
        for turn in 1..=STAY {
            if !goes(&seen) {
                break;
            }
            let Ok(Ok(frame)) = timeout(PATIENCE, connection.reader.frame()).await else { break };
            seen.insert(number_of(&frame));
            shared.taken.fetch_add(1, Ordering::Relaxed);
            let ack = frame.header("ack").unwrap_or_default().to_owned();
            // Cumulative ones come in tens; now and then one comes back.
            let verb = match mode {
                "auto" => continue,
                "client" if turn % 10 != 0 => continue,
                "client-individual" if turn % 50 == 0 => "NACK",
                _ => "ACK",
            };
            if connection.writer.send(&Frame::new(verb, &[("id", &ack)])).await.is_err() {
                break;
            }
        }
        // Half of them without a word.
        if seen.len() % 2 == 0 {
            timeout(PATIENCE, connection.request(Frame::new("DISCONNECT", &[]), "bye")).await.ok();
        }
    }
    seen
}

/// Publishes to a topic and reads it, neither stored nor acknowledged.
async fn chat(shared: Arc<Shared>) {
    let mut number = 0;
    while shared.goes() {
        let mut connection = shared.connect().await;
        let subscribe = Frame::new("SUBSCRIBE", &[("id", "1"), ("destination", "/topic/soak")]);
        let mut talk = async || -> std::io::Result<()> {
            connection.request(subscribe.clone(), "subscribed").await?;
            for _ in 0..STAY {
                number += 1;
                let frame = Frame::new("SEND", &[("destination", "/topic/soak")]);
                connection.request(frame.with_body(&vec![b't'; size(number)]), "sent").await?;
                tokio::time::sleep(PACE).await;
            }
            Ok(())
        };
        timeout(LIMIT, talk()).await.ok();
    }
}

/// The figures of one node at one time.
type Sample = [u64; 4];

fn sample(cluster: &Cluster, node: usize) -> Option<Sample> {
    let it = Usage::of(cluster, node)?;
    Some([it.resident_kib, it.descriptors, it.threads, it.log_bytes])
}

/// The lowest and the highest tenth begin there: as a slave and as a master a node takes different amounts, so that a
/// middle would say how long it was which.
fn range(samples: &[Sample], figure: usize) -> [u64; 2] {
    let mut all: Vec<u64> = samples.iter().map(|sample| sample[figure]).collect();
    all.sort_unstable();
    [all[all.len() / 10], all[all.len() * 9 / 10]]
}

/// Compares the last third of the samples with the third before; the first one warms up.
fn judge_samples(node: usize, samples: &[Sample]) -> Vec<String> {
    const FIGURES: [&str; 4] = ["KiB resident", "descriptors", "threads", "bytes of the log"];
    let third = samples.len() / 3;
    let mut faults = Vec::new();
    let mut words = Vec::new();
    for (figure, name) in FIGURES.into_iter().enumerate() {
        let (before, after) =
            (range(&samples[third..2 * third], figure), range(&samples[2 * third..], figure));
        words.push(format!("{before:?} then {after:?} {name}"));
        let grew = |(before, after): (u64, u64)| {
            after as f64 > before as f64 * GROWTH && after > before + SLACK[figure]
        };
        if before.into_iter().zip(after).any(grew) {
            faults.push(format!("node {node}: {name} grew from {before:?} to {after:?}"));
        }
    }
    publish(&format!("node {node}, lowest and highest tenth of {third} samples each: {}", words.join(", ")));
    faults
}

/// Takes the mastership away: one node is never killed, so that what it takes can be seen to stay.
async fn fail_over(cluster: &Cluster, round: u64) {
    let master = cluster.master(LIMIT).await;
    let epoch = cluster.number(master, "epoch");
    let kill = master != NODES && round.is_multiple_of(2);
    if kill {
        cluster.kill(master)
    } else {
        cluster.step_down(master)
    }
    eventually("a later master serves", LIMIT, || async { (cluster.epoch()? > epoch?).then_some(()) }).await;
    if kill {
        cluster.start_node(master);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_nodes_take_of_the_machine_stays_as_it_is_through_everything() {
    let seconds = setting("QUORATE_SOAK_SECONDS", 12);
    let every = Duration::from_secs(setting("QUORATE_SOAK_FAILOVER_SECONDS", 4));
    let options = Options { log_size: "16MiB", ..Options::default() };
    let cluster = Arc::new(Cluster::start("soak", options).await);
    let begun = Instant::now();
    let plan = Plan { pace: PACE, ..Plan::new(cluster.stomp_all(), "/queue/soak-judged") };
    let load = Load::start(plan);
    let (sent, taken) = (AtomicU64::new(0), AtomicU64::new(0));
    let shared = Arc::new(Shared { cluster: cluster.clone(), going: AtomicBool::new(true), sent, taken });
    let modes = [
        ("/queue/soak-auto", "auto"),
        ("/queue/soak-client", "client"),
        ("/queue/soak-each", "client-individual"),
    ];
    let (mut producers, mut consumers) = (Vec::new(), JoinSet::new());
    for (queue, mode) in modes {
        let total = Arc::new(AtomicU64::new(u64::MAX));
        producers.push(tokio::spawn(transact(shared.clone(), queue, total.clone())));
        consumers.spawn(take(shared.clone(), queue, mode, total));
    }
    // What is refused must leave the log too.
    consumers.spawn(take(shared.clone(), "/queue/ActiveMQ.DLQ", "auto", Total::default()));
    let talk = tokio::spawn(chat(shared.clone()));

    let mut samples: [Vec<Sample>; NODES] = Default::default();
    let (mut failovers, mut next) = (0, every);
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (at, samples) in samples.iter_mut().enumerate() {
            samples.extend(sample(&cluster, at + 1));
        }
        if begun.elapsed() > next {
            failovers += 1;
            fail_over(&cluster, failovers).await;
            next += every;
        }
    }

    let verdict = judge(&load.finish(Duration::from_secs(10)).await.events());
    shared.going.store(false, Ordering::Relaxed);
    let mut sent = Vec::new();
    for producer in producers {
        sent.push(producer.await.unwrap());
    }
    timeout(LIMIT, consumers.join_all()).await.expect("every message comes to its consumer");
    talk.await.unwrap();
    publish(&format!(
        "{:.0} minutes, {failovers} failovers; judged load: {}",
        begun.elapsed().as_secs_f64() / 60.0,
        verdict.summary()
    ));
    publish(&format!(
        "beside it {} messages of 16 B to 300 KB in transactions, {} deliveries",
        shared.sent.load(Ordering::Relaxed),
        shared.taken.load(Ordering::Relaxed)
    ));
    assert!(verdict.is_clean(), "{verdict:?}");
    assert!(sent.iter().all(|sent| *sent > 0) && failovers > 0);
    cluster.agreement(LIMIT).await;
    let faults: Vec<String> = (0..NODES).flat_map(|at| judge_samples(at + 1, &samples[at])).collect();
    bulk::bound("QUORATE_BOUNDS", faults.is_empty(), &format!("what the nodes take is flat: {faults:?}"));
}
