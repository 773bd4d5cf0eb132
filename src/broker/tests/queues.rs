//! Queues: order, competition, what comes back, what is buried, what is only looked at.

use std::time::Duration;

use crate::broker::tests::world::{World, message, prefetch, queue};
use crate::broker::{
    BrokerOptions, Command, Refusal, SessionEvent, SessionId, Submission, SubscribeOptions, Verdict,
};
use crate::model::{Destination, DestinationKind, Field, PropertyValue, Record};
use crate::storage::CHUNK_BYTES;

const COUNTED: Verdict = Verdict::Released { counted: true };

#[test]
fn a_persistent_send_is_answered_and_delivered_only_when_it_is_applied() {
    let mut world = World::new();
    world.automatic = false;
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(10));
    let sent = world.send(1, "Q", "a");
    assert_eq!(world.answer(1, sent), None);
    assert!(world.got(1).is_empty());
    world.commit(9);
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    let got = world.got(1);
    assert_eq!((got.len(), got[0].body().as_str(), got[0].redelivered), (1, "a", false));
    let settled = world.settle(1, &got, Verdict::Consumed);
    assert_eq!(world.answer(1, settled), None);
    world.commit(9);
    assert_eq!(world.answer(1, settled), Some(Ok(())));
    assert_eq!(world.view(&queue("Q")).size, 0);
}

#[test]
fn prefetch_bounds_what_a_consumer_holds_and_the_rest_is_read_back_in_order() {
    let options = BrokerOptions { window_entries_max: 8, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for n in 0..50 {
        world.send(1, "Q", &n.to_string());
    }
    world.subscribe(1, 1, queue("Q"), prefetch(3));
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let got = world.got(1);
        assert!(!got.is_empty() && got.len() <= 3, "{} at {}", got.len(), seen.len());
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(1, &got[..1], Verdict::Consumed);
        world.settle(1, &got[1..], Verdict::Consumed);
    }
    assert_eq!(seen, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_body_in_chunks_is_delivered_whole_at_once_and_from_disk() {
    let mut world = World::new();
    world.open(1);
    let body = "0123456789".repeat(CHUNK_BYTES);
    world.send(1, "Q", &body);
    world.send(1, "Q", "short");
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), [body.clone(), "short".into()]);
    world.send(1, "Q", &body);
    assert_eq!(world.bodies(1), std::slice::from_ref(&body));
    world.fail_over(0);
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), [body.clone(), "short".into(), body]);
}

#[test]
fn consumers_take_turns_and_higher_priority_is_served_first() {
    let mut world = World::new();
    for session in 1..=4 {
        world.open(session);
    }
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    world.subscribe(2, 1, queue("Q"), prefetch(2));
    let mut high = prefetch(1);
    high.priority = 5;
    world.subscribe(3, 1, queue("Q"), high);
    for n in 0..6 {
        world.send(4, "Q", &n.to_string());
    }
    assert_eq!(world.bodies(3), ["0"]);
    assert_eq!(world.bodies(1), ["1", "3"]);
    assert_eq!(world.bodies(2), ["2", "4"]);
    assert_eq!(world.view(&queue("Q")).in_flight, 5);
}

