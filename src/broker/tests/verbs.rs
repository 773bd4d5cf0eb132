//! Random sequences of verbs through the gate, against a list of what a client may rely on: a confirmed consumption never
//! comes back, whatever verbs stand between; all else comes, each message once.

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use proptest::prelude::*;
use tokio::sync::mpsc;

use crate::broker::tests::world::{Got, World, message, prefetch, queue};
use crate::broker::{
    Command, Correlation, Credentials, Gate, Inbound, Principal, Session, SessionEvent, SubscriptionKey,
    TransactionKey, Verdict,
};

const CLIENTS: std::ops::Range<usize> = 0..2;
/// Subscriptions of a client, and its transactions.
const KEYS: std::ops::Range<u64> = 0..2;

#[derive(Clone, Debug)]
enum Step {
    Send {
        by: usize,
        transaction: Option<u64>,
    },
    Subscribe {
        by: usize,
        key: u64,
        prefetch: u32,
    },
    Unsubscribe {
        by: usize,
        key: u64,
    },
    Settle {
        by: usize,
        pick: usize,
        consume: bool,
        transaction: Option<u64>,
    },
    /// Consumes a message again that a transaction has already.
    Twice {
        by: usize,
        pick: usize,
    },
    Begin {
        by: usize,
        transaction: u64,
    },
    Finish {
        by: usize,
        transaction: u64,
        commit: bool,
    },
    Close {
        by: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let transaction = || prop::option::weighted(0.7, KEYS);
    prop_oneof![
        6 => (CLIENTS, prop::option::weighted(0.3, KEYS)).prop_map(|(by, transaction)| Step::Send { by, transaction }),
        5 => (CLIENTS, KEYS, 1..4u32).prop_map(|(by, key, prefetch)| Step::Subscribe { by, key, prefetch }),
        3 => (CLIENTS, KEYS).prop_map(|(by, key)| Step::Unsubscribe { by, key }),
        8 => (CLIENTS, 0..4usize, prop::bool::weighted(0.8), transaction())
            .prop_map(|(by, pick, consume, transaction)| Step::Settle { by, pick, consume, transaction }),
        1 => (CLIENTS, 0..4usize).prop_map(|(by, pick)| Step::Twice { by, pick }),
        5 => (CLIENTS, KEYS).prop_map(|(by, transaction)| Step::Begin { by, transaction }),
        4 => (CLIENTS, KEYS, prop::bool::weighted(0.6))
            .prop_map(|(by, transaction, commit)| Step::Finish { by, transaction, commit }),
        1 => CLIENTS.prop_map(|by| Step::Close { by }),
    ]
}

/// What a client knows of its open transaction.
#[derive(Default)]
struct Open {
    sent: Vec<String>,
    consumed: Vec<Held>,
}

/// A delivery, and which of all subscriptions it was made to.
type Held = (u64, Got);

struct Client {
    session: Session,
    id: u64,
    /// Key -> which of all subscriptions that is.
    subscribed: BTreeMap<u64, u64>,
    /// Delivered, and not settled in any way.
    held: Vec<Held>,
    open: BTreeMap<u64, Open>,
}

struct Scene {
    world: World,
    gate: Gate,
    inbound: mpsc::Receiver<Inbound>,
    clients: Vec<Client>,
    /// The session that was opened last.
    opened: u64,
    number: u64,
    /// Sent and confirmed; consumed and confirmed.
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Scene {
    fn new() -> Scene {
        let (gate, inbound) = Gate::bounded(usize::MAX);
        let world = World::new();
        let (there, gone) = (BTreeSet::new(), BTreeSet::new());
        let mut scene =
            Scene { world, gate, inbound, clients: Vec::new(), opened: 0, number: 0, there, gone };
        for _ in CLIENTS {
            let client = scene.connect();
            scene.clients.push(client);
        }
        scene
    }

    fn connect(&mut self) -> Client {
        let opened = self.gate.open("", &Credentials::default(), Principal::default());
        self.pump();
        let (subscribed, held, open) = Default::default();
        Client { session: opened.unwrap(), id: self.opened, subscribed, held, open }
    }

    /// Passes on what stands at the gate.
    fn pump(&mut self) {
        let World { now, wall, .. } = self.world;
        while let Ok(inbound) = self.inbound.try_recv() {
            match inbound {
                Inbound::Open { session, info, outbox, .. } => {
                    self.opened = session.0;
                    self.world.broker.open(session, info, outbox);
                }
                Inbound::Drained { session } => self.world.broker.drained(session),
                Inbound::Commands { session, submission } => {
                    self.world.broker.submit(now, wall, session, submission);
                }
                Inbound::Close { session } => self.world.broker.close(session),
            }
            self.world.settle_down();
        }
    }

    /// Asks and returns whether the answer was good.
    fn ask(&mut self, by: usize, command: impl FnOnce(Option<Correlation>) -> Command) -> bool {
        self.number += 1;
        let correlation = self.number;
        let Client { session, id, .. } = &mut self.clients[by];
        session.submit(vec![command(Some(Correlation(correlation)))]).now_or_never().unwrap().unwrap();
        let id = *id;
        let mut answers = session.events().now_or_never().flatten().unwrap_or_default();
        self.pump();
        answers.extend(self.world.answers(id).into_iter().map(|(correlation, result)| SessionEvent::Done {
            correlation: Correlation(correlation),
            result,
        }));
        self.take();
        let good = |event: &SessionEvent| match event {
            SessionEvent::Done { correlation: Correlation(at), result } if *at == correlation => {
                Some(result.is_ok())
            }
            _ => None,
        };
        answers.iter().find_map(good).expect("an answer")
    }

    /// Takes what was delivered: nothing that is gone, and nothing that somebody has.
    fn take(&mut self) {
        for by in CLIENTS {
            for got in self.world.got(self.clients[by].id) {
                let body = got.body();
                assert!(!self.gone.contains(&body), "{body} comes back after its consumption was confirmed");
                assert!(self.there.contains(&body), "{body} comes, and nobody has sent it");
                let has = |client: &Client| {
                    let open = client.open.values().flat_map(|it| &it.consumed);
                    client.held.iter().chain(open).any(|(_, it)| it.body() == body)
                };
                assert!(!self.clients.iter().any(has), "{body} comes while somebody has it");
                let client = &mut self.clients[by];
                client.held.push((client.subscribed[&got.subscription], got));
            }
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Send { by, transaction } => self.send(by, transaction),
            Step::Subscribe { by, key, prefetch: credit } => {
                let number = self.number;
                let fresh = !self.clients[by].subscribed.contains_key(&key);
                self.clients[by].subscribed.entry(key).or_insert(number);
                let good = self.ask(by, |correlation| Command::Subscribe {
                    subscription: SubscriptionKey(key),
                    destination: queue("Q"),
                    options: prefetch(credit),
                    correlation,
                });
                assert_eq!(good, fresh);
            }
            Step::Unsubscribe { by, key } => {
                // What it holds may be somebody else's before the answer is here.
                let gone = self.clients[by].subscribed.remove(&key);
                self.clients[by].held.retain(|(of, _)| Some(*of) != gone);
                let good = self.ask(by, |correlation| Command::Unsubscribe {
                    subscription: SubscriptionKey(key),
                    transacted: Vec::new(),
                    correlation,
                });
                assert_eq!(good, gone.is_some());
            }
            Step::Settle { by, pick, consume, transaction } => self.settle(by, pick, consume, transaction),
            Step::Twice { by, pick } => self.consume_twice(by, pick),
            Step::Begin { by, transaction } => {
                let fresh = !self.clients[by].open.contains_key(&transaction);
                let begin =
                    |correlation| Command::Begin { transaction: TransactionKey(transaction), correlation };
                assert_eq!(self.ask(by, begin), fresh);
                self.clients[by].open.entry(transaction).or_default();
            }
            Step::Finish { by, transaction, commit } => self.finish(by, transaction, commit),
            Step::Close { by } => {
                let fresh = self.connect();
                drop(std::mem::replace(&mut self.clients[by], fresh));
                self.pump();
                self.take();
            }
        }
    }

    fn send(&mut self, by: usize, transaction: Option<u64>) {
        self.number += 1;
        let body = self.number.to_string();
        let transaction = transaction.filter(|key| self.clients[by].open.contains_key(key));
        match transaction {
            Some(key) => self.clients[by].open.get_mut(&key).unwrap().sent.push(body.clone()),
            None => drop(self.there.insert(body.clone())),
        }
        let message = message(&[&queue("Q")], &body, true).build().unwrap();
        let transaction = transaction.map(TransactionKey);
        assert!(self.ask(by, |correlation| Command::Send { message, transaction, correlation }));
    }

    fn settle(&mut self, by: usize, pick: usize, consume: bool, transaction: Option<u64>) {
        let client = &mut self.clients[by];
        if client.held.is_empty() {
            return;
        }
        let (of, got) = client.held.remove(pick % client.held.len());
        let transaction = transaction.filter(|key| client.open.contains_key(key));
        let verdict = match (consume, transaction) {
            (false, None) => Verdict::Released { counted: true },
            _ => Verdict::Consumed,
        };
        match transaction {
            Some(key) => client.open.get_mut(&key).unwrap().consumed.push((of, got.clone())),
            None if consume => drop(self.gone.insert(got.body())),
            None => {}
        }
        let (deliveries, transaction) = (vec![got.delivery], transaction.map(TransactionKey));
        assert!(self.ask(by, |correlation| Command::Settle {
            deliveries,
            verdict,
            transaction,
            correlation
        }));
    }

    fn consume_twice(&mut self, by: usize, pick: usize) {
        let client = &mut self.clients[by];
        let Some(open) = client.open.values_mut().find(|open| !open.consumed.is_empty()) else { return };
        let (_, got) = open.consumed.remove(pick % open.consumed.len());
        self.gone.insert(got.body());
        let settle = |correlation| Command::Settle {
            deliveries: vec![got.delivery],
            verdict: Verdict::Consumed,
            transaction: None,
            correlation,
        };
        assert!(self.ask(by, settle));
    }

    fn finish(&mut self, by: usize, transaction: u64, commit: bool) {
        let open = self.clients[by].open.remove(&transaction);
        let known = open.is_some();
        let Open { sent, consumed } = open.unwrap_or_default();
        if commit {
            self.there.extend(sent);
            self.gone.extend(consumed.iter().map(|(_, got)| got.body()));
        } else {
            // Held as before, if the subscription still is.
            let Client { subscribed, held, .. } = &mut self.clients[by];
            held.extend(consumed.into_iter().filter(|(of, _)| subscribed.values().any(|it| it == of)));
        }
        let transaction = TransactionKey(transaction);
        let finish = |correlation| Command::Finish { transaction, commit, correlation };
        assert_eq!(self.ask(by, finish), known);
    }

    /// All that was sent and not consumed comes, once.
    fn drain(&mut self) {
        CLIENTS.for_each(|by| self.run(Step::Close { by }));
        self.run(Step::Subscribe { by: 0, key: 0, prefetch: 1_000 });
        let left: BTreeSet<_> = self.there.difference(&self.gone).cloned().collect();
        let came: Vec<_> = self.clients[0].held.iter().map(|(_, got)| got.body()).collect();
        assert_eq!(came.len(), left.len(), "{came:?} came, {left:?} was there");
        assert_eq!(came.into_iter().collect::<BTreeSet<_>>(), left);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_confirmed_consumption_never_comes_back_and_nothing_else_is_missing(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut scene = Scene::new();
        steps.into_iter().for_each(|step| scene.run(step));
        scene.drain();
    }
}
