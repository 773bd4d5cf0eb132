//! What operators are shown: on a master, on a slave, and when one becomes the other.

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{Broker, BrokerOptions, Command, DestinationStatus, SessionId, Verdict};
use crate::model::{Destination, DestinationKind, Offset};
use crate::state::State;

/// Size, consumers, enqueued, dequeued, dispatched and in flight.
fn numbers(shown: &DestinationStatus) -> [u64; 6] {
    [shown.size, shown.consumers, shown.enqueued, shown.dequeued, shown.dispatched, shown.in_flight]
}

#[test]
fn a_master_shows_all_that_happens_and_a_slave_what_the_log_says() {
    let mut world = World::new();
    let reply = Destination::new(DestinationKind::TemporaryQueue, "reply").unwrap();
    world.open(1);
    world.open(2);
    world.ask(2, |correlation| Command::Create { destination: reply.clone(), correlation });
    for body in ["0", "1", "2", "3", "4"] {
        world.send(1, "Q", body);
    }
    for body in ["5", "6"] {
        world.send_fast(1, "Q", body);
    }
    world.subscribe(2, 1, queue("Q"), prefetch(4));
    world.subscribe(2, 2, topic("T"), prefetch(4));
    world.send_message(1, message(&[&topic("T")], "x", true).build().unwrap());
    let got: Vec<_> = world.got(2).into_iter().filter(|it| it.subscription == 1).collect();
    world.settle(2, &got[..3], Verdict::Consumed);
    assert_eq!(numbers(&world.view(&queue("Q"))), [4, 1, 7, 3, 7, 4]);
    assert_eq!(numbers(&world.view(&topic("T"))), [0, 1, 1, 1, 1, 0]);
    assert_eq!(numbers(&world.view(&reply)), [0; 6]);
    let connections = world.broker.figures().connections(None, 10);
    let shown: Vec<_> =
        connections.items.iter().map(|it| (it.session, it.subscriptions, it.in_flight)).collect();
    assert_eq!(shown, [(1, 0, 0), (2, 2, 5)]);
    world.unsubscribe(2, 1);
    world.close(1);
    assert_eq!(numbers(&world.view(&queue("Q"))), [4, 0, 7, 3, 7, 0]);
    let connections = world.broker.figures().connections(Some(SessionId(1)), 10);
    assert_eq!(
        (connections.total, connections.items[0].subscriptions, connections.items[0].in_flight),
        (1, 1, 1)
    );

    // Of what is in memory only nobody knows any more.
    world.broker.demote("another is master");
    world.broker.check();
    assert_eq!(numbers(&world.view(&queue("Q"))), [2, 0, 5, 3, 0, 0]);
    assert_eq!(numbers(&world.view(&topic("T"))), [0; 6]);
    let figures = world.broker.figures();
    assert_eq!((figures.destination_count(), figures.connection_count()), (2, 0));
}

#[test]
fn a_queue_is_shown_with_what_is_in_it_once_that_is_committed_and_not_when_it_is_gone() {
    let mut world = World::new();
    world.automatic = false;
    world.open(1);
    let sent = world.send(1, "Q", "x");
    world.send_fast(1, "Q", "y");
    assert_eq!(world.broker.figures().destination_count(), 0);
    world.commit(1);
    assert_eq!(numbers(&world.view(&queue("Q")))[..2], [1, 0], "what is not in the log is there");
    world.commit(1);
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    assert_eq!(world.view(&queue("Q")).size, 2);
    world.ask(1, |correlation| Command::Delete { destination: queue("Q"), if_empty: false, correlation });
    world.commit(1);
    assert_eq!(world.broker.figures().destination_count(), 0);
}

#[test]
fn who_begins_with_a_checkpoint_shows_what_it_says() {
    let mut world = World::new();
    world.open(1);
    for body in ["0", "1", "2"] {
        world.send(1, "Q", body);
    }
    let checkpoint = world.broker.state().checkpoint();
    let mut slave = Broker::new(BrokerOptions::default(), State::new());
    let figures = slave.figures().clone();
    let group: Vec<_> = checkpoint.into_iter().map(|record| (Offset(4096), record)).collect();
    slave.apply(world.now, world.wall, &group);
    slave.check();
    assert_eq!(numbers(&figures.queues(None, 1).items[0]), [3, 0, 3, 0, 0, 0]);
    slave.replace_state(State::new());
    slave.check();
    assert_eq!(figures.destination_count(), 0);
}
