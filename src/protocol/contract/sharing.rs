//! Who of several consumers gets what, and what goes first.

use super::client::{Client, Outgoing, passing, queue, stored};
use super::world::World;

pub(super) async fn each_consumer_has_what_it_selects_whatever_stands_before_it<C: Client>(world: &World) {
    let (mut sender, mut left, mut right) = (C::new(world).await, C::new(world).await, C::new(world).await);
    for (number, kind) in ["left", "left", "right", "left", "right"].into_iter().enumerate() {
        let message = Outgoing { kind: kind.to_owned(), ..stored(number) };
        sender.send(&queue("a"), message, None).await;
        let message = Outgoing { kind: kind.to_owned(), ..passing(format!("passing {number}")) };
        sender.send(&queue("a"), message, None).await;
    }
    right.select(&queue("a"), 9, "kind = 'right'").await;
    right.receive_all(&["2", "passing 2", "4", "passing 4"]).await;
    left.select(&queue("a"), 9, "kind LIKE 'l%'").await;
    left.receive_all(&["0", "passing 0", "1", "passing 1", "3", "passing 3"]).await;
    right.receive_nothing().await;
}

pub(super) async fn a_group_stays_with_one_consumer_until_that_goes<C: Client>(world: &World) {
    let (mut sender, mut first, mut second) = (C::new(world).await, C::new(world).await, C::new(world).await);
    let of_group = |body: &str| Outgoing { group: "g".to_owned(), ..stored(body) };
    first.subscribe(&queue("a"), 2).await;
    sender.send(&queue("a"), of_group("1"), None).await;
    let got = first.receive_all(&["1"]).await;
    second.subscribe(&queue("a"), 9).await;
    for body in ["2", "3"] {
        sender.send(&queue("a"), of_group(body), None).await;
    }
    sender.send(&queue("a"), stored("of no group"), None).await;
    first.receive_all(&["2"]).await;
    second.receive_all(&["of no group"]).await;
    first.acknowledge(&got[0], None).await;
    first.receive_all(&["3"]).await;
    second.receive_nothing().await;
    first.disconnect().await;
    second.receive_all(&["2", "3"]).await;
}

pub(super) async fn what_is_urgent_comes_before_what_came_first<C: Client>(world: &World) {
    let (mut sender, mut consumer) = (C::new(world).await, C::new(world).await);
    for (body, priority) in [("low", 0), ("first", 4), ("second", 4), ("urgent", 7), ("most urgent", 9)] {
        sender.send(&queue("a"), Outgoing { priority, ..stored(body) }, None).await;
    }
    consumer.subscribe(&queue("a"), 1).await;
    for body in ["most urgent", "urgent", "first", "second", "low"] {
        let got = consumer.receive_all(&[body]).await;
        consumer.acknowledge(&got[0], None).await;
    }
}
