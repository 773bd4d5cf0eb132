//! What becomes of a message.

use std::collections::BTreeSet;
use std::time::Duration;

use super::client::{Client, Outgoing, passing, queue, stored, topic};
use super::world::World;

pub(super) async fn what_is_sent_is_received<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    client.send(&queue("a"), stored("1"), None).await;
    client.send(&queue("a"), passing("2"), None).await;
    client.subscribe(&queue("a"), 10).await;
    let before = client.receive_all(&["1", "2"]).await;
    assert!(before.iter().all(|it| !it.redelivered));
    client.send(&queue("a"), stored("3"), None).await;
    client.send(&queue("a"), passing("4"), None).await;
    let mut after = [client.receive().await.body, client.receive().await.body];
    after.sort();
    assert_eq!(after, ["3", "4"], "a message that is stored may come after one that is not");
}

pub(super) async fn what_is_acknowledged_never_comes_again<C: Client>(world: &World) {
    let mut first = C::new(world).await;
    for body in ["1", "2", "3"] {
        first.send(&queue("a"), stored(body), None).await;
    }
    first.subscribe(&queue("a"), 10).await;
    let messages = first.receive_all(&["1", "2", "3"]).await;
    first.acknowledge(&messages[0], None).await;
    first.acknowledge(&messages[2], None).await;
    drop(first);
    let mut second = C::new(world).await;
    second.subscribe(&queue("a"), 10).await;
    second.receive_all(&["2"]).await;
    second.receive_nothing().await;
}

pub(super) async fn what_is_refused_is_a_dead_letter_and_never_comes_again<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    client.send(&queue("a"), stored("bad"), None).await;
    client.subscribe(&queue("a"), 10).await;
    let message = client.receive().await;
    client.refuse(&message).await;
    client.receive_nothing().await;
    client.subscribe(&queue("ActiveMQ.DLQ"), 10).await;
    client.receive_all(&["bad"]).await;
}

pub(super) async fn what_is_not_acknowledged_comes_again_after_a_goodbye<C: Client>(world: &World) {
    let mut first = C::new(world).await;
    first.send(&queue("a"), stored("1"), None).await;
    first.send(&queue("a"), passing("2"), None).await;
    first.subscribe(&queue("a"), 10).await;
    first.receive_all(&["1", "2"]).await;
    first.disconnect().await;
    let mut second = C::new(world).await;
    second.subscribe(&queue("a"), 10).await;
    let again = second.receive_all(&["1", "2"]).await;
    assert!(again.iter().all(|it| it.redelivered));
}

pub(super) async fn what_is_not_acknowledged_comes_again_after_the_connection_was_lost<C: Client>(
    world: &World,
) {
    let mut first = C::new(world).await;
    first.subscribe(&queue("a"), 10).await;
    first.send(&queue("a"), stored("1"), None).await;
    first.receive_all(&["1"]).await;
    let mut second = C::new(world).await;
    second.subscribe(&queue("a"), 10).await;
    second.receive_nothing().await;
    drop(first);
    assert!(second.receive_all(&["1"]).await[0].redelivered);
}

pub(super) async fn the_messages_of_one_sender_stay_in_order<C: Client>(world: &World) {
    const MESSAGES: usize = 50;
    let (mut one, mut two, mut reader) = (C::new(world).await, C::new(world).await, C::new(world).await);
    reader.subscribe(&queue("a"), 7).await;
    for number in 0..MESSAGES {
        one.send(&queue("a"), stored(format!("one {number}")), None).await;
        two.send(&queue("a"), stored(format!("two {number}")), None).await;
    }
    let mut seen = [0, 0];
    for _ in 0..2 * MESSAGES {
        let message = reader.receive().await;
        let (sender, number) = message.body.split_once(' ').unwrap();
        let next = &mut seen[usize::from(sender == "two")];
        assert_eq!(number, next.to_string());
        *next += 1;
        reader.acknowledge(&message, None).await;
    }
    assert_eq!(seen, [MESSAGES; 2]);
}

pub(super) async fn what_has_expired_is_not_delivered<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    let soon = world.wall_ms() + 60_000;
    client.send(&queue("a"), Outgoing { expires: soon, ..stored("old") }, None).await;
    client.send(&queue("a"), Outgoing { expires: soon, ..passing("old too") }, None).await;
    client.send(&queue("a"), Outgoing { expires: soon + 60_000, ..stored("new") }, None).await;
    world.pass(Duration::from_secs(61));
    client.subscribe(&queue("a"), 10).await;
    client.receive_all(&["new"]).await;
    client.receive_nothing().await;
}

pub(super) async fn consumers_of_a_queue_share_its_messages<C: Client>(world: &World) {
    const ROUNDS: usize = 10;
    let (mut one, mut two) = (C::new(world).await, C::new(world).await);
    one.subscribe(&queue("a"), 1).await;
    two.subscribe(&queue("a"), 1).await;
    let mut seen = BTreeSet::new();
    for number in 0..ROUNDS {
        one.send(&queue("a"), stored(2 * number), None).await;
        one.send(&queue("a"), stored(2 * number + 1), None).await;
        for client in [&mut one, &mut two] {
            let message = client.receive().await;
            client.acknowledge(&message, None).await;
            seen.insert(message.body);
        }
    }
    assert_eq!(seen.len(), 2 * ROUNDS, "each once");
}

pub(super) async fn each_subscriber_of_a_topic_has_what_is_sent_from_then_on<C: Client>(world: &World) {
    let (mut one, mut two) = (C::new(world).await, C::new(world).await);
    one.subscribe(&topic("t"), 10).await;
    one.send(&topic("t"), stored("1"), None).await;
    two.subscribe(&topic("t"), 10).await;
    one.send(&topic("t"), passing("2"), None).await;
    one.receive_all(&["1", "2"]).await;
    two.receive_all(&["2"]).await;
    one.send(&queue("t"), stored("a queue of that name is another place"), None).await;
    one.receive_nothing().await;
    two.receive_nothing().await;
}

pub(super) async fn who_browses_sees_everything_and_takes_nothing<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    for body in ["1", "2", "3"] {
        client.send(&queue("a"), stored(body), None).await;
    }
    for _ in 0..2 {
        assert_eq!(client.browse(&queue("a")).await, ["1", "2", "3"]);
    }
    client.subscribe(&queue("a"), 10).await;
    let messages = client.receive_all(&["1", "2", "3"]).await;
    assert!(messages.iter().all(|it| !it.redelivered));
}
