//! Bounds: what waits, and that nothing waits for ever.

use std::time::Duration;

use crate::broker::limits::{OUTBOX_BYTES_MAX, Outbox, Outboxes};
use crate::broker::tests::world::{World, prefetch, queue};
use crate::broker::{
    Broker, BrokerOptions, Command, SessionEvent, SessionId, SessionInfo, SessionOptions, SubscriptionKey,
    Verdict,
};
use crate::model::Record;
use crate::state::State;

#[test]
fn senders_of_non_persistent_messages_wait_for_memory_and_others_go_on() {
    let mut world = World::with(BrokerOptions { memory_limit: 300, ..BrokerOptions::default() });
    world.open(1);
    world.open(2);
    let fast: Vec<_> = (0..20).map(|n| world.send_fast(1, "Q", &n.to_string())).collect();
    assert_eq!(world.answer(1, fast[0]), Some(Ok(())));
    assert_eq!(world.answer(1, fast[19]), None);
    let behind = world.send(1, "P", "behind");
    assert_eq!(world.answer(1, behind), None, "a session's commands keep their order");
    let other = world.send(2, "P", "other");
    assert_eq!(world.answer(2, other), Some(Ok(())));
    world.subscribe(2, 1, queue("Q"), prefetch(100));
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let got = world.got(2);
        assert!(!got.is_empty(), "{} of 20", seen.len());
        seen.extend(got.iter().map(|it| it.body()));
        world.settle(2, &got, Verdict::Consumed);
    }
    assert_eq!(seen, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(world.answer(1, behind), Some(Ok(())));
}

#[test]
fn a_session_has_only_so_much_in_the_pipeline() {
    let mut world = World::with(BrokerOptions {
        session: SessionOptions { pending_max: 4, ..SessionOptions::default() },
        ..BrokerOptions::default()
    });
    world.automatic = false;
    world.open(1);
    let sent: Vec<_> = (0..10).map(|n| world.send(1, "Q", &n.to_string())).collect();
    assert_eq!(world.pipeline.len(), 5, "the queue's creation and four messages");
    for _ in 0..10 {
        world.commit(2);
    }
    assert!(sent.iter().all(|it| world.answer(1, *it) == Some(Ok(()))));
    assert_eq!(world.view(&queue("Q")).size, 10);
}

#[test]
fn the_settles_of_one_round_are_one_record_for_each_destination() {
    let mut world = World::new();
    for session in 1..=3 {
        world.open(session);
        world.subscribe(session, 1, queue("Q"), prefetch(9));
    }
    for n in 0..9 {
        world.send(1, "Q", &n.to_string());
    }
    let got: Vec<_> = (1..=3).map(|session| (session, world.got(session))).collect();
    let before = world.log.len();
    for (session, got) in got {
        world.consume_quietly(session, &got);
    }
    world.settle_down();
    assert_eq!(world.log.len(), before, "nobody wants to hear of them, and they would go alone");
    world.now += Duration::from_millis(2);
    world.settle_down();
    assert_eq!(world.log.len(), before + 1);
    assert!(matches!(&world.log[before][..], [Record::Settle { ranges, .. }] if *ranges == [(1, 9)]));
}

#[test]
fn settles_that_nobody_wants_to_hear_of_go_with_the_next_send_or_with_one_that_somebody_does() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    for n in 0..4 {
        world.send(1, "Q", &n.to_string());
    }
    let got = world.got(1);
    world.consume_quietly(1, &got[..1]);
    world.settle_down();
    assert_eq!(world.view(&queue("Q")).size, 4);
    world.send(1, "Other", "with company");
    assert_eq!(world.view(&queue("Q")).size, 3);
    world.consume_quietly(1, &got[1..2]);
    world.settle_down();
    assert_eq!(world.view(&queue("Q")).size, 3);
    assert!(world.got(1).is_empty());
    let asked = world.ask(1, |correlation| Command::Leave { correlation });
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    assert_eq!(world.view(&queue("Q")).size, 2, "who leaves is answered when it is done");
}

#[test]
fn who_leaves_is_answered_when_all_it_did_is_committed() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    world.send(1, "Q", "a");
    let got = world.got(1);
    world.automatic = false;
    world.consume_quietly(1, &got);
    let asked = world.ask(1, |correlation| Command::Leave { correlation });
    assert_eq!((world.pipeline.len(), world.answer(1, asked)), (1, None));
    world.commit(1);
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    let again = world.ask(1, |correlation| Command::Leave { correlation });
    assert_eq!(world.answer(1, again), Some(Ok(())), "nothing is under way");
}

#[test]
fn without_the_lease_sends_go_on_and_nothing_is_delivered() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    world.broker.dispatch_allowed(false);
    let sent = world.send(1, "Q", "a");
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    world.send_fast(1, "Q", "b");
    assert!(world.got(1).is_empty());
    world.broker.dispatch_allowed(true);
    world.settle_down();
    assert_eq!(world.bodies(1), ["a", "b"]);
}

#[test]
fn all_that_a_new_master_finds_says_redelivered() {
    let mut world = World::new();
    world.open(1);
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    world.send(1, "Q", "seen");
    world.send(1, "Q", "perhaps seen");
    world.fail_over(0);
    world.open(2);
    world.send(2, "Q", "new");
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    let flags: Vec<_> = world.got(2).iter().map(|it| (it.body(), it.redelivered)).collect();
    assert_eq!(flags, [("seen".into(), true), ("perhaps seen".into(), true), ("new".into(), false)]);
}

