//! The client and the load generator against a listener with a node in memory.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::protocol::Listener;
use crate::protocol::tests::{listen, restart, start_answers, start_core};

use super::{
    AckMode, BrowseOptions, Client, ClientError, ClientEvent, ConnectOptions, ConsumeOptions, Incoming, Load,
    LoadProgress, Outgoing, ProduceOptions, Subscription, SubscriptionOptions, browse, consume, produce,
    run_load,
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn client(listeners: &[&Listener]) -> Client {
    let addresses: Vec<String> = listeners.iter().map(|listener| listener.address().to_string()).collect();
    Client::connect(&addresses, ConnectOptions::default()).await.unwrap()
}

fn individual() -> SubscriptionOptions {
    SubscriptionOptions { ack: AckMode::Individual, ..SubscriptionOptions::default() }
}

async fn message(subscription: &mut Subscription) -> Incoming {
    match timeout(PATIENCE, subscription.next()).await.expect("nothing came") {
        Some(ClientEvent::Message(message)) => message,
        other => panic!("no message but {other:?}"),
    }
}

#[tokio::test]
async fn what_is_sent_is_confirmed_received_and_acknowledged() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let client = client(&[&listener]).await;
    let mut receipts = Vec::new();
    for number in 0..2000 {
        let message = Outgoing::persistent("/queue/a", number.to_string());
        receipts.push(client.send(message).await.unwrap());
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let mut subscription = client.subscribe("/queue/a", individual()).await.unwrap();
    for number in 0..2000 {
        let message = message(&mut subscription).await;
        assert_eq!(message.body(), &Bytes::from(number.to_string()));
        assert_eq!(message.header("persistent").as_deref(), Some("true"));
        match number % 2 {
            0 => client.ack(&message).await.unwrap(),
            _ => client.ack_confirmed(&message).await.unwrap(),
        }
    }
    subscription.unsubscribe().await.unwrap();
    client.disconnect().await.unwrap();
    listener.stop().await;
}

#[tokio::test]
async fn a_refused_operation_says_so_and_the_client_goes_on() {
    let (gate, _core) = start_answers();
    let listener = listen(gate).await;
    let client = client(&[&listener]).await;
    let mut refused = Outgoing::persistent("/queue/a", "x");
    refused.headers.push(("type".to_owned(), "refuse".to_owned()));
    let answer = client.send(refused).await.unwrap().await;
    assert_eq!(answer, Err(ClientError::Refused("not for you".to_owned())));
    let answer = client.subscribe("/nowhere/a", SubscriptionOptions::default()).await.map(|_| ());
    assert!(matches!(answer, Err(ClientError::Refused(_))), "{answer:?}");
    client.send(Outgoing::persistent("/queue/a", "y")).await.unwrap().await.unwrap();
    let mut lost = Outgoing::persistent("/queue/a", "z");
    lost.headers.push(("type".to_owned(), "lose".to_owned()));
    assert_eq!(client.send(lost).await.unwrap().await, Err(ClientError::OutcomeUnknown));
    client.disconnect().await.unwrap();
    listener.stop().await;
}

#[tokio::test]
async fn a_transaction_commits_and_belongs_to_its_connection() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate.clone()).await;
    let client = client(&[&listener]).await;
    let mut subscription = client.subscribe("/queue/t", individual()).await.unwrap();
    let transaction = client.begin().await.unwrap();
    client.send_in(transaction, Outgoing::persistent("/queue/t", "1")).await.unwrap().await.unwrap();
    client.commit(transaction).await.unwrap();
    let first = message(&mut subscription).await;
    let transaction = client.begin().await.unwrap();
    client.ack_in(transaction, &first).await.unwrap();
    client.abort(transaction).await.unwrap();
    let transaction = client.begin().await.unwrap();
    let listener = restart(listener, gate).await;
    assert!(matches!(timeout(PATIENCE, subscription.next()).await.unwrap(), Some(ClientEvent::Interrupted)));
    assert_eq!(client.commit(transaction).await, Err(ClientError::Stale));
    assert_eq!(client.ack_confirmed(&first).await, Err(ClientError::Stale));
    let again = message(&mut subscription).await;
    assert!(again.redelivered());
    client.nack(&again).await.unwrap();
    listener.stop().await;
}

