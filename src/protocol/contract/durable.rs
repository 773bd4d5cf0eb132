//! What is kept for those who are away.

use super::client::{Client, Outgoing, queue, stored, topic};
use super::world::World;

/// A client with an id that has a subscription `kept` of the topic `t`.
async fn subscribed<C: Client>(world: &World, selector: &str) -> C {
    let mut client = C::connect(world, "traveller").await.unwrap();
    client.subscribe_durably(&topic("t"), "kept", selector).await.unwrap();
    client
}

pub(super) async fn what_is_sent_while_a_subscriber_is_away_waits_for_it<C: Client>(world: &World) {
    let mut sender = C::new(world).await;
    let mut traveller: C = subscribed(world, "kind = 'wanted'").await;
    let of_kind = |kind: &str, body: &str| Outgoing { kind: kind.to_owned(), ..stored(body) };
    sender.send(&topic("t"), of_kind("wanted", "before"), None).await;
    let got = traveller.receive_all(&["before"]).await;
    traveller.acknowledge(&got[0], None).await;
    traveller.disconnect().await;
    sender.send(&topic("t"), of_kind("wanted", "meanwhile"), None).await;
    sender.send(&topic("t"), of_kind("other", "not wanted"), None).await;
    let mut traveller: C = subscribed(world, "kind = 'wanted'").await;
    sender.send(&topic("t"), of_kind("wanted", "after"), None).await;
    traveller.receive_all(&["meanwhile", "after"]).await;
    traveller.receive_nothing().await;
}

pub(super) async fn a_subscription_that_was_ended_keeps_nothing<C: Client>(world: &World) {
    let mut sender = C::new(world).await;
    let traveller: C = subscribed(world, "").await;
    traveller.disconnect().await;
    sender.send(&topic("t"), stored("lost"), None).await;
    let mut traveller = C::connect(world, "traveller").await.unwrap();
    traveller.end_durable("kept").await.unwrap();
    traveller.subscribe_durably(&topic("t"), "kept", "").await.unwrap();
    sender.send(&topic("t"), stored("new"), None).await;
    traveller.receive_all(&["new"]).await;
    let refused = traveller.end_durable("kept").await.unwrap_err();
    assert!(refused.contains("in use"), "{refused}");
    let mut stranger = C::connect(world, "stranger").await.unwrap();
    assert!(stranger.end_durable("kept").await.is_err(), "it is another client's");
}

pub(super) async fn a_durable_subscription_needs_a_client_id_and_has_one_consumer<C: Client>(world: &World) {
    let mut nobody = C::new(world).await;
    let refused = nobody.subscribe_durably(&topic("t"), "kept", "").await.unwrap_err();
    assert!(refused.contains("client id"), "{refused}");
    let mut first: C = subscribed(world, "").await;
    let refused = first.subscribe_durably(&topic("t"), "kept", "").await.unwrap_err();
    assert!(refused.contains("in use"), "{refused}");
}

pub(super) async fn consumers_of_a_virtual_topic_have_a_queue_each<C: Client>(world: &World) {
    let (mut sender, mut first, mut second) = (C::new(world).await, C::new(world).await, C::new(world).await);
    first.subscribe(&queue("Consumer.A.VirtualTopic.t"), 9).await;
    second.subscribe(&queue("Consumer.B.VirtualTopic.t"), 9).await;
    sender.send(&topic("VirtualTopic.t"), stored("1"), None).await;
    let got = first.receive_all(&["1"]).await;
    first.acknowledge(&got[0], None).await;
    second.disconnect().await;
    sender.send(&topic("VirtualTopic.t"), stored("2"), None).await;
    first.receive_all(&["2"]).await;
    let mut second = C::new(world).await;
    second.subscribe(&queue("Consumer.B.VirtualTopic.t"), 9).await;
    second.receive_all(&["1", "2"]).await;
}
