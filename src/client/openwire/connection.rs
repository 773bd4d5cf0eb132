//! A connection to a broker with one session: what is asked of it, and what happens on it.

use std::collections::VecDeque;

use tokio::time::timeout;

use crate::env::random_u128;
use crate::protocol::openwire::client::{
    BrokerInfo, ConnectionId, ConnectionInfo, ConsumerId, ConsumerInfo, KeepAliveInfo, Message, MessageAck,
    MessageDispatch, MessageId, ProducerId, ProducerInfo, RemoveInfo, SessionId, SessionInfo, Structure,
    Text, Throwable,
};

use super::exception::{Exception, OpenWireError};
use super::options::OpenWireOptions;
use super::wire::{Stream, Wire};

/// The one session of a connection, and its one producer.
const SESSION: i64 = 1;
const PRODUCER: i64 = 1;
/// The application has had none of a consumer's messages that are not acknowledged.
const LAST_DELIVERED_NONE: i64 = -1;

/// Who the broker at the other end says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its id, which no other broker has.
    pub(crate) id: String,
    /// Its name, which others may have.
    pub(crate) name: String,
}

/// What becomes of a message that was received. The numbers are OpenWire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// The broker gives it up: a dead letter.
    Poison = 1,
    /// It and all before it are done with.
    Standard = 2,
    /// It is done with.
    Individual = 4,
}

/// What an acknowledgement says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Whose it is.
    pub(crate) consumer: Option<ConsumerId>,
    destination: Option<Box<Structure>>,
    message: Option<MessageId>,
}

impl Delivered {
    /// Of this delivery; nothing if it has no message.
    pub(crate) fn of(delivery: &MessageDispatch) -> Option<Delivered> {
        let Some(Structure::Message(message)) = delivery.message.as_deref() else { return None };
        Some(Delivered {
            consumer: delivery.consumer_id.clone(),
            destination: delivery.destination.clone(),
            message: message.message_id.clone(),
        })
    }
}

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenWireEvent {
    /// The broker answers the request of this number.
    Answered(i32, Result<(), Exception>),
    /// A message for one of the consumers.
    Delivery(Box<MessageDispatch>),
}

/// See the module.
pub(crate) struct OpenWireConnection {
    wire: Wire,
    name: Text,
    peer: Option<Peer>,
    requests: i32,
    consumers: i64,
    /// What came while an answer was waited for.
    earlier: VecDeque<OpenWireEvent>,
}

impl OpenWireConnection {
    /// Introduces itself over a stream that was just opened, logs in and begins a session.
    ///
    /// # Errors
    /// [`OpenWireError`]: the stream is of no more use.
    pub(crate) async fn open(
        stream: Box<dyn Stream>,
        options: &OpenWireOptions,
    ) -> Result<OpenWireConnection, OpenWireError> {
        let mut connection = OpenWireConnection {
            wire: Wire::new(stream, options.frame_bytes_max),
            name: format!("ID:quorate-{:032x}", random_u128()).into(),
            peer: None,
            requests: 0,
            consumers: 0,
            earlier: VecDeque::new(),
        };
        let greeted = timeout(options.answer_timeout, connection.greet(options)).await;
        let seconds = options.answer_timeout.as_secs();
        greeted
            .map_err(|_| OpenWireError::Lost(format!("no answer to the first words in {seconds} s")))??;
        Ok(connection)
    }

