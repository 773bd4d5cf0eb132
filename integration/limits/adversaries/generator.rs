//! Processes of their own beside the nodes: hostile clients, and a sink for them that shows what they cost a machine without
//! a broker. Both are this test program again, told by the environment what it is.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::frames::Chance;
use super::visits::visit;

/// Names the part that a process plays: `visits` or `sink PORT`.
const PART: &str = "QUORATE_HOSTILE_PART";
/// Hostile connections at a time.
pub(super) const VISITORS: u64 = 24;
/// How long a connection lasts at most.
const VISIT_MAX: Duration = Duration::from_secs(20);
/// Pause of a visitor that was turned away.
const TURNED_AWAY: Duration = Duration::from_millis(20);

/// A process that plays a part; killed when dropped.
pub(super) struct Part {
    child: Child,
    words: ChildStdin,
}

impl Part {
    pub(super) fn start(part: &str) -> Part {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "limits::adversaries::generator::hostile_clients_reach_whom_they_are_told_to",
                "--nocapture",
            ])
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let words = child.stdin.take().unwrap();
        Part { child, words }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From now on the visits are to this address; those under way are broken off.
    pub(super) fn turn_to(&mut self, address: SocketAddr) {
        writeln!(self.words, "{address}").unwrap();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Pays visits until it is broken off; counts those that ended as they were meant to.
pub(super) async fn pay_visits(to: SocketAddr, seed: u64, count: &AtomicU64) {
    let visitors = (0..VISITORS).map(|number| async move {
        let mut chance = Chance(seed + number);
        loop {
            match timeout(VISIT_MAX, visit(to, &mut chance)).await {
                Ok(Ok(())) => drop(count.fetch_add(1, Ordering::Relaxed)),
                _ => sleep(TURNED_AWAY).await,
            }
        }
    });
    futures::future::join_all(visitors).await;
}

/// Takes everything and says nothing.
async fn sink(listener: TcpListener) {
    let mut streams = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        streams.spawn(async move {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(1..) = stream.read(&mut bytes).await {}
        });
        while streams.try_join_next().is_some() {}
    }
}

/// Visits whom it is told to on its standard input, until that ends.
async fn visit_as_told() {
    let (told, mut addresses) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if told.send(line.parse::<SocketAddr>().unwrap()).is_err() {
                return;
            }
        }
    });
    let (mut to, mut seed, count) = (addresses.recv().await, 1, AtomicU64::new(0));
    while let Some(address) = to {
        seed += VISITORS;
        tokio::select! {
            () = pay_visits(address, seed, &count) => {}
            other = addresses.recv() => to = other,
        }
    }
}

/// Without a part this is a test of the clients: each of them gets somewhere.
#[tokio::test]
async fn hostile_clients_reach_whom_they_are_told_to() {
    match std::env::var(PART).unwrap_or_default().split_once(' ') {
        Some(("sink", address)) => sink(TcpListener::bind(address).await.unwrap()).await,
        Some(_) => visit_as_told().await,
        None => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (to, count) = (listener.local_addr().unwrap(), AtomicU64::new(0));
            tokio::select! {
                () = sink(listener) => {}
                () = pay_visits(to, 1, &count) => {}
                () = async { while count.load(Ordering::Relaxed) < 2 * VISITORS { sleep(TURNED_AWAY).await } } => {}
            }
            assert!(count.load(Ordering::Relaxed) >= 2 * VISITORS);
        }
    }
}
