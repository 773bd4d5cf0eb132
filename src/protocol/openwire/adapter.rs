//! Structures to commands and events to structures, for one connection. It holds what the protocol needs to name things and
//! nothing durable.

use std::collections::HashMap;

use bytes::BytesMut;
use tokio::time::Instant;

use crate::broker::{
    Command, Correlation, DeliveryId, ProducerKey, Refusal, SessionEvent, SubscriptionKey, TransactionKey,
};
use crate::model::{Destination, Message as Stored};
use crate::protocol::Output;
use crate::protocol::connection::{Adapter, Fault, Rhythm};
use crate::protocol::unanswered::Unanswered;

use super::codec::{
    Codec, ConnectionError, ConnectionId, ExceptionResponse, MessageDispatch, ProducerAck, ProducerId,
    Response, Structure,
};
use super::consumers::{ConsumerNumber, Consumers};
use super::convert::message_id::reference;
use super::convert::{Heading, dispatch};
use super::failure::Failure;
use super::producers::Producers;

/// What a command of the broker's is for.
#[derive(Debug)]
pub(super) enum What {
    /// A message is sent; then its producer's window has so much room again.
    Send(Option<(ProducerId, i32)>),
    /// One of a consumer's subscriptions begins.
    Join(ConsumerNumber),
    /// A producer begins.
    Produce(ProducerKey),
    /// A consumer's client wants to know whether there is anything for it.
    Drain(ConsumerNumber),
    /// A transaction is committed.
    Commit(TransactionKey),
    /// A destination or a durable subscription comes or goes.
    Place,
    /// The client leaves.
    Leave,
    /// Anything else.
    Other,
}

/// A command that waits for its answer: the number of the client's request that is answered then, if it wants that.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Option<i32>,
    pub(super) what: What,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) key: TransactionKey,
    /// Why it cannot be committed.
    pub(super) spoilt: Option<Failure>,
}

/// One connection's side of its session.
#[derive(Debug)]
pub(in crate::protocol) struct OpenWireAdapter {
    codec: Codec,
    rhythm: Rhythm,
    connection: Option<ConnectionId>,
    pub(super) unanswered: Unanswered<Asked>,
    pub(super) consumers: Consumers,
    pub(super) producers: Producers,
    pub(super) transactions: HashMap<Structure, Open>,
    pub(super) keys: u64,
    /// What follows from events for the broker: what takes no room, and what may have to wait for a turn.
    pub(super) owed: Vec<Command>,
    pub(super) owed_later: Vec<Command>,
    /// The time of day in ms since 1970, and when that was.
    clock: (Instant, i64),
    /// ShutdownInfo has come: nothing more is read.
    leaving: bool,
}

impl OpenWireAdapter {
    /// An adapter for a client that has just been let in.
    pub(super) fn new(codec: Codec, rhythm: Rhythm, connection: Option<ConnectionId>) -> OpenWireAdapter {
        OpenWireAdapter {
            codec,
            rhythm,
            connection,
            unanswered: Unanswered::default(),
            consumers: Consumers::default(),
            producers: Producers::default(),
            transactions: HashMap::new(),
            keys: 0,
            owed: Vec::new(),
            owed_later: Vec::new(),
            clock: (Instant::now(), 0),
            leaving: false,
        }
    }

    pub(super) fn put(&mut self, structure: &Structure, output: &mut Output) {
        self.codec.encode(structure, output);
    }

    /// Answers a request that wants it: it is done.
    pub(super) fn respond(&mut self, request: Option<i32>, output: &mut Output) {
        if let Some(correlation_id) = request {
            self.put(
                &Structure::Response(Box::new(Response { correlation_id, ..Response::default() })),
                output,
            );
        }
    }

    /// Answers a request: it is not done. One that wants no answer is told apart from any.
    pub(super) fn fail(&mut self, request: Option<i32>, failure: Failure, output: &mut Output) {
        let exception = Some(failure.throwable());
        let answer = match request {
            Some(correlation_id) => Structure::ExceptionResponse(Box::new(ExceptionResponse {
                correlation_id,
                exception,
                ..Default::default()
            })),
            None => {
                let connection_id = self.connection.clone();
                Structure::ConnectionError(Box::new(ConnectionError {
                    exception,
                    connection_id,
                    ..Default::default()
                }))
            }
        };
        self.put(&answer, output);
    }

    /// A command of the broker's that is for this.
    pub(super) fn wait(
        &mut self,
        request: Option<i32>,
        what: What,
        bytes: Option<usize>,
    ) -> Option<Correlation> {
        Some(self.unanswered.wait(Asked { request, what }, bytes))
    }

