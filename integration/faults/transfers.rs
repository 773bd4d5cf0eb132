//! Transactions: three messages each to two queues in one, and one message from queue to queue in one. Whatever fails,
//! each is done as a whole or not at all, and what is moved is there once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::harness::stomp::{Connection, Frame};

/// Messages of a transaction in each of its two queues.
const PARTS: u64 = 3;
/// Pause between two transactions.
const PACE: Duration = Duration::from_millis(40);
/// How long a client waits for a receipt or a delivery before it connects anew.
const PATIENCE: Duration = Duration::from_secs(1);
/// One transaction of so many is rolled back.
const ROLLBACK_EVERY: u64 = 8;

/// How a transaction ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    RolledBack,
    Unknown,
}

/// What a queue gave out: the ids of the messages that had a body.
type Seen = BTreeMap<String, BTreeSet<String>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    outcomes: BTreeMap<u64, Outcome>,
    /// From the queue that transactions fill.
    right: Seen,
    /// From the queue that transfers fill.
    moved: Seen,
}

struct Shared {
    addresses: Vec<SocketAddr>,
    journal: Mutex<Journal>,
    sending: AtomicBool,
    next: AtomicU64,
}

impl Shared {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clients.
pub(crate) struct Transfers {
    shared: Arc<Shared>,
    senders: JoinSet<()>,
    movers: JoinSet<()>,
}

/// Queues, in the words of STOMP.
pub(crate) const QUEUES: [&str; 3] = ["left", "right", "moved"];

impl Transfers {
    /// Starts them.
    pub(crate) fn start(addresses: Vec<SocketAddr>) -> Transfers {
        let shared = Arc::new(Shared {
            addresses,
            journal: Mutex::default(),
            sending: AtomicBool::new(true),
            next: AtomicU64::new(1),
        });
        let (mut senders, mut movers) = (JoinSet::new(), JoinSet::new());
        senders.spawn(send(Arc::clone(&shared)));
        movers.spawn(again(Arc::clone(&shared), Task::Move));
        movers.spawn(again(Arc::clone(&shared), Task::Take("right")));
        movers.spawn(again(Arc::clone(&shared), Task::Take("moved")));
        Transfers { shared, senders, movers }
    }

    /// Begins no more transactions; the others go on, until all queues are empty.
    pub(crate) async fn end_sending(&mut self) {
        self.shared.sending.store(false, Ordering::Relaxed);
        while self.senders.join_next().await.is_some() {}
    }

    /// Ends the clients and gives what they saw.
    pub(crate) async fn finish(mut self) -> Journal {
        self.movers.shutdown().await;
        self.shared.journal().clone()
    }