#[test]
fn the_windows_of_idle_queues_make_room_for_busy_ones() {
    let one = 70;
    let options = BrokerOptions { windows_bytes_max: 4 * one, ..BrokerOptions::default() };
    let mut world = World::with(options);
    world.open(1);
    for n in 0..8 {
        world.send(1, "IDLE", &n.to_string());
    }
    for n in 0..8 {
        world.send(1, "BUSY", &n.to_string());
    }
    world.pass(Duration::from_millis(100));
    world.subscribe(1, 1, queue("BUSY"), prefetch(99));
    assert_eq!(world.got(1).len(), 8);
    world.subscribe(1, 2, queue("IDLE"), prefetch(99));
    assert_eq!(world.bodies(1), (0..8).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_deposed_master_closes_its_sessions_and_answers_nothing_that_is_open() {
    let mut world = World::new();
    world.open(1);
    world.automatic = false;
    let sent = world.send(1, "Q", "a");
    world.broker.demote("deposed");
    world.settle_down();
    assert!(world.told(1, |event| matches!(event, SessionEvent::Closed { reason } if reason == "deposed")));
    assert_eq!(world.answer(1, sent), None);
    assert!(!world.broker.is_serving());
}

#[test]
fn a_node_that_does_not_serve_closes_a_session_at_once() {
    let mut broker = Broker::new(BrokerOptions::default(), State::new());
    broker.open(SessionId(1), SessionInfo::default(), Outbox::default());
    let output = broker.take_output(Duration::ZERO);
    assert!(
        matches!(&output.events[..], [(SessionId(1), events)] if matches!(&events[..], [SessionEvent::Closed { .. }]))
    );
}

#[test]
fn while_the_disks_are_full_stored_sends_wait_and_all_else_goes_on() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    let before: Vec<_> = (0..3).map(|n| world.send(1, "Q", &n.to_string())).collect();
    assert!(before.iter().all(|it| world.answer(1, *it) == Some(Ok(()))));
    world.broker.hold_stores(true);
    let held: Vec<_> = (3..6).map(|n| world.send(1, "Q", &n.to_string())).collect();
    assert!(held.iter().all(|it| world.answer(1, *it).is_none()), "neither confirmed nor refused");
    let fast = world.send_fast(2, "F", "fleeting");
    assert_eq!(world.answer(2, fast), Some(Ok(())));
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    let got = world.got(2);
    assert_eq!(got.len(), 3, "consumers drain");
    world.settle(2, &got, Verdict::Consumed);
    assert_eq!(world.view(&queue("Q")).size, 0);
    assert!(held.iter().all(|it| world.answer(1, *it).is_none()), "room on the disk is not theirs to see");
    world.broker.hold_stores(false);
    world.settle_down();
    assert!(held.iter().all(|it| world.answer(1, *it) == Some(Ok(()))));
    let bodies: Vec<_> = world.got(2).iter().map(|it| it.body()).collect();
    assert_eq!(bodies, ["3", "4", "5"], "in their order");
}

#[test]
fn a_client_that_does_not_read_gets_no_more_than_its_outbox_and_others_go_on() {
    let outbox = Outbox::counted(&Outboxes::new(usize::MAX));
    let mut world = World::with(BrokerOptions { window_bytes_max: 32 << 20, ..BrokerOptions::default() });
    world.open(1);
    world.broker.open(SessionId(2), SessionInfo::default(), outbox.clone());
    world.open(3);
    let body = "x".repeat(1 << 20);
    for _ in 0..24 {
        world.send(1, "Q", &body);
    }
    world.subscribe(2, 1, queue("Q"), prefetch(1000));
    let got = world.got(2);
    let bytes: usize = got.iter().map(|it| it.message.encoded().len()).sum();
    assert!(got.len() < 10 && bytes >= OUTBOX_BYTES_MAX, "{} deliveries of {bytes} bytes", got.len());
    assert!(outbox.is_full());
    world.subscribe(3, 1, queue("Q"), prefetch(4));
    assert_eq!(world.got(3).len(), 4, "another consumer gets what it does not take");
    assert!(outbox.take(bytes), "now it has read");
    world.broker.drained(SessionId(2));
    world.settle_down();
    assert!(!world.got(2).is_empty());
}

#[test]
fn who_drains_hears_of_it_when_nothing_more_can_come_now() {
    let mut world = World::new();
    world.open(1);
    for body in ["a", "b"] {
        world.send(1, "Q", body);
    }
    // The bodies have to be read again.
    world.fail_over(0);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(0));
    let drain = |correlation| Command::Drain { subscription: SubscriptionKey(1), correlation };
    let none = world.ask(2, drain);
    assert_eq!((world.answer(2, none), world.got(2).len()), (Some(Ok(())), 0));
    world.automatic = false;
    world.ask(2, |_| Command::Credit { subscription: SubscriptionKey(1), prefetch: 3 });
    let all = world.ask(2, drain);
    world.automatic = true;
    world.settle_down();
    assert_eq!(world.bodies(2), ["a", "b"]);
    assert_eq!(world.answer(2, all), Some(Ok(())));
}
