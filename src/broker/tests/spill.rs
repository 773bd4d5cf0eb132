//! Non-persistent messages in temporary files.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::broker::tests::world::{Got, World, prefetch, queue};
use crate::broker::{BrokerOptions, Command, Verdict};
use crate::model::{Destination, DestinationKind};

const LIMIT: usize = 4 << 20;
const BODY: usize = 40_000;

fn options() -> BrokerOptions {
    BrokerOptions { memory_limit: LIMIT, ..BrokerOptions::default() }
}

fn body(number: u64) -> String {
    format!("{number:0BODY$}")
}

fn number(got: &Got) -> u64 {
    got.body().parse().unwrap()
}

/// Sends so many, the session's later ones behind the first that has to wait; returns how many were answered.
fn send(world: &mut World, session: u64, numbers: std::ops::Range<u64>) -> usize {
    let sent: Vec<_> = numbers.map(|n| world.send_fast(session, "Q", &body(n))).collect();
    sent.into_iter().filter(|it| world.answer(session, *it) == Some(Ok(()))).count()
}

/// Consumes until nothing more comes.
fn drain(world: &mut World, session: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        let got = world.got(session);
        if got.is_empty() {
            return seen;
        }
        seen.extend(got.iter().map(number));
        world.settle(session, &got, Verdict::Consumed);
    }
}

fn spilled_bytes(world: &World) -> usize {
    world.files.values().map(Vec::len).sum()
}

#[test]
fn a_queue_longer_than_memory_goes_to_files_and_comes_back_in_order() {
    let mut world = World::with(options());
    world.open(1);
    assert_eq!(send(&mut world, 1, 0..500), 500, "nobody waits");
    let in_memory = 500 * BODY - spilled_bytes(&world);
    assert!(in_memory < LIMIT, "{in_memory} bytes in memory");
    assert_eq!(world.view(&queue("Q")).size, 500);
    world.subscribe(1, 1, queue("Q"), prefetch(100));
    assert_eq!(drain(&mut world, 1), (0..500).collect::<Vec<_>>());
    assert!(world.files.is_empty());
    assert_eq!(world.view(&queue("Q")).size, 0);
    assert_eq!(send(&mut world, 1, 0..5), 5);
    assert_eq!(drain(&mut world, 1), [0, 1, 2, 3, 4], "as if nothing had been");
}

#[test]
fn when_the_files_have_reached_their_limit_senders_wait_until_consumers_make_room() {
    let mut world = World::with(BrokerOptions { temp_limit: 3 << 20, ..options() });
    world.open(1);
    world.open(2);
    let answered = send(&mut world, 1, 0..500);
    assert!(spilled_bytes(&world) <= 3_200_000);
    assert!((150..200).contains(&answered), "{answered} of 500");
    world.subscribe(2, 1, queue("Q"), prefetch(100));
    assert_eq!(drain(&mut world, 2), (0..500).collect::<Vec<_>>());
    assert_eq!(world.answers(1).len(), 500 - answered);
    assert!(world.files.is_empty());
}

#[test]
fn what_cannot_be_written_stays_and_is_tried_again_later() {
    let mut world = World::with(options());
    world.open(1);
    world.files_work = false;
    let answered = send(&mut world, 1, 0..300);
    assert!((90..120).contains(&answered), "{answered} of 300 fit into memory");
    assert!(world.files.is_empty());
    world.files_work = true;
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(20));
    let got = world.got(2);
    assert_eq!(got.len(), 20);
    world.settle(2, &got, Verdict::Consumed);
    assert!(world.files.is_empty(), "not so soon");
    world.pass(Duration::from_secs(6));
    let mut seen: Vec<_> = got.iter().map(number).collect();
    let got = world.got(2);
    world.settle(2, &got, Verdict::Consumed);
    assert!(!world.files.is_empty());
    seen.extend(got.iter().map(number));
    seen.extend(drain(&mut world, 2));
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
}

