//! Frames to commands and events to frames, for one connection. It holds what the protocol needs to name things and
//! nothing that lasts.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use crate::broker::{
    Command, Correlation, DeliveryId, Refusal, SessionEvent, SubscriptionKey, TransactionKey, Verdict,
};
use crate::model::{Destination, Field, Message};
use crate::protocol::Output;
use crate::protocol::connection::{Adapter, Fault, Rhythm};
use crate::protocol::unanswered::Unanswered;

use super::codec::{Decoder, Frame, FrameWriter, Verb, Version, bare, heart_beat};
use super::deliver::{self, Heading};
use super::error_frame::ErrorFrame;
use super::names::Names;
use super::send;
use super::subscribe;
use super::subscription::{AckMode, Subscription};
use super::subscriptions::Subscriptions;

/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Open transactions of one connection.
const TRANSACTIONS_MAX: usize = 1_000;

/// One connection's side of its session.
#[derive(Debug)]
pub(in crate::protocol) struct StompAdapter {
    version: Version,
    decoder: Decoder,
    rhythm: Rhythm,
    session: String,
    names: Names,
    messages: u64,
    keys: u64,
    /// Each with the receipt that it asked for.
    unanswered: Unanswered<Option<String>>,
    subscriptions: Subscriptions,
    transactions: HashMap<String, TransactionKey>,
    /// Deliveries in auto mode that stand in the output.
    written_next: Vec<DeliveryId>,
    /// DISCONNECT has come: nothing more is read.
    leaving: bool,
    /// The receipt that DISCONNECT asked for.
    farewell: Option<String>,
}

impl StompAdapter {
    /// An adapter for a client that has just been let in, whose next frame is of this version; `session` is unique among
    /// all connections of all nodes.
    pub(super) fn new(version: Version, decoder: Decoder, rhythm: Rhythm, session: &str) -> StompAdapter {
        StompAdapter {
            version,
            decoder,
            rhythm,
            session: session.to_owned(),
            names: Names::new(session),
            messages: 0,
            keys: 0,
            unanswered: Unanswered::default(),
            subscriptions: Subscriptions::default(),
            transactions: HashMap::new(),
            written_next: Vec::new(),
            leaving: false,
            farewell: None,
        }
    }

    /// Takes a frame; what it asks of the broker is added to `commands`. `wall` in ms since 1970.
    fn accept(&mut self, frame: &Frame, wall: i64, commands: &mut Vec<Command>) -> Result<(), ErrorFrame> {
        let done = match frame.verb {
            Verb::Send => self.send(frame, wall, commands),
            Verb::Ack => self.settle(frame, Verdict::Consumed, commands),
            Verb::Nack if self.version > Version::V1_0 => self.settle(frame, Verdict::Rejected, commands),
            Verb::Subscribe => self.subscribe(frame, commands),
            Verb::Unsubscribe => self.unsubscribe(frame, commands),
            Verb::Begin => self.begin(frame, commands),
            Verb::Commit => self.finish(frame, true, commands),
            Verb::Abort => self.finish(frame, false, commands),
            Verb::Disconnect => self.disconnect(frame, commands),
            Verb::Connect | Verb::Stomp => Err("The connection is already connected".to_owned()),
            _ => Err(format!("Unknown STOMP action: {}", frame.verb.text())),
        };
        done.map_err(|message| ErrorFrame { message, receipt: receipt(frame) })
    }