#[test]
fn an_exclusive_consumer_gets_everything_until_it_leaves() {
    let mut world = World::new();
    for session in 1..=3 {
        world.open(session);
    }
    let exclusive = || {
        let mut options = prefetch(10);
        options.exclusive = true;
        options
    };
    world.subscribe(1, 1, queue("Q"), exclusive());
    world.subscribe(2, 1, queue("Q"), exclusive());
    world.send(3, "Q", "a");
    world.send(3, "Q", "b");
    assert_eq!(world.bodies(1), ["a", "b"]);
    world.close(1);
    let got = world.got(2);
    assert_eq!(got.iter().map(|it| it.body()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(got.iter().all(|it| it.redelivered && it.failures == 0));
}

#[test]
fn released_messages_come_back_in_front_and_count_their_failures() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    for body in ["a", "b", "c"] {
        world.send(1, "Q", body);
    }
    let got = world.got(1);
    world.settle(1, &got, COUNTED);
    let again = world.got(1);
    assert_eq!(again.iter().map(|it| it.body()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(again.iter().all(|it| it.redelivered && it.failures == 1));
    world.settle(1, &again[..1], Verdict::Released { counted: false });
    let third = world.got(1);
    assert_eq!((third[0].body().as_str(), third[0].failures), ("a", 1));
    world.fail_over(0);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    let after: Vec<_> = world.got(2).iter().map(|it| (it.body(), it.failures)).collect();
    assert_eq!(after, [("a".into(), 1), ("b".into(), 1), ("c".into(), 0)]);
}

#[test]
fn what_was_not_seen_comes_back_as_new_and_a_retried_message_stays_and_counts() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    for body in ["a", "b"] {
        world.send(1, "Q", body);
    }
    let got = world.got(1);
    world.settle(1, &got[..1], Verdict::Retried);
    assert!(world.got(1).is_empty(), "it stays where it is");
    world.settle(1, &got, Verdict::Unseen);
    let again = world.got(1);
    let shown: Vec<_> = again.iter().map(|it| (it.body(), it.redelivered, it.failures)).collect();
    assert_eq!(shown, [("a".into(), false, 1), ("b".into(), false, 0)]);
    world.fail_over(0);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    let after: Vec<_> = world.got(2).iter().map(|it| (it.body(), it.failures)).collect();
    assert_eq!(after, [("a".into(), 1), ("b".into(), 0)]);
}

#[test]
fn a_refused_message_moves_to_the_dead_letter_queue_in_one_group() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    let mut poison = message(&[&queue("Q")], "poison", true);
    poison.field(Field::DuplicateId, "d");
    world.send_message(1, poison.build().unwrap());
    let fast = world.send_fast(1, "Q", "fast");
    assert_eq!(world.answer(1, fast), Some(Ok(())));
    let got = world.got(1);
    let refused = world.settle(1, &got, Verdict::Rejected);
    assert_eq!(world.answer(1, refused), Some(Ok(())));
    let is_settle = |record: &Record| matches!(record, Record::Settle { .. });
    let group = world.log.iter().find(|group| group.iter().any(is_settle)).unwrap();
    assert!(matches!(group[1], Record::Message { .. }), "{group:?}");
    world.subscribe(1, 2, queue("ActiveMQ.DLQ"), prefetch(9));
    let dead = world.got(1);
    assert_eq!(dead.len(), 1, "non-persistent messages are not kept");
    assert_eq!(dead[0].message.destinations(Field::OriginalDestination).next(), Some(queue("Q")));
    assert_eq!(dead[0].message.field(Field::DuplicateId), None);
    assert_eq!(world.view(&queue("Q")).size, 0);
}

#[test]
fn expired_messages_are_never_delivered_whenever_they_expire() {
    let mut world = World::new();
    world.open(1);
    let send = |world: &mut World, body: &str, expiry: i64, persistent| {
        let mut builder = message(&[&queue("Q")], body, persistent);
        builder.expiry = expiry;
        world.send_message(1, builder.build().unwrap())
    };
    let wall = world.wall;
    let at_once = send(&mut world, "sent expired", wall - 1, true);
    assert_eq!(world.answer(1, at_once), Some(Ok(())));
    send(&mut world, "swept", wall + 1_000, true);
    send(&mut world, "gone", wall + 1_000, false);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.view(&queue("ActiveMQ.DLQ")).size, 2);
    send(&mut world, "late", wall + 7_000, true);
    send(&mut world, "good", wall + 90_000, true);
    world.wall += 2_000;
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), ["good"]);
    world.subscribe(1, 2, queue("ActiveMQ.DLQ"), prefetch(9));
    assert_eq!(world.bodies(1), ["sent expired", "swept", "late"]);
}

