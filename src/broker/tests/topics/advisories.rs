//! Advisory topics: what comes and goes is told to whoever listens, and what is there to whoever begins to.

use std::sync::Arc;

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{Command, Correlation, Principal, ProducerKey, SessionInfo};
use crate::model::{Field, Happening, Message, PropertyValue};
use crate::security::{Account, Rights, Rule, Target};

/// What a session has heard since it was asked last: the topic, and what happened there.
fn heard(world: &mut World, session: u64) -> Vec<(String, Option<Happening>)> {
    let got = world.got(session);
    got.iter()
        .map(|it| (it.message.destinations(Field::Destination).next().unwrap().name, it.message.happening()))
        .collect()
}

fn names(world: &mut World, session: u64) -> Vec<String> {
    heard(world, session).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_consumer_is_told_of_when_it_comes_and_when_it_goes_with_what_is_left() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    world.subscribe(1, 1, topic("ActiveMQ.Advisory.Consumer.Queue.Q"), prefetch(9));
    assert!(names(&mut world, 1).is_empty(), "its own coming is nobody's business");
    world.subscribe(2, 1, queue("Q"), prefetch(3));
    let came = world.got(1);
    let [came] = &came[..] else { panic!("{came:?}") };
    let Some(Happening::ConsumerCame(told)) = came.message.happening() else { panic!("{came:?}") };
    assert_eq!((told.destination.read().unwrap(), told.prefetch), (queue("Q"), 3));
    let count = |it: &Message| {
        it.properties()
            .find(|(name, _)| *name == "consumerCount")
            .map(|(_, value)| matches!(value, PropertyValue::Int(1)))
    };
    assert_eq!(count(&came.message), Some(true));
    world.unsubscribe(2, 1);
    let went = heard(&mut world, 1);
    assert!(matches!(&went[..], [(_, Some(Happening::ConsumerWent(it)))] if it.number == told.number));
    world.subscribe(2, 2, queue("another"), prefetch(3));
    assert!(names(&mut world, 1).is_empty());
}

#[test]
fn whoever_begins_to_listen_is_told_of_what_is_there() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(3));
    world.subscribe(2, 2, topic("T.>"), prefetch(3));
    let produce = |producer, destination| {
        move |correlation: Option<Correlation>| Command::Produce { producer, destination, correlation }
    };
    let made = world.ask(2, produce(ProducerKey(1), Some(queue("P"))));
    assert_eq!(world.answer(2, made), Some(Ok(())));
    world.subscribe(1, 1, topic("ActiveMQ.Advisory.>"), prefetch(99));
    let mut all = names(&mut world, 1);
    all.sort();
    let wanted = [
        "ActiveMQ.Advisory.Connection",
        "ActiveMQ.Advisory.Connection",
        "ActiveMQ.Advisory.Consumer.Queue.Q",
        "ActiveMQ.Advisory.Consumer.Topic.T.>",
        "ActiveMQ.Advisory.MasterBroker",
        "ActiveMQ.Advisory.Producer.Queue.P",
        "ActiveMQ.Advisory.Queue",
        "ActiveMQ.Advisory.Queue",
    ];
    assert_eq!(all, wanted);
    world.close(2);
    let mut all = names(&mut world, 1);
    all.sort();
    let wanted = [
        "ActiveMQ.Advisory.Connection",
        "ActiveMQ.Advisory.Consumer.Queue.Q",
        "ActiveMQ.Advisory.Consumer.Topic.T.>",
        "ActiveMQ.Advisory.Producer.Queue.P",
    ];
    assert_eq!(all, wanted);
    // A topic of which nobody has heard so far is listened to by its pattern.
    world.open(3);
    world.subscribe(3, 1, queue("new"), prefetch(1));
    let mut all = names(&mut world, 1);
    all.sort();
    let wanted =
        ["ActiveMQ.Advisory.Connection", "ActiveMQ.Advisory.Consumer.Queue.new", "ActiveMQ.Advisory.Queue"];
    assert_eq!(all, wanted);
}

#[test]
fn a_listener_hears_of_what_it_may_read_only() {
    let mut world = World::new();
    let words = |text: &str| vec![text.to_owned()];
    let target = Target::Queue("open.>".to_owned());
    let rule = Rule::new(&target, [words("users"), Vec::new(), Vec::new()], String::new()).unwrap();
    let account = Account::new("somebody", &words("users"), &Rights::new(vec![rule]));
    let info = SessionInfo { principal: Principal::Known(Arc::new(account)), ..SessionInfo::default() };
    world.open_with(1, info);
    world.open(2);
    world.subscribe(2, 1, queue("secret"), prefetch(1));
    world.subscribe(1, 1, topic("ActiveMQ.Advisory.>"), prefetch(99));
    world.subscribe(2, 2, queue("open.Q"), prefetch(1));
    world.subscribe(2, 3, queue("hidden"), prefetch(1));
    let about = names(&mut world, 1).into_iter().filter(|name| name.contains(".Consumer."));
    assert_eq!(about.collect::<Vec<_>>(), ["ActiveMQ.Advisory.Consumer.Queue.open.Q"]);
}

#[test]
fn what_expires_is_told_of_by_the_id_of_the_message() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, topic("ActiveMQ.Advisory.Expired.Queue.Q"), prefetch(9));
    let mut late = message(&[&queue("Q")], "x", true);
    late.expiry = 1;
    late.field(Field::MessageId, "ID:late");
    world.send_message(1, late.build().unwrap());
    let got = world.got(1);
    let [told] = &got[..] else { panic!("{got:?}") };
    let ids = told.message.properties().find(|(name, _)| *name == "orignalMessageId");
    assert_eq!(ids, Some(("orignalMessageId", PropertyValue::String("ID:late"))));
}