    /// Transactions that were committed so far.
    pub(crate) fn committed(&self) -> usize {
        self.shared.journal().count(Outcome::Committed)
    }
}

async fn send(shared: Arc<Shared>) {
    while shared.sending.load(Ordering::Relaxed) {
        let mut connection = Connection::any(&shared.addresses).await;
        loop {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            let rolled_back = number.is_multiple_of(ROLLBACK_EVERY);
            shared.journal().outcomes.insert(number, Outcome::Unknown);
            let done = timeout(PATIENCE, transaction(&mut connection, number, rolled_back)).await;
            let outcome = match done {
                Ok(Ok(())) if rolled_back => Outcome::RolledBack,
                Ok(Ok(())) => Outcome::Committed,
                _ => break,
            };
            shared.journal().outcomes.insert(number, outcome);
            sleep(PACE).await;
            if !shared.sending.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

async fn transaction(connection: &mut Connection, number: u64, rolled_back: bool) -> std::io::Result<()> {
    let name = format!("t{number}");
    connection.writer.send(&Frame::new("BEGIN", &[("transaction", &name)])).await?;
    for part in 1..=PARTS {
        for queue in ["/queue/left", "/queue/right"] {
            let headers = [("destination", queue), ("persistent", "true"), ("transaction", &name)];
            let body = format!("t{number}-{part}");
            connection.writer.send(&Frame::new("SEND", &headers).with_body(body.as_bytes())).await?;
        }
    }
    let verb = if rolled_back { "ABORT" } else { "COMMIT" };
    connection.request(Frame::new(verb, &[("transaction", &name)]), &format!("end-{name}")).await
}

#[derive(Clone, Copy)]
enum Task {
    Move,
    Take(&'static str),
}

/// A consumer that connects again whenever its connection breaks.
async fn again(shared: Arc<Shared>, task: Task) {
    loop {
        let connection = Connection::any(&shared.addresses).await;
        // An error ends this connection; the next one goes on.
        match task {
            Task::Move => transfer(connection).await.ok(),
            Task::Take(queue) => take(&shared, queue, connection).await.ok(),
        };
    }
}

async fn subscribe(connection: &mut Connection, queue: &str) -> std::io::Result<()> {
    let destination = format!("/queue/{queue}");
    // One at a time, so that what is delivered can be settled before the next one comes.
    let headers = [
        ("id", "1"),
        ("destination", destination.as_str()),
        ("ack", "client-individual"),
        ("activemq.prefetchSize", "1"),
    ];
    connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await
}

async fn transfer(mut connection: Connection) -> std::io::Result<()> {
    subscribe(&mut connection, "left").await?;
    let mut early = None;
    for number in 0_u64.. {
        let frame = match early.take() {
            Some(frame) => frame,
            None => timeout(PATIENCE, delivery(&mut connection)).await??,
        };
        let (name, receipt) = (format!("m{number}"), format!("moved-{number}"));
        let ack = frame.header("ack").unwrap_or_default();
        connection.writer.send(&Frame::new("BEGIN", &[("transaction", &name)])).await?;
        connection.writer.send(&Frame::new("ACK", &[("id", ack), ("transaction", &name)])).await?;
        let headers = [("destination", "/queue/moved"), ("persistent", "true"), ("transaction", &name)];
        connection.writer.send(&Frame::new("SEND", &headers).with_body(&frame.body)).await?;
        let headers = [("transaction", name.as_str()), ("receipt", receipt.as_str())];
        connection.writer.send(&Frame::new("COMMIT", &headers)).await?;
        loop {
            let answer = timeout(PATIENCE, connection.reader.frame()).await??;
            match answer.command.as_str() {
                "RECEIPT" if answer.header("receipt-id") == Some(&receipt) => break,
                // The next delivery may come before the receipt.
                "MESSAGE" => early = Some(answer),
                _ => return Err(std::io::Error::other(format!("{answer:?}"))),
            }
        }
    }
    Ok(())
}

async fn take(shared: &Shared, queue: &'static str, mut connection: Connection) -> std::io::Result<()> {
    subscribe(&mut connection, queue).await?;
    loop {
        let frame = timeout(PATIENCE, delivery(&mut connection)).await??;
        let body = String::from_utf8_lossy(&frame.body).into_owned();
        let id = frame.header("message-id").unwrap_or_default().to_owned();
        {
            let mut journal = shared.journal();
            let seen = if queue == "right" { &mut journal.right } else { &mut journal.moved };
            seen.entry(body).or_default().insert(id);
        }
        let ack = frame.header("ack").unwrap_or_default();
        connection.writer.send(&Frame::new("ACK", &[("id", ack)])).await?;
    }
}

/// The next delivery; receipts and the like are passed over.
async fn delivery(connection: &mut Connection) -> std::io::Result<Frame> {
    loop {
        let frame = connection.reader.frame().await?;
        match frame.command.as_str() {
            "MESSAGE" => return Ok(frame),
            "ERROR" => return Err(std::io::Error::other(format!("{frame:?}"))),
            _ => {}
        }
    }
}

impl Journal {
    fn count(&self, of: Outcome) -> usize {
        self.outcomes.values().filter(|outcome| **outcome == of).count()
    }

    /// Transactions that were begun, committed and of unknown outcome.
    pub(crate) fn summary(&self) -> String {
        let (all, committed, unknown) =
            (self.outcomes.len(), self.count(Outcome::Committed), self.count(Outcome::Unknown));
        format!(
            "{all} transactions, {committed} committed, {unknown} unknown, {} bodies moved",
            self.moved.len()
        )
    }

    /// What is wrong, once every queue is empty.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, outcome) in &self.outcomes {
            let bodies = (1..=PARTS).map(|part| format!("t{number}-{part}"));
            let there: usize = bodies
                .flat_map(|body| [self.right.contains_key(&body), self.moved.contains_key(&body)])
                .map(usize::from)
                .sum();
            let all = PARTS as usize * 2;
            let well = match outcome {
                Outcome::Committed => there == all,
                Outcome::RolledBack => there == 0,
                Outcome::Unknown => there == all || there == 0,
            };
            if !well {
                faults.push(format!("transaction {number}, {outcome:?}: {there} of {all} messages"));
            }
        }
        for (queue, seen) in [("right", &self.right), ("moved", &self.moved)] {
            for (body, ids) in seen {
                let number = body.strip_prefix('t').and_then(|rest| rest.split('-').next()?.parse().ok());
                if !number.is_some_and(|number: u64| self.outcomes.contains_key(&number)) {
                    faults.push(format!("{queue}: {body:?} was never sent"));
                }
                if ids.len() != 1 {
                    faults.push(format!("{queue}: {body} is there {} times: {ids:?}", ids.len()));
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(outcome: Outcome, right: &[&str], moved: &[&str]) -> Journal {
        let seen = |bodies: &[&str]| -> Seen {
            bodies.iter().map(|body| ((*body).to_owned(), BTreeSet::from([format!("id-{body}")]))).collect()
        };
        Journal { outcomes: BTreeMap::from([(1, outcome)]), right: seen(right), moved: seen(moved) }
    }

    const ALL: [&str; 3] = ["t1-1", "t1-2", "t1-3"];

    #[test]
    fn whole_transactions_and_none_at_all_are_well() {
        assert!(journal(Outcome::Committed, &ALL, &ALL).faults().is_empty());
        assert!(journal(Outcome::Unknown, &ALL, &ALL).faults().is_empty());
        assert!(journal(Outcome::Unknown, &[], &[]).faults().is_empty());
        assert!(journal(Outcome::RolledBack, &[], &[]).faults().is_empty());
    }

    #[test]
    fn split_lost_and_rolled_back_transactions_are_found() {
        assert_eq!(journal(Outcome::Unknown, &ALL, &[]).faults().len(), 1);
        assert_eq!(journal(Outcome::Committed, &[], &[]).faults().len(), 1);
        assert_eq!(journal(Outcome::RolledBack, &ALL, &ALL).faults().len(), 1);
    }

    #[test]
    fn copies_and_strangers_are_found() {
        let mut twice = journal(Outcome::Committed, &ALL, &ALL);
        twice.moved.entry("t1-2".to_owned()).or_default().insert("another".to_owned());
        assert_eq!(twice.faults().len(), 1);
        let mut foreign = journal(Outcome::Committed, &ALL, &ALL);
        foreign.right.insert("t9-1".to_owned(), BTreeSet::from(["id".to_owned()]));
        assert_eq!(foreign.faults().len(), 1);
    }
}
