//! The client against a node as it is shipped, and against peers that are none.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::config::{Scheme, TransportConnector};
use crate::env::{ConnectionLimit, SystemClock};
use crate::model::{Destination, DestinationKind};
use crate::protocol::Listener;
use crate::protocol::openwire::client::{
    ConsumerInfo, Message, MessageDispatch, MessageId, MessageKind, ProducerId, Structure, text,
    write_destination,
};
use crate::protocol::tests::{Core, connector, start_core};

use super::{Acknowledgement, Delivered, OpenWireConnection, OpenWireError, OpenWireEvent, OpenWireOptions};

const PATIENCE: Duration = Duration::from_secs(20);

async fn start() -> (Listener, Core) {
    let (gate, core) = start_core().await;
    let connector = TransportConnector { scheme: Scheme::OpenWire, ..connector(10) };
    let clock = std::sync::Arc::new(SystemClock::new());
    let listener = Listener::start(&connector, gate, ConnectionLimit::new(10), usize::MAX, clock);
    (listener.await.unwrap(), core)
}

async fn connect(listener: &Listener) -> OpenWireConnection {
    let stream = TcpStream::connect(listener.address()).await.unwrap();
    OpenWireConnection::open(Box::new(stream), &OpenWireOptions::default()).await.unwrap()
}

fn queue(name: &str) -> Structure {
    write_destination(&Destination::new(DestinationKind::Queue, name).unwrap())
}

fn message(to: &str, number: i64) -> Message {
    let producer_id = Some(ProducerId { connection_id: Some("ID:test-1".into()), ..ProducerId::default() });
    Message {
        kind: MessageKind::Text,
        destination: Some(Box::new(queue(to))),
        message_id: Some(MessageId { producer_id, producer_sequence_id: number, ..MessageId::default() }),
        persistent: true,
        content: Some(text::write(number.to_string().as_bytes())),
        ..Message::default()
    }
}

fn consumer(from: &str, prefetch_size: i32) -> ConsumerInfo {
    ConsumerInfo { destination: Some(Box::new(queue(from))), prefetch_size, ..ConsumerInfo::default() }
}

async fn delivery(connection: &mut OpenWireConnection) -> MessageDispatch {
    loop {
        match timeout(PATIENCE, connection.event()).await.expect("nothing came").unwrap() {
            OpenWireEvent::Delivery(delivery) => return *delivery,
            OpenWireEvent::Answered(_, result) => result.unwrap(),
        }
    }
}

fn number(delivery: &MessageDispatch) -> i64 {
    let Some(Structure::Message(message)) = delivery.message.as_deref() else { panic!("{delivery:?}") };
    message.message_id.as_ref().unwrap().producer_sequence_id
}

#[tokio::test]
async fn many_messages_are_under_way_and_what_is_acknowledged_never_comes_again() {
    const MESSAGES: i64 = 1000;
    let (listener, _core) = start().await;
    let mut one = connect(&listener).await;
    let requests: Vec<i32> = (1..=MESSAGES).map(|number| one.send(message("a", number))).collect();
    for request in requests {
        timeout(PATIENCE, one.answer(request)).await.unwrap().unwrap();
    }
    let (id, began) = one.consume(consumer("a", 100));
    one.answer(began).await.unwrap();
    for expected in 1..=MESSAGES / 2 {
        let delivery = delivery(&mut one).await;
        assert_eq!(number(&delivery), expected);
        match expected % 10 {
            0 => one.acknowledge(Delivered::of(&delivery).unwrap(), Acknowledgement::Standard, None),
            _ if expected > 450 => {
                one.acknowledge(Delivered::of(&delivery).unwrap(), Acknowledgement::Individual, None)
            }
            _ => {}
        }
    }
    let ended = one.end_consumer(id);
    one.answer(ended).await.unwrap();
    one.leave().await.unwrap();
    let mut other = connect(&listener).await;
    other.consume(consumer("a", 1));
    let first = delivery(&mut other).await;
    assert_eq!(number(&first), MESSAGES / 2 + 1);
    other.acknowledge(Delivered::of(&first).unwrap(), Acknowledgement::Poison, Some("spoilt".to_owned()));
    assert_eq!(number(&delivery(&mut other).await), MESSAGES / 2 + 2);
    other.consume(consumer("ActiveMQ.DLQ", 1));
    assert_eq!(number(&delivery(&mut other).await), MESSAGES / 2 + 1);
    listener.stop().await;
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_taken_once() {
    let (listener, _core) = start().await;
    let mut connection = connect(&listener).await;
    for number in [1, 2, 1, 2, 3] {
        let request = connection.send(message("again", number));
        connection.answer(request).await.unwrap();
    }
    connection.consume(consumer("again", 10));
    for expected in 1..=3 {
        assert_eq!(number(&delivery(&mut connection).await), expected);
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_refusal_names_its_exception_and_the_connection_goes_on() {
    let (listener, _core) = start().await;
    let mut connection = connect(&listener).await;
    let request = connection.send(Message { destination: None, ..message("a", 1) });
    match connection.answer(request).await {
        Err(OpenWireError::Refused(exception)) => {
            assert_eq!(exception.name(), "InvalidDestinationException");
            assert_eq!(exception.class, "javax.jms.InvalidDestinationException");
            assert!(!exception.message.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let request = connection.send(message("a", 1));
    connection.answer(request).await.unwrap();
    assert!(connection.peer().id.starts_with("ID:"), "{:?}", connection.peer());
    listener.stop().await;
    let lost = loop {
        match timeout(PATIENCE, connection.event()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(lost, OpenWireError::Lost(_)), "{lost:?}");
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_named_as_such_or_not_waited_for() {
    for (says, expected) in [
        (&b"ERROR\nmessage:who are you\n\n\0"[..], "it does not speak OpenWire: a frame of"),
        (b"\0\0\0\x05\x01abcd", "it does not speak OpenWire: "),
        (b"", "no answer to the first words in 0 s"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(says).await.unwrap();
        let options =
            OpenWireOptions { answer_timeout: Duration::from_millis(300), ..OpenWireOptions::default() };
        let opened = timeout(PATIENCE, OpenWireConnection::open(Box::new(stream), &options)).await.unwrap();
        let error = opened.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
