//! The row of OpenWire, as a client of version 12 that acknowledges each message.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Scheme;
use crate::model::{Destination, Encoding, MessageBuilder, PropertyValue};
use crate::protocol::Output;
use crate::protocol::openwire::client::{
    Codec, ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, LocalTransactionId, Message, MessageAck,
    MessageDispatch, MessageId, MessageKind, ProducerId, RemoveInfo, RemoveSubscriptionInfo, Structure, Text,
    TransactionInfo, agree, offer, properties, text, write_destination,
};

use super::client::{Client, Outgoing, Received};
use super::world::World;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const STANDARD: i8 = 2;
const POISON: i8 = 1;
const BEGIN: i8 = 0;
const COMMIT: i8 = 2;
const ROLLBACK: i8 = 4;
const FRAME_BYTES_MAX: usize = 1 << 30;
/// The consumer's number when it browses.
const BROWSER: i64 = 1000;

pub(super) struct OpenWireClient {
    stream: TcpStream,
    codec: Codec,
    input: BytesMut,
    connection: Text,
    heard: VecDeque<MessageDispatch>,
    /// What has been received, by the name under which it is acknowledged.
    received: HashMap<String, MessageDispatch>,
    consumers: Vec<ConsumerId>,
    transactions: HashMap<String, i64>,
    asked: i32,
    sent: i64,
}

impl OpenWireClient {
    async fn say(&mut self, structure: &Structure) {
        let mut output = Output::new();
        self.codec.encode(structure, &mut output);
        self.stream.write_all(&output.take()).await.unwrap();
    }