#[test]
fn when_files_can_be_written_again_held_senders_go_on_without_a_consumer() {
    let mut world = World::with(options());
    world.open(1);
    world.files_work = false;
    let answered = send(&mut world, 1, 0..200);
    assert!(answered < 150, "{answered} of 200 fit into memory");
    world.files_work = true;
    for _ in 0..80 {
        world.pass(Duration::from_millis(100));
    }
    assert_eq!(world.answers(1).len(), 200 - answered);
    assert!(!world.files.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_loses_its_messages_and_no_others() {
    let mut world = World::with(options());
    world.open(1);
    send(&mut world, 1, 0..300);
    let damaged = *world.files.keys().nth(1).unwrap();
    world.files.insert(damaged, vec![0; 7]);
    world.subscribe(1, 1, queue("Q"), prefetch(10));
    let seen = drain(&mut world, 1);
    assert!((270..275).contains(&seen.len()) && seen.is_sorted(), "{} came", seen.len());
    assert_eq!(world.view(&queue("Q")).size, 0);
    assert!(world.files.is_empty());
}

#[test]
fn files_go_with_their_queue_and_with_the_mastership() {
    let mut world = World::with(options());
    world.open(1);
    world.open(2);
    let temporary = Destination::new(DestinationKind::TemporaryQueue, "T").unwrap();
    let create = |correlation| Command::Create { destination: temporary.clone(), correlation };
    world.ask(1, create);
    for n in 0..300 {
        let built = super::world::message(&[&temporary], &body(n), false).build().unwrap();
        world.send_message(2, built);
    }
    assert!(!world.files.is_empty());
    world.close(1);
    assert!(world.files.is_empty(), "with the queue");
    send(&mut world, 2, 0..300);
    assert!(!world.files.is_empty());
    world.broker.demote("deposed");
    world.settle_down();
    assert!(world.files.is_empty(), "with the mastership");
}

/// Persistent and non-persistent ones, releases, deaths of consumers, and files that take their time, in any order: each
/// comes until it is settled, and the first time in the order in which they were sent.
#[test]
fn any_course_of_events_loses_nothing_and_keeps_the_order() {
    for seed in 0..5 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::with(options());
        world.open(1);
        world.open(2);
        let (mut sent, mut settled, mut first, mut key) = (0, Vec::new(), 0, 0);
        for _ in 0..300 {
            match rng.random_range(0..10) {
                0..4 => {
                    for _ in 0..rng.random_range(1..25) {
                        match rng.random_range(0..9) {
                            0 => world.send(1, "Q", &body(sent)),
                            _ => world.send_fast(1, "Q", &body(sent)),
                        };
                        sent += 1;
                    }
                }
                4 => {
                    key += 1;
                    world.subscribe(2, key, queue("Q"), prefetch(rng.random_range(1..60)));
                }
                5 if key > 0 => drop(world.unsubscribe(2, rng.random_range(1..=key))),
                6 => {
                    // Nothing is read, written or committed for a while.
                    world.automatic = false;
                }
                7 => {
                    world.automatic = true;
                    world.settle_down();
                }
                _ => {
                    let got = world.got(2);
                    for each in &got {
                        assert!(number(each) <= first, "{} came before {first}, seed {seed}", number(each));
                        first = first.max(number(each) + 1);
                    }
                    let (back, taken) = got.split_at(rng.random_range(0..=got.len().min(5)));
                    world.settle(2, back, Verdict::Released { counted: false });
                    settled.extend(taken.iter().map(number));
                    world.settle(2, taken, Verdict::Consumed);
                }
            }
        }
        world.automatic = true;
        world.settle_down();
        world.close(2);
        // What was delivered and not settled comes again.
        world.open(3);
        world.subscribe(3, 1, queue("Q"), prefetch(100));
        settled.extend(drain(&mut world, 3));
        settled.sort_unstable();
        settled.dedup();
        assert_eq!(settled, (0..sent).collect::<Vec<_>>(), "seed {seed}");
        assert!(world.files.is_empty(), "seed {seed}");
    }
}
