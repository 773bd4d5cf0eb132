//! Queues whose consumers select, and message groups: what goes to whom, in which order, and that nobody waits for nothing.
//! Random operations are held against a naive broker that looks through all messages each time.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::broker::tests::world::{Got, World, message, prefetch, queue};
use crate::broker::{
    BrokerOptions, Command, Refusal, SessionOptions, SubscribeOptions, SubscriptionKey, Verdict,
};
use crate::model::{Field, Message, PropertyValue};

const RELEASED: Verdict = Verdict::Released { counted: false };

fn selecting(selector: &str, credit: u32) -> SubscribeOptions {
    SubscribeOptions { selector: selector.into(), ..prefetch(credit) }
}

fn of_kind(kind: i32, group: &str, body: &str, persistent: bool) -> Message {
    of_priority(4, (kind, group), body, persistent)
}

fn of_priority(priority: u8, (kind, group): (i32, &str), body: &str, persistent: bool) -> Message {
    let mut builder = message(&[&queue("Q")], body, persistent);
    builder.priority = priority;
    builder.property("k", PropertyValue::Int(kind));
    if !group.is_empty() {
        builder.field(Field::Group, group.to_owned());
    }
    builder.build().unwrap()
}

fn small() -> BrokerOptions {
    BrokerOptions { window_entries_max: 4, ..BrokerOptions::default() }
}

#[test]
fn each_consumer_gets_what_it_selects_though_much_of_others_stands_before_it() {
    for persistent in [true, false] {
        let mut world = World::with(small());
        (1..=3).for_each(|session| world.open(session));
        for n in 0..300 {
            world.send_message(3, of_kind(i32::from(n % 100 == 99), "", &n.to_string(), persistent));
        }
        world.subscribe(1, 1, queue("Q"), selecting("k = 1", 10));
        assert_eq!(world.bodies(1), ["99", "199", "299"]);
        world.send_message(3, of_kind(1, "", "300", persistent));
        assert_eq!(world.bodies(1), ["300"]);
        // What nobody wanted is there for whoever comes.
        world.subscribe(2, 1, queue("Q"), prefetch(400));
        let wanted: Vec<_> = (0..300).filter(|n| n % 100 != 99).map(|n| n.to_string()).collect();
        assert_eq!(world.bodies(2), wanted);
    }
}

#[test]
fn what_a_selecting_consumer_gives_back_goes_to_another_that_wants_it() {
    let mut world = World::with(small());
    (1..=3).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Q"), selecting("k = 1", 2));
    world.subscribe(2, 1, queue("Q"), selecting("k = 2", 9));
    for kind in [1, 2, 1, 1, 2] {
        world.send_message(3, of_kind(kind, "", &format!("of {kind}"), true));
    }
    let got = world.got(1);
    assert_eq!((got.len(), world.bodies(2).len()), (2, 2));
    world.subscribe(2, 2, queue("Q"), selecting("k = 1 OR k = 3", 9));
    assert_eq!(world.bodies(2), ["of 1"]);
    world.settle(1, &got[..1], RELEASED);
    let again = [world.got(1), world.got(2)].concat();
    assert!(again.len() == 1 && again[0].redelivered);
    world.unsubscribe(1, 1);
    assert!(world.got(2).iter().all(|it| it.redelivered && it.body() == "of 1"));
}

#[test]
fn a_group_stays_with_its_owner_and_goes_to_the_next_one_in_order() {
    let mut world = World::with(small());
    (1..=3).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Q"), prefetch(2));
    world.subscribe(2, 1, queue("Q"), prefetch(20));
    for n in 0..10 {
        world.send_message(3, of_kind(0, "a", &n.to_string(), n % 3 > 0));
    }
    let first = world.got(1);
    let (owner, other) = if first.is_empty() { (2, 1) } else { (1, 2) };
    assert_eq!(
        (owner, world.got(other).len()),
        (1, 0),
        "the first one to come is the first one to be served"
    );
    assert_eq!(first.iter().map(Got::body).collect::<Vec<_>>(), ["0", "1"]);
    // Another group is no business of its owner's.
    world.send_message(3, of_kind(0, "b", "x", true));
    assert_eq!(world.bodies(2), ["x"]);
    world.settle(1, &first[..1], Verdict::Consumed);
    assert_eq!(world.bodies(1), ["2"]);
    world.close(1);
    let rest: Vec<_> = (1..10).map(|n| n.to_string()).collect();
    assert_eq!(world.bodies(2), rest);
}

