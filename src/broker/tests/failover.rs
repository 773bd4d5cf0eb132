//! The invariants, under random commands and random failovers. The names are those of the design: M1 confirmed sends
//! are neither lost nor invented; M2 a confirmed consumption is never delivered again; M4 one producer's messages reach
//! one consumer in order; M5 a transaction is all or nothing; M6 a message is in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::broker::tests::world::{Got, World, message, prefetch, queue};
use crate::broker::{BrokerOptions, Command, TransactionKey, Transfer, Verdict, Way};

const DEAD: &str = "ActiveMQ.DLQ";
const QUEUES: [&str; 3] = ["A", "B", DEAD];
/// Where an operator puts messages, out of which nobody consumes.
const ASIDE: &str = "ASIDE";
/// Sessions 1 and 2 send, 3 to 5 consume.
const SENDERS: std::ops::RangeInclusive<u64> = 1..=2;
const CONSUMERS: std::ops::RangeInclusive<u64> = 3..=5;

#[derive(Clone, Debug)]
enum Step {
    Send { by: u64, to: usize, persistent: bool },
    Transact { by: u64, commit: bool },
    Subscribe { by: u64, to: usize, prefetch: u32 },
    Settle { by: u64, pick: usize, count: usize, verdict: Verdict },
    Move { by: u64, from: usize, messages_max: u64 },
    Pause { by: u64, to: usize, paused: bool },
    Close { by: u64 },
    Commit { groups: usize },
    Read,
    FailOver { keep: usize },
    Lease { holds: bool },
    Pass,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Consumed),
        2 => any::<bool>().prop_map(|counted| Verdict::Released { counted }),
        1 => Just(Verdict::Rejected),
        1 => Just(Verdict::Expired),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (SENDERS, 0..2usize, prop::bool::weighted(0.8))
            .prop_map(|(by, to, persistent)| Step::Send { by, to, persistent }),
        2 => (CONSUMERS, any::<bool>()).prop_map(|(by, commit)| Step::Transact { by, commit }),
        4 => (CONSUMERS, 0..3usize, 1..4u32).prop_map(|(by, to, prefetch)| Step::Subscribe { by, to, prefetch }),
        10 => (CONSUMERS, 0..4usize, 1..4usize, verdict())
            .prop_map(|(by, pick, count, verdict)| Step::Settle { by, pick, count, verdict }),
        2 => (SENDERS, 0..3usize, 1..9u64)
            .prop_map(|(by, from, messages_max)| Step::Move { by, from, messages_max }),
        1 => (SENDERS, 0..2usize, prop::bool::weighted(0.3))
            .prop_map(|(by, to, paused)| Step::Pause { by, to, paused }),
        1 => CONSUMERS.prop_map(|by| Step::Close { by }),
        12 => (1..4usize).prop_map(|groups| Step::Commit { groups }),
        6 => Just(Step::Read),
        1 => (0..5usize).prop_map(|keep| Step::FailOver { keep }),
        1 => prop::bool::weighted(0.7).prop_map(|holds| Step::Lease { holds }),
        1 => Just(Step::Pass),
    ]
}

/// What a command that wants an answer was for.
enum Asked {
    Send(Vec<String>),
    Consume(Vec<(String, String)>),
    /// It may be refused: there may be no such queue yet, or no time left.
    Operate,
    Other,
}

/// What the clients know.
struct Clients {
    world: World,
    asked: BTreeMap<u64, Asked>,
    sent: BTreeSet<String>,
    confirmed: BTreeSet<String>,
    persistent: BTreeSet<String>,
    transactions: Vec<Vec<String>>,
    consuming: BTreeSet<String>,
    consumed: BTreeSet<(String, String)>,
    holding: BTreeMap<u64, Vec<Got>>,
    delivered: BTreeSet<(String, String)>,
    last: BTreeMap<(u64, u64, String, String), u64>,
    subscribed: BTreeMap<u64, u64>,
    number: u64,
    /// The present session of each client, as a number is never used again.
    sessions: BTreeMap<u64, u64>,
}

/// The queue that a delivery came from.
fn origin(got: &Got) -> String {
    got.message.destinations(crate::model::Field::Destination).next().unwrap().name
}

