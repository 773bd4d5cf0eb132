//! Bounds: no product of two sizes is without one.

use std::time::Duration;

use crate::broker::limits::Outboxes;
use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{
    BrokerOptions, CensusOptions, Command, Outbox, Refusal, SessionId, SessionInfo, SubscriptionKey,
    TransactionKey, Verdict,
};
use crate::model::{Destination, HEAD_BYTES_MAX, Message, PropertyValue};

fn queues(count: usize) -> Vec<Destination> {
    (0..count).map(|n| queue(&format!("Q{n}"))).collect()
}

fn to_many(count: usize, bytes: usize) -> Message {
    let all = queues(count);
    message(&all.iter().collect::<Vec<_>>(), &"x".repeat(bytes), true).build().unwrap()
}

fn is_limit(answer: Option<Result<(), Refusal>>) -> bool {
    matches!(answer, Some(Err(Refusal::Limit(_))))
}

#[test]
fn a_send_to_many_destinations_is_bounded_by_their_number_and_by_their_bytes() {
    let options = BrokerOptions {
        destinations_of_send_max: 10,
        transaction_bytes_max: 10_000,
        ..BrokerOptions::default()
    };
    let mut world = World::with(options);
    world.open(1);
    let many = world.send_message(1, to_many(11, 1));
    let large = world.send_message(1, to_many(10, 1_000));
    assert!(is_limit(world.answer(1, many)) && is_limit(world.answer(1, large)));
    assert_eq!(world.broker.figures().destination_count(), 0, "a refused send makes no destinations");
    let fits = world.send_message(1, to_many(10, 100));
    let alone = world.send_message(1, to_many(1, 20_000));
    assert_eq!((world.answer(1, fits), world.answer(1, alone)), (Some(Ok(())), Some(Ok(()))));
}

#[test]
fn the_copies_of_its_sends_count_against_a_transaction() {
    let options = BrokerOptions {
        transaction_bytes_max: 10_000,
        transaction_operations_max: 20,
        ..BrokerOptions::default()
    };
    let mut world = World::with(options);
    world.open(1);
    for sends in [[to_many(6, 1_000), to_many(6, 1_000)], [to_many(15, 1), to_many(15, 1)]] {
        world.begin(1, 1);
        let transaction = Some(TransactionKey(1));
        let asked = sends
            .map(|message| world.ask(1, |correlation| Command::Send { message, transaction, correlation }));
        assert_eq!(world.answer(1, asked[0]), Some(Ok(())));
        assert!(is_limit(world.answer(1, asked[1])));
        let end = world.finish(1, 1, true);
        assert!(is_limit(world.answer(1, end)));
        assert_eq!(world.broker.figures().destination_count(), 0);
    }
}

#[test]
fn a_head_that_no_record_could_hold_is_refused() {
    let mut world = World::new();
    world.open(1);
    let with_head = |bytes: usize| {
        let mut builder = message(&[&queue("Q")], "x", true);
        builder.property("h", PropertyValue::String(&"x".repeat(bytes)));
        builder.build().unwrap()
    };
    let long = world.send_message(1, with_head(HEAD_BYTES_MAX));
    let fits = world.send_message(1, with_head(HEAD_BYTES_MAX - 100));
    assert!(is_limit(world.answer(1, long)));
    assert_eq!(world.answer(1, fits), Some(Ok(())));
}

