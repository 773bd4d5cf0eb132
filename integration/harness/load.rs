//! Producers that wait for every receipt, and consumers whose every ACK asks for one, over one queue.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::history::{ConnectionName, History, MessageName, What};
use super::stomp::{Connection, Frame};
use super::wait::eventually;

/// How the load behaves.
#[derive(Clone)]
pub(crate) struct Plan {
    /// All nodes of the group.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Destination, as in STOMP.
    pub(crate) queue: String,
    /// How many producers.
    pub(crate) producers: u32,
    /// How many consumers.
    pub(crate) consumers: u32,
    /// How many messages each producer sends; without a number they go on until told to end.
    pub(crate) messages: Option<u64>,
    /// Pause of a producer after each receipt.
    pub(crate) pace: Duration,
    /// Bytes of a body, at least.
    pub(crate) body_bytes: usize,
    /// How long a client waits for a receipt, or for any delivery, before it connects anew.
    pub(crate) patience: Duration,
}

impl Plan {
    /// Four producers and four consumers.
    pub(crate) fn new(addresses: Vec<SocketAddr>, queue: &str) -> Plan {
        Plan {
            addresses,
            queue: queue.to_owned(),
            producers: 4,
            consumers: 4,
            messages: None,
            pace: Duration::from_millis(1),
            body_bytes: 256,
            patience: Duration::from_secs(1),
        }
    }
}

struct Shared {
    plan: Plan,
    history: History,
    sending: AtomicBool,
    receiving: AtomicBool,
    connections: AtomicU32,
    failures: AtomicU64,
}

/// A load that runs until it is told to end.
pub(crate) struct Load {
    shared: Arc<Shared>,
    producers: JoinSet<()>,
    consumers: JoinSet<()>,
}

impl Load {
    /// Starts all clients.
    pub(crate) fn start(plan: Plan) -> Load {
        Load::with(plan, History::new())
    }

    /// Starts other clients of the same queue, whose events go to the history of this load.
    pub(crate) fn beside(&self, plan: Plan) -> Load {
        Load::with(plan, self.shared.history.clone())
    }

    fn with(plan: Plan, history: History) -> Load {
        let shared = Arc::new(Shared {
            history,
            sending: AtomicBool::new(true),
            receiving: AtomicBool::new(true),
            connections: AtomicU32::new(0),
            failures: AtomicU64::new(0),
            plan,
        });
        let (mut producers, mut consumers) = (JoinSet::new(), JoinSet::new());
        for number in 1..=shared.plan.producers {
            producers.spawn(produce(shared.clone(), number));
        }
        for _ in 0..shared.plan.consumers {
            consumers.spawn(consume(shared.clone()));
        }
        Load { shared, producers, consumers }
    }

    /// Starts so many more consumers.
    pub(crate) fn consume(&mut self, consumers: u32) {
        for _ in 0..consumers {
            self.consumers.spawn(consume(self.shared.clone()));
        }
    }

    /// What happened so far.
    pub(crate) fn history(&self) -> &History {
        &self.shared.history
    }

    /// Sends that were not confirmed at the first attempt: the connection broke, an ERROR came, or patience ended.
    pub(crate) fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Waits for `count` more confirmed sends.
    pub(crate) async fn confirmations(&self, count: usize, limit: Duration) {
        self.progress(count, 0, limit).await;
    }

    /// Waits for so many more confirmed sends and confirmed acknowledgements.
    pub(crate) async fn progress(&self, confirmed: usize, acknowledged: usize, limit: Duration) {
        self.progress_from(self.shared.history.len(), confirmed, acknowledged, limit).await;
    }

    /// Waits until the history has so many confirmed sends and confirmed acknowledgements from its event `place` on.
    pub(crate) async fn progress_from(
        &self,
        mut place: usize,
        confirmed: usize,
        acknowledged: usize,
        limit: Duration,
    ) {
        let mut seen = (0, 0);
        let what = format!("{confirmed} confirmed sends and {acknowledged} acknowledgements");
        eventually(&what, limit, || {
            let events = self.shared.history.events_from(place);
            place += events.len();
            for event in &events {
                seen.0 += usize::from(matches!(event.what, What::Confirmed(_)));
                seen.1 += usize::from(matches!(event.what, What::Acknowledged(_)));
            }
            async move { (seen.0 >= confirmed && seen.1 >= acknowledged).then_some(()) }
        })
        .await;
    }