    async fn greet(&mut self, options: &OpenWireOptions) -> Result<(), OpenWireError> {
        let theirs = loop {
            match self.wire.decode().map_err(OpenWireError::Stranger)? {
                Some(Structure::WireFormatInfo(theirs)) => break theirs,
                Some(_) | None => self.wire.step().await?,
            }
        };
        self.wire.agree(&theirs).map_err(OpenWireError::Stranger)?;
        if let Some(introduction) = &options.introduction {
            self.wire.put(&Structure::BrokerInfo(Box::new(introduction.clone())));
        }
        let login = ConnectionInfo {
            connection_id: Some(ConnectionId { value: Some(Text::clone(&self.name)) }),
            client_id: Some(options.client_id.as_str().into()).filter(|_| !options.client_id.is_empty()),
            user_name: options.user.as_deref().map(Text::from),
            password: options.password.as_ref().map(|password| password.expose().into()),
            manageable: true,
            ..ConnectionInfo::default()
        };
        let request = self.ask(|command_id| {
            let info = ConnectionInfo { command_id, response_required: true, ..login };
            Structure::ConnectionInfo(Box::new(info))
        });
        self.answer(request).await?;
        while self.peer.is_none() {
            let event = self.next().await?;
            self.earlier.push_back(event);
        }
        let session_id = Some(SessionId { connection_id: Some(Text::clone(&self.name)), value: SESSION });
        let session = self.ask(|command_id| {
            Structure::SessionInfo(Box::new(SessionInfo { command_id, response_required: true, session_id }))
        });
        let producer_id = Some(self.producer_id());
        let producer = self.ask(|command_id| {
            let info = ProducerInfo { command_id, producer_id, ..ProducerInfo::default() };
            Structure::ProducerInfo(Box::new(ProducerInfo { response_required: true, ..info }))
        });
        self.answer(session).await?;
        self.answer(producer).await
    }

    /// The broker at the other end.
    pub(crate) fn peer(&self) -> Peer {
        self.peer.clone().unwrap_or_default()
    }

    /// A longer frame would end the connection.
    pub(crate) fn frame_bytes_max(&self) -> usize {
        self.wire.frame_bytes_max()
    }