#[test]
fn what_all_sessions_have_in_the_pipeline_is_bounded() {
    let options = BrokerOptions { pipeline_bytes_max: 3_000, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.automatic = false;
    (1..=9).for_each(|session| world.open(session));
    let sent: Vec<_> =
        (1..=9).map(|session| (session, world.send_message(session, to_many(1, 1_000)))).collect();
    let messages = |world: &World| world.pipeline.iter().flatten().count();
    // One makes the queue.
    assert_eq!(messages(&world), 1 + 3);
    world.automatic = true;
    world.settle_down();
    assert!(sent.into_iter().all(|(session, asked)| world.answer(session, asked) == Some(Ok(()))));
}

#[test]
fn a_browser_keeps_no_message_alive() {
    let mut world = World::with(BrokerOptions { memory_limit: 10_000, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    for round in 0..5 {
        for n in 0..9 {
            world.send_fast(1, "Q", &format!("{n} {}", "x".repeat(900)));
        }
        let mut options = prefetch(2);
        options.browse = true;
        world.subscribe(2, round, queue("Q"), options);
        assert_eq!(world.got(2).len(), 2, "the browser has credit for two");
        world.subscribe(1, round, queue("Q"), prefetch(99));
        let got = world.got(1);
        assert_eq!(got.len(), 9, "the queue is drained, so that senders go on");
        world.settle(1, &got, Verdict::Consumed);
        world.unsubscribe(1, round);
    }
    assert_eq!(world.view(&queue("Q")).size, 0);
    // The world checks after each step that all memory is accounted for.
    world.close(2);
}

#[test]
fn persistent_messages_to_a_topic_count_against_memory_as_they_are_nowhere_else() {
    let mut world = World::with(BrokerOptions { memory_limit: 5_000, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    for n in 0..10 {
        world.subscribe(2, n, topic(&format!("T{n}")), prefetch(0));
    }
    let publish = |world: &mut World, n: u64| {
        let to = topic(&format!("T{n}"));
        world.send_message(1, message(&[&to], &"x".repeat(1_000), true).build().unwrap())
    };
    let sent: Vec<_> = (0..10).map(|n| publish(&mut world, n)).collect();
    let answered = sent.iter().filter(|asked| world.answer(1, **asked).is_some()).count();
    assert_eq!(answered, 5, "the others wait");
}

#[test]
fn windows_of_consumers_without_credit_make_room_for_others() {
    let options = BrokerOptions { windows_bytes_max: 800, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for n in 0..20 {
        world.send(1, "STUCK", &n.to_string());
        world.send(1, "BUSY", &n.to_string());
    }
    world.subscribe(1, 1, queue("STUCK"), prefetch(1));
    let stuck = world.got(1);
    assert_eq!(stuck.len(), 1);
    world.pass(Duration::from_millis(100));
    world.automatic = false;
    world.open(2);
    world.subscribe(2, 1, queue("BUSY"), prefetch(99));
    let (_, request) = world.reads.front().expect("a read of the busy queue").clone();
    assert!(request.bytes_max > 200, "{request:?} has room for more than a message");
    world.automatic = true;
    world.settle_down();
    assert_eq!(world.got(2).len(), 20);
    world.settle(1, &stuck, Verdict::Consumed);
    world.ask(1, |_| Command::Credit { subscription: SubscriptionKey(1), prefetch: 99 });
    assert_eq!(world.bodies(1), (1..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn deliveries_that_are_not_read_or_not_settled_are_bounded_over_all_sessions() {
    let mut world = World::new();
    let all = Outboxes::new(256 << 10);
    for session in 1..=3 {
        world.broker.open(SessionId(session), SessionInfo::default(), Outbox::counted(&all));
    }
    for n in 0..200 {
        world.send(3, "Q", &format!("{n} {}", "x".repeat(1_000)));
    }
    world.subscribe(1, 1, queue("Q"), prefetch(1_000));
    let greedy = world.got(1).len();
    assert!((20..30).contains(&greedy), "{greedy} of 200: a ninth of the room");
    world.subscribe(2, 1, queue("Q"), prefetch(1_000));
    let second = world.got(2).len();
    assert!((15..greedy).contains(&second), "{second}: less, as there is less left");
    // Nobody reads, so nobody hears of it by itself when the first one goes.
    world.close(1);
    world.pass(Duration::from_millis(20));
    assert!(!world.got(2).is_empty(), "what the first one had is free");
}

#[test]
fn names_and_what_joins_subscriptions_to_destinations_are_bounded() {
    let census = CensusOptions { name_bytes_max: 300, joins_max: 5, ..CensusOptions::default() };
    let options = BrokerOptions { census, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    let long = |n: usize| format!("A.{n}.{}", "x".repeat(80));
    let sent: Vec<_> = (0..5).map(|n| world.send(1, &long(n), "x")).collect();
    let refused = sent.iter().filter(|asked| is_limit(world.answer(1, **asked))).count();
    assert_eq!(refused, 2, "three names fit");
    let first = world.subscribe(1, 1, queue("A.>"), prefetch(1));
    let second = world.subscribe(1, 2, queue("A.>"), prefetch(1));
    assert_eq!(world.answer(1, first), Some(Ok(())));
    assert!(is_limit(world.answer(1, second)), "three and three are more than five");
    for n in 0..3 {
        world.subscribe(1, 10 + n, queue(&long(n as usize)), prefetch(1));
    }
    let asked = world.send(1, "A.b", "one more destination is one more join");
    assert!(is_limit(world.answer(1, asked)));
    world.unsubscribe(1, 1);
    let asked = world.send(1, "A.b", "x");
    assert_eq!(world.answer(1, asked), Some(Ok(())));
}