impl Clients {
    fn new() -> Clients {
        let options =
            BrokerOptions { window_entries_max: 4, windows_bytes_max: 800, ..BrokerOptions::default() };
        let mut world = World::with(options);
        world.automatic = false;
        let mut clients = Clients {
            world,
            asked: BTreeMap::new(),
            sent: BTreeSet::new(),
            confirmed: BTreeSet::new(),
            persistent: BTreeSet::new(),
            transactions: Vec::new(),
            consuming: BTreeSet::new(),
            consumed: BTreeSet::new(),
            holding: BTreeMap::new(),
            delivered: BTreeSet::new(),
            last: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            number: 0,
            sessions: BTreeMap::new(),
        };
        clients.open_all();
        clients
    }

    fn open_all(&mut self) {
        SENDERS.chain(CONSUMERS).for_each(|by| self.open(by));
        self.holding.clear();
        self.subscribed.clear();
        self.last.clear();
        self.delivered.clear();
        self.asked.clear();
    }

    fn open(&mut self, by: u64) {
        let session = self.sessions.get(&by).map_or(by, |old| old + 10);
        self.sessions.insert(by, session);
        self.world.open(session);
    }

    /// A body that names its producer and number.
    fn body(&mut self, by: u64, persistent: bool) -> String {
        self.number += 1;
        let body = format!("{by}-{}", self.number);
        self.sent.insert(body.clone());
        if persistent {
            self.persistent.insert(body.clone());
        }
        body
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Send { by, to, persistent } => {
                let body = self.body(by, persistent);
                let sent = message(&[&queue(QUEUES[to])], &body, persistent).build().unwrap();
                let asked = self.world.send_message(self.sessions[&by], sent);
                self.asked.insert(asked, Asked::Send(vec![body]));
            }
            Step::Transact { by, commit } => self.transact(by, commit),
            Step::Subscribe { by, to, prefetch: bound } => {
                let key = self.subscribed.entry(by).or_insert(0);
                *key += 1;
                let asked =
                    self.world.subscribe(self.sessions[&by], *key, queue(QUEUES[to]), prefetch(bound));
                self.asked.insert(asked, Asked::Other);
            }
            Step::Settle { by, pick, count, verdict } => self.settle(by, pick, count, verdict),
            Step::Move { by, from, messages_max } => {
                let way = Way::Move(queue(ASIDE));
                let transfer = Transfer { way, selector: String::new(), messages_max };
                let from = queue(QUEUES[from]);
                let session = self.sessions[&by];
                let command = |correlation| Command::Transfer { from, transfer, correlation };
                let asked = self.world.ask(session, command);
                self.asked.insert(asked, Asked::Operate);
            }
            Step::Pause { by, to, paused } => self.pause(self.sessions[&by], to, paused),
            Step::Close { by } => {
                self.take_events();
                self.world.close(self.sessions[&by]);
                self.holding.remove(&by);
                self.open(by);
                self.last.retain(|(session, ..), _| *session != by);
            }
            Step::Commit { groups } => self.world.commit(groups),
            Step::Read => self.world.answer_read(),
            Step::FailOver { keep } => {
                self.take_events();
                self.world.fail_over(keep);
                self.open_all();
            }
            Step::Lease { holds } => self.world.broker.dispatch_allowed(holds),
            Step::Pass => self.world.pass(Duration::from_secs(1)),
        }
        self.take_events();
    }

    fn pause(&mut self, session: u64, to: usize, paused: bool) {
        let destination = queue(QUEUES[to]);
        let command = |correlation| Command::Pause { destination, paused, correlation };
        let asked = self.world.ask(session, command);
        self.asked.insert(asked, Asked::Operate);
    }

    /// Consumes what it holds and sends two messages, as one.
    fn transact(&mut self, by: u64, commit: bool) {
        let transaction = Some(TransactionKey(1));
        let begun = self.world.begin(self.sessions[&by], 1);
        self.asked.insert(begun, Asked::Other);
        let mut bodies = Vec::new();
        for to in &QUEUES[..2] {
            let body = self.body(by, true);
            let message = message(&[&queue(to)], &body, true).build().unwrap();
            self.world.ask(self.sessions[&by], |_| Command::Send { message, transaction, correlation: None });
            bodies.push(body);
        }
        let held = if commit { self.holding.remove(&by).unwrap_or_default() } else { Vec::new() };
        let consumed: Vec<_> = held.iter().map(|got| (origin(got), got.body())).collect();
        let deliveries = held.iter().map(|got| got.delivery).collect();
        let verdict = Verdict::Consumed;
        self.world.ask(self.sessions[&by], |_| Command::Settle {
            deliveries,
            verdict,
            transaction,
            correlation: None,
        });
        if commit {
            self.consuming.extend(consumed.iter().map(|(_, body)| body.clone()));
            self.transactions.push(bodies);
        } else {
            bodies.iter().for_each(|body| {
                self.sent.remove(body);
            });
        }
        let finished = self.world.finish(self.sessions[&by], 1, commit);
        self.asked.insert(finished, Asked::Consume(consumed));
    }

    fn settle(&mut self, by: u64, pick: usize, count: usize, verdict: Verdict) {
        let held = self.holding.entry(by).or_default();
        let from = pick.min(held.len());
        let to = (from + count).min(held.len());
        let settled: Vec<_> = held.drain(from..to).collect();
        let names: Vec<_> = settled.iter().map(|got| (origin(got), got.body())).collect();
        let asked = self.world.settle(self.sessions[&by], &settled, verdict);
        if verdict == Verdict::Consumed {
            self.consuming.extend(names.iter().map(|(_, body)| body.clone()));
            self.asked.insert(asked, Asked::Consume(names));
        } else {
            self.asked.insert(asked, Asked::Other);
        }
    }

    fn take_events(&mut self) {
        for session in SENDERS.chain(CONSUMERS) {
            for (asked, result) in self.world.answers(self.sessions[&session]) {
                let asked = self.asked.remove(&asked);
                assert!(result.is_ok() || matches!(asked, Some(Asked::Operate)), "{result:?}");
                match asked {
                    Some(Asked::Send(bodies)) => self.confirmed.extend(bodies),
                    Some(Asked::Consume(names)) => self.consumed.extend(names),
                    Some(Asked::Operate | Asked::Other) | None => {}
                }
            }
            for got in self.world.got(self.sessions[&session]) {
                self.check_delivery(session, &got);
                self.holding.entry(session).or_default().push(got);
            }
        }
    }

    fn check_delivery(&mut self, session: u64, got: &Got) {
        let (from, body) = (origin(got), got.body());
        assert!(self.sent.contains(&body), "M1: {body} was never sent, or rolled back");
        assert!(!self.consumed.contains(&(from.clone(), body.clone())), "M2: {body} was consumed");
        let held = self.holding.values().flatten().any(|it| it.body() == body);
        assert!(!held, "M6: {body} is in flight already");
        // What is refused in the dead-letter queue goes to its end, as a message that nobody has seen.
        if !self.delivered.insert((from.clone(), body.clone())) && from != DEAD {
            assert!(got.redelivered, "{body} comes again unmarked");
        }
        if !got.redelivered && from != DEAD {
            let (producer, number) = body.split_once('-').unwrap();
            let number: u64 = number.parse().unwrap();
            let last = self.last.entry((session, 0, from, producer.to_owned())).or_insert(0);
            assert!(*last < number, "M4: {body} after {last}");
            *last = number;
        }
    }

    /// Lets everything end, and counts what is left.
    fn end(mut self) {
        self.world.broker.dispatch_allowed(true);
        self.world.automatic = true;
        self.world.settle_down();
        self.take_events();
        SENDERS.chain(CONSUMERS).for_each(|by| self.world.close(self.sessions[&by]));
        self.world.open(9);
        (0..2).for_each(|to| self.pause(9, to, false));
        for (key, name) in QUEUES.iter().chain([&ASIDE]).enumerate() {
            self.world.subscribe(9, key as u64, queue(name), prefetch(9_999));
        }
        let left = self.world.got(9);
        let bodies: BTreeSet<_> = left.iter().map(Got::body).collect();
        assert_eq!(bodies.len(), left.len(), "M6: a message is left twice");
        for got in &left {
            assert!(self.sent.contains(&got.body()), "M1: {} is invented", got.body());
            let name = (origin(got), got.body());
            assert!(!self.consumed.contains(&name), "M2: {name:?} was consumed");
        }
        for body in self.confirmed.intersection(&self.persistent) {
            assert!(bodies.contains(body) || self.consuming.contains(body), "M1: {body} is lost");
        }
        for transaction in &self.transactions {
            let there = |body: &&String| bodies.contains(*body) || self.consuming.contains(*body);
            let count = transaction.iter().filter(there).count();
            assert!(count == 0 || count == transaction.len(), "M5: {count} of {transaction:?}");
        }
        let state = self.world.broker.state();
        let again = crate::state::State::restore(state.snapshot()).unwrap();
        assert_eq!(again.digest(), state.digest());
        assert!(self.world.damages.is_empty(), "{:?}", self.world.damages);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
    #[test]
    fn m1_m2_m4_m5_m6_hold_under_random_commands_and_failovers(steps in prop::collection::vec(step(), 1..160)) {
        let mut clients = Clients::new();
        steps.into_iter().for_each(|step| clients.run(step));
        clients.end();
    }
}