    fn send(&mut self, frame: &Frame, wall: i64, commands: &mut Vec<Command>) -> Result<(), String> {
        self.messages += 1;
        let message_id = Bytes::from(format!("ID:{}-{}", self.session, self.messages));
        let sent = send::message(frame, &mut self.names, message_id, wall, commands)?;
        let transaction = self.transaction(sent.transaction.as_deref())?;
        // Every send outside of a transaction wants an answer, receipt or not: it is what bounds a producer.
        let correlation = match (transaction, &sent.receipt) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => Some(self.unanswered.wait(sent.receipt, None)),
            (None, _) => Some(self.unanswered.wait(sent.receipt, Some(frame.bytes()))),
        };
        commands.push(Command::Send { message: sent.message, transaction, correlation });
        Ok(())
    }

    fn settle(&mut self, frame: &Frame, verdict: Verdict, commands: &mut Vec<Command>) -> Result<(), String> {
        let (mut id, mut message_id, mut subscription, mut transaction, mut asked) =
            (None, None, None, None, None);
        for header in frame.headers() {
            let slot = match bare(&header.name()) {
                "id" => &mut id,
                "message-id" => &mut message_id,
                "subscription" => &mut subscription,
                "transaction" => &mut transaction,
                "receipt" => &mut asked,
                _ => continue,
            };
            slot.get_or_insert_with(|| header.value());
        }
        let transaction = self.transaction(transaction.as_deref())?;
        let verb = frame.verb.text();
        let (named, found) = if self.version == Version::V1_2 {
            let id = id.ok_or_else(|| format!("{verb} needs an id header"))?;
            let found = self.settle_by_id(&id, transaction);
            (id, found)
        } else {
            let message_id = message_id.ok_or_else(|| format!("{verb} needs a message-id header"))?;
            if subscription.is_none() && self.version == Version::V1_1 {
                return Err(format!("{verb} needs a subscription header"));
            }
            let found = self.subscriptions.settle_message(&message_id, subscription.as_deref(), transaction);
            (message_id, found)
        };
        let deliveries =
            found.ok_or_else(|| format!("Unexpected {verb} received for message-id [{named}]"))?;
        let correlation =
            asked.map(|receipt| self.unanswered.wait(Some(receipt.into_owned()), Some(frame.bytes())));
        if let (
            None,
            None,
            Some(Command::Settle { deliveries: before, verdict: same, transaction: None, correlation: None }),
        ) = (transaction, correlation, commands.last_mut())
            && *same == verdict
        {
            before.extend(deliveries);
            return Ok(());
        }
        commands.push(Command::Settle { deliveries, verdict, transaction, correlation });
        Ok(())
    }

    /// An `ack` header names session, subscription and delivery, so that one of an earlier connection never fits.
    fn settle_by_id(&mut self, id: &str, transaction: Option<TransactionKey>) -> Option<Vec<DeliveryId>> {
        let rest = id.strip_prefix(&*self.session)?.strip_prefix('-')?;
        let (key, delivery) = rest.split_once('-')?;
        let (key, delivery) = (SubscriptionKey(key.parse().ok()?), DeliveryId(delivery.parse().ok()?));
        self.subscriptions.settle(key, delivery, transaction)
    }

    fn subscribe(&mut self, frame: &Frame, commands: &mut Vec<Command>) -> Result<(), String> {
        let wanted = subscribe::wanted(frame, self.version)?;
        // As Artemis and RabbitMQ do. ActiveMQ accepts it, delivers to both under the one id, and can end only the later one.
        if self.subscriptions.find(wanted.id.as_deref(), &wanted.destination).is_some() {
            return Err(format!(
                "There is already a subscription {}",
                wanted.id.unwrap_or(wanted.destination)
            ));
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(format!("a connection has at most {SUBSCRIPTIONS_MAX} subscriptions"));
        }
        let [destination] = self.names.parse(&wanted.destination, commands)? else {
            return Err("subscribing to several destinations at once is not supported".to_owned());
        };
        let destination = destination.clone();
        let options = wanted.options(destination.kind);
        self.keys += 1;
        let key = SubscriptionKey(self.keys);
        self.subscriptions.insert(key, Subscription::new(key, wanted.id, wanted.destination, wanted.mode));
        let correlation = Some(self.unanswered.wait(wanted.receipt, Some(frame.bytes())));
        commands.push(Command::Subscribe { subscription: key, destination, options, correlation });
        Ok(())
    }

    fn unsubscribe(&mut self, frame: &Frame, commands: &mut Vec<Command>) -> Result<(), String> {
        if let Some(name) = subscribe::durable_name(frame) {
            let correlation = Some(self.unanswered.wait(receipt(frame), Some(frame.bytes())));
            commands.push(Command::RemoveSubscription { client_id: None, name, correlation });
            return Ok(());
        }
        let id = frame.header("id");
        let destination = frame.header("destination").unwrap_or_default();
        if id.is_none() && (self.version > Version::V1_0 || destination.is_empty()) {
            return Err("UNSUBSCRIBE needs an id header".to_owned());
        }
        let found = self.subscriptions.find(id.as_deref(), &destination);
        let Some(subscription) = found else {
            return Err(format!("No subscription matched {}", id.unwrap_or(destination)));
        };
        self.subscriptions.remove(subscription);
        let correlation = Some(self.unanswered.wait(receipt(frame), Some(frame.bytes())));
        commands.push(Command::Unsubscribe { subscription, transacted: Vec::new(), correlation });
        Ok(())
    }

    fn begin(&mut self, frame: &Frame, commands: &mut Vec<Command>) -> Result<(), String> {
        let name = frame.header("transaction").ok_or("BEGIN needs a transaction header")?.into_owned();
        if self.transactions.contains_key(&name) {
            return Err(format!("The transaction was already started: {name}"));
        }
        if self.transactions.len() >= TRANSACTIONS_MAX {
            return Err(format!("a connection has at most {TRANSACTIONS_MAX} open transactions"));
        }
        self.keys += 1;
        let transaction = TransactionKey(self.keys);
        self.transactions.insert(name, transaction);
        let correlation = Some(self.unanswered.wait(receipt(frame), None));
        commands.push(Command::Begin { transaction, correlation });
        Ok(())
    }

    fn finish(&mut self, frame: &Frame, commit: bool, commands: &mut Vec<Command>) -> Result<(), String> {
        let name = frame
            .header("transaction")
            .ok_or_else(|| format!("{} needs a transaction header", frame.verb.text()))?;
        let transaction =
            self.transactions.remove(&*name).ok_or_else(|| format!("Invalid transaction id: {name}"))?;
        self.subscriptions.finish(transaction, commit);
        let correlation = Some(self.unanswered.wait(receipt(frame), Some(frame.bytes())));
        commands.push(Command::Finish { transaction, commit, correlation });
        Ok(())
    }

    /// The receipt of DISCONNECT is the answer to everything before it.
    fn disconnect(&mut self, frame: &Frame, commands: &mut Vec<Command>) -> Result<(), String> {
        self.leaving = true;
        self.farewell = receipt(frame);
        let correlation = Some(self.unanswered.wait(None, None));
        commands.push(Command::Leave { correlation });
        Ok(())
    }

    fn transaction(&self, name: Option<&str>) -> Result<Option<TransactionKey>, String> {
        let Some(name) = name else { return Ok(None) };
        let known = self.transactions.get(name).copied();
        known.map(Some).ok_or_else(|| format!("Invalid transaction id: {name}"))
    }

    fn answer(
        &mut self,
        correlation: Correlation,
        result: Result<(), Refusal>,
        output: &mut Output,
    ) -> Result<(), Fault> {
        let Some(receipt) = self.unanswered.answered(correlation) else { return Ok(()) };
        match (result, receipt) {
            (Ok(()), Some(receipt)) => write_receipt(output, self.version, &receipt),
            (Ok(()), None) => {}
            (Err(refusal), receipt) => {
                let message = refusal.to_string();
                return Err(ErrorFrame { message, receipt }.write(output, self.version));
            }
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        (key, delivery): (SubscriptionKey, DeliveryId),
        destination: Option<&Destination>,
        message: &Message,
        (redelivered, first_of_group): (bool, bool),
        output: &mut Output,
    ) {
        // A delivery may cross an UNSUBSCRIBE; the broker has taken it back.
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let mut ack = None;
        match subscription.mode {
            AckMode::Auto => self.written_next.push(delivery),
            _ if self.version == Version::V1_2 => {
                ack = Some(format!("{}-{}-{}", self.session, key.0, delivery.0));
                self.subscriptions.delivered(key, delivery, None);
            }
            _ => self.subscriptions.delivered(key, delivery, message.text(Field::MessageId)),
        }
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let heading = Heading {
            version: self.version,
            subscription: subscription.id.as_deref(),
            ack: ack.as_deref(),
            destination,
            redelivered,
            first_of_group,
        };
        deliver::message(output, &self.names, &heading, message);
    }

    fn browse_end(&mut self, key: SubscriptionKey, output: &mut Output) {
        let Some(subscription) = self.subscriptions.get(key) else { return };
        let mut frame = FrameWriter::new(output, Verb::Message, self.version);
        if let Some(id) = &subscription.id {
            frame.header("subscription", id);
        }
        frame
            .header("destination", &subscription.destination)
            .plain("message-id", "0")
            .plain("browser", "end");
        frame.end_empty();
    }
}