#[test]
fn expired_messages_leave_their_queue_wherever_they_stand() {
    let options = BrokerOptions { window_entries_max: 10, ..BrokerOptions::default() };
    for consumers in [0, 1] {
        let mut world = World::with(options.clone());
        world.open(1);
        world.open(2);
        let wall = world.wall;
        for n in 0..3_000 {
            let mut builder = message(&[&queue("Q")], &n.to_string(), true);
            builder.expiry = if n % 3 == 0 { 0 } else { wall + 2_000 * (n % 3) };
            world.send_message(1, builder.build().unwrap());
        }
        if consumers > 0 {
            world.subscribe(1, 1, queue("Q"), prefetch(7));
        }
        let held = world.got(1);
        world.fail_over(0);
        world.open(3);
        world.pass(Duration::from_secs(6));
        assert_eq!(world.view(&queue("Q")).size, 1_000, "{} were held", held.len());
        assert_eq!(world.view(&queue("ActiveMQ.DLQ")).size, 2_000);
        world.subscribe(3, 1, queue("Q"), prefetch(2_000));
        let bodies = world.bodies(3);
        assert_eq!(bodies, (0..3_000).filter(|n| n % 3 == 0).map(|n| n.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn what_expires_with_a_consumer_leaves_when_it_comes_back() {
    let mut world = World::new();
    world.open(1);
    let mut builder = message(&[&queue("Q")], "x", true);
    builder.expiry = world.wall + 2_000;
    world.send_message(1, builder.build().unwrap());
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    let got = world.got(1);
    world.pass(Duration::from_secs(6));
    assert_eq!((got.len(), world.view(&queue("Q")).size), (1, 1), "it is with its consumer");
    world.unsubscribe(1, 1);
    world.pass(Duration::from_secs(6));
    assert_eq!((world.view(&queue("Q")).size, world.view(&queue("ActiveMQ.DLQ")).size), (0, 1));
}

#[test]
fn a_message_that_is_refused_in_the_dead_letter_queue_stays_there_and_does_not_go_round() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "ActiveMQ.DLQ", "a");
    world.send(1, "ActiveMQ.DLQ", "b");
    world.subscribe(1, 1, queue("ActiveMQ.DLQ"), prefetch(1));
    let got = world.got(1);
    let before = world.log.len();
    let refused = world.settle(1, &got, Verdict::Rejected);
    assert_eq!(world.answer(1, refused), Some(Ok(())));
    assert!(world.got(1).is_empty(), "it counts as unsettled until the subscription ends");
    assert_eq!((world.view(&queue("ActiveMQ.DLQ")).size, world.log.len()), (2, before));
    world.unsubscribe(1, 1);
    world.subscribe(1, 2, queue("ActiveMQ.DLQ"), prefetch(9));
    assert_eq!(world.bodies(1), ["a", "b"]);
}

#[test]
fn non_persistent_messages_keep_their_place_among_persistent_ones() {
    let mut world = World::new();
    world.automatic = false;
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(99));
    world.send(1, "Q", "1");
    let fast = world.send_fast(1, "Q", "2");
    assert_eq!(world.answer(1, fast), Some(Ok(())));
    assert!(world.got(1).is_empty(), "2 stands behind 1, which is not committed");
    world.send(1, "Q", "3");
    world.send_fast(1, "Q", "4");
    world.commit(2);
    assert_eq!(world.bodies(1), ["1", "2"]);
    world.commit(9);
    let got = world.got(1);
    assert_eq!(got.iter().map(|it| it.body()).collect::<Vec<_>>(), ["3", "4"]);
    world.automatic = true;
    world.settle(1, &got, COUNTED);
    let again = world.got(1);
    assert_eq!(
        again.iter().map(|it| (it.body(), it.failures)).collect::<Vec<_>>(),
        [("3".into(), 1), ("4".into(), 1)]
    );
}

#[test]
fn a_repeated_send_is_answered_and_delivered_once() {
    let mut world = World::new();
    world.open(1);
    let send = |world: &mut World| {
        let mut builder = message(&[&queue("Q")], "a", true);
        builder.field(Field::DuplicateId, "same");
        world.send_message(1, builder.build().unwrap())
    };
    let first = send(&mut world);
    assert_eq!(world.answer(1, first), Some(Ok(())));
    world.fail_over(0);
    world.open(1);
    let second = send(&mut world);
    assert_eq!(world.answer(1, second), Some(Ok(())));
    world.send(1, "Q", "b");
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), ["a", "b"]);
}

#[test]
fn a_browser_sees_a_queue_as_it_was_and_takes_nothing() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    for n in 0..6 {
        world.send(1, "Q", &n.to_string());
        world.send_fast(1, "Q", &format!("{n}f"));
    }
    world.got(1);
    world.open(2);
    let mut options = prefetch(4);
    options.browse = true;
    world.subscribe(2, 7, queue("Q"), options);
    world.send(1, "Q", "later");
    let is_end = |event: &SessionEvent| matches!(event, SessionEvent::BrowseEnd { .. });
    let mut seen = Vec::new();
    while !world.told(2, is_end) {
        let got = world.got(2);
        assert!(!got.is_empty());
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(2, &got, Verdict::Consumed);
    }
    seen.extend(world.bodies(2));
    assert_eq!(seen, ["0", "1", "1f", "2", "2f", "3", "3f", "4", "4f", "5", "5f"], "0f is in flight");
    assert_eq!(world.view(&queue("Q")).size, 13);
}

#[test]
fn a_browser_sees_what_it_selects_and_never_more_than_its_credit() {
    let mut world = World::new();
    world.open(1);
    // Stored ones in several pages, then more in memory than are looked at in one turn.
    let wanted = [3, 4, 60, 99, 100, 2000, 2001];
    let send = |place: usize| {
        let mut builder = message(&[&queue("Q")], &place.to_string(), place < 100);
        builder.property("wanted", PropertyValue::Bool(wanted.contains(&place)));
        Command::Send { message: builder.build().unwrap(), transaction: None, correlation: None }
    };
    let sends: Vec<_> = (0..2500).map(send).collect();
    world.broker.submit(world.now, world.wall, SessionId(1), Submission::from(sends));
    world.settle_down();
    world.open(2);
    let options = SubscribeOptions { browse: true, selector: "wanted".into(), ..prefetch(1) };
    world.subscribe(2, 7, queue("Q"), options);
    let is_end = |event: &SessionEvent| matches!(event, SessionEvent::BrowseEnd { .. });
    let mut seen = Vec::new();
    while !world.told(2, is_end) {
        let got = world.got(2);
        assert_eq!(got.len(), 1);
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(2, &got, Verdict::Consumed);
    }
    assert_eq!(seen, wanted.map(|place| place.to_string()));
}

