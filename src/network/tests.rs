//! Bridges between nodes as they are shipped, in one process.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::broker::{BrokerNames, Gate};
use crate::client::openwire::{
    Acknowledgement, Delivered, OpenWireConnection, OpenWireEvent, OpenWireOptions,
};
use crate::config::{Config, NetworkConnector, Scheme, TransportConnector};
use crate::env::{ConnectionLimit, Names, SystemClock};
use crate::model::{Destination, DestinationKind};
use crate::protocol::Listener;
use crate::protocol::openwire::client::{
    ConsumerId, ConsumerInfo, Message, MessageId, MessageKind, ProducerId, Structure, text, write_destination,
};
use crate::protocol::tests::{Core, connector as transport, start_core_of};

use super::{BridgeState, BridgeStatus, Bridges, Network, OwnBroker};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connector to nowhere with these lines.
pub(super) fn connector(lines: &str) -> NetworkConnector {
    read("tcp://127.0.0.1:1", lines)
}

fn read(uri: &str, lines: &str) -> NetworkConnector {
    let text = format!("[[network_connector]]\nuri = \"static:({uri})?initialReconnectDelay=20\"\n{lines}\n");
    Config::parse(None, &text, &[], &[]).unwrap().config.network_connectors.remove(0)
}

/// A broker of its own id.
struct Broker {
    gate: Gate,
    listener: Listener,
    _core: Core,
}

impl Broker {
    async fn start(name: &str) -> Broker {
        Broker::taking(name, 4 << 20).await
    }

    /// Of messages of at most so many bytes, and a mebibyte of what stands around them.
    async fn taking(name: &str, frame_bytes_max: usize) -> Broker {
        let (gate, core) = start_core_of(BrokerNames::new(name, "")).await;
        let transport = TransportConnector { scheme: Scheme::OpenWire, frame_bytes_max, ..transport(100) };
        let clock = Arc::new(SystemClock::new());
        let limit = ConnectionLimit::new(100);
        let listener = Listener::start(&transport, gate.clone(), limit, usize::MAX, clock).await.unwrap();
        Broker { gate, listener, _core: core }
    }

    fn id(&self) -> String {
        self.gate.names().id().to_string()
    }

    fn uri(&self) -> String {
        format!("tcp://{}", self.listener.address())
    }

    /// Bridges by a connector with these lines.
    fn bridge(&self, uri: &str, lines: &str) -> (Network, Bridges) {
        let own = OwnBroker {
            gate: self.gate.clone(),
            clock: Arc::new(SystemClock::new()),
            body_bytes_max: 4 << 20,
            names: Names::default(),
        };
        let bridges = Bridges::default();
        (Network::start(&[read(uri, lines)], &own, bridges.clone()), bridges)
    }

    async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.listener.address()).await.unwrap();
        let connection =
            OpenWireConnection::open(Box::new(stream), &OpenWireOptions::default()).await.unwrap();
        Client { connection, sent: 0 }
    }
}

struct Client {
    connection: OpenWireConnection,
    sent: i64,
}

impl Client {
    async fn send(&mut self, to: &str, body: &str) {
        self.sent += 1;
        let connection_id = Some(format!("ID:client-{:p}", &raw const *self).into());
        let producer_id = Some(ProducerId { connection_id, ..ProducerId::default() });
        let request = self.connection.send(Message {
            kind: MessageKind::Text,
            destination: Some(Box::new(write_destination(&destination(to)))),
            message_id: Some(MessageId {
                producer_id,
                producer_sequence_id: self.sent,
                ..MessageId::default()
            }),
            persistent: true,
            content: Some(text::write(body.as_bytes())),
            ..Message::default()
        });
        self.connection.answer(request).await.unwrap();
    }

    async fn consume(&mut self, from: &str) -> ConsumerId {
        let destination = Some(Box::new(write_destination(&destination(from))));
        let info = ConsumerInfo { destination, prefetch_size: 100, ..ConsumerInfo::default() };
        let (id, request) = self.connection.consume(info);
        self.connection.answer(request).await.unwrap();
        id
    }

    async fn stop_to_consume(&mut self, id: ConsumerId) {
        let request = self.connection.end_consumer(id);
        self.connection.answer(request).await.unwrap();
    }

    /// Receives and acknowledges.
    async fn receive(&mut self) -> Message {
        loop {
            let event = timeout(PATIENCE, self.connection.event()).await.expect("nothing came").unwrap();
            let OpenWireEvent::Delivery(delivery) = event else { continue };
            self.connection.acknowledge(Delivered::of(&delivery).unwrap(), Acknowledgement::Individual, None);
            let Some(Structure::Message(message)) = delivery.message.map(|message| *message) else {
                panic!("no message")
            };
            return *message;
        }
    }
}

