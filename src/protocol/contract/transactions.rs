//! Whole or not at all.

use super::client::{Client, queue, stored};
use super::world::World;

pub(super) async fn what_a_transaction_sends_is_seen_after_its_commit<C: Client>(world: &World) {
    let (mut sender, mut reader) = (C::new(world).await, C::new(world).await);
    reader.subscribe(&queue("a"), 10).await;
    sender.begin("t").await;
    sender.send(&queue("a"), stored("1"), Some("t")).await;
    sender.send(&queue("a"), stored("2"), Some("t")).await;
    reader.receive_nothing().await;
    sender.commit("t").await;
    reader.receive_all(&["1", "2"]).await;
}

pub(super) async fn what_is_rolled_back_has_not_happened<C: Client>(world: &World) {
    let mut client = C::new(world).await;
    client.send(&queue("a"), stored("there"), None).await;
    client.subscribe(&queue("a"), 10).await;
    let message = client.receive().await;
    client.begin("t").await;
    client.send(&queue("a"), stored("never"), Some("t")).await;
    client.acknowledge(&message, Some("t")).await;
    client.abort("t").await;
    client.receive_nothing().await;
    // Its acknowledgement can be given again.
    client.begin("u").await;
    client.acknowledge(&message, Some("u")).await;
    client.commit("u").await;
    client.disconnect().await;
    let mut other = C::new(world).await;
    other.subscribe(&queue("a"), 10).await;
    other.receive_nothing().await;
}

pub(super) async fn a_move_from_queue_to_queue_is_one_step<C: Client>(world: &World) {
    let (mut mover, mut reader) = (C::new(world).await, C::new(world).await);
    mover.send(&queue("a"), stored("moved"), None).await;
    mover.subscribe(&queue("a"), 10).await;
    reader.subscribe(&queue("b"), 10).await;
    let message = mover.receive().await;
    mover.begin("t").await;
    mover.acknowledge(&message, Some("t")).await;
    mover.send(&queue("b"), stored(&message.body), Some("t")).await;
    mover.commit("t").await;
    mover.disconnect().await;
    reader.receive_all(&["moved"]).await;
    reader.subscribe(&queue("a"), 10).await;
    reader.receive_nothing().await;
}

pub(super) async fn who_goes_inside_of_a_transaction_has_done_nothing_in_it<C: Client>(world: &World) {
    let mut first = C::new(world).await;
    first.send(&queue("a"), stored("there"), None).await;
    first.subscribe(&queue("a"), 10).await;
    let message = first.receive().await;
    first.begin("t").await;
    first.acknowledge(&message, Some("t")).await;
    first.send(&queue("a"), stored("never"), Some("t")).await;
    drop(first);
    let mut second = C::new(world).await;
    second.subscribe(&queue("a"), 10).await;
    assert!(second.receive_all(&["there"]).await[0].redelivered);
    second.receive_nothing().await;
}
