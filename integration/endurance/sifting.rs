//! Most of what comes goes at once, a little of it stays: the log stays short on every node, and what is kept is there.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::stomp::{Connection, Frame};
use crate::harness::stores::log_directory;
use crate::harness::usage::log_bytes;
use crate::harness::{eventually, publish, setting};

const LIMIT: Duration = Duration::from_secs(60);
/// Messages between two receipts, and at most between a send and its delivery.
const BATCH: u64 = 200;
/// What a message takes in the log besides its body, at most: record header, fixed part, names, and its part of the record
/// that settles it.
const OVERHEAD_BYTES: u64 = 256;
const LIVE_FACTOR: u64 = 2;
/// Three to spare, and the one that is being cleaned.
const SEGMENTS_MAX: u64 = 3 + 1;

/// What passes, and what is kept of it.
struct Sieve {
    messages: u64,
    body_bytes: usize,
    /// One message of so many is kept; the kept ones are as long as the others, or just their number.
    keep_one_in: u64,
    kept_are_short: bool,
    segment_bytes: u64,
}

/// The longest that the logs were beyond what is alive in them.
#[derive(Default)]
struct Lengths {
    /// Most segments beyond the live part, from base to end.
    spare: f64,
    /// The same for the files, reserved space included.
    spare_in_files: f64,
    looks: u64,
}

impl Sieve {
    fn is_kept(&self, number: u64) -> bool {
        number.is_multiple_of(self.keep_one_in)
    }

    fn body(&self, number: u64) -> Vec<u8> {
        let width = if self.kept_are_short && self.is_kept(number) { 1 } else { self.body_bytes };
        format!("{number:0width$}").into_bytes()
    }

    /// Bytes of the log that are alive at most when so many messages have been sent.
    fn live(&self, sent: u64) -> u64 {
        let one = if self.kept_are_short { 20 } else { self.body_bytes as u64 };
        let waiting = (2 * BATCH).min(sent) * (self.body_bytes as u64 + OVERHEAD_BYTES);
        sent / self.keep_one_in * (one + OVERHEAD_BYTES) + waiting
    }

    async fn sift(&self, cluster: &Cluster) -> Lengths {
        let mut producer = Connection::any(&cluster.stomp_all()).await;
        let mut consumer = subscribed(cluster).await;
        let (mut sent, mut taken, mut lengths) = (0, 0, Lengths::default());
        let mut look_at = Instant::now();
        while taken < self.messages {
            let until = (sent + BATCH).min(self.messages);
            let send = async {
                for number in sent + 1..=until {
                    let frame =
                        Frame::new("SEND", &[("destination", "/queue/sieve"), ("persistent", "true")])
                            .with_body(&self.body(number));
                    if number < until {
                        producer.writer.send(&frame).await.unwrap();
                    } else {
                        timeout(LIMIT, producer.request(frame, "so far")).await.unwrap().unwrap();
                    }
                }
            };
            let last = sent;
            let take = async {
                while taken < last {
                    taken += 1;
                    let frame = timeout(LIMIT, consumer.reader.frame()).await.unwrap().unwrap();
                    assert!(frame.body == self.body(taken), "number {taken} is not what came");
                    if !self.is_kept(taken) {
                        let ack = Frame::new("ACK", &[("id", frame.header("ack").unwrap())]);
                        consumer.writer.send(&ack).await.unwrap();
                    }
                }
            };
            tokio::join!(send, take);
            sent = until;
            if look_at.elapsed() > Duration::from_millis(200) || taken == self.messages {
                self.look(cluster, sent, &mut lengths);
                look_at = Instant::now();
            }
        }
        consumer.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
        lengths
    }

    /// Waits until the log of every node is as short as it may be: nothing more comes, so nothing hinders.
    async fn settles(&self, cluster: &Cluster) {
        let bound = LIVE_FACTOR * self.live(self.messages) + SEGMENTS_MAX * self.segment_bytes;
        eventually("every log has been cleaned and is short", LIMIT, || async {
            let short = |node| {
                let status = cluster.status(node)?;
                let (base, end) = (status["base"].as_u64()?, status["end"]["offset"].as_u64()?);
                (base > 0 && end - base <= bound && log_bytes(cluster, node) <= bound).then_some(())
            };
            (1..=NODES).all(|node| short(node).is_some()).then_some(())
        })
        .await;
    }

    /// The bound, at every look.
    fn judge(&self, lengths: &Lengths) {
        let most = SEGMENTS_MAX as f64;
        assert!(lengths.spare <= most, "a log was longer than {LIVE_FACTOR} x live and {most} segments");
        assert!(lengths.spare_in_files <= most, "the files of a log took more than that");
    }

    /// Compares the length of each node's log with the bound.
    fn look(&self, cluster: &Cluster, sent: u64, lengths: &mut Lengths) {
        let live = self.live(sent);
        for node in 1..=NODES {
            let Some(status) = cluster.status(node) else { continue };
            let number = |value: &serde_json::Value| value.as_u64().unwrap();
            let length = number(&status["end"]["offset"]) - number(&status["base"]);
            let spare =
                |bytes: u64| bytes.saturating_sub(LIVE_FACTOR * live) as f64 / self.segment_bytes as f64;
            lengths.spare = lengths.spare.max(spare(length));
            lengths.spare_in_files = lengths.spare_in_files.max(spare(log_bytes(cluster, node)));
            lengths.looks += 1;
        }
    }

