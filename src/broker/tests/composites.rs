//! Messages to several destinations.

use crate::broker::tests::world::{Got, World, message, prefetch, queue, topic};
use crate::broker::{Refusal, SubscribeOptions, Verdict};
use crate::model::{Destination, DestinationKind};

#[test]
fn a_message_to_several_destinations_reaches_all_or_is_refused_as_a_whole() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("A"), prefetch(9));
    world.subscribe(1, 2, topic("T"), prefetch(9));
    let sent =
        world.send_message(1, message(&[&queue("A"), &queue("B"), &topic("T")], "x", true).build().unwrap());
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    assert_eq!(world.bodies(1), ["x", "x"]);
    assert_eq!(world.view(&queue("B")).size, 1);
    let nowhere = Destination::new(DestinationKind::TemporaryQueue, "gone").unwrap();
    let refused = world.send_message(1, message(&[&queue("A"), &nowhere], "y", true).build().unwrap());
    assert!(matches!(world.answer(1, refused), Some(Err(Refusal::Invalid(_)))));
    assert!(world.got(1).is_empty());
}

#[test]
fn every_copy_of_a_composite_send_is_delivered_with_its_own_destination() {
    let mut world = World::new();
    world.open(1);
    let (a, b, t) = (queue("A"), queue("B"), topic("T"));
    world.subscribe(1, 1, t.clone(), prefetch(1));
    for persistent in [true, false] {
        world.send_message(1, message(&[&a, &b, &t], "x", persistent).build().unwrap());
    }
    let own = |got: Vec<Got>| got.into_iter().map(|it| it.destination).collect::<Vec<_>>();
    let got = world.got(1);
    world.settle(1, &got, Verdict::Consumed);
    // The second one waited for credit.
    assert_eq!((own(got), own(world.got(1))), (vec![Some(t.clone())], vec![Some(t)]));
    let browse = SubscribeOptions { browse: true, ..prefetch(9) };
    world.subscribe(1, 2, a.clone(), browse);
    assert_eq!(own(world.got(1)), [Some(a.clone()), Some(a.clone())]);
    world.subscribe(1, 3, queue("*"), prefetch(9));
    let mut got = own(world.got(1));
    got.sort();
    assert_eq!(got, [Some(a.clone()), Some(a.clone()), Some(b.clone()), Some(b)]);
    world.send_message(1, message(&[&a], "alone", true).build().unwrap());
    assert_eq!(own(world.got(1)), [None], "the message itself says where it is");
}

#[test]
fn a_message_to_fifty_queues_is_written_once_and_leaves_each_by_itself() {
    let mut world = World::new();
    world.open(1);
    let queues: Vec<Destination> = (0..50).map(|n| queue(&format!("Q{n}"))).collect();
    let to: Vec<&Destination> = queues.iter().collect();
    let body = "x".repeat(1 << 20);
    let before = world.end.0;
    let sent = world.send_message(1, message(&to, &body, true).build().unwrap());
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    let written = world.end.0 - before;
    assert!(written < (1 << 20) + (64 << 10), "{written} bytes");
    for (n, queue) in queues.iter().enumerate() {
        world.subscribe(1, n as u64 + 1, queue.clone(), prefetch(9));
    }
    let got = world.got(1);
    assert_eq!(got.len(), 50);
    assert!(got.iter().all(|it| it.message.body().len() == body.len()));
    let settled = world.settle(1, &got[..1], Verdict::Consumed);
    assert_eq!(world.answer(1, settled), Some(Ok(())));
    let sizes: Vec<u64> = queues.iter().map(|it| world.view(it).size).collect();
    assert_eq!((sizes.iter().sum::<u64>(), sizes.iter().filter(|size| **size == 0).count()), (49, 1));
    world.fail_over(0);
    world.open(2);
    for (n, queue) in queues.iter().enumerate() {
        world.subscribe(2, n as u64 + 1, queue.clone(), prefetch(9));
    }
    assert_eq!(world.got(2).len(), 49);
}
