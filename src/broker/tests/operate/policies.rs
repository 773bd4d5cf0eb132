//! Destinations behave as their policies say.

use std::time::Duration;

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{BrokerOptions, CensusOptions, SubscribeOptions, Verdict};
use crate::config::{DeadLetterStrategy, DeadLetters, Policies, Policy};
use crate::model::{Destination, Field, Message, PropertyValue};

/// A world whose queues, or topics, of this pattern have a policy.
fn world(is_queue: bool, pattern: &str, policy: Policy) -> World {
    let policies = Policies::default().with(is_queue, pattern, policy);
    let mut world = World::with(BrokerOptions { policies, ..BrokerOptions::default() });
    world.open_as(1, "c");
    world
}

fn dead_letters(strategy: DeadLetterStrategy) -> DeadLetters {
    DeadLetters { strategy, ..Policy::default().dead_letters }
}

fn individual() -> DeadLetterStrategy {
    let prefix = |kind: &str| format!("DLQ.{kind}.");
    DeadLetterStrategy::Individual { queue_prefix: prefix("Q"), topic_prefix: prefix("T") }
}

/// Refuses all that waits in a queue.
fn refuse(world: &mut World, name: &str) {
    world.subscribe(1, 99, queue(name), prefetch(100));
    let got = world.got(1);
    world.settle(1, &got, Verdict::Rejected);
    world.unsubscribe(1, 99);
}

fn sizes(world: &World) -> Vec<(String, u64)> {
    let all = world.broker.figures().queues(None, 100).items;
    all.into_iter().map(|it| (it.name, it.size)).collect()
}

fn expiring(to: &Destination, persistent: bool, at: i64) -> Message {
    let mut made = message(&[to], "x", persistent);
    made.expiry = at;
    made.build().unwrap()
}

#[test]
fn each_destination_has_a_queue_of_dead_letters_of_its_own() {
    let policy = Policy { dead_letters: dead_letters(individual()), ..Policy::default() };
    let mut world = world(true, "A.>", policy);
    for name in ["A.B", "A.C", "B"] {
        world.send(1, name, name);
        refuse(&mut world, name);
    }
    let dead = [("A.B", 0), ("A.C", 0), ("ActiveMQ.DLQ", 1), ("B", 0), ("DLQ.Q.A.B", 1), ("DLQ.Q.A.C", 1)];
    assert_eq!(sizes(&world), dead.map(|(name, size)| (name.to_owned(), size)));
    // A dead letter that is refused stays where it is.
    refuse(&mut world, "DLQ.Q.A.B");
    world.fail_over(usize::MAX);
    world.open(1);
    refuse(&mut world, "DLQ.Q.A.B");
    assert_eq!(sizes(&world), dead.map(|(name, size)| (name.to_owned(), size)));
}

#[test]
fn a_durable_subscription_has_the_policy_of_its_topic() {
    let policy = Policy { dead_letters: dead_letters(individual()), ..Policy::default() };
    let mut world = world(false, "T.*", policy);
    let options = SubscribeOptions { durable_name: Some("d".into()), ..prefetch(9) };
    world.subscribe(1, 1, topic("T.x"), options);
    world.send_message(1, message(&[&topic("T.x")], "a", true).build().unwrap());
    let got = world.got(1);
    world.settle(1, &got, Verdict::Rejected);
    assert_eq!(sizes(&world), [("DLQ.T.T.x".to_owned(), 1)]);
}

#[test]
fn dead_letters_are_discarded_where_nobody_wants_them() {
    let policy = Policy { dead_letters: dead_letters(DeadLetterStrategy::Discard), ..Policy::default() };
    let mut world = world(true, "Q", policy);
    world.send(1, "Q", "a");
    refuse(&mut world, "Q");
    let wall = world.wall;
    let asked = world.send_message(1, expiring(&queue("Q"), true, wall - 1));
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    assert_eq!(sizes(&world), [("Q".to_owned(), 0)]);
}

