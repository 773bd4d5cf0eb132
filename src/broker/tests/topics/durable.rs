//! Durable subscriptions and virtual topics: what is sent to a topic is kept for those who are away.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::broker::tests::world::{Got, World, message, prefetch, queue, topic};
use crate::broker::{BrokerOptions, CensusOptions, Command, Refusal, SubscribeOptions, Verdict};
use crate::model::{Destination, DurableSubscription, Field, PropertyValue, Record};

fn durable(name: &str) -> SubscribeOptions {
    SubscribeOptions { durable_name: Some(name.to_owned()), ..prefetch(9) }
}

fn shared(name: &str) -> SubscribeOptions {
    SubscribeOptions { shared: true, ..durable(name) }
}

fn selecting(name: &str, selector: &str) -> SubscribeOptions {
    SubscribeOptions { selector: selector.to_owned(), ..durable(name) }
}

fn publish(world: &mut World, session: u64, topics: &[&str], body: &str) -> u64 {
    let topics: Vec<_> = topics.iter().map(|it| topic(it)).collect();
    let topics: Vec<_> = topics.iter().collect();
    world.send_message(session, message(&topics, body, true).build().unwrap())
}

/// Subscribes; says what was answered.
fn join(
    world: &mut World,
    session: u64,
    key: u64,
    to: Destination,
    options: SubscribeOptions,
) -> Option<Result<(), Refusal>> {
    let asked = world.subscribe(session, key, to, options);
    world.answer(session, asked)
}

fn remove(world: &mut World, session: u64, name: &str) -> Option<Result<(), Refusal>> {
    let name = name.to_owned();
    let asked =
        world.ask(session, |correlation| Command::RemoveSubscription { client_id: None, name, correlation });
    world.answer(session, asked)
}

/// A world in which a client `c` has a durable subscription `d` of the topic `T` and has gone, and session 2 publishes.
fn away() -> World {
    let mut world = World::new();
    world.open_as(1, "c");
    world.open_as(2, "publisher");
    assert_eq!(join(&mut world, 1, 1, topic("T"), durable("d")), Some(Ok(())));
    world.close(1);
    world
}

/// The client `c` comes back and takes what there is.
fn back(world: &mut World, name: &str) -> Vec<Got> {
    world.open_as(1, "c");
    assert_eq!(join(world, 1, 1, topic("T"), durable(name)), Some(Ok(())));
    world.got(1)
}

fn bodies(got: &[Got]) -> Vec<String> {
    got.iter().map(Got::body).collect()
}

#[test]
fn what_is_sent_while_a_client_is_away_waits_for_it_over_a_failover() {
    let mut world = away();
    let sent = publish(&mut world, 2, &["T"], "a");
    assert_eq!(world.answer(2, sent), Some(Ok(())));
    world.fail_over(0);
    world.open(2);
    publish(&mut world, 2, &["T"], "b");
    let got = back(&mut world, "d");
    assert_eq!(bodies(&got), ["a", "b"]);
    assert!(got.iter().all(|it| it.destination.is_none()), "the message says itself where it was sent");
    assert_eq!((got[0].redelivered, got[1].redelivered), (true, false), "nobody can tell of the first");
    world.settle(1, &got[..1], Verdict::Consumed);
    world.close(1);
    assert_eq!(bodies(&back(&mut world, "d")), ["b"]);
}

#[test]
fn nobody_else_gets_what_a_subscription_keeps_and_nobody_can_send_to_it() {
    let mut world = away();
    publish(&mut world, 2, &["T"], "a");
    let kept = DurableSubscription::destination_of("c", "d").unwrap();
    let shown = world.broker.figures().subscriptions(None, 9).items;
    let shown: Vec<_> = shown.iter().map(|it| (&*it.client_id, &*it.topics, it.size, it.consumers)).collect();
    assert_eq!(shown, [("c", "T", 1, 0)]);
    assert!(matches!(join(&mut world, 2, 1, kept.clone(), prefetch(9)), Some(Err(Refusal::Invalid(_)))));
    let sent = world.send_message(2, message(&[&kept], "x", true).build().unwrap());
    assert!(matches!(world.answer(2, sent), Some(Err(Refusal::Invalid(_)))));
    assert_eq!(join(&mut world, 2, 2, queue(">"), prefetch(9)), Some(Ok(())));
    assert!(world.got(2).is_empty());
    assert_eq!(bodies(&back(&mut world, "d")), ["a"]);
}