fn body(message: &Message) -> String {
    let content = message.content.clone().unwrap();
    String::from_utf8(text::read(&content).unwrap().to_vec()).unwrap()
}

fn destination(text: &str) -> Destination {
    match text.strip_prefix("topic://") {
        Some(name) => Destination::new(DestinationKind::Topic, name).unwrap(),
        None => Destination::new(DestinationKind::Queue, text).unwrap(),
    }
}

/// Waits until the one bridge looks like this.
async fn shows(bridges: &Bridges, wanted: impl Fn(&BridgeStatus) -> bool) -> BridgeStatus {
    let look = async {
        loop {
            if let Some(found) = bridges.all().into_iter().find(|it| wanted(it)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{:?}", bridges.all()))
}

#[tokio::test]
async fn what_is_included_goes_over_in_order_and_keeps_what_it_is() {
    const MESSAGES: i64 = 3000;
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let mut producer = a.client().await;
    for number in 1..=MESSAGES {
        producer.send("Q", &number.to_string()).await;
    }
    let lines =
        "statically_included_destinations = [\"queue://Q\"]\nstatic_bridge = true\nprefetch_size = 50";
    let (network, bridges) = a.bridge(&b.uri(), lines);
    let mut consumer = b.client().await;
    consumer.consume("Q").await;
    for number in 1..=MESSAGES {
        let message = consumer.receive().await;
        assert_eq!(body(&message), number.to_string());
        let id = message.message_id.unwrap();
        assert_eq!(id.producer_sequence_id, number);
        assert!(message.persistent);
        let path = message.broker_path.unwrap();
        assert!(matches!(&path[..], [Structure::BrokerId(id)] if id.value.as_deref() == Some(&*a.id())));
    }
    let status = shows(&bridges, |it| it.forwarded == MESSAGES as u64).await;
    assert_eq!((status.broker.as_str(), status.state, status.under_way), ("b", BridgeState::Bridging, 0));
    assert_eq!((status.broker_id, status.subscriptions, status.failures), (b.id(), 1, 0));
    network.stop().await;
    assert_eq!(bridges.all(), []);
    // All of it is settled at the source.
    let mut rest = a.client().await;
    rest.consume("Q").await;
    producer.send("Q", "last").await;
    assert_eq!(body(&rest.receive().await), "last");
}

#[tokio::test]
async fn nothing_goes_in_circles_and_local_consumers_come_first() {
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let lines = "statically_included_destinations = [\"Q\"]\nstatic_bridge = true\nnetwork_ttl = 5";
    let (there, bridges_there) = a.bridge(&b.uri(), lines);
    let (back, bridges_back) = b.bridge(&a.uri(), lines);
    for bridges in [&bridges_there, &bridges_back] {
        shows(bridges, |it| it.subscriptions == 1).await;
    }
    let mut at_a = a.client().await;
    at_a.send("Q", "over").await;
    shows(&bridges_there, |it| it.forwarded == 1).await;
    let mut at_b = b.client().await;
    at_b.consume("Q").await;
    assert_eq!(body(&at_b.receive().await), "over");
    // Both bridges would take it, and b's consumer comes first.
    at_b.send("Q", "near").await;
    assert_eq!(body(&at_b.receive().await), "near");
    let (out, returned) = (shows(&bridges_there, |_| true).await, shows(&bridges_back, |_| true).await);
    assert_eq!((out.forwarded, returned.forwarded), (1, 0));
    there.stop().await;
    back.stop().await;
}

#[tokio::test]
async fn a_bridge_says_why_it_does_not_stand_and_tries_again() {
    let a = Broker::start("a").await;
    let (network, bridges) = a.bridge(&a.uri(), "");
    let status = shows(&bridges, |it| it.failures > 0).await;
    assert!(status.last_error.contains("this broker itself"), "{status:?}");
    network.stop().await;

    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let (network, bridges) = a.bridge(&format!("tcp://{address}"), "");
    let status = shows(&bridges, |it| it.failures > 2).await;
    assert!(status.last_error.contains("no broker can be reached there"), "{status:?}");
    assert_ne!(status.state, BridgeState::Bridging);
    network.stop().await;
}

#[tokio::test]
async fn a_message_that_the_other_broker_cannot_take_is_a_dead_letter_and_the_next_one_goes() {
    let (a, b) = (Broker::start("a").await, Broker::taking("b", 1 << 16).await);
    let mut producer = a.client().await;
    producer.send("Q", &"x".repeat(2 << 20)).await;
    producer.send("Q", "small").await;
    let lines = "statically_included_destinations = [\"Q\"]\nstatic_bridge = true";
    let (network, bridges) = a.bridge(&b.uri(), lines);
    shows(&bridges, |it| it.forwarded == 1).await;
    let mut consumer = b.client().await;
    consumer.consume("Q").await;
    assert_eq!(body(&consumer.receive().await), "small");
    let mut dead = a.client().await;
    dead.consume("ActiveMQ.DLQ").await;
    assert_eq!(body(&dead.receive().await).len(), 2 << 20);
    assert_eq!(shows(&bridges, |_| true).await.dead_lettered, 1);
    network.stop().await;
}

#[tokio::test]
async fn consumers_make_demand_while_they_are_there_and_one_for_all_of_them() {
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let mut at_b = b.client().await;
    let early = at_b.consume("Q").await;
    let (network, bridges) = a.bridge(&b.uri(), "");
    let mut at_a = a.client().await;
    at_a.send("Q", "1").await;
    assert_eq!(body(&at_b.receive().await), "1");
    let late = at_b.consume("Q").await;
    let topic = at_b.consume("topic://T").await;
    shows(&bridges, |it| it.subscriptions == 2).await;
    at_a.send("topic://T", "told").await;
    assert_eq!(body(&at_b.receive().await), "told");
    at_b.stop_to_consume(early).await;
    at_b.stop_to_consume(topic).await;
    shows(&bridges, |it| it.subscriptions == 1).await;
    at_a.send("Q", "2").await;
    assert_eq!(body(&at_b.receive().await), "2");
    at_b.stop_to_consume(late).await;
    shows(&bridges, |it| it.subscriptions == 0).await;
    at_a.send("Q", "stays").await;
    let mut near = a.client().await;
    near.consume("Q").await;
    assert_eq!(body(&near.receive().await), "stays");
    assert_eq!(shows(&bridges, |_| true).await.forwarded, 3);
    network.stop().await;
}

#[tokio::test]
async fn a_bridge_without_conduits_has_a_subscription_for_each_consumer() {
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let (network, bridges) = a.bridge(&b.uri(), "conduit_subscriptions = false");
    let mut at_b = b.client().await;
    let one = at_b.consume("Q").await;
    at_b.consume("Q").await;
    shows(&bridges, |it| it.subscriptions == 2).await;
    at_b.stop_to_consume(one).await;
    shows(&bridges, |it| it.subscriptions == 1).await;
    network.stop().await;
}

#[tokio::test]
async fn a_duplex_connector_carries_both_ways_and_makes_no_demand_of_its_own_consumers() {
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let (network, bridges) = a.bridge(&b.uri(), "duplex = true\nnetwork_ttl = 3");
    for direction in ["out", "in"] {
        shows(&bridges, |it| it.direction == direction && it.state == BridgeState::Bridging).await;
    }
    let (mut at_a, mut at_b) = (a.client().await, b.client().await);
    at_a.consume("to-a").await;
    at_b.consume("to-b").await;
    at_a.send("to-b", "there").await;
    at_b.send("to-a", "back").await;
    assert_eq!(body(&at_b.receive().await), "there");
    assert_eq!(body(&at_a.receive().await), "back");
    for direction in ["out", "in"] {
        shows(&bridges, |it| it.direction == direction && it.subscriptions == 1 && it.forwarded == 1).await;
    }
    network.stop().await;
}

#[tokio::test]
async fn demand_and_messages_pass_as_many_brokers_as_they_may() {
    let brokers = [Broker::start("a").await, Broker::start("b").await, Broker::start("c").await];
    let lines = "network_ttl = 2";
    let (first, bridges) = brokers[0].bridge(&brokers[1].uri(), lines);
    let (second, _) = brokers[1].bridge(&brokers[2].uri(), lines);
    let mut at_c = brokers[2].client().await;
    let consumer = at_c.consume("Q").await;
    shows(&bridges, |it| it.subscriptions == 1).await;
    let mut at_a = brokers[0].client().await;
    at_a.send("Q", "far").await;
    let message = at_c.receive().await;
    assert_eq!((body(&message).as_str(), message.broker_path.unwrap().len()), ("far", 2));
    at_c.stop_to_consume(consumer).await;
    shows(&bridges, |it| it.subscriptions == 0).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_wanted_by_name_and_by_wildcards_comes_once() {
    let (a, b) = (Broker::start("a").await, Broker::start("b").await);
    let mut at_b = b.client().await;
    at_b.consume("topic://T.>").await;
    let (network, bridges) = a.bridge(&b.uri(), "conduit_subscriptions = false");
    shows(&bridges, |it| it.subscriptions == 1).await;
    let mut other = b.client().await;
    other.consume("topic://T.A").await;
    shows(&bridges, |it| it.subscriptions == 2).await;
    let mut at_a = a.client().await;
    for number in 1..=20 {
        at_a.send("topic://T.A", &number.to_string()).await;
    }
    for number in 1..=20 {
        assert_eq!(body(&at_b.receive().await), number.to_string());
        assert_eq!(body(&other.receive().await), number.to_string());
    }
    shows(&bridges, |it| it.forwarded == 20 && it.under_way == 0).await;
    network.stop().await;
}