#[test]
fn expired_messages_are_dead_letters_if_the_policy_says_so() {
    let strategy = DeadLetterStrategy::Shared("DEAD".into());
    let expired = DeadLetters { expired: false, ..dead_letters(strategy) };
    let mut world = world(true, "Q", Policy { dead_letters: expired, ..Policy::default() });
    let wall = world.wall;
    world.send_message(1, expiring(&queue("Q"), true, wall + 1000));
    world.send_message(1, expiring(&queue("R"), true, wall + 1000));
    world.pass(Duration::from_secs(10));
    world.send(1, "Q", "refused");
    refuse(&mut world, "Q");
    let left = [("ActiveMQ.DLQ", 1), ("DEAD", 1), ("Q", 0), ("R", 0)];
    assert_eq!(sizes(&world), left.map(|(name, size)| (name.to_owned(), size)));
}

#[test]
fn non_persistent_messages_are_dead_letters_if_the_policy_says_so() {
    let strategy = DeadLetterStrategy::Shared("DEAD".into());
    let all = DeadLetters { non_persistent: true, ..dead_letters(strategy) };
    let mut world = world(true, "Q", Policy { dead_letters: all, ..Policy::default() });
    let wall = world.wall;
    for to in ["Q", "R"] {
        world.send_fast(1, to, "refused");
        refuse(&mut world, to);
        world.send_message(1, expiring(&queue(to), false, wall + 1000));
    }
    world.pass(Duration::from_secs(10));
    let left = [("DEAD", 2), ("Q", 0), ("R", 0)];
    assert_eq!(sizes(&world), left.map(|(name, size)| (name.to_owned(), size)));
    world.fail_over(usize::MAX);
    world.open(1);
    world.subscribe(1, 1, queue("DEAD"), prefetch(9));
    for got in world.got(1) {
        let mode = got.message.properties().find(|(name, _)| *name == "originalDeliveryMode");
        assert_eq!(mode, Some(("originalDeliveryMode", PropertyValue::String("NON_PERSISTENT"))));
        assert_eq!(got.message.destinations(Field::OriginalDestination).next(), Some(queue("Q")));
    }
}

#[test]
fn a_queue_waits_for_its_consumers_and_not_for_ever() {
    let gathering_time = Duration::from_secs(5);
    let mut world = world(true, "Q", Policy { gathered_min: 2, gathering_time, ..Policy::default() });
    world.open(2);
    for body in ["a", "b"] {
        world.send(1, "Q", body);
    }
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    assert!(world.got(1).is_empty());
    world.subscribe(2, 1, queue("Q"), prefetch(1));
    assert_eq!((world.bodies(1), world.bodies(2)), (vec!["a".to_owned()], vec!["b".to_owned()]));
    // When all have gone it waits anew, but no longer than that.
    world.close(2);
    world.unsubscribe(1, 1);
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    world.pass(Duration::from_secs(4));
    assert!(world.got(1).is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.bodies(1), ["a"]);
}

#[test]
fn every_consumer_is_exclusive_if_the_policy_says_so() {
    let mut world = world(true, "Q", Policy { exclusive: true, ..Policy::default() });
    world.open(2);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    for body in ["a", "b"] {
        world.send(1, "Q", body);
    }
    assert_eq!((world.bodies(1).len(), world.bodies(2).len()), (2, 0));
    world.close(1);
    assert_eq!(world.bodies(2), ["a", "b"]);
}