    /// The same if somebody wants to know.
    pub(super) fn wait_if_asked(&mut self, request: Option<i32>, bytes: usize) -> Option<Correlation> {
        request.and_then(|_| self.wait(request, What::Other, Some(bytes)))
    }

    /// Takes a structure of so many bytes; what it asks of the broker is added to `commands`.
    fn accept(
        &mut self,
        structure: Structure,
        bytes: usize,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<(), Fault> {
        let (request, done) = match structure {
            Structure::Message(message) => {
                let request = asked(message.command_id, message.response_required);
                (request, self.send(*message, bytes, commands))
            }
            Structure::MessageAck(ack) => {
                let request = asked(ack.command_id, ack.response_required);
                (request, self.acknowledge(&ack, request, bytes, commands, output))
            }
            Structure::TransactionInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                (request, self.transaction(*info, request, bytes, commands, output))
            }
            Structure::ConsumerInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                (request, self.add_consumer(*info, request, bytes, commands))
            }
            Structure::MessagePull(pull) => {
                let request = asked(pull.command_id, pull.response_required);
                self.pull(&pull, commands);
                self.respond(request, output);
                return Ok(());
            }
            Structure::ConsumerControl(control) => {
                let request = asked(control.command_id, control.response_required);
                self.control(&control, commands);
                self.respond(request, output);
                return Ok(());
            }
            Structure::ProducerInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                (request, self.add_producer(*info, request, bytes, commands))
            }
            Structure::SessionInfo(info) => {
                self.respond(asked(info.command_id, info.response_required), output);
                return Ok(());
            }
            Structure::RemoveInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                (request, self.remove(&info, request, bytes, commands, output))
            }
            Structure::DestinationInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                (request, self.destination(&info, request, bytes, commands))
            }
            Structure::RemoveSubscriptionInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                self.end_durable(&info, request, bytes, commands);
                return Ok(());
            }
            other => return self.accept_rest(other, commands, output),
        };
        if let Err(failure) = done {
            self.fail(request, failure, output);
        }
        Ok(())
    }

    /// Takes what is about the connection itself.
    fn accept_rest(
        &mut self,
        structure: Structure,
        commands: &mut Vec<Command>,
        output: &mut Output,
    ) -> Result<(), Fault> {
        match structure {
            Structure::KeepAliveInfo(info) => {
                if info.response_required {
                    self.put(&Structure::KeepAliveInfo(Box::default()), output);
                }
            }
            Structure::ShutdownInfo(_) => {
                self.leaving = true;
                let correlation = self.wait(None, What::Leave, None);
                commands.push(Command::Leave { correlation });
            }
            Structure::FlushCommand(info) => {
                self.respond(asked(info.command_id, info.response_required), output);
            }
            Structure::ConnectionControl(info) => {
                self.respond(asked(info.command_id, info.response_required), output);
            }
            Structure::BrokerInfo(info) => {
                let request = asked(info.command_id, info.response_required);
                self.fail(request, Failure::general("bridges are not served by this version"), output);
            }
            // What a client says about its own troubles changes nothing here.
            Structure::ConnectionError(_) | Structure::Response(_) | Structure::ExceptionResponse(_) => {}
            other => return Err(self.fault(&format!("unexpected command: {}", name(&other)), output)),
        }
        Ok(())
    }

    fn answer(&mut self, correlation: Correlation, result: Result<(), Refusal>, output: &mut Output) {
        let Some(Asked { request, what }) = self.unanswered.answered(correlation) else { return };
        match (what, result) {
            (What::Join(number), result) => self.joined(number, request, result, output),
            (What::Produce(key), result) => match result {
                Ok(()) => self.respond(request, output),
                Err(refusal) => {
                    self.producers.forget(key);
                    self.fail(request, Failure::of_place(&refusal), output);
                }
            },
            (What::Drain(number), _) => self.drained(number, output),
            (What::Send(window), result) => {
                match result {
                    Ok(()) => self.respond(request, output),
                    Err(refusal) => self.fail(request, Failure::of_place(&refusal), output),
                }
                if let Some((producer, size)) = window {
                    let ack = ProducerAck { producer_id: Some(producer), size, ..ProducerAck::default() };
                    self.put(&Structure::ProducerAck(ack.into()), output);
                }
            }
            (What::Commit(key), result) => {
                self.consumers.finish(key, result.is_ok());
                let mut owed = std::mem::take(&mut self.owed);
                self.consumers.regrant_all(&mut owed);
                self.owed = owed;
                match result {
                    Ok(()) => self.respond(request, output),
                    Err(refusal) => self.fail(request, Failure::of_commit(&refusal), output),
                }
            }
            (What::Place, Err(refusal)) => self.fail(request, Failure::of_place(&refusal), output),
            (What::Place | What::Leave | What::Other, Ok(())) => self.respond(request, output),
            (What::Leave | What::Other, Err(refusal)) => self.fail(request, Failure::of(&refusal), output),
        }
    }

    fn deliver(
        &mut self,
        (key, delivery): (SubscriptionKey, DeliveryId),
        destination: Option<&Destination>,
        message: &Stored,
        (redeliveries, first_of_group): (u32, bool),
        output: &mut Output,
    ) {
        let number = ConsumerNumber::of(key);
        self.consumers.wait(number, None);
        let wall = self.wall();
        // A delivery may cross a RemoveInfo; the broker has taken it back.
        let Some(known) = self.consumers.get_mut(number) else { return };
        let consumer = &known.id;
        let heading = Heading { consumer, delivery, destination, redeliveries, first_of_group, wall };
        let (dispatch, id) = dispatch(&heading, message);
        known.consumer.delivered(reference(&id));
        self.put(&Structure::MessageDispatch(dispatch.into()), output);
    }

    /// Tells a consumer that nothing comes: what it waited for, or the end of what it browses.
    pub(super) fn deliver_none(&mut self, number: ConsumerNumber, output: &mut Output) {
        let Some(known) = self.consumers.get_mut(number) else { return };
        let dispatch = MessageDispatch { consumer_id: Some(known.id.clone()), ..MessageDispatch::default() };
        self.put(&Structure::MessageDispatch(dispatch.into()), output);
    }

    /// The time of day when the client said something last, in ms since 1970.
    pub(super) fn clock_wall(&self) -> i64 {
        self.clock.1
    }

    fn wall(&self) -> i64 {
        let (at, wall) = self.clock;
        wall + at.elapsed().as_millis() as i64
    }
}