#[tokio::test]
async fn the_next_address_is_used_when_one_goes_away() {
    let (gate, _core) = start_core().await;
    let first = listen(gate.clone()).await;
    let second = listen(gate.clone()).await;
    let client = client(&[&first, &second]).await;
    let mut subscription = client.subscribe("/queue/f", individual()).await.unwrap();
    first.stop().await;
    assert!(matches!(timeout(PATIENCE, subscription.next()).await.unwrap(), Some(ClientEvent::Interrupted)));
    client.send(Outgoing::persistent("/queue/f", "over")).await.unwrap().await.unwrap();
    assert_eq!(&message(&mut subscription).await.body()[..], b"over");
    second.stop().await;
}

#[tokio::test]
async fn nobody_at_any_address_is_an_error_that_names_them() {
    let options = ConnectOptions { give_up_after: Duration::from_millis(50), ..ConnectOptions::default() };
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let address = listener.address().to_string();
    listener.stop().await;
    match Client::connect(std::slice::from_ref(&address), options).await.map(|_| ()) {
        Err(ClientError::Unreachable { addresses, .. }) => assert_eq!(addresses, address),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_slow_user_of_an_auto_subscription_stops_the_socket_and_loses_nothing() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let consumer = client(&[&listener]).await;
    let producer = client(&[&listener]).await;
    let mut subscription = consumer.subscribe("/queue/s", SubscriptionOptions::default()).await.unwrap();
    for number in 0..5000 {
        producer.post(Outgoing::persistent("/queue/s", number.to_string())).await.unwrap();
    }
    for number in 0..5000 {
        assert_eq!(message(&mut subscription).await.body(), &Bytes::from(number.to_string()));
    }
    listener.stop().await;
}

#[tokio::test]
async fn the_commands_layer_produces_browses_and_consumes() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let client = client(&[&listener]).await;
    let options = ProduceOptions {
        destination: "/queue/c".to_owned(),
        headers: vec![("colour".to_owned(), "red".to_owned())],
        persistent: true,
        text: true,
        outstanding: 10,
    };
    let bodies = (0..100).map(|number| Bytes::from(number.to_string()));
    let mut steps = 0;
    let produced = produce(&client, &options, bodies, pending(), |_| steps += 1).await;
    assert_eq!((produced.confirmed, produced.unknown, steps), (100, 0, 100));
    let look = BrowseOptions { destination: "/queue/c".to_owned(), selector: None, count: None };
    let mut seen = Vec::new();
    let show = |message: &Incoming| {
        seen.push(message.body().clone());
        true
    };
    assert_eq!(browse(&client, &look, show).await.unwrap(), 100);
    assert_eq!(browse(&client, &look, |_| false).await.unwrap(), 0);
    assert_eq!(seen[99], "99");
    let options = ConsumeOptions {
        selector: None,
        destination: "/queue/c".to_owned(),
        headers: Vec::new(),
        prefetch: Some(7),
        count: None,
        idle: Some(Duration::from_millis(300)),
    };
    let consumed = consume(&client, &options, pending(), |message| {
        assert_eq!(message.header("colour").as_deref(), Some("red"));
        true
    })
    .await
    .unwrap();
    assert_eq!((consumed.messages, consumed.redelivered), (100, 0));
    listener.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_with_a_bound_is_sent_confirmed_and_consumed_whole() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let load = Load {
        addresses: vec![listener.address().to_string()],
        producers: 2,
        consumers: 2,
        messages: Some(2000),
        body_bytes: 100,
        warm_up: Duration::ZERO,
        duration: PATIENCE,
        ..Load::default()
    };
    let progress = Arc::new(LoadProgress::default());
    let report = timeout(PATIENCE * 2, run_load(load, progress.clone())).await.unwrap().unwrap();
    assert_eq!((report.sent_total, report.confirmed_total, report.consumed_total), (4000, 4000, 4000));
    assert_eq!((report.unknown_total, report.reconnects, report.redelivered_total), (0, 0, 0));
    assert_eq!(report.confirm.count(), 4000);
    assert!(report.produced_per_second() > 0.0 && report.processor > Duration::ZERO);
    assert_eq!(progress.confirmed.load(Ordering::Relaxed), 4000);
    listener.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_goes_on_after_its_broker_was_away() {
    let (gate, _core) = start_core().await;
    let listener = listen(gate.clone()).await;
    let load = Load {
        addresses: vec![listener.address().to_string()],
        body_bytes: 10,
        warm_up: Duration::ZERO,
        duration: Duration::from_millis(1500),
        drain: PATIENCE,
        ..Load::default()
    };
    let progress = Arc::new(LoadProgress::default());
    let running = tokio::spawn(run_load(load, progress.clone()));
    let half = async {
        while progress.consumed.load(Ordering::Relaxed) < 100 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, half).await.unwrap();
    let listener = restart(listener, gate).await;
    let report = timeout(PATIENCE * 2, running).await.unwrap().unwrap().unwrap();
    assert_eq!(report.reconnects, 2);
    assert_eq!(report.sent_total, report.confirmed_total + report.unknown_total);
    assert!(report.consumed_total >= report.confirmed_total, "{report:?}");
    assert!(report.confirm_gap_max > Duration::ZERO);
    listener.stop().await;
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_left_for_the_next_one() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // Accepts, promises heart-beats, and freezes.
    let frozen = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = vec![frozen.local_addr().unwrap().to_string()];
    let silence = tokio::spawn(async move {
        let (mut stream, _) = frozen.accept().await.unwrap();
        drop(frozen);
        let mut connect = [0; 8];
        stream.read_exact(&mut connect).await.unwrap();
        stream.write_all(b"CONNECTED\nversion:1.2\nheart-beat:100,100\n\n\0").await.unwrap();
        std::future::pending::<()>().await;
    });
    let (gate, _core) = start_core().await;
    let listener = listen(gate).await;
    let addresses = [addresses, vec![listener.address().to_string()]].concat();
    let heart_beat = Duration::from_millis(100);
    let options = ConnectOptions { heart_beat, ..ConnectOptions::default() };
    let client = Client::connect(&addresses, options).await.unwrap();
    let receipt = client.send(Outgoing::persistent("/queue/h", "1")).await.unwrap();
    assert_eq!(timeout(PATIENCE, receipt).await.unwrap(), Err(ClientError::OutcomeUnknown));
    client.send(Outgoing::persistent("/queue/h", "2")).await.unwrap().await.unwrap();
    // A connection with heart-beats outlives many of their intervals without a word from its user.
    let mut subscription = client.subscribe("/queue/i", individual()).await.unwrap();
    assert!(timeout(heart_beat * 6, subscription.next()).await.is_err());
    silence.abort();
    listener.stop().await;
}

#[tokio::test]
async fn acknowledgements_that_the_broker_did_not_confirm_are_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // Hands out one message, and ends the connection instead of answering UNSUBSCRIBE.
    let broker = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = broker.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = broker.accept().await.unwrap();
        drop(broker);
        let mut heard = String::new();
        for (verb, answer) in [
            ("CONNECT\n", "CONNECTED\nversion:1.2\n\n\0"),
            ("SUBSCRIBE\n", "RECEIPT\nreceipt-id:1\n\n\0MESSAGE\nsubscription:1\nmessage-id:1\nack:1\n\nx\0"),
            ("ACK\n", ""),
            ("UNSUBSCRIBE\n", ""),
        ] {
            while !heard.contains(verb) {
                let mut bytes = [0; 512];
                let count = stream.read(&mut bytes).await.unwrap();
                heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let client = Client::connect(&[address], ConnectOptions::default()).await.unwrap();
    let options = ConsumeOptions {
        selector: None,
        destination: "/queue/u".to_owned(),
        headers: Vec::new(),
        prefetch: Some(1),
        count: Some(1),
        idle: None,
    };
    let consumed = timeout(PATIENCE, consume(&client, &options, pending(), |_| true)).await.unwrap().unwrap();
    assert_eq!((consumed.messages, consumed.unconfirmed), (1, true));
    serving.await.unwrap();
}
