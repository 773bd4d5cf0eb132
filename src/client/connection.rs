//! The task that owns a client's connection: carries out requests, hands out messages, and connects again.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tracing::debug;

use crate::protocol::stomp::{Frame, FrameWriter, Verb, Version};

use super::message::{Incoming, Outgoing};
use super::options::{ClientError, ConnectOptions};
use super::requests::{Answer, ClientEvent, Request, SubscriptionOptions, Transaction};
use super::wire::{Wire, error_message};

/// Requests that are taken in one turn, so that their frames leave with one write.
const REQUESTS_TAKEN_MAX: usize = 256;

/// What a receipt answers.
#[derive(Debug)]
enum Waiting {
    Answer(Answer),
    Begin(Answer<Transaction>, Transaction),
    Subscribed(u64, Option<Answer>),
    Disconnect(Answer),
}

#[derive(Debug)]
struct Subscribed {
    destination: String,
    options: SubscriptionOptions,
    events: mpsc::Sender<ClientEvent>,
}

/// Why the loop of one connection ended.
enum End {
    /// Without a word, or with the broker's.
    Lost(Option<String>),
    /// The user wants no more.
    Done,
}

/// The task's state.
pub(super) struct Connection {
    addresses: Vec<String>,
    address: usize,
    options: ConnectOptions,
    wire: Wire,
    requests: mpsc::Receiver<Request>,
    /// Counts connections; what belongs to an earlier one is stale.
    number: u64,
    receipts: u64,
    waiting: HashMap<u64, Waiting>,
    subscriptions: HashMap<u64, Subscribed>,
    /// An event for a subscription whose user is slow: nothing is read until it has room.
    stalled: Option<(mpsc::Sender<ClientEvent>, ClientEvent)>,
}

impl Connection {
    pub(super) fn new(
        addresses: Vec<String>,
        address: usize,
        options: ConnectOptions,
        wire: Wire,
        requests: mpsc::Receiver<Request>,
    ) -> Connection {
        Connection {
            addresses,
            address,
            options,
            wire,
            requests,
            number: 1,
            receipts: 0,
            waiting: HashMap::new(),
            subscriptions: HashMap::new(),
            stalled: None,
        }
    }

    /// Runs until the user disconnects or no broker can be reached.
    pub(super) async fn run(mut self) {
        loop {
            let End::Lost(reason) = self.turns().await else { return };
            self.forget(reason);
            match Wire::connect(&self.addresses, self.address, &self.options).await {
                Ok((wire, address)) => {
                    self.wire = wire;
                    self.address = address;
                    self.number += 1;
                    self.resubscribe().await;
                }
                Err(error) => {
                    for subscription in self.subscriptions.values() {
                        // A user who does not listen need not know.
                        let _ = subscription.events.try_send(ClientEvent::Ended(error.clone()));
                    }
                    return;
                }
            }
        }
    }

    /// The connection is gone: whatever waits for an answer has an unknown outcome.
    fn forget(&mut self, reason: Option<String>) {
        self.stalled = None;
        let unknown = reason.map_or(ClientError::OutcomeUnknown, ClientError::Ended);
        for (_, waiting) in self.waiting.drain() {
            // Whoever does not wait any more need not know.
            let _ = match waiting {
                Waiting::Answer(answer) | Waiting::Disconnect(answer) => answer.send(Err(unknown.clone())),
                Waiting::Begin(answer, _) => {
                    let _ = answer.send(Err(ClientError::Stale));
                    continue;
                }
                // It is asked for again on the next connection.
                Waiting::Subscribed(_, Some(answer)) => answer.send(Ok(())),
                Waiting::Subscribed(_, None) => continue,
            };
        }
    }

    async fn resubscribe(&mut self) {
        let numbers: Vec<u64> = self.subscriptions.keys().copied().collect();
        for number in numbers {
            self.write_subscribe(number, None);
            if let Some(subscription) = self.subscriptions.get(&number)
                && subscription.events.send(ClientEvent::Interrupted).await.is_err()
            {
                self.subscriptions.remove(&number);
            }
        }
    }