#[test]
fn a_group_has_no_new_owner_while_a_transaction_holds_a_message_of_it() {
    let mut world = World::new();
    (1..=3).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    for n in 0..3 {
        world.send_message(3, of_kind(0, "a", &n.to_string(), true));
    }
    let got = world.got(1);
    world.begin(1, 7);
    let deliveries = vec![got[0].delivery];
    world.ask(1, |correlation| Command::Settle {
        deliveries: deliveries.clone(),
        verdict: Verdict::Consumed,
        transaction: Some(crate::broker::TransactionKey(7)),
        correlation,
    });
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    world.ask(1, |correlation| Command::Unsubscribe {
        subscription: SubscriptionKey(1),
        transacted: deliveries.clone(),
        correlation,
    });
    assert_eq!(world.bodies(2), Vec::<String>::new());
    world.finish(1, 7, false);
    assert_eq!(world.bodies(2), ["0", "1", "2"]);
}

#[test]
fn the_last_message_of_a_group_leaves_it_without_an_owner() {
    let mut world = World::new();
    (1..=3).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Q"), prefetch(9));
    world.send_message(3, of_kind(0, "a", "one", true));
    let mut last = message(&[&queue("Q")], "two", true);
    last.field(Field::Group, "a").group_sequence = -1;
    world.send_message(3, last.build().unwrap());
    let got = world.got(1);
    assert_eq!(got.len(), 2);
    world.subscribe(2, 1, queue("Q"), prefetch(9));
    world.send_message(3, of_kind(0, "a", "three", true));
    assert_eq!(world.bodies(1).len() + world.bodies(2).len(), 0, "the old owner has not settled what it has");
    world.settle(1, &got, Verdict::Consumed);
    assert_eq!([world.bodies(1), world.bodies(2)].concat(), ["three"]);
}

#[test]
fn a_queue_has_room_for_so_many_different_selectors() {
    let mut world = World::with(BrokerOptions {
        session: SessionOptions { subscriptions_max: 2000, ..SessionOptions::default() },
        ..BrokerOptions::default()
    });
    world.open(1);
    for n in 0..1024 {
        let asked = world.subscribe(1, n, queue("Q"), selecting(&format!("k = {n}"), 0));
        assert_eq!(world.answer(1, asked), Some(Ok(())));
    }
    let asked = world.subscribe(1, 2000, queue("Q"), selecting("k = 2000", 0));
    assert!(matches!(world.answer(1, asked), Some(Err(Refusal::Limit(_)))));
    let asked = world.subscribe(1, 2001, queue("Q"), selecting("k = 7", 0));
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    world.unsubscribe(1, 9);
    let asked = world.subscribe(1, 2000, queue("Q"), selecting("k = 2000", 1));
    assert_eq!(world.answer(1, asked), Some(Ok(())));
    world.send_message(1, of_kind(2000, "", "x", true));
    assert_eq!(world.got(1).iter().map(|it| it.subscription).collect::<Vec<_>>(), [2000]);
}