impl Adapter for StompAdapter {
    fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    fn announced(&self, arrived: &BytesMut) -> usize {
        self.decoder.announced(arrived)
    }

    fn may_read(&self) -> bool {
        !self.leaving && self.unanswered.has_room()
    }

    fn take(
        &mut self,
        arrived: &mut BytesMut,
        wall: i64,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<bool, Fault> {
        let taken = match self.decoder.decode(arrived) {
            Ok(None) => return Ok(false),
            Ok(Some(frame)) => self.accept(&frame, wall, commands),
            Err(error) => Err(ErrorFrame::new(error.to_string())),
        };
        taken.map(|()| true).map_err(|error| error.write(output, self.version))
    }

    fn tell(&mut self, event: SessionEvent, output: &mut Output) -> Result<(), Fault> {
        match event {
            SessionEvent::Done { correlation, result } => return self.answer(correlation, result, output),
            SessionEvent::Delivery {
                subscription,
                delivery,
                destination,
                message,
                redelivered,
                first_of_group,
                ..
            } => {
                let (from, marks) = (destination.as_deref(), (redelivered, first_of_group));
                self.deliver((subscription, delivery), from, &message, marks, output);
            }
            SessionEvent::BrowseEnd { subscription } => self.browse_end(subscription, output),
            // STOMP has no verb that is about several messages.
            SessionEvent::Affected { .. } => {}
            // The connection ends without another word.
            SessionEvent::Closed { .. } => {}
        }
        Ok(())
    }

    /// What was delivered in auto mode is consumed.
    fn written(&mut self) -> Option<Command> {
        if self.written_next.is_empty() {
            return None;
        }
        let deliveries = std::mem::take(&mut self.written_next);
        Some(Command::Settle { deliveries, verdict: Verdict::Consumed, transaction: None, correlation: None })
    }

    fn beat(&mut self, output: &mut Output) {
        heart_beat(output);
    }

    /// Writes the receipt of DISCONNECT, if one is wanted.
    fn farewell(&mut self, output: &mut Output) -> bool {
        let finished = self.leaving && self.unanswered.is_empty();
        if finished && let Some(receipt) = self.farewell.take() {
            write_receipt(output, self.version, &receipt);
        }
        finished
    }

    fn fault(&mut self, reason: &str, output: &mut Output) -> Fault {
        ErrorFrame::new(reason).write(output, self.version)
    }
}

fn receipt(frame: &Frame) -> Option<String> {
    frame.header("receipt").map(|receipt| receipt.into_owned())
}

fn write_receipt(output: &mut Output, version: Version, receipt: &str) {
    let mut frame = FrameWriter::new(output, Verb::Receipt, version);
    frame.header("receipt-id", receipt);
    frame.end_empty();
}