    async fn turns(&mut self) -> End {
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => return End::Done,
                Err(error) => {
                    debug!(address = self.addresses[self.address], "connection lost: {error}");
                    return End::Lost(match error {
                        ClientError::Refused(reason) => Some(reason),
                        _ => None,
                    });
                }
            }
        }
    }

    /// One turn of the loop; `false` once the user wants no more.
    async fn turn(&mut self) -> Result<bool, ClientError> {
        while self.stalled.is_none() {
            let Some(frame) = self.wire.decode()? else { break };
            if !self.receive(frame)? {
                return Ok(false);
            }
        }
        let mut taken = Vec::new();
        let beats = self.wire.deadline().is_some();
        let reads = self.stalled.is_none();
        let writes = !self.wire.output.is_empty();
        let room = async {
            match &self.stalled {
                Some((events, _)) => drop(events.reserve().await),
                None => std::future::pending().await,
            }
        };
        let count = tokio::select! {
            count = self.requests.recv_many(&mut taken, REQUESTS_TAKEN_MAX), if !writes => Some(count),
            stepped = self.wire.step(reads), if reads || writes || beats => {
                stepped?;
                None
            }
            () = room => {
                self.unstall();
                None
            }
        };
        if count == Some(0) {
            // All handles are gone.
            FrameWriter::new(&mut self.wire.output, Verb::Disconnect, self.wire.version).end_empty();
            while !self.wire.output.is_empty() {
                self.wire.step(false).await?;
            }
            return Ok(false);
        }
        for request in taken {
            self.carry_out(request);
        }
        Ok(true)
    }

    fn unstall(&mut self) {
        let Some((events, event)) = self.stalled.take() else { return };
        if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
            self.stalled = Some((events, event));
        }
    }

    /// Takes a frame of the broker; `false` if it was the last one.
    fn receive(&mut self, frame: Frame) -> Result<bool, ClientError> {
        match frame.verb {
            Verb::Message => self.message(frame),
            Verb::Receipt => {
                let waiting = self.waited_for(&frame);
                return Ok(waiting.is_none_or(|waiting| self.succeeded(waiting)));
            }
            Verb::Error => {
                let message = error_message(&frame);
                if let Some(waiting) = self.waited_for(&frame) {
                    self.refused(waiting, &message);
                }
                return Err(ClientError::Refused(message));
            }
            _ => {}
        }
        Ok(true)
    }

    fn waited_for(&mut self, frame: &Frame) -> Option<Waiting> {
        let receipt = frame.header("receipt-id")?;
        self.waiting.remove(&receipt.parse().ok()?)
    }

    /// Hands out a good answer; `false` if it was the one to DISCONNECT.
    fn succeeded(&mut self, waiting: Waiting) -> bool {
        // Whoever does not wait any more need not know.
        match waiting {
            Waiting::Answer(answer) | Waiting::Subscribed(_, Some(answer)) => drop(answer.send(Ok(()))),
            Waiting::Begin(answer, transaction) => drop(answer.send(Ok(transaction))),
            Waiting::Subscribed(_, None) => {}
            Waiting::Disconnect(answer) => {
                drop(answer.send(Ok(())));
                return false;
            }
        }
        true
    }

    fn refused(&mut self, waiting: Waiting, message: &str) {
        let error = ClientError::Refused(message.to_owned());
        // Whoever does not wait any more need not know.
        match waiting {
            Waiting::Answer(answer) | Waiting::Disconnect(answer) => drop(answer.send(Err(error))),
            Waiting::Begin(answer, _) => drop(answer.send(Err(error))),
            Waiting::Subscribed(number, answer) => {
                let subscription = self.subscriptions.remove(&number);
                if let Some(subscription) = subscription {
                    let _ = subscription.events.try_send(ClientEvent::Ended(error.clone()));
                }
                if let Some(answer) = answer {
                    let _ = answer.send(Err(error));
                }
            }
        }
    }

    fn message(&mut self, frame: Frame) {
        let number = frame.header("subscription").and_then(|id| id.parse().ok()).unwrap_or(0);
        let Some(subscription) = self.subscriptions.get(&number) else { return };
        let ended =
            subscription.options.browse && frame.header("browser").is_some_and(|value| value == "end");
        let event = match ended {
            true => ClientEvent::BrowseEnd,
            false => ClientEvent::Message(Incoming { frame, connection: self.number, subscription: number }),
        };
        match subscription.events.try_send(event) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(event)) => {
                self.stalled = Some((subscription.events.clone(), event));
            }
            // The user has dropped the subscription.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.subscriptions.remove(&number);
                self.frame(Verb::Unsubscribe).number("id", number as i64).end_empty();
            }
        }
    }

    fn carry_out(&mut self, request: Request) {
        match request {
            Request::Send { message, transaction, answer } => self.send(&message, transaction, answer),
            Request::Subscribe { number, destination, options, events, answer } => {
                self.subscriptions.insert(number, Subscribed { destination, options, events });
                self.write_subscribe(number, Some(answer));
            }
            Request::Unsubscribe { number, answer } => {
                self.subscriptions.remove(&number);
                let receipt = self.wait(Waiting::Answer(answer));
                self.frame(Verb::Unsubscribe)
                    .number("id", number as i64)
                    .number("receipt", receipt)
                    .end_empty();
            }
            Request::Settle { message, consumed, transaction, answer } => {
                self.settle(&message, consumed, transaction, answer);
            }
            Request::Begin { answer } => {
                let transaction = Transaction { connection: self.number, number: self.receipts + 1 };
                let receipt = self.wait(Waiting::Begin(answer, transaction));
                let number = transaction.number as i64;
                self.frame(Verb::Begin).number("transaction", number).number("receipt", receipt).end_empty();
            }
            Request::Finish { transaction, commit, answer } => {
                if transaction.connection != self.number {
                    drop(answer.send(Err(ClientError::Stale)));
                    return;
                }
                let receipt = self.wait(Waiting::Answer(answer));
                let verb = if commit { Verb::Commit } else { Verb::Abort };
                let number = transaction.number as i64;
                self.frame(verb).number("transaction", number).number("receipt", receipt).end_empty();
            }
            Request::Disconnect { answer } => {
                let receipt = self.wait(Waiting::Disconnect(answer));
                self.frame(Verb::Disconnect).number("receipt", receipt).end_empty();
            }
        }
    }

    fn send(&mut self, message: &Outgoing, transaction: Option<Transaction>, answer: Option<Answer>) {
        let answer = match self.check(transaction, answer) {
            Ok(answer) => answer,
            Err(()) => return,
        };
        let receipt = answer.map(|answer| self.wait(Waiting::Answer(answer)));
        let mut frame = FrameWriter::new(&mut self.wire.output, Verb::Send, self.wire.version);
        frame.header("destination", &message.destination);
        for (name, value) in &message.headers {
            frame.header(name, value);
        }
        if let Some(transaction) = transaction {
            frame.number("transaction", transaction.number as i64);
        }
        if let Some(receipt) = receipt {
            frame.number("receipt", receipt);
        }
        frame.end(&message.body, !message.text);
    }

    fn settle(
        &mut self,
        message: &Incoming,
        consumed: bool,
        transaction: Option<Transaction>,
        answer: Option<Answer>,
    ) {
        let stale = message.connection != self.number;
        let answer = match self.check(transaction, answer) {
            Ok(answer) => answer,
            Err(()) => return,
        };
        if stale {
            if let Some(answer) = answer {
                // Whoever does not wait any more need not know.
                let _ = answer.send(Err(ClientError::Stale));
            }
            return;
        }
        let receipt = answer.map(|answer| self.wait(Waiting::Answer(answer)));
        let version = self.wire.version;
        let mut frame = self.frame(if consumed { Verb::Ack } else { Verb::Nack });
        write_settled(&mut frame, version, &message.frame, message.subscription);
        if let Some(transaction) = transaction {
            frame.number("transaction", transaction.number as i64);
        }
        if let Some(receipt) = receipt {
            frame.number("receipt", receipt);
        }
        frame.end_empty();
    }

    /// Answers at once if the transaction is one of an earlier connection.
    fn check(&self, transaction: Option<Transaction>, answer: Option<Answer>) -> Result<Option<Answer>, ()> {
        if transaction.is_none_or(|transaction| transaction.connection == self.number) {
            return Ok(answer);
        }
        if let Some(answer) = answer {
            // Whoever does not wait any more need not know.
            let _ = answer.send(Err(ClientError::Stale));
        }
        Err(())
    }

    fn write_subscribe(&mut self, number: u64, answer: Option<Answer>) {
        let receipt = self.wait(Waiting::Subscribed(number, answer));
        let Some(Subscribed { destination, options, .. }) = self.subscriptions.get(&number) else { return };
        let mut frame = FrameWriter::new(&mut self.wire.output, Verb::Subscribe, self.wire.version);
        frame.number("id", number as i64).header("destination", destination);
        frame.plain("ack", options.ack.text()).number("receipt", receipt);
        if let Some(prefetch) = options.prefetch {
            frame.number("activemq.prefetchSize", prefetch.into());
        }
        if let Some(selector) = &options.selector {
            frame.header("selector", selector);
        }
        if options.browse {
            frame.plain("browser", "true");
        }
        for (name, value) in &options.headers {
            frame.header(name, value);
        }
        frame.end_empty();
    }

    fn wait(&mut self, waiting: Waiting) -> i64 {
        self.receipts += 1;
        self.waiting.insert(self.receipts, waiting);
        self.receipts as i64
    }

    fn frame(&mut self, verb: Verb) -> FrameWriter<'_> {
        FrameWriter::new(&mut self.wire.output, verb, self.wire.version)
    }
}

/// Writes the headers by which ACK and NACK name a message.
pub(super) fn write_settled(
    frame: &mut FrameWriter<'_>,
    version: Version,
    message: &Frame,
    subscription: u64,
) {
    if version == Version::V1_2 {
        frame.header("id", &message.header("ack").unwrap_or_default());
    } else {
        frame.number("subscription", subscription as i64);
        frame.header("message-id", &message.header("message-id").unwrap_or_default());
    }
}
