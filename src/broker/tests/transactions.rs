//! Transactions: all or nothing.

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{
    BrokerOptions, Command, Refusal, SubscribeOptions, SubscriptionKey, TransactionKey, Verdict,
};
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

#[test]
fn a_send_after_a_commit_is_seen_after_what_the_commit_shows() {
    let mut world = World::new();
    prepared(&mut world);
    world.automatic = false;
    work(&mut world);
    world.finish(1, 1, true);
    world.send_message(1, message(&[&topic("T")], "later news", true).build().unwrap());
    let fast = world.send_fast(1, "OUT", "later");
    assert_eq!(world.answer(1, fast), None, "it waits behind the commit");
    world.automatic = true;
    world.settle_down();
    let got = world.bodies(2);
    let of =
        |bodies: [&str; 2]| got.iter().filter(|it| bodies.contains(&&it[..])).cloned().collect::<Vec<_>>();
    assert_eq!(of(["news", "later news"]), ["news", "later news"]);
    assert_eq!(of(["fast", "later"]), ["fast", "later"]);
}

#[test]
fn who_wants_nothing_of_its_own_gets_nothing_of_its_own_transactions_either() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    world.subscribe(1, 1, topic("T"), SubscribeOptions { no_local: true, ..prefetch(9) });
    world.subscribe(2, 1, topic("T"), prefetch(9));
    for persistent in [false, true] {
        world.begin(1, 1);
        send_in(&mut world, message(&[&topic("T"), &queue("Q")], "own", persistent).build().unwrap());
        world.finish(1, 1, true);
    }
    assert_eq!(world.bodies(2), ["own", "own"]);
    assert!(world.got(1).is_empty());
}

#[test]
fn what_a_transaction_consumed_is_its_own_until_it_ends_whatever_becomes_of_the_subscription() {
    for commit in [true, false] {
        let mut world = World::new();
        prepared(&mut world);
        world.begin(1, 1);
        let deliveries: Vec<_> = world.got(1).iter().map(|it| it.delivery).collect();
        let (kept, verdict) = (deliveries.clone(), Verdict::Consumed);
        world.ask(1, |correlation| Command::Settle { deliveries, verdict, transaction: KEY, correlation });
        world.ask(1, |correlation| Command::Unsubscribe {
            subscription: SubscriptionKey(1),
            transacted: kept.clone(),
            correlation,
        });
        world.subscribe(2, 9, queue("IN"), prefetch(9));
        assert!(world.got(2).is_empty(), "the transaction has it");
        let end = world.finish(1, 1, commit);
        assert_eq!(world.answer(1, end), Some(Ok(())));
        let expected: &[&str] = if commit { &[] } else { &["work"] };
        assert_eq!(world.bodies(2), expected, "commit: {commit}");
    }
}
