//! Messages that wait are moved, copied and retried.

use std::time::Duration;

use crate::broker::tests::world::{Got, World, message, prefetch, queue, topic};
use crate::broker::{BrokerOptions, Command, Correlation, Refusal, SubscribeOptions, Transfer, Verdict, Way};
use crate::model::{Destination, Field, PropertyValue, Record};

fn transfer(way: Way, selector: &str, messages_max: u64) -> impl FnOnce(Option<Correlation>) -> Command {
    from(queue("Q"), way, selector, messages_max)
}

fn from(
    from: Destination,
    way: Way,
    selector: &str,
    messages_max: u64,
) -> impl FnOnce(Option<Correlation>) -> Command {
    let transfer = Transfer { way, selector: selector.to_owned(), messages_max };
    move |correlation| Command::Transfer { from, transfer, correlation }
}

/// What is in a queue, in order.
fn browse(world: &mut World, name: &str) -> Vec<Got> {
    let options = SubscribeOptions { browse: true, ..prefetch(1000) };
    world.open(99);
    world.subscribe(99, 1, queue(name), options);
    let got = world.got(99);
    world.close(99);
    got
}

fn bodies(world: &mut World, name: &str) -> Vec<String> {
    browse(world, name).iter().map(Got::body).collect()
}

/// A queue Q with stored and other messages in turn, of which a consumer of session 2 holds the first two.
fn half_and_half(count: usize) -> World {
    let mut world = World::with(BrokerOptions { window_entries_max: 8, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    for n in 0..count {
        match n % 2 {
            0 => world.send(1, "Q", &n.to_string()),
            _ => world.send_fast(1, "Q", &n.to_string()),
        };
    }
    world.subscribe(2, 1, queue("Q"), prefetch(2));
    world
}

#[test]
fn a_move_takes_what_waits_in_order_and_leaves_what_consumers_hold() {
    let mut world = half_and_half(1000);
    let held = world.got(2);
    let (count, asked) = world.affect(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    assert_eq!((count, world.answer(1, asked)), (Some(998), Some(Ok(()))));
    let moved = browse(&mut world, "R");
    let expected: Vec<_> = (2..1000).map(|n| n.to_string()).collect();
    assert_eq!(moved.iter().map(Got::body).collect::<Vec<_>>(), expected);
    for it in &moved {
        let origin: Vec<_> = it.message.destinations(Field::OriginalDestination).collect();
        assert_eq!((origin, it.redelivered, it.failures), (vec![queue("Q")], false, 0));
    }
    assert_eq!((world.view(&queue("Q")).size, world.view(&queue("R")).size), (2, 998));
    world.settle(2, &held, Verdict::Released { counted: false });
    assert_eq!(world.bodies(2), ["0", "1"]);
    world.send(1, "Q", "new");
    world.close(2);
    world.fail_over(usize::MAX);
    world.open(1);
    assert_eq!(bodies(&mut world, "Q"), ["0", "new"]);
    assert_eq!(bodies(&mut world, "R"), (1..500).map(|n| (2 * n).to_string()).collect::<Vec<_>>());
}

#[test]
fn a_copy_leaves_all_where_it_is() {
    let mut world = half_and_half(20);
    let (count, asked) = world.affect(1, transfer(Way::Copy(queue("R")), "", 5));
    assert_eq!((count, world.answer(1, asked)), (Some(5), Some(Ok(()))));
    assert_eq!(bodies(&mut world, "R"), ["2", "3", "4", "5", "6"]);
    assert_eq!(world.view(&queue("Q")).size, 20);
    world.close(2);
    world.subscribe(1, 1, queue("Q"), prefetch(100));
    assert_eq!(world.bodies(1), (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn only_what_is_selected_moves_and_no_more_than_is_wanted() {
    let mut world = World::new();
    world.open(1);
    for n in 0..2000 {
        let mut made = message(&[&queue("Q")], &n.to_string(), n % 2 == 0);
        made.property("n", PropertyValue::Int(n));
        world.send_message(1, made.build().unwrap());
    }
    let (count, _) = world.affect(1, transfer(Way::Move(queue("R")), "n >= 1500", 300));
    assert_eq!(count, Some(300));
    assert_eq!(bodies(&mut world, "R"), (1500..1800).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(world.view(&queue("Q")).size, 1700);
    world.subscribe(1, 1, queue("Q"), prefetch(2000));
    let left: Vec<_> = (0..1500).chain(1800..2000).map(|n| n.to_string()).collect();
    assert_eq!(world.bodies(1), left);
    let (count, asked) = world.affect(1, transfer(Way::Move(queue("R")), "n >=", 1));
    assert!(matches!((count, world.answer(1, asked)), (None, Some(Err(Refusal::Invalid(_))))));
}

#[test]
fn what_is_sorted_into_lanes_moves_too() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), SubscribeOptions { selector: "a = 1".into(), ..prefetch(1) });
    for n in 0..10 {
        let mut made = message(&[&queue("Q")], &n.to_string(), n % 2 == 0);
        made.priority = if n == 9 { 9 } else { 4 };
        made.property("a", PropertyValue::Int(n % 3));
        world.send_message(1, made.build().unwrap());
    }
    let (count, _) = world.affect(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    assert_eq!((count, world.bodies(1)), (Some(9), vec!["1".to_owned()]));
    assert_eq!(bodies(&mut world, "R"), ["0", "2", "3", "4", "5", "6", "7", "8", "9"]);
    world.subscribe(1, 2, queue("Q"), prefetch(10));
    assert!(world.bodies(1).is_empty());
}

#[test]
fn a_master_that_dies_in_between_leaves_each_message_in_one_place() {
    for keep in 0..4 {
        let mut world = World::new();
        world.open(1);
        for n in 0..600 {
            world.send(1, "Q", &n.to_string());
        }
        world.automatic = false;
        let asked = world.ask(1, transfer(Way::Move(queue("R")), "", u64::MAX));
        for _ in 0..keep {
            world.answer_read();
            world.settle_down();
            let groups = world.pipeline.len();
            world.commit(groups - usize::from(keep == 3));
        }
        assert_eq!(world.answer(1, asked), None);
        world.automatic = true;
        world.fail_over(0);
        world.open(1);
        let moved = if world.log.len() > 602 { bodies(&mut world, "R") } else { Vec::new() };
        let left = bodies(&mut world, "Q");
        let all: Vec<_> = moved.into_iter().chain(left).collect();
        assert_eq!(all, (0..600).map(|n| n.to_string()).collect::<Vec<_>>(), "{keep} portions");
    }
}

#[test]
fn a_portion_waits_for_the_one_before_and_ends_with_its_session() {
    let mut world = World::new();
    world.open(1);
    for n in 0..600 {
        world.send(1, "Q", &n.to_string());
    }
    world.automatic = false;
    world.ask(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    world.answer_read();
    world.settle_down();
    assert_eq!((world.reads.len(), world.pipeline.len()), (0, 2));
    world.automatic = true;
    world.close(1);
    assert_eq!((bodies(&mut world, "R").len(), bodies(&mut world, "Q").len()), (256, 344));
}

#[test]
fn a_transfer_that_takes_too_long_says_how_much_is_done() {
    let mut world = World::new();
    world.open(1);
    for n in 0..600 {
        world.send(1, "Q", &n.to_string());
    }
    world.automatic = false;
    let asked = world.ask(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    world.answer_read();
    world.settle_down();
    world.commit(2);
    world.settle_down();
    world.automatic = true;
    world.now += Duration::from_secs(7);
    world.settle_down();
    assert!(matches!(world.answer(1, asked), Some(Err(Refusal::Limit(_)))));
    assert_eq!(world.affected(1, asked), Some(512));
}

#[test]
fn dead_letters_go_back_to_where_they_came_from() {
    let mut world = World::new();
    world.open(1);
    for n in 0..3 {
        world.send(1, if n == 1 { "B" } else { "A" }, &n.to_string());
    }
    world.send(1, "ActiveMQ.DLQ", "from nowhere");
    for (key, name) in [(1, "A"), (2, "B")] {
        world.subscribe(1, key, queue(name), prefetch(9));
        let got = world.got(1);
        world.settle(1, &got, Verdict::Released { counted: true });
        let got = world.got(1);
        assert_eq!(got[0].failures, 1);
        world.settle(1, &got, Verdict::Rejected);
        world.unsubscribe(1, key);
    }
    assert_eq!(world.view(&queue("ActiveMQ.DLQ")).size, 4);
    let retry = |selector| from(queue("ActiveMQ.DLQ"), Way::Retry, selector, u64::MAX);
    let (count, asked) = world.affect(1, retry(""));
    assert_eq!((count, world.answer(1, asked)), (Some(3), Some(Ok(()))));
    assert_eq!(bodies(&mut world, "ActiveMQ.DLQ"), ["from nowhere"]);
    assert_eq!(bodies(&mut world, "A"), ["0", "2"]);
    world.subscribe(1, 1, queue("B"), prefetch(9));
    let got = world.got(1);
    let it = &got[0];
    assert_eq!((it.body(), it.redelivered, it.failures), ("1".to_owned(), false, 0));
    assert_eq!(it.message.destinations(Field::OriginalDestination).count(), 0);
    assert!(it.message.properties().all(|(name, _)| name != "dlqDeliveryFailureCause"));
    // It may die again.
    world.settle(1, &got, Verdict::Rejected);
    let (count, _) = world.affect(1, retry("dlqDeliveryFailureCause IS NOT NULL"));
    assert_eq!(count, Some(1));
}

#[test]
fn a_transfer_is_refused_where_it_makes_no_sense() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "a");
    let ways = [Way::Move(queue("Q")), Way::Move(topic("T")), Way::Copy(queue("A.>"))];
    for way in ways {
        let (count, asked) = world.affect(1, transfer(way, "", 1));
        assert!(matches!((count, world.answer(1, asked)), (None, Some(Err(Refusal::Invalid(_))))));
    }
    let (_, asked) = world.affect(1, from(queue("none"), Way::Retry, "", 1));
    assert!(matches!(world.answer(1, asked), Some(Err(Refusal::Invalid(_)))));
    world.automatic = false;
    for _ in 0..16 {
        world.ask(1, transfer(Way::Copy(queue("R")), "", 1));
    }
    let asked = world.ask(1, transfer(Way::Copy(queue("R")), "", 1));
    assert!(matches!(world.answer(1, asked), Some(Err(Refusal::Limit(_)))));
}

#[test]
fn a_moved_message_is_nobodys_repetition() {
    let mut world = World::new();
    world.open(1);
    let sent = |to: &str, body: &str, number| {
        let mut made = message(&[&queue(to)], body, true);
        made.field(Field::ProducerId, "p").producer_sequence = number;
        made.build().unwrap()
    };
    world.send_message(1, sent("R", "later", 5));
    world.send_message(1, sent("Q", "earlier", 4));
    let (count, _) = world.affect(1, transfer(Way::Move(queue("R")), "", 9));
    assert_eq!((count, bodies(&mut world, "R")), (Some(1), vec!["later".to_owned(), "earlier".to_owned()]));
}

#[test]
fn what_stands_in_temporary_files_moves_when_it_is_read_back() {
    let options = BrokerOptions { memory_limit: 4 << 20, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for n in 0..60 {
        world.send_fast(1, "Q", &format!("{n} {}", "x".repeat(100_000)));
    }
    assert!(!world.files.is_empty(), "nothing was spilled");
    let (count, asked) = world.affect(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    assert_eq!((count, world.answer(1, asked)), (Some(60), Some(Ok(()))));
    assert_eq!((world.view(&queue("Q")).size, world.view(&queue("R")).size), (0, 60));
    world.subscribe(1, 1, queue("R"), prefetch(100));
    let moved = world.bodies(1);
    assert!(moved.iter().enumerate().all(|(n, body)| body.starts_with(&format!("{n} "))), "out of order");
    assert_eq!(moved.len(), 60);
}

#[test]
fn a_move_writes_each_message_in_the_group_of_its_leaving() {
    let mut world = World::new();
    world.open(1);
    for n in 0..300 {
        world.send(1, "Q", &n.to_string());
    }
    let before = world.log.len();
    world.affect(1, transfer(Way::Move(queue("R")), "", u64::MAX));
    let portions: Vec<_> = world.log[before + 1..].iter().collect();
    assert_eq!(portions.len(), 2);
    for group in portions {
        let entered = group.iter().filter(|it| matches!(it, Record::Message { .. })).count() as u64;
        let left: u64 = group
            .iter()
            .filter_map(|it| match it {
                Record::Settle { ranges, .. } => Some(ranges.iter().map(|(a, b)| b - a + 1).sum::<u64>()),
                _ => None,
            })
            .sum();
        assert_eq!(entered, left);
    }
}
