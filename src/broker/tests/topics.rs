//! Topics: everybody gets everything, from memory; publishers wait for the slowest.

use crate::broker::tests::world::{World, message, prefetch, topic};
use crate::broker::{BrokerOptions, Verdict};

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