#[test]
fn an_urgent_message_is_the_next_one_though_much_stands_before_it_and_after_a_failover() {
    let mut world = World::with(small());
    (1..=2).for_each(|session| world.open(session));
    let send = |world: &mut World, priority, body: &str| {
        world.send_message(2, of_priority(priority, (0, ""), body, true));
    };
    send(&mut world, 1, "low");
    (0..100).for_each(|n| send(&mut world, 4, &n.to_string()));
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    let next = |world: &mut World| {
        let got = world.got(1);
        world.settle(1, &got, Verdict::Consumed);
        got.iter().map(Got::body).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((next(&mut world).as_str(), next(&mut world).as_str()), ("0", "1"));
    send(&mut world, 8, "urgent");
    send(&mut world, 9, "most urgent");
    assert_eq!((next(&mut world).as_str(), next(&mut world).as_str()), ("2", "most urgent"));
    world.fail_over(usize::MAX);
    (1..=2).for_each(|session| world.open(session));
    world.subscribe(1, 1, queue("Q"), prefetch(1));
    assert_eq!(next(&mut world), "urgent");
    (3..100).for_each(|n| assert_eq!(next(&mut world), n.to_string()));
    assert_eq!(next(&mut world), "low");
}

const SELECTORS: [&str; 4] = ["", "k = 0", "k > 0", "k = 1 OR k = 2"];
const CONSUMERS: u64 = 4;
const SENDER: u64 = 9;

fn selects(selector: usize, kind: i32) -> bool {
    [true, kind == 0, kind > 0, kind == 1 || kind == 2][selector]
}

#[derive(Clone, Debug)]
enum Step {
    Send { kind: i32, group: usize, priority: u8, persistent: bool },
    Subscribe { consumer: u64, selector: usize, credit: u32 },
    Unsubscribe { consumer: u64 },
    Consume { consumer: u64, which: usize },
    Release { consumer: u64, which: usize },
    Purge,
    FailOver,
}

fn step() -> impl Strategy<Value = Step> {
    let consumer = || 1..=CONSUMERS;
    prop_oneof![
        8 => (0..4i32, 0..4usize, 0..9usize, any::<bool>()).prop_map(|(kind, group, priority, persistent)| {
            let priority = [4, 4, 4, 4, 4, 4, 0, 7, 9][priority];
            Step::Send { kind, group, priority, persistent }
        }),
        3 => (consumer(), 0..SELECTORS.len(), 1..5u32).prop_map(|(consumer, selector, credit)| Step::Subscribe { consumer, selector, credit }),
        1 => consumer().prop_map(|consumer| Step::Unsubscribe { consumer }),
        5 => (consumer(), 0..4usize).prop_map(|(consumer, which)| Step::Consume { consumer, which }),
        2 => (consumer(), 0..4usize).prop_map(|(consumer, which)| Step::Release { consumer, which }),
        1 => Just(Step::FailOver),
        1 => Just(Step::Purge),
    ]
}

/// A message as the naive broker knows it.
#[derive(Clone, Debug)]
struct Known {
    priority: u8,
    kind: i32,
    group: usize,
    persistent: bool,
    /// Consumers may have had it before.
    seen: bool,
}

/// A naive broker: what waits, who has what, who owns which group.
#[derive(Debug, Default)]
struct Naive {
    waiting: BTreeMap<u64, Known>,
    held: BTreeMap<u64, Vec<(u64, Known, Got)>>,
    consumers: BTreeMap<u64, (usize, u32)>,
    owners: BTreeMap<usize, u64>,
    sent: u64,
}

impl Naive {
    fn in_flight(&self, group: usize) -> bool {
        self.held.values().flatten().any(|(_, known, _)| known.group == group)
    }

    /// Whether this consumer may have a message of this group now.
    fn is_free(&self, group: usize, consumer: u64) -> bool {
        match self.owners.get(&group) {
            _ if group == 0 => true,
            Some(owner) => *owner == consumer,
            None => !self.in_flight(group),
        }
    }

    fn wants(&self, consumer: u64, known: &Known) -> bool {
        self.consumers.get(&consumer).is_some_and(|(selector, _)| selects(*selector, known.kind))
    }

    /// Holds what consumers got to the rules.
    fn take(&mut self, world: &mut World) {
        let mut fresh = Vec::new();
        for consumer in 1..=CONSUMERS {
            let mut last = (0, 0);
            for got in world.got(consumer) {
                let number: u64 = got.body().parse().unwrap();
                let known = self.waiting.remove(&number).expect("a delivery of what does not wait");
                assert!(self.wants(consumer, &known), "{number} is not for {consumer}");
                assert_eq!(got.redelivered, known.seen, "{number} is marked wrongly");
                let order = (9 - known.priority, number);
                assert!(order > last, "{order:?} after {last:?}");
                last = order;
                fresh.push((consumer, number, known.clone(), got.first_of_group));
                self.held.entry(consumer).or_default().push((number, known, got));
            }
        }
        for (consumer, number, known, first) in &fresh {
            assert_eq!(
                *first,
                known.group > 0 && !self.owners.contains_key(&known.group),
                "the first of a group"
            );
            if known.group > 0 {
                let owner = *self.owners.entry(known.group).or_insert(*consumer);
                assert_eq!(owner, *consumer, "a group of two owners");
            }
            let order = (9 - known.priority, *number);
            let earlier = self.waiting.iter().filter(|(number, it)| (9 - it.priority, **number) < order);
            let passed =
                earlier.filter(|(_, it)| self.wants(*consumer, it) && self.is_free(it.group, *consumer));
            assert_eq!(passed.count(), 0, "{number} overtook at {consumer}");
        }
        for (consumer, (_, credit)) in &self.consumers {
            let held = self.held.get(consumer).map_or(0, Vec::len) as u32;
            assert!(held <= *credit, "more than credit");
            let wanted = |it: &Known| self.wants(*consumer, it) && self.is_free(it.group, *consumer);
            let waits = self.waiting.iter().find(|(_, it)| wanted(it)).map(|(number, _)| number);
            assert!(held == *credit || waits.is_none(), "{consumer} has credit, and {waits:?} waits for it");
        }
    }

    fn give_back(&mut self, consumer: u64) {
        self.consumers.remove(&consumer);
        self.owners.retain(|_, owner| *owner != consumer);
        for (number, known, _) in self.held.remove(&consumer).unwrap_or_default() {
            self.waiting.insert(number, Known { seen: true, ..known });
        }
    }

    fn take_held(&mut self, consumer: u64, which: usize) -> Option<(u64, Known, Got)> {
        let held = self.held.get_mut(&consumer).filter(|held| !held.is_empty())?;
        Some(held.remove(which % held.len()))
    }

    fn step(&mut self, world: &mut World, step: Step) {
        match step {
            Step::Send { kind, group, priority, persistent } => {
                self.sent += 1;
                let kind_group = (kind, ["", "a", "b", "c"][group]);
                self.waiting.insert(self.sent, Known { priority, kind, group, persistent, seen: false });
                let message = of_priority(priority, kind_group, &self.sent.to_string(), persistent);
                world.send_message(SENDER, message);
            }
            Step::Subscribe { consumer, selector, credit } => {
                if let Entry::Vacant(place) = self.consumers.entry(consumer) {
                    place.insert((selector, credit));
                    world.subscribe(consumer, 1, queue("Q"), selecting(SELECTORS[selector], credit));
                }
            }
            Step::Unsubscribe { consumer } => {
                if self.consumers.contains_key(&consumer) {
                    self.give_back(consumer);
                    world.unsubscribe(consumer, 1);
                }
            }
            Step::Consume { consumer, which } => {
                if let Some((_, _, got)) = self.take_held(consumer, which) {
                    world.settle(consumer, &[got], Verdict::Consumed);
                }
            }
            Step::Release { consumer, which } => {
                if let Some((number, known, got)) = self.take_held(consumer, which) {
                    self.waiting.insert(number, Known { seen: true, ..known });
                    world.settle(consumer, &[got], RELEASED);
                }
            }
            Step::Purge => {
                let (count, _) = world.purge(SENDER, "Q");
                assert_eq!(count.unwrap_or(0), self.waiting.len() as u64);
                self.waiting.clear();
            }
            Step::FailOver => {
                (1..=CONSUMERS).for_each(|consumer| self.give_back(consumer));
                self.waiting.retain(|_, it| it.persistent);
                self.waiting.values_mut().for_each(|it| it.seen = true);
                world.fail_over(usize::MAX);
                (1..=CONSUMERS).chain([SENDER]).for_each(|session| world.open(session));
            }
        }
        self.take(world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_operations_deliver_what_a_naive_broker_may_deliver(
        steps in prop::collection::vec(step(), 1..120),
        entries in 1..8usize,
        bytes in 250..1500usize,
        all_bytes in 1..800usize,
    ) {
        let options = BrokerOptions {
            window_entries_max: entries,
            window_bytes_max: bytes,
            windows_bytes_max: all_bytes,
            ..BrokerOptions::default()
        };
        let mut world = World::with(options);
        (1..=CONSUMERS).chain([SENDER]).for_each(|session| world.open(session));
        let mut naive = Naive::default();
        for step in steps {
            naive.step(&mut world, step);
        }
        // All that is left comes to whoever takes everything.
        (1..=CONSUMERS).for_each(|consumer| naive.step(&mut world, Step::Unsubscribe { consumer }));
        naive.consumers.insert(1, (0, 1000));
        world.subscribe(1, 1, queue("Q"), prefetch(1000));
        let left: BTreeSet<_> = naive.waiting.keys().copied().collect();
        naive.take(&mut world);
        let got: BTreeSet<_> = naive.held.values().flatten().map(|(number, ..)| *number).collect();
        prop_assert_eq!(left, got);
    }
}