#[test]
fn a_browser_selects_by_failed_deliveries_too() {
    let mut world = World::new();
    world.open(1);
    for persistent in [true, false] {
        for body in ["a", "b"] {
            world.send_message(1, message(&[&queue("Q")], body, persistent).build().unwrap());
        }
    }
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    let got = world.got(1);
    let of_b: Vec<_> = got.into_iter().filter(|it| it.body() == "b").collect();
    world.settle(1, &of_b, Verdict::Released { counted: true });
    world.unsubscribe(1, 1);
    assert_eq!(world.bodies(1), ["b", "b"], "they came again before that");
    let failed = SubscribeOptions { browse: true, selector: "JMSXDeliveryCount = 2".into(), ..prefetch(9) };
    world.subscribe(1, 2, queue("Q"), failed);
    assert_eq!(world.bodies(1), ["b", "b"]);
}

#[test]
fn wildcards_join_queues_that_exist_and_queues_that_come() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "A.x", "1");
    world.subscribe(1, 1, queue("A.*"), prefetch(2));
    world.send(1, "A.y", "2");
    world.send(1, "B.y", "not this");
    world.send(1, "A.z", "3");
    let got = world.got(1);
    assert_eq!(got.iter().map(|it| it.body()).collect::<Vec<_>>(), ["1", "2"]);
    world.settle(1, &got[..1], Verdict::Consumed);
    assert_eq!(world.bodies(1), ["3"]);
    let refused = world.send(1, "A.*", "nowhere");
    assert!(matches!(world.answer(1, refused), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn temporary_destinations_live_in_memory_as_long_as_their_session() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    let reply = Destination::new(DestinationKind::TemporaryQueue, "reply").unwrap();
    let made = world.ask(1, |correlation| Command::Create { destination: reply.clone(), correlation });
    assert_eq!(world.answer(1, made), Some(Ok(())));
    let before = world.log.len();
    let stolen = world.subscribe(2, 1, reply.clone(), prefetch(1));
    assert!(matches!(world.answer(2, stolen), Some(Err(Refusal::Denied(_)))));
    world.subscribe(1, 1, reply.clone(), prefetch(1));
    let sent = world.send_message(2, message(&[&reply], "answer", true).build().unwrap());
    assert_eq!(world.answer(2, sent), Some(Ok(())));
    assert_eq!(world.bodies(1), ["answer"]);
    assert_eq!(world.log.len(), before, "nothing of it is in the log");
    world.close(1);
    let late = world.send_message(2, message(&[&reply], "late", true).build().unwrap());
    assert!(matches!(world.answer(2, late), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn a_wildcard_means_no_temporary_destination_of_another_session() {
    let mut world = World::new();
    let of = |name: &str| Destination { kind: DestinationKind::TemporaryQueue, name: name.to_owned() };
    for session in [1, 2] {
        world.open(session);
        let asked = world.subscribe(session, 1, of(">"), prefetch(9));
        assert_eq!(world.answer(session, asked), Some(Ok(())));
    }
    world.ask(2, |correlation| Command::Create { destination: of("reply"), correlation });
    world.send_message(1, message(&[&of("reply")], "answer", false).build().unwrap());
    assert_eq!((world.bodies(1), world.bodies(2)), (vec![], vec!["answer".to_owned()]));
}

#[test]
fn a_deleted_queue_begins_anew_under_its_name() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "old");
    world.subscribe(1, 1, queue("Q"), prefetch(0));
    let delete = |world: &mut World| {
        world.ask(1, |correlation| Command::Delete { destination: queue("Q"), if_empty: false, correlation })
    };
    let refused = delete(&mut world);
    assert!(matches!(world.answer(1, refused), Some(Err(Refusal::Invalid(_)))));
    world.unsubscribe(1, 1);
    let deleted = delete(&mut world);
    assert_eq!(world.answer(1, deleted), Some(Ok(())));
    world.send(1, "Q", "new");
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), ["new"]);
}

#[test]
fn a_message_that_cannot_be_read_stops_its_queue_and_is_not_skipped() {
    let options = BrokerOptions { window_entries_max: 1, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for body in ["a", "b", "c"] {
        world.send(1, "Q", body);
    }
    world.damage("b");
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), ["a"]);
    assert_eq!(world.damages.len(), 1, "{:?}", world.damages);
    assert_eq!(world.view(&queue("Q")).size, 3);
}
