//! Messages that are sent later: once, in their time, whatever happens meanwhile.

use std::time::Duration;

use crate::broker::tests::world::{World, message, prefetch, queue, topic};
use crate::broker::{BrokerOptions, Command, Refusal, Verdict};
use crate::model::{Destination, DestinationKind, Field, Message, PropertyValue, Record};

const DELAY: &str = "AMQ_SCHEDULED_DELAY";
const SECOND: Duration = Duration::from_secs(1);

fn later(to: &Destination, body: &str, properties: &[(&str, PropertyValue<'_>)]) -> Message {
    let mut builder = message(&[to], body, true);
    for (name, value) in properties {
        builder.property(name, *value);
    }
    builder.build().unwrap()
}

fn in_a_second(to: &Destination, body: &str) -> Message {
    later(to, body, &[(DELAY, PropertyValue::Long(1_000))])
}

/// A world with a consumer of the queue `Q` as its session 2.
fn world() -> World {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(99));
    world
}

fn manage(
    world: &mut World,
    action: &str,
    more: &[(&str, PropertyValue<'_>)],
    answer_to: Option<&Destination>,
) {
    let mut builder = message(&[&topic("ActiveMQ.Scheduler.Management")], "", false);
    builder.property("AMQ_SCHEDULER_ACTION", PropertyValue::String(action));
    for (name, value) in more {
        builder.property(name, *value);
    }
    if let Some(to) = answer_to {
        builder.destination(Field::ReplyTo, to);
    }
    world.send_message(1, builder.build().unwrap());
}

#[test]
fn a_message_comes_when_its_time_has_come_and_says_of_which_job_it_is() {
    let mut world = world();
    let sent = world.send_message(1, in_a_second(&queue("Q"), "later"));
    assert_eq!(world.answer(1, sent), Some(Ok(())));
    world.send(1, "Q", "now");
    assert_eq!(world.bodies(2), ["now"]);
    world.pass(SECOND - Duration::from_millis(1));
    assert!(world.got(2).is_empty());
    world.pass(Duration::from_millis(1));
    let got = world.got(2);
    assert_eq!(got.iter().map(|it| it.body()).collect::<Vec<_>>(), ["later"]);
    let properties: Vec<_> = got[0].message.properties().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(properties, ["scheduledJobId"]);
    assert!(!got[0].message.scheduled() && got[0].message.due() == 0);
    world.settle(2, &got, Verdict::Consumed);
    world.pass(SECOND);
    assert!(world.got(2).is_empty());
}

#[test]
fn it_comes_again_as_often_as_it_says_also_after_a_failover() {
    let mut world = world();
    let again = [
        (DELAY, PropertyValue::Long(1_000)),
        ("AMQ_SCHEDULED_PERIOD", PropertyValue::Long(500)),
        ("AMQ_SCHEDULED_REPEAT", PropertyValue::Int(2)),
    ];
    world.send_message(1, later(&queue("Q"), "again", &again));
    world.pass(SECOND);
    let first = world.got(2);
    assert_eq!(first.len(), 1);
    world.settle(2, &first, Verdict::Consumed);
    world.fail_over(usize::MAX);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(99));
    let mut ids = vec![first[0].message.text(Field::MessageId).map(str::to_owned)];
    for _ in 0..2 {
        assert!(world.got(2).is_empty());
        world.pass(SECOND / 2);
        let got = world.got(2);
        assert_eq!(got.len(), 1);
        ids.push(got[0].message.text(Field::MessageId).map(str::to_owned));
        world.settle(2, &got, Verdict::Consumed);
    }
    world.pass(10 * SECOND);
    assert!(world.got(2).is_empty());
    ids.dedup();
    assert_eq!(ids.len(), 3, "each time is a message of its own: {ids:?}");
}

#[test]
fn it_is_sent_in_the_group_in_which_it_leaves_the_schedule() {
    let mut world = world();
    world.send_message(1, in_a_second(&queue("Q"), "x"));
    world.pass(SECOND);
    let last = world.log.last().unwrap();
    assert!(matches!(&last[..], [Record::Message { .. }, Record::Settle { .. }]), "{last:?}");
    // A master that dies before that is committed leaves it to the next one.
    world.automatic = false;
    world.send_message(1, in_a_second(&queue("Q"), "y"));
    world.commit(usize::MAX);
    world.pass(SECOND);
    world.answer_read();
    assert_eq!(world.pipeline.len(), 1);
    world.automatic = true;
    world.fail_over(0);
    world.open(2);
    world.subscribe(2, 1, queue("Q"), prefetch(99));
    world.pass(Duration::ZERO);
    assert_eq!(world.bodies(2), ["x", "y"]);
}

#[test]
fn a_commit_schedules_and_a_rollback_does_not() {
    let mut world = world();
    for (key, commit) in [(1, false), (2, true)] {
        world.begin(1, key);
        let message = in_a_second(&queue("Q"), if commit { "committed" } else { "rolled back" });
        let transaction = Some(crate::broker::TransactionKey(key));
        world.ask(1, |correlation| Command::Send { message, transaction, correlation });
        world.finish(1, key, commit);
    }
    world.pass(SECOND);
    assert_eq!(world.bodies(2), ["committed"]);
}

#[test]
fn a_message_to_a_topic_reaches_those_who_listen_when_its_time_has_come() {
    let mut world = world();
    world.send_message(1, in_a_second(&topic("T"), "x"));
    world.subscribe(2, 2, topic("T"), prefetch(9));
    world.pass(SECOND);
    assert_eq!(world.bodies(2), ["x"]);
}

#[test]
fn what_cannot_be_sent_any_more_is_a_dead_letter() {
    let mut world = world();
    let own = Destination::new(DestinationKind::TemporaryQueue, "ID:own").unwrap();
    world.ask(1, |correlation| Command::Create { destination: own.clone(), correlation });
    world.send_message(1, in_a_second(&own, "x"));
    world.close(1);
    world.subscribe(2, 2, queue("ActiveMQ.DLQ"), prefetch(9));
    world.pass(SECOND);
    assert_eq!(world.bodies(2), ["x"]);
}

#[test]
fn the_schedule_is_shown_and_messages_are_taken_out_of_it() {
    let mut world = world();
    for body in ["a", "b", "c"] {
        world.send_message(1, in_a_second(&queue("Q"), body));
    }
    let answers = queue("answers");
    world.subscribe(1, 1, answers.clone(), prefetch(99));
    manage(&mut world, "BROWSE", &[], Some(&answers));
    let shown = world.got(1);
    assert_eq!(shown.iter().map(|it| it.body()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let job = shown[1].message.properties().find(|(name, _)| *name == "scheduledJobId").unwrap().1;
    manage(&mut world, "REMOVE", &[("scheduledJobId", job)], None);
    manage(&mut world, "REMOVE", &[("scheduledJobId", PropertyValue::String("nonsense"))], None);
    manage(&mut world, "BROWSE", &[], Some(&answers));
    assert_eq!(world.bodies(1), ["a", "c"]);
    manage(&mut world, "REMOVEALL", &[("ACTION_START_TIME", PropertyValue::String("99999999999999"))], None);
    world.pass(SECOND);
    assert_eq!(world.bodies(2), ["a", "c"]);
    world.send_message(1, in_a_second(&queue("Q"), "d"));
    manage(&mut world, "REMOVEALL", &[], None);
    world.pass(SECOND);
    assert!(world.got(2).is_empty());
}

#[test]
fn nonsense_is_refused_and_so_is_a_schedule_without_a_store() {
    let mut world = world();
    let wrong = later(&queue("Q"), "x", &[("AMQ_SCHEDULED_CRON", PropertyValue::String("61 * * * *"))]);
    let sent = world.send_message(1, wrong);
    assert!(matches!(world.answer(1, sent), Some(Err(Refusal::Invalid(why))) if why.contains("61 * * * *")));
    let mut world = World::with(BrokerOptions { volatile: true, ..BrokerOptions::default() });
    world.open(1);
    let sent = world.send_message(1, in_a_second(&queue("Q"), "x"));
    assert!(matches!(world.answer(1, sent), Some(Err(Refusal::Unsupported(_)))));
}
