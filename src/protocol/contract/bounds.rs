//! What one client may have, and what it does to others.

use super::client::{Client, passing, queue, stored};
use super::world::World;

pub(super) async fn a_prefetch_is_a_bound<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    for number in 1..=5 {
        client.send(&queue("a"), stored(number), None).await;
    }
    client.subscribe(&queue("a"), 2).await;
    let first = client.receive_all(&["1", "2"]).await;
    client.receive_nothing().await;
    client.acknowledge(&first[1], None).await;
    client.receive_all(&["3"]).await;
    client.receive_nothing().await;
}

pub(super) async fn who_does_not_read_stalls_nobody<C: Client>(world: &World) {
    /// More than sockets hold.
    const MESSAGES: usize = 200;
    let large = "x".repeat(100 << 10);
    let (mut slow, mut brisk) = (C::new(world).await, C::new(world).await);
    slow.subscribe(&queue("slow"), 1000).await;
    for number in 0..MESSAGES {
        brisk.send(&queue("slow"), passing(format!("{number} {large}")), None).await;
    }
    brisk.subscribe(&queue("brisk"), 10).await;
    for number in 0..50 {
        brisk.send(&queue("brisk"), stored(number), None).await;
        let message = brisk.receive_all(&[&number.to_string()]).await.remove(0);
        brisk.acknowledge(&message, None).await;
    }
    for number in 0..MESSAGES {
        let message = slow.receive().await;
        assert_eq!(message.body.split_once(' ').unwrap().0, number.to_string());
        slow.acknowledge(&message, None).await;
    }
}

pub(super) async fn a_place_that_cannot_be_is_refused<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    assert!(!client.send_nowhere().await.is_empty());
    // Others go on.
    let mut other = C::new(world).await;
    other.send(&queue("a"), stored("1"), None).await;
}

pub(super) async fn a_client_id_in_use_is_refused_until_it_is_free<C: Client>(world: &World) {
    let first = C::connect(world, "robot").await.expect("the first one");
    let refused = C::connect(world, "robot").await.err().expect("the second one is refused");
    assert!(refused.contains("robot"), "{refused}");
    let _other = C::connect(world, "another").await.expect("another one");
    first.disconnect().await;
    let mut tries = 0;
    while let Err(reason) = C::connect(world, "robot").await {
        tries += 1;
        assert!(tries < 1000, "{reason}");
        tokio::task::yield_now().await;
    }
}