#[test]
fn destinations_that_nobody_uses_are_deleted_and_no_others() {
    let idle = Policy { idle_max: Some(Duration::from_secs(60)), ..Policy::default() };
    let policies = Policies::default().with(true, ">", idle.clone()).with(false, ">", idle);
    let policies = policies.with(true, "STAYS", Policy::default());
    let mut world = World::with(BrokerOptions { policies, ..BrokerOptions::default() });
    world.open(1);
    for name in ["FULL", "PAUSED", "EMPTY", "USED", "STAYS", "LATE"] {
        world.send(1, name, "x");
        if name != "FULL" {
            world.purge(1, name);
        }
    }
    let destination = queue("PAUSED");
    world.ask(1, |correlation| crate::broker::Command::Pause { destination, paused: true, correlation });
    world.subscribe(1, 1, queue("USED"), prefetch(1));
    world.subscribe(1, 2, topic("T"), prefetch(1));
    world.subscribe(1, 3, topic("GONE"), prefetch(1));
    world.unsubscribe(1, 3);
    let tick = |world: &mut World, seconds: u64| {
        (0..seconds).for_each(|_| world.pass(Duration::from_secs(1)));
    };
    tick(&mut world, 50);
    world.send(1, "LATE", "x");
    world.purge(1, "LATE");
    tick(&mut world, 20);
    let names = |world: &World| sizes(world).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&world), ["FULL", "LATE", "PAUSED", "STAYS", "USED"]);
    let topics = |world: &World| world.broker.figures().topics(None, 9).items.len();
    assert_eq!(topics(&world), 1);
    // A new master begins to count anew.
    world.fail_over(usize::MAX);
    tick(&mut world, 50);
    assert_eq!(names(&world).len(), 5);
    tick(&mut world, 20);
    assert_eq!((names(&world), topics(&world)), (vec!["FULL".into(), "PAUSED".into(), "STAYS".into()], 0));
    world.open(1);
    world.send(1, "EMPTY", "again");
    assert_eq!(sizes(&world)[0], ("EMPTY".to_owned(), 1));
}

#[test]
fn what_waits_for_a_slow_subscriber_makes_way_and_is_counted() {
    let mut world = world(false, "T", Policy { pending_messages_max: Some(3), ..Policy::default() });
    world.open(2);
    world.subscribe(1, 1, topic("T"), prefetch(1));
    world.subscribe(2, 1, topic("T"), prefetch(100));
    for n in 0..10 {
        let sent = message(&[&topic("T")], &n.to_string(), n == 2).build().unwrap();
        let asked = world.send_message(2, sent);
        assert_eq!(world.answer(2, asked), Some(Ok(())));
    }
    assert_eq!(world.bodies(2).len(), 10);
    assert_eq!(world.view(&topic("T")).discarded, 6);
    let mut seen = Vec::new();
    loop {
        let got = world.got(1);
        if got.is_empty() {
            break;
        }
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(1, &got, Verdict::Consumed);
    }
    // What is persistent never makes way.
    assert_eq!(seen, ["0", "2", "8", "9"]);
}

#[test]
fn senders_wait_for_room_in_a_queue_whose_memory_is_bounded() {
    let bounded = Policy { memory_limit: Some(10_000), ..Policy::default() };
    let open = Policy { producer_flow_control: false, ..bounded.clone() };
    let policies = Policies::default().with(true, "Q", bounded).with(true, "OPEN", open);
    let mut world = World::with(BrokerOptions { policies, ..BrokerOptions::default() });
    for session in 1..=3 {
        world.open(session);
    }
    let body = "x".repeat(4000);
    let asked: Vec<_> = (0..4).map(|_| world.send_fast(1, "Q", &body)).collect();
    let answered = |world: &mut World| asked.iter().filter(|it| world.answer(1, **it).is_some()).count();
    assert_eq!(answered(&mut world), 3);
    for _ in 0..9 {
        let asked = world.send_fast(2, "OPEN", &body);
        assert!(world.answer(2, asked).is_some());
    }
    // What is stored, and other queues, are not held up.
    for (persistent, to) in [(true, "Q"), (false, "R")] {
        let asked = world.send_message(2, message(&[&queue(to)], &body, persistent).build().unwrap());
        assert!(world.answer(2, asked).is_some());
    }
    world.subscribe(3, 1, queue("Q"), prefetch(1));
    let got = world.got(3);
    world.settle(3, &got, Verdict::Consumed);
    assert_eq!(answered(&mut world), 1);
}

#[test]
fn what_is_there_from_the_start_is_made_by_the_first_master_only() {
    let at_start = vec![queue("A"), topic("T")];
    let census = CensusOptions { at_start, ..CensusOptions::default() };
    let mut world = World::with(BrokerOptions { census, ..BrokerOptions::default() });
    world.settle_down();
    assert_eq!((world.view(&queue("A")).size, world.view(&topic("T")).consumers), (0, 0));
    world.fail_over(usize::MAX);
    world.settle_down();
    assert_eq!(world.log.len(), 3);
}
