//! A queue is paused: it takes messages and gives none away, whoever is master.

use crate::broker::tests::world::{World, prefetch, queue, topic};
use crate::broker::{Command, Refusal, SubscribeOptions, Verdict};
use crate::model::Destination;

fn pause(world: &mut World, destination: Destination, paused: bool) -> Option<Result<(), Refusal>> {
    let asked = world.ask(1, |correlation| Command::Pause { destination, paused, correlation });
    world.answer(1, asked)
}

#[test]
fn a_paused_queue_takes_messages_and_dispatches_none_until_it_is_resumed() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "before");
    assert_eq!(pause(&mut world, queue("Q"), true), Some(Ok(())));
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    world.send(1, "Q", "after");
    world.send_fast(1, "Q", "in memory");
    assert!(world.bodies(1).is_empty());
    let shown = world.view(&queue("Q"));
    assert!(shown.paused && shown.size == 3, "{shown:?}");
    world.subscribe(1, 2, queue("Q"), SubscribeOptions { browse: true, ..prefetch(9) });
    assert_eq!(world.bodies(1), ["before", "after", "in memory"]);
    assert_eq!(pause(&mut world, queue("Q"), false), Some(Ok(())));
    assert_eq!(world.bodies(1), ["before", "after", "in memory"]);
    assert!(!world.view(&queue("Q")).paused);
}

#[test]
fn what_comes_back_to_a_paused_queue_stays_in_it() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "a");
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    let held = world.got(1);
    pause(&mut world, queue("Q"), true);
    world.settle(1, &held, Verdict::Released { counted: true });
    assert!(world.got(1).is_empty());
    pause(&mut world, queue("Q"), false);
    assert_eq!(world.got(1)[0].failures, 1);
}

#[test]
fn a_pause_survives_the_master() {
    let mut world = World::new();
    world.open(1);
    world.send(1, "Q", "a");
    pause(&mut world, queue("Q"), true);
    world.fail_over(usize::MAX);
    world.open(1);
    assert!(world.view(&queue("Q")).paused);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    assert!(world.got(1).is_empty());
    pause(&mut world, queue("Q"), false);
    assert_eq!(world.bodies(1), ["a"]);
    world.fail_over(usize::MAX);
    assert!(!world.view(&queue("Q")).paused);
}

#[test]
fn only_what_messages_wait_in_can_be_paused() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, topic("T"), prefetch(1));
    for destination in [topic("T"), queue("none")] {
        assert!(matches!(pause(&mut world, destination, true), Some(Err(Refusal::Invalid(_)))));
    }
}
