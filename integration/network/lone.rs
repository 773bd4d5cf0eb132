//! Bridges between brokers that are processes of their own: what is sent to one is consumed at another, once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::harness::lone::Lone;
use crate::harness::stomp::{Connection, Frame};
use crate::harness::{eventually, http};

const LIMIT: Duration = Duration::from_secs(30);

/// Lines of a connector to these brokers.
fn connector(name: &str, brokers: &[SocketAddr], more: &str) -> String {
    let brokers: Vec<String> = brokers.iter().map(|address| format!("tcp://{address}")).collect();
    format!(
        "[[network_connector]]\nname = \"{name}\"\n\
         uri = \"static:({})?initialReconnectDelay=100&maxReconnectDelay=500\"\nbridge_temp_destinations = false\n{more}\n",
        brokers.join(",")
    )
}

/// Sends persistent messages with these bodies and waits for their receipts.
async fn send(address: SocketAddr, to: &str, bodies: std::ops::Range<u32>) {
    let mut connection = Connection::open(address).await.unwrap();
    for body in bodies.clone() {
        let receipt = body.to_string();
        let headers = [("destination", to), ("persistent", "true"), ("receipt", &receipt)];
        let frame = Frame::new("SEND", &headers).with_body(body.to_string().as_bytes());
        connection.writer.send(&frame).await.unwrap();
    }
    for _ in bodies {
        let frame = timeout(LIMIT, connection.reader.frame()).await.unwrap().unwrap();
        assert_eq!(frame.command, "RECEIPT", "{frame:?}");
    }
}

/// A consumer that acknowledges each message.
struct Consumer(Connection);

impl Consumer {
    async fn of(address: SocketAddr, from: &str) -> Consumer {
        let mut connection = Connection::open(address).await.unwrap();
        let headers = [
            ("id", "1"),
            ("destination", from),
            ("ack", "client-individual"),
            ("activemq.prefetchSize", "10"),
        ];
        connection.writer.send(&Frame::new("SUBSCRIBE", &headers)).await.unwrap();
        Consumer(connection)
    }

    /// The body of the next message; nothing if none comes in this time.
    async fn next(&mut self, patience: Duration) -> Option<u32> {
        let frame = timeout(patience, self.0.reader.frame()).await.ok()?.unwrap();
        assert_eq!(frame.command, "MESSAGE", "{frame:?}");
        let ack = Frame::new("ACK", &[("id", frame.header("ack").unwrap())]);
        self.0.writer.send(&ack).await.unwrap();
        Some(String::from_utf8(frame.body).unwrap().parse().unwrap())
    }

    /// The bodies of so many messages.
    async fn take(&mut self, count: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let next = self.next(LIMIT).await;
            taken.push(next.unwrap_or_else(|| panic!("{} of {count} have come", taken.len())));
        }
        taken
    }

    /// Says goodbye, so that all acknowledgements count.
    async fn leave(mut self) {
        self.0.writer.send(&Frame::new("DISCONNECT", &[("receipt", "bye")])).await.unwrap();
        while timeout(LIMIT, self.0.reader.frame()).await.unwrap().unwrap().command != "RECEIPT" {}
    }
}

/// The bridges of a broker, once they look like this.
async fn bridges(console: SocketAddr, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually(what, LIMIT, || async {
        http::entries(console, "/api/v1/bridges").filter(|bridges| wanted(bridges))
    })
    .await
}

async fn stands(broker: &Lone) {
    bridges(broker.console(), "the bridges stand", |all| {
        !all.is_empty() && all.iter().all(|it| it["state"] == "bridging")
    })
    .await;
}

async fn waiting_in(broker: &Lone, queue: &str) -> u64 {
    let found = http::get(broker.console(), &format!("/api/v1/queues/{queue}"));
    found.map_or(0, |it| it["size"].as_u64().unwrap())
}

