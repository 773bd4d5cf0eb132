//! A queue is purged: what goes, what stays, and what is told.

use crate::broker::tests::world::{World, prefetch, queue};
use crate::broker::{BrokerOptions, Refusal, Verdict};

#[test]
fn a_purge_takes_what_waits_and_leaves_what_consumers_hold() {
    let mut world = World::with(BrokerOptions { window_entries_max: 8, ..BrokerOptions::default() });
    world.open(1);
    for n in 0..100 {
        world.send(1, "Q", &n.to_string());
        world.send_fast(1, "Q", &format!("{n} in memory"));
    }
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    let held = world.got(1);
    let before = world.log.len();
    let (count, asked) = world.purge(1, "Q");
    assert_eq!((count, world.answer(1, asked)), (Some(198), Some(Ok(()))));
    assert_eq!(world.log[before..].iter().flatten().count(), 1, "records of a purge");
    assert_eq!(world.view(&queue("Q")).size, 2);
    world.settle(1, &held[1..], Verdict::Released { counted: false });
    world.send(1, "Q", "new");
    assert_eq!(world.bodies(1), [held[1].body()]);
    world.fail_over(usize::MAX);
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert_eq!(world.bodies(1), ["0", "new"]);
    let (count, asked) = world.purge(1, "no such queue");
    assert!(matches!((count, world.answer(1, asked)), (None, Some(Err(Refusal::Invalid(_))))));
}

#[test]
fn a_purge_takes_temporary_files_too() {
    let options = BrokerOptions { memory_limit: 4 << 20, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for _ in 0..60 {
        world.send_fast(1, "Q", &"x".repeat(100_000));
    }
    assert!(!world.files.is_empty(), "nothing was spilled");
    let (count, _) = world.purge(1, "Q");
    world.settle_down();
    assert_eq!((count, world.files.len(), world.view(&queue("Q")).size), (Some(60), 0, 0));
}