#[test]
fn a_message_is_written_once_for_all_that_keep_it() {
    let mut world = away();
    world.open_as(3, "other");
    join(&mut world, 3, 1, topic("T"), durable("d"));
    world.subscribe(2, 1, queue("Consumer.A.VirtualTopic.T"), prefetch(1));
    let before = world.log.len();
    publish(&mut world, 2, &["T", "VirtualTopic.T"], "a");
    let places = |group: &Vec<Record>| match &group[..] {
        [Record::Message { places, .. }] => places.len(),
        _ => 0,
    };
    let messages: Vec<_> = world.log[before..].iter().map(places).filter(|it| *it > 0).collect();
    assert_eq!(messages, [3]);
}

#[test]
fn a_message_is_kept_if_it_is_selected_and_not_the_clients_own_where_that_is_asked() {
    let mut world = World::new();
    world.open_as(1, "c");
    world.open_as(2, "publisher");
    let own = SubscribeOptions { no_local: true, ..durable("not-own") };
    join(&mut world, 1, 1, topic("T"), selecting("red", "colour = 'red'"));
    join(&mut world, 1, 2, topic("T"), own);
    let send = |world: &mut World, session, colour: &str| {
        let mut builder = message(&[&topic("T")], colour, true);
        builder.property("colour", PropertyValue::String(colour));
        world.send_message(session, builder.build().unwrap());
    };
    send(&mut world, 1, "red");
    send(&mut world, 2, "blue");
    let got = world.got(1);
    let of = |key| got.iter().filter(|it| it.subscription == key).map(Got::body).collect::<Vec<_>>();
    assert_eq!((of(1), of(2)), (vec!["red".to_owned()], vec!["blue".to_owned()]));
    let wrong = join(&mut world, 1, 3, topic("T"), selecting("x", "colour ="));
    assert!(matches!(wrong, Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn a_pattern_keeps_what_is_sent_to_topics_that_come_later_each_message_once() {
    let mut world = World::new();
    world.open_as(1, "c");
    join(&mut world, 1, 1, topic("T.>"), durable("d"));
    publish(&mut world, 1, &["T.a"], "one");
    publish(&mut world, 1, &["U", "T.b", "T.a"], "two");
    publish(&mut world, 1, &["U"], "none");
    let got = world.got(1);
    assert_eq!(bodies(&got), ["one", "two"]);
    assert_eq!(got[1].destination, Some(topic("T.b")), "the first of its topics that is meant");
    world.fail_over(0);
    world.open_as(1, "c");
    publish(&mut world, 1, &["T.c"], "three");
    join(&mut world, 1, 1, topic("T.>"), durable("d"));
    assert_eq!(world.bodies(1), ["one", "two", "three"]);
}

#[test]
fn one_consumer_at_a_time_has_a_subscription_unless_it_is_shared() {
    let mut world = World::new();
    world.open_as(1, "c");
    join(&mut world, 1, 1, topic("T"), durable("d"));
    let in_use = "Durable consumer is in use for client: c and subscriptionName: d";
    assert_eq!(join(&mut world, 1, 2, topic("T"), durable("d")), Some(Err(Refusal::Invalid(in_use.into()))));
    let taken = join(&mut world, 1, 2, topic("T"), shared("d"));
    assert!(matches!(taken, Some(Err(Refusal::Invalid(_)))));

    world.open(3);
    world.open(4);
    assert!(matches!(join(&mut world, 3, 1, topic("T"), durable("s")), Some(Err(Refusal::Invalid(_)))));
    assert_eq!(join(&mut world, 3, 1, topic("T"), shared("s")), Some(Ok(())));
    assert_eq!(join(&mut world, 4, 1, topic("T"), shared("s")), Some(Ok(())));
    for body in ["a", "b", "c", "d"] {
        publish(&mut world, 1, &["T"], body);
    }
    let (mut all, other) = (world.bodies(3), world.bodies(4));
    assert_eq!((all.len(), other.len()), (2, 2), "they share");
    all.extend(other);
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d"]);
    let other = SubscribeOptions { selector: "a = 1".to_owned(), ..shared("s") };
    assert!(matches!(join(&mut world, 4, 2, topic("T"), other), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn who_asks_for_something_else_by_the_same_name_begins_anew() {
    let mut world = away();
    publish(&mut world, 2, &["T"], "old");
    world.open_as(1, "c");
    assert_eq!(join(&mut world, 1, 1, topic("U"), durable("d")), Some(Ok(())));
    publish(&mut world, 2, &["T"], "not wanted");
    publish(&mut world, 2, &["U"], "new");
    assert_eq!(world.bodies(1), ["new"]);
    world.unsubscribe(1, 1);
    assert_eq!(join(&mut world, 1, 2, topic("U"), selecting("d", "a = 1")), Some(Ok(())));
    assert!(world.got(1).is_empty(), "another selector, another subscription");
    world.unsubscribe(1, 2);
    assert!(matches!(join(&mut world, 1, 3, topic("U"), shared("d")), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn a_removed_subscription_keeps_nothing() {
    let mut world = away();
    publish(&mut world, 2, &["T"], "lost");
    world.open_as(1, "c");
    join(&mut world, 1, 1, topic("T"), durable("d"));
    assert!(matches!(remove(&mut world, 1, "d"), Some(Err(Refusal::Invalid(_)))), "it is in use");
    world.unsubscribe(1, 1);
    assert_eq!(remove(&mut world, 1, "d"), Some(Ok(())));
    assert!(matches!(remove(&mut world, 1, "d"), Some(Err(Refusal::Invalid(_)))), "it is gone");
    let before = world.log.len();
    publish(&mut world, 2, &["T"], "kept by nobody");
    assert_eq!(world.log.len(), before);
    world.fail_over(0);
    assert!(back(&mut world, "d").is_empty());
}

#[test]
fn a_subscription_is_answered_when_it_is_committed() {
    let mut world = World::new();
    world.open_as(1, "c");
    world.send(1, "Q", "x");
    publish(&mut world, 1, &["T"], "x");
    world.automatic = false;
    let asked = world.subscribe(1, 1, topic("T"), durable("d"));
    assert_eq!(world.answer(1, asked), None);
    world.commit(1);
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    world.unsubscribe(1, 1);
    let again = world.subscribe(1, 2, topic("T"), durable("d"));
    assert_eq!(world.answer(1, again), Some(Ok(())), "it is there already");
}

#[test]
fn a_transaction_is_kept_when_it_is_committed() {
    let mut world = away();
    for (commit, body) in [(false, "rolled back"), (true, "committed")] {
        world.begin(2, 1);
        let message = message(&[&topic("T")], body, true).build().unwrap();
        let transaction = Some(crate::broker::TransactionKey(1));
        world.ask(2, |correlation| Command::Send { message, transaction, correlation });
        let ended = world.finish(2, 1, commit);
        assert_eq!(world.answer(2, ended), Some(Ok(())));
    }
    assert_eq!(bodies(&back(&mut world, "d")), ["committed"]);
}

#[test]
fn what_is_not_persistent_waits_in_memory() {
    let mut world = away();
    let before = world.log.len();
    world.send_message(2, message(&[&topic("T")], "fast", false).build().unwrap());
    assert_eq!(world.log.len(), before);
    assert_eq!(bodies(&back(&mut world, "d")), ["fast"]);
}

#[test]
fn a_dead_letter_of_a_subscription_says_which_topic_it_comes_from() {
    let mut world = away();
    publish(&mut world, 2, &["T"], "refused");
    let got = back(&mut world, "d");
    world.settle(1, &got, Verdict::Rejected);
    world.subscribe(2, 1, queue("ActiveMQ.DLQ"), prefetch(1));
    let dead = world.got(2);
    assert_eq!(bodies(&dead), ["refused"]);
    let origin: Vec<_> = dead[0].message.destinations(Field::OriginalDestination).collect();
    assert_eq!(origin, [topic("T")]);
}

#[test]
fn the_consumers_of_a_virtual_topic_have_a_queue_each() {
    let mut world = World::new();
    (1..=3).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Consumer.A.VirtualTopic.Orders"), prefetch(9));
    publish(&mut world, 3, &["VirtualTopic.Orders"], "one");
    world.subscribe(2, 1, queue("Consumer.B.VirtualTopic.Orders"), prefetch(9));
    world.subscribe(2, 2, topic("VirtualTopic.Orders"), prefetch(9));
    world.close(1);
    publish(&mut world, 3, &["VirtualTopic.Orders"], "two");
    let got = world.got(2);
    let shown: Vec<_> = got.iter().map(|it| (it.subscription, it.body(), it.destination.clone())).collect();
    let consumer = Some(queue("Consumer.B.VirtualTopic.Orders"));
    assert_eq!(shown, [(2, "two".to_owned(), None), (1, "two".to_owned(), consumer)]);
    world.fail_over(0);
    world.open(1);
    publish(&mut world, 1, &["VirtualTopic.Orders"], "three");
    world.subscribe(1, 1, queue("Consumer.A.VirtualTopic.Orders"), prefetch(9));
    assert_eq!(world.bodies(1), ["one", "two", "three"]);
}

#[test]
fn subscriptions_count_as_destinations_and_their_selectors_as_memory() {
    let census = CensusOptions { destinations_max: 3, selector_bytes_max: 12, ..CensusOptions::default() };
    let mut world = World::with(BrokerOptions { census, ..BrokerOptions::default() });
    world.open_as(1, "c");
    assert_eq!(join(&mut world, 1, 1, topic("T"), selecting("a", "long = 1")), Some(Ok(())));
    let full = |answer| matches!(answer, Some(Err(Refusal::Limit(_))));
    assert!(full(join(&mut world, 1, 2, topic("T"), selecting("b", "long = 1"))));
    assert_eq!(join(&mut world, 1, 3, topic("T"), durable("b")), Some(Ok(())));
    assert!(full(join(&mut world, 1, 4, topic("T"), durable("c"))));
    world.unsubscribe(1, 1);
    assert_eq!(remove(&mut world, 1, "a"), Some(Ok(())));
    assert_eq!(join(&mut world, 1, 4, topic("T"), selecting("c", "long = 1")), Some(Ok(())));
}

/// A step of a random course; numbers pick names.
#[derive(Clone, Debug)]
enum Step {
    Join { name: usize, topics: usize, selects: bool },
    Leave { name: usize },
    Remove { name: usize },
    Send { topic: usize, selected: bool },
    Consume { count: usize },
    FailOver,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3, 0usize..3, any::<bool>())
            .prop_map(|(name, topics, selects)| Step::Join { name, topics, selects }),
        2 => (0usize..3).prop_map(|name| Step::Leave { name }),
        1 => (0usize..3).prop_map(|name| Step::Remove { name }),
        8 => (0usize..2, any::<bool>()).prop_map(|(topic, selected)| Step::Send { topic, selected }),
        3 => (1usize..5).prop_map(|count| Step::Consume { count }),
        1 => Just(Step::FailOver),
    ]
}

/// What a naive broker knows of a subscription: what it is, whether it is consumed from, and what it keeps.
#[derive(Debug, Default)]
struct Naive {
    is: (usize, bool),
    active: bool,
    kept: Vec<String>,
}

const TOPICS: [&str; 3] = ["T.a", "T.b", "T.*"];

proptest! {
    #[test]
    fn subscriptions_keep_what_naive_ones_keep(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        world.open_as(1, "c");
        let (mut naive, mut sent): (BTreeMap<usize, Naive>, u32) = (BTreeMap::new(), 0);
        let mut held: Vec<Got> = Vec::new();
        for step in steps {
            match step {
                Step::Join { name, topics, selects } => {
                    let options = selecting(&name.to_string(), if selects { "picked = TRUE" } else { "" });
                    let answer = join(&mut world, 1, name as u64, topic(TOPICS[topics]), options);
                    let found = naive.entry(name).or_default();
                    prop_assert_eq!(answer.map(|it| it.is_ok()), Some(!found.active));
                    if !found.active {
                        if found.is != (topics, selects) {
                            found.kept.clear();
                        }
                        (found.is, found.active) = ((topics, selects), true);
                    }
                }
                Step::Leave { name } => {
                    world.unsubscribe(1, name as u64);
                    held.retain(|it| it.subscription != name as u64);
                    naive.entry(name).and_modify(|it| it.active = false);
                }
                Step::Remove { name } => {
                    let may = naive.get(&name).is_some_and(|it| !it.active);
                    prop_assert_eq!(remove(&mut world, 1, &name.to_string()).map(|it| it.is_ok()), Some(may));
                    if may {
                        naive.remove(&name);
                    }
                }
                Step::Send { topic: to, selected } => {
                    sent += 1;
                    let mut builder = message(&[&topic(TOPICS[to])], &sent.to_string(), true);
                    builder.property("picked", PropertyValue::Bool(selected));
                    world.send_message(1, builder.build().unwrap());
                    let wants = |it: &&mut Naive| (it.is.0 == to || it.is.0 == 2) && (selected || !it.is.1);
                    naive.values_mut().filter(wants).for_each(|it| it.kept.push(sent.to_string()));
                }
                Step::Consume { count } => {
                    held.extend(world.got(1));
                    let taken: Vec<_> = held.drain(..count.min(held.len())).collect();
                    world.settle(1, &taken, Verdict::Consumed);
                    for it in taken {
                        let kept = &mut naive.get_mut(&(it.subscription as usize)).unwrap().kept;
                        prop_assert_eq!(kept.remove(0), it.body(), "in order");
                    }
                }
                Step::FailOver => {
                    world.fail_over(usize::MAX);
                    world.open_as(1, "c");
                    held.clear();
                    naive.values_mut().for_each(|it| it.active = false);
                }
            }
            held.extend(world.got(1));
        }
        world.close(1);
        world.open_as(1, "c");
        for (name, expected) in naive {
            let selector = if expected.is.1 { "picked = TRUE" } else { "" };
            let options = SubscribeOptions { prefetch: 1000, ..selecting(&name.to_string(), selector) };
            prop_assert_eq!(join(&mut world, 1, name as u64, topic(TOPICS[expected.is.0]), options), Some(Ok(())));
            prop_assert_eq!(world.bodies(1), expected.kept);
        }
    }
}