    async fn hear(&mut self) -> Option<Structure> {
        let heard = async {
            loop {
                if let Some(structure) = self.codec.decode(&mut self.input).unwrap() {
                    return Some(structure);
                }
                if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                    return None;
                }
            }
        };
        timeout(PATIENCE, heard).await.expect("nothing was heard")
    }

    /// Says what `make` gives for the number of a request, and waits for the answer.
    async fn ask(&mut self, make: impl FnOnce(i32) -> Structure) -> Result<(), String> {
        self.asked += 1;
        let request = self.asked;
        self.say(&make(request)).await;
        loop {
            match self.hear().await.expect("the connection was closed") {
                Structure::Response(answer) if answer.correlation_id == request => return Ok(()),
                Structure::ExceptionResponse(answer) => {
                    let exception = answer.exception.unwrap();
                    let said = [exception.class_name, exception.message];
                    return Err(said
                        .into_iter()
                        .flatten()
                        .map(|it| it.to_string())
                        .collect::<Vec<_>>()
                        .join(" "));
                }
                Structure::MessageDispatch(dispatch) => self.heard.push_back(*dispatch),
                Structure::BrokerInfo(_) | Structure::ConnectionControl(_) | Structure::KeepAliveInfo(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn connection_id(&self) -> Option<ConnectionId> {
        Some(ConnectionId { value: Some(self.connection.clone()) })
    }

    fn consumer_id(&self, value: i64) -> ConsumerId {
        ConsumerId { connection_id: Some(self.connection.clone()), session_id: 1, value }
    }

    fn transaction_id(&self, transaction: Option<&str>) -> Option<Box<Structure>> {
        let value = *self.transactions.get(transaction?)?;
        let connection_id = self.connection_id();
        Some(Box::new(Structure::LocalTransactionId(LocalTransactionId { value, connection_id }.into())))
    }

    async fn transact(&mut self, transaction: &str, verb: i8) {
        if verb == BEGIN {
            let number = self.transactions.len() as i64;
            self.transactions.insert(transaction.to_owned(), number);
        }
        let transaction_id = self.transaction_id(Some(transaction));
        let connection_id = self.connection_id();
        let info =
            TransactionInfo { connection_id, transaction_id, r#type: verb, ..TransactionInfo::default() };
        self.ask(|command_id| {
            Structure::TransactionInfo(TransactionInfo { command_id, response_required: true, ..info }.into())
        })
        .await
        .unwrap();
    }

    async fn consume(&mut self, from: &Destination, value: i64, prefetch: u32, selector: &str) -> ConsumerId {
        let id = self.consumer_id(value);
        self.add_consumer(&id, from, prefetch, selector, None).await.unwrap();
        id
    }

    async fn add_consumer(
        &mut self,
        id: &ConsumerId,
        from: &Destination,
        prefetch: u32,
        selector: &str,
        durable: Option<&str>,
    ) -> Result<(), String> {
        let info = ConsumerInfo {
            consumer_id: Some(id.clone()),
            browser: id.value == BROWSER,
            destination: Some(Box::new(write_destination(from))),
            prefetch_size: prefetch as i32,
            selector: Some(Text::from(selector)).filter(|it| !it.is_empty()),
            subscription_name: durable.map(Text::from),
            ..ConsumerInfo::default()
        };
        self.ask(|command_id| {
            Structure::ConsumerInfo(ConsumerInfo { command_id, response_required: true, ..info }.into())
        })
        .await
    }

    async fn remove(&mut self, object: Structure, last_delivered_sequence_id: i64) {
        let object_id = Some(Box::new(object));
        let info = RemoveInfo { object_id, last_delivered_sequence_id, ..RemoveInfo::default() };
        self.ask(|command_id| {
            Structure::RemoveInfo(RemoveInfo { command_id, response_required: true, ..info }.into())
        })
        .await
        .unwrap();
    }

    async fn settle(&mut self, message: &Received, ack_type: i8, transaction: Option<&str>) {
        let dispatch = &self.received[&message.name];
        let id = dispatched(dispatch).unwrap().message_id.clone();
        let ack = MessageAck {
            destination: dispatch.destination.clone(),
            transaction_id: self.transaction_id(transaction),
            consumer_id: dispatch.consumer_id.clone(),
            ack_type,
            first_message_id: id.clone(),
            last_message_id: id,
            message_count: 1,
            ..MessageAck::default()
        };
        self.ask(|command_id| {
            Structure::MessageAck(MessageAck { command_id, response_required: true, ..ack }.into())
        })
        .await
        .unwrap();
    }
}

fn dispatched(dispatch: &MessageDispatch) -> Option<&Message> {
    match dispatch.message.as_deref() {
        Some(Structure::Message(message)) => Some(message),
        _ => None,
    }
}

fn body(message: &Message) -> String {
    let content = message.content.clone().unwrap_or_default();
    String::from_utf8(text::read(&content).unwrap().to_vec()).unwrap()
}

fn kind(value: &str) -> Option<Bytes> {
    let mut builder = MessageBuilder::new(Encoding::Native);
    builder.property("kind", PropertyValue::String(value));
    properties::write(&builder.build().unwrap())
}

impl Client for OpenWireClient {
    const SCHEME: Scheme = Scheme::OpenWire;

    async fn connect(world: &World, client_id: &str) -> Result<OpenWireClient, String> {
        let stream = TcpStream::connect(world.address()).await.unwrap();
        let connection = Text::from(format!("ID:{}", stream.local_addr().unwrap().port()));
        let mut client = OpenWireClient {
            stream,
            codec: Codec::new(FRAME_BYTES_MAX),
            input: BytesMut::new(),
            connection,
            heard: VecDeque::new(),
            received: HashMap::new(),
            consumers: Vec::new(),
            transactions: HashMap::new(),
            asked: 0,
            sent: 0,
        };
        let options = Default::default();
        client.say(&Structure::WireFormatInfo(offer(&options, FRAME_BYTES_MAX))).await;
        let Some(Structure::WireFormatInfo(theirs)) = client.hear().await else {
            panic!("no WireFormatInfo")
        };
        let agreed = agree(&options, FRAME_BYTES_MAX, &theirs).unwrap();
        client.codec.agree(agreed.settings, agreed.frame_bytes_max);
        let info = ConnectionInfo {
            connection_id: client.connection_id(),
            client_id: Some(Text::from(client_id)).filter(|it| !it.is_empty()),
            manageable: true,
            ..ConnectionInfo::default()
        };
        client
            .ask(|command_id| {
                Structure::ConnectionInfo(
                    ConnectionInfo { command_id, response_required: true, ..info }.into(),
                )
            })
            .await?;
        Ok(client)
    }

    async fn send(&mut self, to: &Destination, message: Outgoing, transaction: Option<&str>) {
        let Outgoing { body, persistent, priority, group, kind: of_kind, expires } = message;
        self.sent += 1;
        let producer_id =
            Some(ProducerId { connection_id: Some(self.connection.clone()), session_id: 1, value: 1 });
        let message_id = MessageId {
            producer_id: producer_id.clone(),
            producer_sequence_id: self.sent,
            ..MessageId::default()
        };
        let message = Message {
            kind: MessageKind::Text,
            producer_id,
            destination: Some(Box::new(write_destination(to))),
            transaction_id: self.transaction_id(transaction),
            message_id: Some(message_id),
            group_id: Some(Text::from(group)).filter(|it| !it.is_empty()),
            persistent,
            priority: priority as i8,
            expiration: expires,
            content: Some(text::write(body.as_bytes())),
            marshalled_properties: kind(&of_kind),
            ..Message::default()
        };
        self.ask(|command_id| {
            Structure::Message(Message { command_id, response_required: true, ..message }.into())
        })
        .await
        .unwrap();
    }

    async fn send_nowhere(&mut self) -> String {
        let name = "a\u{1}".to_owned();
        let to = Destination { kind: crate::model::DestinationKind::Queue, name };
        let destination = Some(Box::new(write_destination(&to)));
        let message = Message { kind: MessageKind::Text, destination, ..Message::default() };
        let refused = self
            .ask(|command_id| {
                Structure::Message(Message { command_id, response_required: true, ..message }.into())
            })
            .await;
        refused.unwrap_err()
    }

    async fn select(&mut self, from: &Destination, prefetch: u32, selector: &str) {
        let value = self.consumers.len() as i64;
        let id = self.consume(from, value, prefetch, selector).await;
        self.consumers.push(id);
    }

    async fn subscribe_durably(
        &mut self,
        to: &Destination,
        name: &str,
        selector: &str,
    ) -> Result<(), String> {
        let id = self.consumer_id(self.consumers.len() as i64);
        self.add_consumer(&id, to, 100, selector, Some(name)).await?;
        self.consumers.push(id);
        Ok(())
    }

    async fn end_durable(&mut self, name: &str) -> Result<(), String> {
        let info = RemoveSubscriptionInfo {
            connection_id: self.connection_id(),
            subcription_name: Some(name.into()),
            ..RemoveSubscriptionInfo::default()
        };
        self.ask(|command_id| {
            let info = RemoveSubscriptionInfo { command_id, response_required: true, ..info };
            Structure::RemoveSubscriptionInfo(info.into())
        })
        .await
    }

    async fn browse(&mut self, from: &Destination) -> Vec<String> {
        let id = self.consume(from, BROWSER, 100, "").await;
        let mut seen = Vec::new();
        loop {
            let dispatch = match self.heard.pop_front() {
                Some(dispatch) => dispatch,
                None => match self.hear().await {
                    Some(Structure::MessageDispatch(dispatch)) => *dispatch,
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(dispatch.consumer_id.as_ref(), Some(&id));
            match dispatched(&dispatch) {
                Some(message) => seen.push(body(message)),
                None => break,
            }
        }
        self.remove(Structure::ConsumerId(id.into()), -1).await;
        seen
    }

    async fn receive(&mut self) -> Received {
        let dispatch = loop {
            if let Some(dispatch) = self.heard.pop_front() {
                break dispatch;
            }
            match self.hear().await.expect("the connection was closed") {
                Structure::MessageDispatch(dispatch) => self.heard.push_back(*dispatch),
                Structure::KeepAliveInfo(_) => {}
                other => panic!("{other:?}"),
            }
        };
        let message = dispatched(&dispatch).expect("a message");
        let id = message.message_id.clone().unwrap();
        let name = format!("{id:?}");
        let received = Received {
            body: body(message),
            redelivered: dispatch.redelivery_counter > 0,
            name: name.clone(),
        };
        self.received.insert(name, dispatch);
        received
    }

    fn has_more(&self) -> bool {
        !self.heard.is_empty()
    }

    async fn acknowledge(&mut self, message: &Received, transaction: Option<&str>) {
        self.settle(message, STANDARD, transaction).await;
    }

    async fn refuse(&mut self, message: &Received) {
        self.settle(message, POISON, None).await;
    }

    async fn begin(&mut self, transaction: &str) {
        self.transact(transaction, BEGIN).await;
    }

    async fn commit(&mut self, transaction: &str) {
        self.transact(transaction, COMMIT).await;
    }

    async fn abort(&mut self, transaction: &str) {
        self.transact(transaction, ROLLBACK).await;
    }

    async fn disconnect(mut self) {
        // The application has had all that was received.
        let last = |it: &MessageDispatch| {
            dispatched(it).and_then(|it| it.message_id.as_ref()).map_or(-1, |id| id.broker_sequence_id)
        };
        let last = self.received.values().map(last).max().unwrap_or(-1);
        for id in std::mem::take(&mut self.consumers) {
            self.remove(Structure::ConsumerId(id.into()), last).await;
        }
        let id = self.connection_id().unwrap();
        self.remove(Structure::ConnectionId(id.into()), -1).await;
        self.say(&Structure::ShutdownInfo(Box::default())).await;
        while self.hear().await.is_some() {}
    }
}
