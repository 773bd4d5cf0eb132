//! Topics: everybody gets everything, from memory; publishers wait for the slowest.

mod advisories;
mod durable;

use crate::broker::tests::world::{World, message, prefetch, topic};
use crate::broker::{
    BrokerOptions, CensusOptions, Command, Refusal, SubscribeOptions, TransactionKey, Verdict,
};
use crate::model::PropertyValue;

fn publish(world: &mut World, session: u64, name: &str, body: &str) -> u64 {
    world.send_message(session, message(&[&topic(name)], body, true).build().unwrap())
}

#[test]
fn every_subscription_gets_every_message_and_the_log_none() {
    let mut world = World::new();
    for session in 1..=3 {
        world.open(session);
    }
    world.subscribe(1, 1, topic("T.a"), prefetch(9));
    world.subscribe(2, 1, topic("T.>"), prefetch(9));
    let mut own = prefetch(9);
    own.no_local = true;
    world.subscribe(3, 1, topic("T.a"), own);
    let before = world.log.len();
    let sent = publish(&mut world, 3, "T.a", "x");
    assert_eq!(world.answer(3, sent), Some(Ok(())));
    assert_eq!(world.log.len(), before);
    assert_eq!((world.bodies(1), world.bodies(2)), (vec!["x".to_owned()], vec!["x".to_owned()]));
    assert!(world.got(3).is_empty());
    publish(&mut world, 3, "T.b", "y");
    assert_eq!(world.bodies(2), ["y"]);
    world.unsubscribe(2, 1);
    publish(&mut world, 3, "T.b", "z");
    assert!(world.got(2).is_empty());
}

#[test]
fn a_publisher_waits_for_the_slowest_subscription_and_nothing_is_lost() {
    let mut world = World::with(BrokerOptions { backlog_entries_max: 3, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    world.subscribe(1, 1, topic("T"), prefetch(2));
    let sent: Vec<_> = (0..10).map(|n| publish(&mut world, 2, "T", &n.to_string())).collect();
    assert_eq!(world.answer(2, sent[4]), Some(Ok(())));
    assert_eq!(world.answer(2, sent[5]), None, "two are delivered, three wait");
    let mut seen = Vec::new();
    while seen.len() < 10 {
        let got = world.got(1);
        assert!(!got.is_empty());
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(1, &got, Verdict::Consumed);
    }
    assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(world.answer(2, sent[9]), Some(Ok(())));
}

#[test]
fn a_subscriber_that_leaves_frees_the_publisher() {
    let mut world = World::with(BrokerOptions { backlog_entries_max: 1, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    world.subscribe(1, 1, topic("T"), prefetch(1));
    let sent: Vec<_> = (0..5).map(|n| publish(&mut world, 2, "T", &n.to_string())).collect();
    assert_eq!(world.answer(2, sent[2]), None);
    world.close(1);
    assert!(sent[2..].iter().all(|it| world.answer(2, *it) == Some(Ok(()))));
}

#[test]
fn a_session_that_hears_itself_settles_past_its_own_waiting_sends() {
    let mut world = World::with(BrokerOptions { backlog_entries_max: 1, ..BrokerOptions::default() });
    world.open(1);
    world.subscribe(1, 1, topic("T"), prefetch(1));
    let sent: Vec<_> = (0..6).map(|n| publish(&mut world, 1, "T", &n.to_string())).collect();
    assert_eq!(world.answer(1, sent[5]), None);
    for n in 0..6 {
        let got = world.got(1);
        assert_eq!(got.iter().map(|it| it.body()).collect::<Vec<_>>(), [n.to_string()]);
        world.settle(1, &got, Verdict::Consumed);
    }
    assert_eq!(world.answer(1, sent[5]), Some(Ok(())));
}

fn selecting(selector: &str, window: u32) -> SubscribeOptions {
    SubscribeOptions { selector: selector.into(), ..prefetch(window) }
}

/// Publishes a message of a kind, in a transaction or alone.
fn publish_of(world: &mut World, kind: &str, body: &str, transaction: Option<TransactionKey>) -> u64 {
    let mut builder = message(&[&topic("T")], body, true);
    builder.property("kind", PropertyValue::String(kind));
    let message = builder.build().unwrap();
    world.ask(9, |correlation| Command::Send { message, transaction, correlation })
}

#[test]
fn a_subscription_gets_what_its_selector_selects() {
    let mut world = World::new();
    (1..=9).for_each(|session| world.open(session));
    for (session, selector) in [(1, "kind = 'a'"), (2, "kind <> 'a'"), (3, " "), (4, "missing = 'a'")] {
        let asked = world.subscribe(session, 1, topic("T"), selecting(selector, 9));
        assert_eq!(world.answer(session, asked), Some(Ok(())), "{selector}");
    }
    publish_of(&mut world, "a", "1", None);
    world.begin(9, 7);
    publish_of(&mut world, "b", "2", Some(TransactionKey(7)));
    publish_of(&mut world, "a", "3", Some(TransactionKey(7)));
    world.finish(9, 7, true);
    assert_eq!(world.bodies(1), ["1", "3"]);
    assert_eq!(world.bodies(2), ["2"]);
    assert_eq!(world.bodies(3), ["1", "2", "3"]);
    assert_eq!(world.bodies(4), [""; 0]);
}

#[test]
fn a_full_subscription_holds_up_nothing_that_it_does_not_select() {
    let mut world = World::with(BrokerOptions { backlog_entries_max: 1, ..BrokerOptions::default() });
    world.open(1);
    world.open(9);
    world.subscribe(1, 1, topic("T"), selecting("kind = 'a'", 1));
    for body in ["1", "2"] {
        let sent = publish_of(&mut world, "a", body, None);
        assert_eq!(world.answer(9, sent), Some(Ok(())));
    }
    let other = publish_of(&mut world, "b", "3", None);
    assert_eq!(world.answer(9, other), Some(Ok(())), "it is for nobody");
    let waits = publish_of(&mut world, "a", "4", None);
    assert_eq!(world.answer(9, waits), None, "one is delivered, one waits");
    let got = world.got(1);
    world.settle(1, &got, Verdict::Consumed);
    assert_eq!(world.answer(9, waits), Some(Ok(())));
}

#[test]
fn a_wrong_selector_is_refused_with_its_place() {
    let mut world = World::new();
    world.open(1);
    let asked = world.subscribe(1, 1, topic("T"), selecting("kind == 'a'", 1));
    let Some(Err(Refusal::Invalid(why))) = world.answer(1, asked) else { panic!("it was taken") };
    assert!(why.contains("wrong at character 7"), "{why}");
}

#[test]
fn the_text_of_all_selectors_is_bounded() {
    let selector = "kind = 'a'";
    let census = CensusOptions { selector_bytes_max: 2 * selector.len(), ..CensusOptions::default() };
    let options = BrokerOptions { census, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for key in 1..=2 {
        let asked = world.subscribe(1, key, topic("T"), selecting(selector, 1));
        assert_eq!(world.answer(1, asked), Some(Ok(())));
    }
    let asked = world.subscribe(1, 3, topic("T"), selecting(selector, 1));
    assert!(matches!(world.answer(1, asked), Some(Err(Refusal::Limit(_)))));
    world.unsubscribe(1, 1);
    let asked = world.subscribe(1, 3, topic("T"), selecting(selector, 1));
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    world.close(1);
}