    /// Ends the producers, each after the confirmation of its last message; waits until consumers have acknowledged all
    /// that was confirmed, or nothing has moved for `quiet`; ends them and gives the history.
    pub(crate) async fn finish(mut self, quiet: Duration) -> History {
        self.shared.sending.store(false, Ordering::Relaxed);
        let ended =
            timeout(Duration::from_secs(60), async { while self.producers.join_next().await.is_some() {} });
        ended.await.expect("producers end");
        let history = self.shared.history.clone();
        let (mut place, mut moved) = (0, history.now());
        let (mut open, mut acknowledged) = (HashSet::new(), HashSet::new());
        loop {
            let events = history.events_from(place);
            place += events.len();
            for event in &events {
                match event.what {
                    What::Confirmed(message) if !acknowledged.contains(&message) => {
                        open.insert(message);
                    }
                    What::Acknowledged(message) => {
                        open.remove(&message);
                        acknowledged.insert(message);
                    }
                    _ => {}
                }
            }
            if events.iter().any(|event| !matches!(event.what, What::Opening(_))) {
                moved = history.now();
            }
            if open.is_empty() || history.now() - moved > quiet {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.shared.receiving.store(false, Ordering::Relaxed);
        self.consumers.shutdown().await;
        history
    }
}

async fn produce(shared: Arc<Shared>, producer: u32) {
    let plan = &shared.plan;
    let mut connection = Connection::any(&plan.addresses).await;
    let mut sequence = 0;
    while shared.sending.load(Ordering::Relaxed) && plan.messages.is_none_or(|all| sequence < all) {
        sequence += 1;
        let message = MessageName { producer, sequence };
        let name = message.text();
        let frame = Frame::new(
            "SEND",
            &[("destination", &plan.queue), ("persistent", "true"), ("duplicate-id", &name)],
        )
        .with_body(&body(&name, plan.body_bytes));
        loop {
            shared.history.enter(What::Attempt(message));
            match timeout(plan.patience, connection.request(frame.clone(), &name)).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) | Err(_) => {
                    shared.failures.fetch_add(1, Ordering::Relaxed);
                    connection = Connection::any(&plan.addresses).await;
                }
            }
        }
        shared.history.enter(What::Confirmed(message));
        if !plan.pace.is_zero() {
            sleep(plan.pace).await;
        }
    }
}

async fn consume(shared: Arc<Shared>) {
    while shared.receiving.load(Ordering::Relaxed) {
        let name = ConnectionName(shared.connections.fetch_add(1, Ordering::Relaxed));
        shared.history.enter(What::Opening(name));
        let connection = Connection::any(&shared.plan.addresses).await;
        // An error ends this connection; the next one goes on.
        receive(&shared, name, connection).await.ok();
    }
}

async fn receive(shared: &Shared, name: ConnectionName, mut connection: Connection) -> std::io::Result<()> {
    let subscribe = Frame::new(
        "SUBSCRIBE",
        &[("id", "1"), ("destination", &shared.plan.queue), ("ack", "client-individual")],
    );
    connection.writer.send(&subscribe).await?;
    loop {
        let frame = timeout(shared.plan.patience, connection.reader.frame()).await??;
        match frame.command.as_str() {
            "MESSAGE" => {
                let message = name_in(&frame.body);
                let redelivered = frame.header("redelivered") == Some("true");
                shared.history.enter(What::Delivered { message, connection: name, redelivered });
                let ack = frame.header("ack").unwrap_or_default();
                let receipt = message.map_or_else(|| "foreign".to_owned(), |message| message.text());
                connection.writer.send(&Frame::new("ACK", &[("id", ack), ("receipt", &receipt)])).await?;
            }
            "RECEIPT" => {
                if let Some(message) = frame.header("receipt-id").and_then(MessageName::parse) {
                    shared.history.enter(What::Acknowledged(message));
                }
            }
            _ => return Err(std::io::Error::other(format!("{frame:?}"))),
        }
    }
}

/// The name, a space, and filling that depends on the name.
fn body(name: &str, bytes: usize) -> Vec<u8> {
    let mut body = format!("{name} ").into_bytes();
    let filling = name.as_bytes().iter().copied().cycle();
    body.extend(filling.take(bytes.saturating_sub(body.len())));
    body
}

/// The name of a body that is exactly what was sent under that name.
pub(crate) fn name_in(body_bytes: &[u8]) -> Option<MessageName> {
    let end = body_bytes.iter().position(|byte| *byte == b' ')?;
    let name = std::str::from_utf8(&body_bytes[..end]).ok()?;
    (body(name, body_bytes.len()) == body_bytes).then(|| MessageName::parse(name))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_body_is_no_message_of_the_run() {
        let mut bytes = body("p1-7", 64);
        assert_eq!(name_in(&bytes), Some(MessageName { producer: 1, sequence: 7 }));
        bytes[40] ^= 1;
        assert_eq!(name_in(&bytes), None);
    }
}
