//! Lone brokers joined by bridges: what is sent to one is consumed at another, once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::world::{Consumer, LIMIT, bridges, connector, send, stands, waiting_in};
use crate::harness::eventually;
use crate::harness::lone::Lone;

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
