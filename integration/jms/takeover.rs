//! Masters are killed while a JMS application sends, moves and consumes by a `failover:` URL, and it notices nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::java::Flavour;
use crate::harness::cluster::{Cluster, NODES, Options};
use crate::harness::{eventually, publish};

const LIMIT: Duration = Duration::from_secs(60);
/// Messages that are confirmed before each kill and after the last.
const STRETCH: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_javax_application_loses_nothing_when_masters_are_killed() {
    masters_are_killed("jms-javax", Flavour::Javax).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jakarta_application_loses_nothing_when_masters_are_killed() {
    masters_are_killed("jms-jakarta", Flavour::Jakarta).await;
}

async fn masters_are_killed(name: &str, flavour: Flavour) {
    let cluster = Cluster::prepare(name, Options { zk_servers: 1, ..Options::default() });
    cluster.add_openwire();
    cluster.verb(&["start", "1", "2", "3"]);
    cluster.master(LIMIT).await;
    let addresses: Vec<String> =
        (1..=NODES).map(|node| format!("tcp://{}", cluster.openwire(node))).collect();
    let url = format!("failover:({})?randomize=false", addresses.join(","));
    let mut application = Application::start(flavour, &url);
    application.more(STRETCH).await;
    for _ in 0..2 {
        let master = cluster.master(LIMIT).await;
        cluster.kill(master);
        application.more(STRETCH).await;
        cluster.start_node(master);
        eventually("all nodes answer again", LIMIT, || async {
            (1..=NODES).all(|node| cluster.role(node).is_some()).then_some(())
        })
        .await;
        application.more(STRETCH).await;
    }
    let account = application.finish();
    publish(&format!("JMS over two kills: {account}"));
}

/// The program `Takeover`, ended when dropped.
struct Application {
    child: Child,
    sent: Arc<AtomicU64>,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Application {
    fn start(flavour: Flavour, url: &str) -> Application {
        let mut child = flavour.program("Takeover").arg(url).stdin(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let sent = Arc::new(AtomicU64::new(0));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (count, kept) = (Arc::clone(&sent), Arc::clone(&lines));
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                match line.strip_prefix("sent ").and_then(|number| number.parse().ok()) {
                    Some(number) => count.store(number, Ordering::Relaxed),
                    None => kept.lock().unwrap_or_else(PoisonError::into_inner).push(line),
                }
            }
        });
        Application { child, sent, lines, reader: Some(reader) }
    }

    /// Waits until so many more messages have been confirmed.
    async fn more(&self, messages: u64) {
        let goal = self.sent.load(Ordering::Relaxed) + messages;
        eventually("messages of the JMS application are confirmed", LIMIT, || async {
            (self.sent.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Lets it come to its end and gives its account, which must be clean.
    fn finish(&mut self) -> String {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(status.success(), "{}", lines.join("\n"));
        lines.last().cloned().unwrap()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