    /// Bytes that wait to be written; who adds much more than the socket takes holds all of it in memory.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.wire.waiting_bytes()
    }

    /// Takes nothing further from the broker until it is told otherwise; what is to be written is written.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.wire.hold(is_held);
    }

    /// Sends a message as this connection's producer; its destination and id stay what they are. The broker answers once it
    /// is stored, or taken if it is not persistent.
    pub(crate) fn send(&mut self, message: Message) -> i32 {
        let producer_id = Some(self.producer_id());
        self.ask(|command_id| {
            let message = Message { command_id, response_required: true, producer_id, ..message };
            Structure::Message(Box::new(message))
        })
    }

    /// The same without an answer: it may get lost.
    pub(crate) fn send_unconfirmed(&mut self, message: Message) {
        let producer_id = Some(self.producer_id());
        self.requests = self.requests.wrapping_add(1);
        let message = Message { command_id: self.requests, response_required: false, producer_id, ..message };
        self.wire.put(&Structure::Message(Box::new(message)));
    }

    /// Begins to consume as `info` says, under a new id; gives that and the number of the request.
    pub(crate) fn consume(&mut self, info: ConsumerInfo) -> (ConsumerId, i32) {
        self.consumers += 1;
        let id = ConsumerId {
            connection_id: Some(Text::clone(&self.name)),
            session_id: SESSION,
            value: self.consumers,
        };
        let consumer_id = Some(id.clone());
        let request = self.ask(|command_id| {
            let info = ConsumerInfo { command_id, response_required: true, consumer_id, ..info };
            Structure::ConsumerInfo(Box::new(info))
        });
        (id, request)
    }

    /// Ends a consumer: what it has not acknowledged goes to others.
    pub(crate) fn end_consumer(&mut self, id: ConsumerId) -> i32 {
        self.remove(Structure::ConsumerId(id.into()))
    }

    /// Acknowledges a delivery; `cause` says why it is poison. Nobody answers.
    pub(crate) fn acknowledge(
        &mut self,
        delivered: Delivered,
        acknowledgement: Acknowledgement,
        cause: Option<String>,
    ) {
        let id = delivered.message;
        let poison_cause = cause.map(|cause| Throwable {
            class_name: Some("javax.jms.JMSException".into()),
            message: Some(cause.into()),
        });
        self.requests = self.requests.wrapping_add(1);
        self.wire.put(&Structure::MessageAck(Box::new(MessageAck {
            command_id: self.requests,
            destination: delivered.destination,
            consumer_id: delivered.consumer,
            ack_type: acknowledgement as i8,
            first_message_id: id.clone().filter(|_| acknowledgement != Acknowledgement::Standard),
            last_message_id: id,
            message_count: 1,
            poison_cause,
            ..MessageAck::default()
        })));
    }

    /// Waits until the broker has answered this request; what else happens meanwhile is kept for [`Self::event`].
    ///
    /// # Errors
    /// [`OpenWireError::Refused`]: nothing of it was done, and the connection goes on. Any other: it is over.
    pub(crate) async fn answer(&mut self, request: i32) -> Result<(), OpenWireError> {
        let is_answer =
            |event: &OpenWireEvent| matches!(event, OpenWireEvent::Answered(it, _) if *it == request);
        let event = match self.earlier.iter().position(is_answer) {
            Some(at) => self.earlier.remove(at),
            None => loop {
                let event = self.next().await?;
                if is_answer(&event) {
                    break Some(event);
                }
                self.earlier.push_back(event);
            },
        };
        match event {
            Some(OpenWireEvent::Answered(_, Err(exception))) => Err(OpenWireError::Refused(exception)),
            _ => Ok(()),
        }
    }

    /// What happens next; writes and reads meanwhile, and shows the broker that this side lives. Cancel-safe.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) async fn event(&mut self) -> Result<OpenWireEvent, OpenWireError> {
        match self.earlier.pop_front() {
            Some(event) => Ok(event),
            None => self.next().await,
        }
    }

    /// Says goodbye: all that was said before has reached the broker, unless the connection is lost first.
    pub(crate) async fn leave(mut self) -> Result<(), OpenWireError> {
        let id = ConnectionId { value: Some(Text::clone(&self.name)) };
        let request = self.remove(Structure::ConnectionId(id.into()));
        self.answer(request).await?;
        self.wire.put(&Structure::ShutdownInfo(Box::default()));
        while self.waiting_bytes() > 0 {
            self.wire.step().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<OpenWireEvent, OpenWireError> {
        loop {
            while let Some(structure) = self.wire.decode()? {
                if let Some(event) = self.take(structure)? {
                    return Ok(event);
                }
            }
            self.wire.step().await?;
        }
    }

    fn take(&mut self, structure: Structure) -> Result<Option<OpenWireEvent>, OpenWireError> {
        let answered = |request, result| Ok(Some(OpenWireEvent::Answered(request, result)));
        match structure {
            Structure::Response(it) => return answered(it.correlation_id, Ok(())),
            Structure::DataResponse(it) => return answered(it.correlation_id, Ok(())),
            Structure::DataArrayResponse(it) => return answered(it.correlation_id, Ok(())),
            Structure::IntegerResponse(it) => return answered(it.correlation_id, Ok(())),
            Structure::ExceptionResponse(it) => {
                return answered(it.correlation_id, Err(Exception::of(it.exception)));
            }
            Structure::MessageDispatch(dispatch) => return Ok(Some(OpenWireEvent::Delivery(dispatch))),
            Structure::ConnectionError(it) => {
                return Err(OpenWireError::Refused(Exception::of(it.exception)));
            }
            Structure::ShutdownInfo(_) => {
                return Err(OpenWireError::Lost("the broker says goodbye".to_owned()));
            }
            Structure::KeepAliveInfo(it) if it.response_required => {
                self.wire.put(&Structure::KeepAliveInfo(Box::<KeepAliveInfo>::default()));
            }
            Structure::BrokerInfo(info) if self.peer.is_none() => self.peer = Some(peer(&info)),
            // What else a broker tells is for clients that choose among brokers.
            _ => {}
        }
        Ok(None)
    }

    fn ask(&mut self, make: impl FnOnce(i32) -> Structure) -> i32 {
        self.requests = self.requests.wrapping_add(1);
        let command = make(self.requests);
        self.wire.put(&command);
        self.requests
    }

    fn remove(&mut self, object: Structure) -> i32 {
        self.ask(|command_id| {
            Structure::RemoveInfo(Box::new(RemoveInfo {
                command_id,
                response_required: true,
                object_id: Some(Box::new(object)),
                last_delivered_sequence_id: LAST_DELIVERED_NONE,
            }))
        })
    }

    fn producer_id(&self) -> ProducerId {
        ProducerId { connection_id: Some(Text::clone(&self.name)), session_id: SESSION, value: PRODUCER }
    }
}

fn peer(info: &BrokerInfo) -> Peer {
    let text = |text: Option<&Text>| text.map_or(String::new(), ToString::to_string);
    let id = info.broker_id.as_ref().and_then(|id| id.value.as_ref());
    Peer { id: text(id), name: text(info.broker_name.as_ref()) }
}
