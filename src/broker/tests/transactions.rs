//! Transactions: all or nothing.

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{BrokerOptions, Command, Refusal, TransactionKey, Verdict};
use crate::model::Message;

const KEY: Option<TransactionKey> = Some(TransactionKey(1));

fn send_in(world: &mut World, message: Message) -> u64 {
    world.ask(1, |correlation| Command::Send { message, transaction: KEY, correlation })
}

fn prepared(world: &mut World) {
    world.open(1);
    world.open(2);
    world.subscribe(1, 1, queue("IN"), prefetch(9));
    world.subscribe(2, 1, queue("OUT"), prefetch(9));
    world.subscribe(2, 2, topic("T"), prefetch(9));
    world.send(1, "IN", "work");
}

fn work(world: &mut World) {
    world.begin(1, 1);
    send_in(world, message(&[&queue("OUT")], "one", true).build().unwrap());
    send_in(world, message(&[&queue("OUT")], "fast", false).build().unwrap());
    send_in(world, message(&[&queue("OUT")], "two", true).build().unwrap());
    send_in(world, message(&[&topic("T")], "news", true).build().unwrap());
    let deliveries = world.got(1).iter().map(|it| it.delivery).collect();
    world.ask(1, |correlation| Command::Settle {
        deliveries,
        verdict: Verdict::Consumed,
        transaction: KEY,
        correlation,
    });
}

#[test]
fn a_commit_shows_everything_at_once_and_is_one_group() {
    let mut world = World::new();
    prepared(&mut world);
    world.automatic = false;
    work(&mut world);
    assert!(world.pipeline.is_empty());
    let committed = world.finish(1, 1, true);
    assert_eq!((world.pipeline.len(), world.pipeline[0].len()), (1, 3));
    assert!(world.got(2).is_empty());
    world.commit(1);
    assert_eq!(world.answer(1, committed), Some(Ok(())));
    let mut bodies = world.bodies(2);
    bodies.sort();
    assert_eq!(bodies, ["fast", "news", "one", "two"]);
    assert_eq!(world.view(&queue("IN")).size, 0);
}

#[test]
fn a_commit_whose_group_is_lost_never_happened() {
    let mut world = World::new();
    prepared(&mut world);
    world.automatic = false;
    work(&mut world);
    world.finish(1, 1, true);
    world.automatic = true;
    world.fail_over(0);
    assert_eq!((world.view(&queue("IN")).size, world.view(&queue("OUT")).size), (1, 0));
}

#[test]
fn after_a_rollback_deliveries_are_held_as_before() {
    let mut world = World::new();
    prepared(&mut world);
    work(&mut world);
    let rolled_back = world.finish(1, 1, false);
    assert_eq!(world.answer(1, rolled_back), Some(Ok(())));
    assert!(world.got(2).is_empty());
    assert_eq!(world.view(&queue("IN")).in_flight, 1);
    world.close(1);
    world.subscribe(2, 3, queue("IN"), prefetch(1));
    assert_eq!(world.bodies(2), ["work"]);
}

#[test]
fn a_transaction_that_is_too_large_is_refused_at_the_operation_and_at_its_end() {
    let mut world = World::with(BrokerOptions { transaction_operations_max: 2, ..BrokerOptions::default() });
    world.open(1);
    world.begin(1, 1);
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(send_in(&mut world, message(&[&queue("Q")], "x", true).build().unwrap()));
    }
    assert_eq!(world.answer(1, asked[1]), Some(Ok(())));
    assert!(matches!(world.answer(1, asked[2]), Some(Err(Refusal::Limit(_)))));
    let end = world.finish(1, 1, true);
    assert!(matches!(world.answer(1, end), Some(Err(Refusal::Limit(_)))));
    let again = world.finish(1, 1, true);
    assert!(matches!(world.answer(1, again), Some(Err(Refusal::Invalid(_)))));
}