    /// Takes what was kept: all of it, in order, and nothing else.
    async fn take_kept(&self, cluster: &Cluster) {
        let mut consumer = subscribed(cluster).await;
        let mut last = String::new();
        for number in (1..=self.messages).filter(|number| self.is_kept(*number)) {
            let frame = timeout(LIMIT, consumer.reader.frame()).await;
            let frame = frame.unwrap_or_else(|_| panic!("number {number} does not come")).unwrap();
            assert!(frame.body == self.body(number), "number {number} was kept, and is not what came");
            last = frame.header("ack").unwrap().to_owned();
            consumer.writer.send(&Frame::new("ACK", &[("id", &last)])).await.unwrap();
        }
        assert!(!last.is_empty());
        consumer.request(Frame::new("DISCONNECT", &[]), "bye").await.unwrap();
        cluster.empty("sieve", LIMIT).await;
    }
}

/// A consumer that acknowledges each message by itself.
async fn subscribed(cluster: &Cluster) -> Connection {
    let mut consumer = Connection::any(&cluster.stomp_all()).await;
    let headers = [
        ("id", "1"),
        ("destination", "/queue/sieve"),
        ("ack", "client-individual"),
        ("activemq.prefetchSize", "60000"),
    ];
    consumer.request(Frame::new("SUBSCRIBE", &headers), "subscribed").await.unwrap();
    consumer
}

/// Removes everything of a stopped node that can be made anew from its log.
pub(super) fn remove_caches(cluster: &Cluster, node: usize) -> usize {
    let directory = log_directory(cluster, node).unwrap();
    std::fs::remove_dir_all(directory.parent().unwrap().join("index")).unwrap();
    let files = std::fs::read_dir(&directory).unwrap().flatten().map(|entry| entry.path());
    let sidecars: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "sidecar")).collect();
    sidecars.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    sidecars.len()
}

async fn run(name: &str, log_size: &'static str, sieve: Sieve) {
    let options = Options { zk_servers: 1, log_size, ..Options::default() };
    let cluster = Cluster::start(name, options).await;
    let begun = Instant::now();
    let lengths = sieve.sift(&cluster).await;
    let bytes = sieve.messages * sieve.body_bytes as u64;
    publish(&format!(
        "{name}: {} messages, {:.2} GiB in {:.0} s, one in {} kept; longest log in {} looks: {LIVE_FACTOR} x live + {:.2} \
         segments of {log_size}, its files {LIVE_FACTOR} x live + {:.2}",
        sieve.messages,
        bytes as f64 / (1u64 << 30) as f64,
        begun.elapsed().as_secs_f64(),
        sieve.keep_one_in,
        lengths.looks,
        lengths.spare,
        lengths.spare_in_files
    ));
    sieve.settles(&cluster).await;
    // How far a node is behind in between is a matter of its machine's time.
    if setting("QUORATE_BOUNDS", 0) > 0 && sieve.segment_bytes >= 100 << 20 {
        sieve.judge(&lengths);
    }
    cluster.agreement(LIMIT).await;

    for node in 1..=NODES {
        cluster.stop(node);
    }
    // The third one keeps what it has: all must come to the same.
    for node in 1..NODES {
        assert!(remove_caches(&cluster, node) > 0, "node {node} had sidecars");
    }
    cluster.verb(&["start", "1", "2", "3"]);
    cluster.master(LIMIT).await;
    cluster.agreement(LIMIT).await;
    sieve.take_kept(&cluster).await;
    cluster.agreement(LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_among_many_of_its_queue_survives_being_moved_again_and_again() {
    let messages = setting("QUORATE_SIEVE_SMALL", 100_000);
    let sieve =
        Sieve { messages, body_bytes: 128, keep_one_in: 8, kept_are_short: false, segment_bytes: 2 << 20 };
    run("sifting", "2MiB", sieve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_messages_that_stay_do_not_make_long_ones_stay_that_go() {
    let messages = setting("QUORATE_SIEVE_MIXED", 6_000);
    let sieve =
        Sieve { messages, body_bytes: 8192, keep_one_in: 2, kept_are_short: true, segment_bytes: 2 << 20 };
    run("sifting-mixed", "2MiB", sieve).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_in_a_thousand_keeps_no_segment_of_the_others() {
    let mebibytes = setting("QUORATE_SIEVE_MIB", 256);
    // The same number of segments passes whatever the size of the run.
    let (log_size, segment_bytes) = if mebibytes > 4096 { ("100MiB", 100 << 20) } else { ("8MiB", 8 << 20) };
    let body_bytes = 16 << 10;
    let messages = (mebibytes << 20) / body_bytes;
    let body_bytes = body_bytes as usize;
    let sieve = Sieve { messages, body_bytes, keep_one_in: 1000, kept_are_short: false, segment_bytes };
    run("one-in-a-thousand", log_size, sieve).await;
}
