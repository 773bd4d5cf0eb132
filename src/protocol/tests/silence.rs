//! Who is gone, who only waits, and what goes on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::broker::{
    Command, Credentials, DeliveryId, Gate, Inbound, Principal, SessionEvent, SessionId, SubscriptionKey,
    Verdict,
};
use crate::env::{ConnectionLimit, SystemClock};
use crate::model::{Destination, DestinationKind, Encoding, Field, Message, MessageBuilder};
use crate::protocol::Listener;
use crate::protocol::stomp::{Frame, Verb, Version};

use super::{PATIENCE, Raw, connector, listen, start_core};

fn header(frame: &Frame, name: &str) -> String {
    frame.header(name).unwrap_or_default().into_owned()
}

fn message(body: &str) -> Message {
    let mut builder = MessageBuilder::new(Encoding::Stomp);
    builder.body = body.to_owned().into();
    let queue = Destination::new(DestinationKind::Queue, "q").unwrap();
    builder.destination(Field::Destination, &queue).field(Field::MessageId, "ID:1");
    builder.build().unwrap()
}

/// Takes what a core would take, up to the subscription of a session; gives the session and the way to it.
async fn until_subscribed(
    inbound: &mut mpsc::Receiver<Inbound>,
) -> (SessionId, SubscriptionKey, mpsc::UnboundedSender<Vec<SessionEvent>>) {
    let mut opened = None;
    loop {
        match inbound.recv().await.unwrap() {
            Inbound::Open { session, events, .. } => opened = Some((session, events)),
            Inbound::Commands { submission, .. } => {
                for command in submission.commands {
                    if let Command::Subscribe { subscription, .. } = command {
                        let (session, events) = opened.unwrap();
                        return (session, subscription, events);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Fills the core's channel to the last place.
async fn fill(gate: &Gate) {
    let mut crowd = gate.open("", &Credentials::default(), Principal::default()).unwrap();
    while !crowd.holds() {
        let settle = Command::Settle {
            deliveries: vec![DeliveryId(1)],
            verdict: Verdict::Consumed,
            transaction: None,
            correlation: None,
        };
        crowd.submit(vec![settle]).await.unwrap();
    }
}

#[tokio::test]
async fn connections_go_on_while_the_core_takes_nothing() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let listener = listen(gate.clone()).await;
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:1.2\nheart-beat:0,100\n\n\0SUBSCRIBE\nid:1\ndestination:/queue/q\n\n\0")
        .await;
    assert_eq!(raw.hear().await.verb, Verb::Connected);
    let (session, subscription, events) = until_subscribed(&mut inbound).await;
    fill(&gate).await;
    raw.say("SEND\ndestination:/queue/q\nreceipt:later\n\nx\0").await;
    // It beats, it delivers, and others come in.
    for number in 1..=3 {
        let mut byte = [0];
        tokio::time::timeout(PATIENCE, raw.stream.read_exact(&mut byte)).await.unwrap().unwrap();
        assert_eq!(byte[0], b'\n', "a heart-beat");
        let delivery = SessionEvent::Delivery {
            first_of_group: false,
            subscription,
            delivery: DeliveryId(number),
            destination: None,
            message: message("while it waits"),
            redelivered: false,
            failures: 0,
        };
        events.send(vec![delivery]).unwrap();
        assert_eq!(&raw.hear().await.body[..], b"while it waits");
    }
    let (_other, connected) = Raw::connect(&listener, Version::V1_2).await;
    assert_eq!(connected.verb, Verb::Connected);
    // When the core goes on, what was held reaches it, and its answer the client.
    let correlation = loop {
        let Inbound::Commands { session: from, submission } = inbound.recv().await.unwrap() else { continue };
        let sent = submission.commands.into_iter().find_map(|command| match command {
            Command::Send { correlation, .. } => correlation,
            _ => None,
        });
        if let (true, Some(correlation)) = (from == session, sent) {
            break correlation;
        }
    };
    events.send(vec![SessionEvent::Done { correlation, result: Ok(()) }]).unwrap();
    raw.hear_receipt("later").await;
    listener.stop().await;
}

#[tokio::test]
async fn what_was_said_before_a_goodbye_counts_though_the_core_took_nothing_then() {
    let (gate, mut inbound) = Gate::bounded(usize::MAX);
    let listener = listen(gate.clone()).await;
    fill(&gate).await;
    let (mut raw, _) = Raw::connect(&listener, Version::V1_2).await;
    raw.say("SEND\ndestination:/queue/q\n\nlast words\0").await;
    drop(raw);
    loop {
        let Inbound::Commands { submission, .. } = inbound.recv().await.unwrap() else { continue };
        if submission.commands.iter().any(|command| matches!(command, Command::Send { .. })) {
            break;
        }
    }
    listener.stop().await;
}

#[tokio::test]
async fn a_client_without_a_heart_beat_header_has_the_connectors() {
    let (gate, _core) = start_core().await;
    let mut options = connector(10);
    options.connection.heart_beat = (Duration::from_millis(100), Duration::from_millis(200));
    options.connection.heart_beat_grace_percent = 100;
    options.connection.named_activemq = false;
    let (limit, clock) = (ConnectionLimit::new(10), Arc::new(SystemClock::new()));
    let listener = Listener::start(&options, gate, limit, usize::MAX, clock).await.unwrap();
    let mut raw = Raw::open(&listener).await;
    raw.say("CONNECT\naccept-version:1.2\n\n\0").await;
    let connected = raw.hear().await;
    assert_eq!(header(&connected, "heart-beat"), "200,100");
    assert!(header(&connected, "server").starts_with("quorate/"));
    assert_eq!(raw.listen().await, None, "it does not beat");
    listener.stop().await;
}

#[tokio::test]
async fn a_client_id_in_use_is_refused_by_name() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let connect = "CONNECT\naccept-version:1.2\nclient-id:robot\nreceipt:c\n\n\0";
    let mut first = Raw::open(&listener).await;
    first.say(connect).await;
    assert_eq!(first.hear().await.verb, Verb::Connected);
    let mut second = Raw::open(&listener).await;
    second.say(connect).await;
    let error = second.hear_error("Client id in use: robot is connected from tcp://127.0.0.1:").await;
    assert_eq!(header(&error, "receipt-id"), "c");
    listener.stop().await;
}

/// The timer that the system runs for the broker's end of a connection: 2 is keep-alive.
fn timer(listener: &Listener, raw: &Raw) -> Option<String> {
    let end = |address: std::net::SocketAddr| format!("0100007F:{:04X}", address.port());
    let (broker, client) = (end(listener.address()), end(raw.stream.local_addr().unwrap()));
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&&*broker) && row.get(2) == Some(&&*client))?;
    Some(row[5].split(':').next()?.to_owned())
}

#[tokio::test]
async fn a_client_that_says_nothing_is_asked_by_the_system_whether_it_is_there() {
    for keep_alive in [true, false] {
        let (gate, _core) = start_core().await;
        let mut options = connector(10);
        options.connection.socket.keep_alive = keep_alive;
        let (limit, clock) = (ConnectionLimit::new(10), Arc::new(SystemClock::new()));
        let listener = Listener::start(&options, gate, limit, usize::MAX, clock).await.unwrap();
        let (raw, _) = Raw::connect(&listener, Version::V1_2).await;
        let wanted = if keep_alive { "02" } else { "00" };
        // What was written last is retransmitted until it is acknowledged, by another timer.
        let settled = async {
            while timer(&listener, &raw).as_deref() != Some(wanted) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.unwrap();
        listener.stop().await;
    }
}