impl Adapter for OpenWireAdapter {
    fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    fn announced(&self, arrived: &BytesMut) -> usize {
        self.codec.announced(arrived)
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
        commands.append(&mut self.owed_later);
        let before = arrived.len();
        match self.codec.decode(arrived) {
            Ok(None) => Ok(false),
            Ok(Some(structure)) => {
                self.clock = (Instant::now(), wall);
                self.accept(structure, before - arrived.len(), commands, output).map(|()| true)
            }
            Err(error) => Err(self.fault(&error.to_string(), output)),
        }
    }

    fn tell(&mut self, event: SessionEvent, output: &mut Output) -> Result<(), Fault> {
        match event {
            SessionEvent::Done { correlation, result } => self.answer(correlation, result, output),
            SessionEvent::Delivery {
                subscription,
                delivery,
                destination,
                message,
                redelivered,
                first_of_group,
                failures,
            } => {
                let marks = (failures.max(redelivered.into()), first_of_group);
                self.deliver((subscription, delivery), destination.as_deref(), &message, marks, output);
            }
            SessionEvent::BrowseEnd { subscription } => {
                self.deliver_none(ConsumerNumber::of(subscription), output);
            }
            // OpenWire has no verb that is about several messages; the connection ends without another word.
            SessionEvent::Affected { .. } | SessionEvent::Closed { .. } => {}
        }
        Ok(())
    }

    fn written(&mut self) -> Option<Command> {
        None
    }

    fn rings_at(&self) -> Option<Instant> {
        if self.owed.is_empty() { self.consumers.first_wait() } else { Some(self.clock.0) }
    }

    fn ring(&mut self, commands: &mut Vec<Command>, output: &mut Output) {
        commands.append(&mut self.owed);
        self.wake_waiting(commands, output);
    }

    fn beat(&mut self, output: &mut Output) {
        self.put(&Structure::KeepAliveInfo(Box::default()), output);
    }

    fn farewell(&mut self, _: &mut Output) -> bool {
        self.leaving && self.unanswered.is_empty()
    }

    fn fault(&mut self, reason: &str, output: &mut Output) -> Fault {
        self.fail(None, Failure::general(reason), output);
        Fault(reason.to_owned())
    }
}

/// The number of a request that wants an answer.
fn asked(command_id: i32, response_required: bool) -> Option<i32> {
    response_required.then_some(command_id)
}

fn name(structure: &Structure) -> String {
    let shown = format!("{structure:?}");
    shown.split(['(', ' ']).next().unwrap_or_default().to_owned()
}