/// As the articles have it: fifty are sent to one broker, twenty consumed here, twenty there, and ten remain.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_one_of_two_brokers_is_consumed_at_both_and_the_rest_remains() {
    let b = Lone::with_openwire().await;
    let a =
        Lone::with_openwire_and(&connector("a-to-b", &[b.openwire()], "duplex = true\nprefetch_size = 1"))
            .await;
    stands(&a).await;
    send(a.stomp(), "/queue/Sum", 0..50).await;
    let mut here = Consumer::of(a.stomp(), "/queue/Sum").await;
    let mut seen = here.take(20).await;
    here.leave().await;
    let mut there = Consumer::of(b.stomp(), "/queue/Sum").await;
    seen.extend(there.take(20).await);
    there.leave().await;
    let distinct: BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), 40, "{seen:?}");
    eventually("ten remain", LIMIT, || async {
        (waiting_in(&a, "Sum").await + waiting_in(&b, "Sum").await == 10).then_some(())
    })
    .await;
    // And the other way, to a topic as well.
    let mut here = Consumer::of(a.stomp(), "/queue/Back").await;
    send(b.stomp(), "/queue/Back", 0..100).await;
    assert_eq!(here.take(100).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_far_side_that_is_killed_loses_nothing_and_gets_nothing_twice() {
    const MESSAGES: u32 = 6_000;
    let mut b = Lone::with_openwire().await;
    let a = Lone::with_openwire_and(&connector("a-to-b", &[b.openwire()], "")).await;
    stands(&a).await;
    // The queue over there is wanted for as long as its broker lives, whoever consumes.
    let mut seen = Vec::new();
    let producing = tokio::spawn(async move {
        send(a.stomp(), "/queue/Killed", 0..MESSAGES).await;
        a
    });
    for _ in 0..3 {
        let mut consumer = Consumer::of(b.stomp(), "/queue/Killed").await;
        seen.extend(consumer.take(1_000).await);
        consumer.leave().await;
        b.kill_and_start().await;
    }
    let a = producing.await.unwrap();
    let mut consumer = Consumer::of(b.stomp(), "/queue/Killed").await;
    seen.extend(consumer.take(MESSAGES as usize - seen.len()).await);
    assert_eq!(consumer.next(Duration::from_millis(500)).await, None, "nothing comes twice");
    let distinct: BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!((distinct.len(), seen.len()), (MESSAGES as usize, MESSAGES as usize));
    eventually("nothing remains", LIMIT, || async { (waiting_in(&a, "Killed").await == 0).then_some(()) })
        .await;
    assert!(a.log().contains("tried again in"), "the failure is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_side_that_is_killed_sends_nothing_twice() {
    const MESSAGES: u32 = 3_000;
    let b = Lone::with_openwire().await;
    let mut a = Lone::with_openwire_and(&connector("a-to-b", &[b.openwire()], "")).await;
    stands(&a).await;
    let mut consumer = Consumer::of(b.stomp(), "/queue/Near").await;
    send(a.stomp(), "/queue/Near", 0..MESSAGES).await;
    let mut seen = consumer.take(500).await;
    a.kill_and_start().await;
    seen.extend(consumer.take(MESSAGES as usize - 500).await);
    assert_eq!(consumer.next(Duration::from_millis(500)).await, None, "nothing comes twice");
    let distinct: BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), MESSAGES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_here_while_the_other_broker_is_down_and_go_when_it_is_back() {
    let mut b = Lone::with_openwire().await;
    let more = "statically_included_destinations = [\"queue://Later\"]";
    let a = Lone::with_openwire_and(&connector("a-to-b", &[b.openwire()], more)).await;
    stands(&a).await;
    b.kill();
    bridges(a.console(), "the bridge is down", |all| all[0]["state"] == "waiting").await;
    send(a.stomp(), "/queue/Later", 0..500).await;
    b.start_again().await;
    let mut consumer = Consumer::of(b.stomp(), "/queue/Later").await;
    assert_eq!(consumer.take(500).await, (0..500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_stand_is_told_by_its_reason() {
    let secured =
        "[[users]]\nname = \"bridge\"\npassword = \"right\"\n[security]\nallow_plain_passwords = true\n";
    let b = Lone::with_openwire_and(secured).await;
    let wrong = "user_name = \"bridge\"\npassword = \"wrong\"";
    let connectors = |own| {
        [
            connector("wrong", &[b.openwire()], wrong),
            connector("nobody", &[SocketAddr::from(([127, 0, 0, 1], 9))], ""),
            connector("other-protocol", &[b.stomp()], ""),
            connector("itself", &[own], ""),
        ]
        .concat()
    };
    let a = Lone::with_openwire_told(connectors).await;
    let all = bridges(a.console(), "all have failed", |all| {
        all.iter().all(|it| it["failures"].as_u64().unwrap() > 0)
    })
    .await;
    let errors: Vec<&str> = all.iter().map(|it| it["last_error"].as_str().unwrap()).collect();
    for (error, part) in
        errors.iter().zip(["SecurityException", "no broker can be reached", "OpenWire", "this broker itself"])
    {
        assert!(error.contains(part), "{error} does not say {part}");
    }
    let lines = a.log().lines().filter(|line| line.contains("network connector nobody")).count();
    assert!(lines < 40, "one line for each pause: {lines}");
}
