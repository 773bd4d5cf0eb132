//! One producer: keeps its window full of sends without an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::client::options::ClientError;
use crate::client::wire::{Wire, error_message};
use crate::protocol::stomp::{FrameWriter, Verb};

use super::pace::Pace;
use super::{Findings, Run};

/// After the end a producer waits so long for the answers that it still lacks.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Without receipts: bytes that may wait for the socket before the producer waits too.
const OUTPUT_FRAMES_MAX: usize = 64;

/// One producer's state. A send's receipt is the number of its slot in the window.
struct Producer {
    run: Arc<Run>,
    destination: String,
    wire: Wire,
    address: usize,
    /// When the send in each slot was written, or was due.
    slots: Vec<Instant>,
    free: Vec<usize>,
    pace: Pace,
    sent: u64,
    heard: Instant,
    findings: Findings,
}

/// Produces until the run ends.
pub(super) async fn produce(run: Arc<Run>, number: usize) -> Result<Findings, ClientError> {
    let load = &run.load;
    let (wire, address) = Wire::connect(&load.addresses, load.first_address(number), &load.connect).await?;
    let destination = load.destinations.get(number % load.destinations.len().max(1)).cloned();
    let now = Instant::now();
    let window = if load.receipts { load.outstanding.max(1) } else { OUTPUT_FRAMES_MAX };
    let mut producer = Producer {
        destination: destination.unwrap_or_else(|| format!("/queue/bench-{address}")),
        wire,
        address,
        slots: vec![now; window],
        free: (0..window).collect(),
        pace: Pace::new(load.rate, number, load.producers, now),
        sent: 0,
        heard: now,
        findings: Findings::default(),
        run: run.clone(),
    };
    while !producer.finished() {
        match producer.turns().await {
            Ok(()) => break,
            Err(ClientError::Refused(message)) => return Err(ClientError::Refused(message)),
            Err(_) => producer.reconnect().await?,
        }
    }
    Ok(producer.findings)
}

impl Producer {
    fn finished(&self) -> bool {
        Instant::now() >= self.run.to || self.run.load.messages.is_some_and(|messages| self.sent >= messages)
    }

    fn unanswered(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Sends until the end, then waits for the last answers.
    async fn turns(&mut self) -> Result<(), ClientError> {
        while !self.finished() {
            self.fill();
            // A broker that says nothing does not keep the run from ending, nor the next message from being sent.
            let due = self.pace.next().filter(|_| !self.free.is_empty());
            let until = due.map_or(self.run.to, |due| due.min(self.run.to));
            if let Ok(stepped) = timeout_at(until, self.wire.step(true)).await {
                stepped?;
            }
            self.answers()?;
        }
        let until = Instant::now() + LAST_ANSWERS;
        while self.unanswered() > 0 || !self.wire.output.is_empty() {
            match timeout_at(until, self.wire.step(true)).await {
                Ok(stepped) => stepped?,
                Err(_) => {
                    self.give_up();
                    return Ok(());
                }
            }
            self.answers()?;
        }
        FrameWriter::new(&mut self.wire.output, Verb::Disconnect, self.wire.version).end_empty();
        while !self.wire.output.is_empty() {
            self.wire.step(false).await?;
        }
        Ok(())
    }

    /// Fills the window.
    fn fill(&mut self) {
        let now = Instant::now();
        let room = self.run.load.messages.map_or(u64::MAX, |messages| messages - self.sent.min(messages));
        let count = (self.free.len() as u64).min(room).min(self.pace.due(now));
        if count > 0 && self.unanswered() == 0 {
            // Silence counts only while something is under way.
            self.heard = now;
        }
        for _ in 0..count {
            let Some(slot) = self.free.pop() else { break };
            self.slots[slot] = self.pace.send(now);
            self.write(slot);
        }
        self.pace.window(self.free.is_empty(), now);
        self.sent += count;
        self.run.progress.sent.fetch_add(count, Ordering::Relaxed);
    }

    fn write(&mut self, slot: usize) {
        let load = &self.run.load;
        let mut frame = FrameWriter::new(&mut self.wire.output, Verb::Send, self.wire.version);
        frame.header("destination", &self.destination);
        if load.persistent {
            frame.plain("persistent", "true");
        }
        for (name, value) in &load.send_headers {
            frame.header(name, value);
        }
        if load.receipts {
            frame.number("receipt", slot as i64);
        }
        frame.end(&self.run.body, true);
    }

    /// Takes the answers that have arrived.
    fn answers(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        let mut confirmed = 0;
        while let Some(frame) = self.wire.decode()? {
            match frame.verb {
                Verb::Error => return Err(ClientError::Refused(error_message(&frame))),
                Verb::Receipt => {}
                _ => continue,
            }
            let slot = frame.header("receipt-id").and_then(|receipt| receipt.parse::<usize>().ok());
            let Some(slot) = slot.filter(|slot| *slot < self.slots.len()) else { continue };
            if self.slots[slot] >= self.run.from && now <= self.run.to {
                self.findings.confirm.record(now - self.slots[slot]);
            }
            self.free.push(slot);
            confirmed += 1;
        }
        if !self.run.load.receipts && self.wire.output.is_empty() {
            confirmed = self.unanswered() as u64;
            self.free = (0..self.slots.len()).collect();
        }
        if confirmed > 0 {
            self.run.progress.confirmed.fetch_add(confirmed, Ordering::Relaxed);
            self.note_gap(now);
        }
        Ok(())
    }

    fn note_gap(&mut self, now: Instant) {
        if now >= self.run.from {
            let gap = now - self.heard.max(self.run.from);
            self.findings.gap_max = self.findings.gap_max.max(gap);
        }
        self.heard = now;
    }

    /// What has no answer has an unknown outcome.
    fn give_up(&mut self) {
        self.run.progress.unknown.fetch_add(self.unanswered() as u64, Ordering::Relaxed);
        self.free = (0..self.slots.len()).collect();
    }

    async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.give_up();
        let heard = self.heard;
        let load = &self.run.load;
        let (wire, address) = Wire::connect(&load.addresses, self.address, &load.connect).await?;
        self.wire = wire;
        self.address = address;
        self.run.progress.reconnects.fetch_add(1, Ordering::Relaxed);
        // The gap goes on until the first confirmation on the new connection.
        self.fill();
        self.heard = heard;
        Ok(())
    }
}
