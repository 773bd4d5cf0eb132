//! Clients: they send, consume, settle and repeat what had no answer, and notice what they should never see.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::checks::number;
use super::machine::NODES;
use super::world::{What, World};
use crate::broker::{
    Command, Correlation, DeliveryId, Inbound, SessionEvent, SessionId, SessionInfo, Submission,
    SubscribeOptions, SubscriptionKey, TransactionKey, Verdict,
};
use crate::model::{Destination, DestinationKind, Encoding, Field, Message, MessageBuilder, PropertyValue};

/// Unanswered requests of one client.
const PENDING_MAX: usize = 20;
const PREFETCH: u32 = 6;

enum Asked {
    /// These messages, all or none; a single one may be sent again.
    Send(Vec<u64>, Option<Message>),
    Settle(Vec<u64>),
    Nothing,
}

pub(super) struct Client {
    number: usize,
    /// Where its session is.
    pub(super) at: Option<usize>,
    session: SessionId,
    events: Option<mpsc::UnboundedReceiver<Vec<SessionEvent>>>,
    asked: BTreeMap<u64, Asked>,
    /// Sent without an answer; the name of each lets the broker recognise it.
    again: Vec<(u64, Message)>,
    held: Vec<Held>,
    /// What it selects: the messages whose property `k` is this.
    selects: Option<u64>,
}

/// A delivery that a client has not settled.
struct Held {
    delivery: DeliveryId,
    number: u64,
    group: Option<Bytes>,
}

impl Client {
    pub(super) fn new(number: usize) -> Client {
        Client {
            number,
            at: None,
            session: SessionId(0),
            events: None,
            asked: BTreeMap::new(),
            again: Vec::new(),
            held: Vec::new(),
            selects: None,
        }
    }

    /// Whether it waits for no answer.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.is_empty()
    }

    pub(super) fn stuck(&self) -> String {
        let (held, asked) = (self.held.len(), self.asked.len());
        format!("client {} at {:?} holds {held}, asks {asked}", self.number, self.at)
    }

    /// The connection is gone: what is open has an unknown outcome.
    pub(super) fn lose(&mut self) {
        for (_, asked) in std::mem::take(&mut self.asked) {
            if let Asked::Send(ids, Some(message)) = asked
                && let [id] = ids[..]
            {
                self.again.push((id, message));
            }
        }
        (self.at, self.events) = (None, None);
        self.held.clear();
    }
}

/// Where the clients send and consume: a queue, and a topic that all share one durable subscription of.
fn place(n: u64) -> Destination {
    let kind = if n == 0 { DestinationKind::Queue } else { DestinationKind::Topic };
    Destination::new(kind, format!("d{n}")).unwrap()
}

/// A message to these places. In the first it has this number, in the second the next one. Some are of a group, all of whose
/// messages are selected alike.
fn message(number: u64, to: &[u64], bytes: usize, named: bool) -> Message {
    let mut builder = MessageBuilder::new(Encoding::Native);
    builder.persistent = true;
    builder.body = format!("{number} {}", "x".repeat(bytes)).into();
    for to in to {
        builder.destination(Field::Destination, &place(*to));
    }
    let group = Some(number / 2 % 8).filter(|group| *group < 4);
    if let Some(group) = group {
        builder.field(Field::Group, format!("g{group}"));
    }
    let kind = group.unwrap_or(number / 2) % 2;
    builder.property("k", PropertyValue::Long(kind as i64));
    builder.priority = [0, 9, 4, 4, 4, 4, 4][(number / 2 % 7) as usize];
    if named {
        builder.field(Field::DuplicateId, number.to_string().into_bytes());
    }
    builder.build().unwrap()
}

/// The message, to be sent after so many ms.
fn later(message: &Message, delay: u64) -> Message {
    let mut builder = MessageBuilder::from_message(message);
    builder.property("AMQ_SCHEDULED_DELAY", PropertyValue::Long(delay as i64));
    builder.build().unwrap()
}

impl World {
    pub(super) fn work_clients(&mut self, load: bool) {
        for c in 0..self.clients.len() {
            self.hear(c);
            let Some(at) = self.clients[c].at else {
                self.connect(c);
                continue;
            };
            // A client whose broker does not answer goes elsewhere, sooner or later.
            let stuck = self.machines[at].paused || self.clients[c].asked.len() >= PENDING_MAX;
            if stuck && self.rng.chance(2) || self.rng.below(400) == 0 {
                self.leave(c, at);
                continue;
            }
            // The gate is closed while too much is under way, and before the state is written.
            if self.machines[at].paused || !self.machines[at].core().is_some_and(|core| core.has_room()) {
                continue;
            }
            let mut commands = Vec::new();
            self.settle(c, load, &mut commands);
            if load && self.clients[c].asked.len() < PENDING_MAX && self.rng.chance(20) {
                self.send(c, &mut commands);
            }
            if !commands.is_empty() {
                let (session, submission) = (self.clients[c].session, Submission::from(commands));
                self.drive(at, |core| core.take_inbound(Inbound::Commands { session, submission }));
            }
        }
    }

    fn connect(&mut self, c: usize) {
        let from = self.rng.below(NODES as u64) as usize;
        let serving = (0..NODES).map(|n| (n + from) % NODES);
        let Some(n) = serving.into_iter().find(|n| self.machines[*n].serves() && !self.machines[*n].paused)
        else {
            return;
        };
        self.names += 1;
        let session = SessionId(self.names);
        let (events, inbox) = mpsc::unbounded_channel();
        let client = &mut self.clients[c];
        (client.at, client.session, client.events) = (Some(n), session, Some(inbox));
        // The first clients take everything, so that nothing stays. A shared subscription has one selector for all.
        let may_select = client.number >= 2 && client.number.is_multiple_of(2);
        client.selects = (may_select && self.rng.chance(50)).then(|| self.rng.below(2));
        let to = place(client.number as u64 % 2);
        let options = SubscribeOptions {
            prefetch: PREFETCH,
            selector: client.selects.map_or(String::new(), |kind| format!("k = {kind}")),
            exclusive: false,
            priority: 0,
            no_local: false,
            browse: false,
            durable_name: to.kind.is_topic().then(|| "s".to_owned()),
            shared: true,
            bridge: bytes::Bytes::new(),
            reach: None,
        };
        let subscribe = Command::Subscribe {
            subscription: SubscriptionKey(1),
            destination: to,
            options,
            correlation: None,
        };
        self.drive(n, |core| {
            core.take_inbound(Inbound::Open {
                session,
                info: SessionInfo::default(),
                events,
                outbox: Default::default(),
            });
            let submission = Submission::from(vec![subscribe]);
            core.take_inbound(Inbound::Commands { session, submission });
        });
    }

    fn leave(&mut self, c: usize, at: usize) {
        let session = self.clients[c].session;
        self.clients[c].lose();
        self.after(Duration::ZERO, at, What::Close(session));
    }

    fn asks(&mut self, c: usize, asked: Asked) -> Correlation {
        self.names += 1;
        self.clients[c].asked.insert(self.names, asked);
        Correlation(self.names)
    }

    fn send(&mut self, c: usize, commands: &mut Vec<Command>) {
        if let Some((number, message)) = self.clients[c].again.pop() {
            let correlation = Some(self.asks(c, Asked::Send(vec![number], Some(message.clone()))));
            return commands.push(Command::Send { message, transaction: None, correlation });
        }
        // Nobody keeps what is sent to a topic before there is a subscription.
        let state = &self.checks.reference;
        if state.destinations().all(|(_, it)| it.subscription().is_none()) {
            return;
        }
        self.names += 2;
        let (one, two, to) = (self.names - 1, self.names, self.rng.below(2));
        let bytes = if self.rng.chance(3) { self.rng.below(5000) } else { self.rng.below(120) } as usize;
        if self.rng.chance(15) {
            self.checks.together.push((one, two));
            let transaction = TransactionKey(one);
            commands.push(Command::Begin { transaction, correlation: None });
            for (number, to) in [(one, to), (two, 1 - to)] {
                let message = message(number, &[to], bytes, false);
                commands.push(Command::Send { message, transaction: Some(transaction), correlation: None });
            }
            let correlation = Some(self.asks(c, Asked::Send(vec![one, two], None)));
            return commands.push(Command::Finish { transaction, commit: true, correlation });
        }
        if self.rng.chance(15) {
            self.checks.together.push((one, two));
            let message = message(one, &[to, 1 - to], bytes, false);
            let correlation = Some(self.asks(c, Asked::Send(vec![one, two], None)));
            return commands.push(Command::Send { message, transaction: None, correlation });
        }
        let named = self.rng.chance(30);
        let mut message = message(one, &[to], bytes, named);
        if self.rng.chance(15) {
            message = later(&message, self.rng.below(500));
        }
        let correlation = Some(self.asks(c, Asked::Send(vec![one], named.then(|| message.clone()))));
        commands.push(Command::Send { message, transaction: None, correlation });
    }

    fn settle(&mut self, c: usize, load: bool, commands: &mut Vec<Command>) {
        if self.clients[c].held.is_empty() || load && !self.rng.chance(18) {
            return;
        }
        let most = if load { 1 + self.rng.below(PREFETCH.into()) as usize } else { usize::MAX };
        let held = &mut self.clients[c].held;
        let taken: Vec<_> = held.drain(..held.len().min(most)).collect();
        let deliveries = taken.iter().map(|it| it.delivery).collect();
        if load && self.rng.chance(5) {
            let verdict = Verdict::Released { counted: false };
            return commands.push(Command::Settle {
                deliveries,
                verdict,
                transaction: None,
                correlation: None,
            });
        }
        let numbers: Vec<u64> = taken.iter().map(|it| it.number).collect();
        self.checks.settling.extend(&numbers);
        // Those that nobody wants to hear of wait for company.
        let heard = self.rng.chance(75);
        let correlation = heard.then(|| self.asks(c, Asked::Settle(numbers)));
        let verdict = Verdict::Consumed;
        commands.push(Command::Settle { deliveries, verdict, transaction: None, correlation });
    }

    /// Takes what the session was told.
    fn hear(&mut self, c: usize) {
        while let Some(events) = self.clients[c].events.as_mut().and_then(|it| it.try_recv().ok()) {
            for event in events {
                match event {
                    SessionEvent::Delivery { delivery, message, redelivered, .. } => {
                        self.delivered(c, delivery, &message, redelivered);
                    }
                    SessionEvent::Done { correlation, result } => {
                        let asked = self.clients[c].asked.remove(&correlation.0);
                        match result {
                            Ok(()) => self.confirmed(asked.unwrap_or(Asked::Nothing)),
                            Err(refusal) => self.fail(&format!("a client was refused: {refusal}")),
                        }
                    }
                    SessionEvent::Closed { .. } => {
                        self.clients[c].lose();
                        return;
                    }
                    SessionEvent::BrowseEnd { .. } | SessionEvent::Affected { .. } => {}
                }
            }
        }
    }

    fn confirmed(&mut self, asked: Asked) {
        match asked {
            Asked::Send(numbers, _) => {
                if let Some(lost) = numbers.iter().find(|it| !self.checks.entered.contains_key(it)) {
                    self.fail(&format!("M1: message {lost} is confirmed and not committed"));
                }
                self.checks.confirmed.extend(numbers);
            }
            Asked::Settle(numbers) => {
                let checks = &self.checks;
                if let Some(left) = numbers.iter().find(|it| !checks.is_gone(&checks.reference, **it)) {
                    self.fail(&format!("M2: settling {left} is confirmed and not committed"));
                }
                self.checks.settled.extend(numbers);
            }
            Asked::Nothing => {}
        }
    }

    fn delivered(&mut self, c: usize, delivery: DeliveryId, message: &Message, redelivered: bool) {
        let own = place(self.clients[c].number as u64 % 2);
        let place = message.destinations(Field::Destination).position(|it| it == own);
        let (Some(number), Some(place)) = (number(&message.body()), place) else {
            self.fail("M1: a message that nobody sent there");
        };
        let number = number + place as u64;
        self.checks.dispatched += 1;
        if !self.checks.entered.contains_key(&number) {
            self.fail(&format!("R1: message {number} is dispatched and not committed"));
        }
        if self.checks.settled.contains(&number) {
            self.fail(&format!("M2: message {number} is dispatched after it was settled"));
        }
        if !self.checks.seen.insert(number) && !redelivered {
            self.fail(&format!("message {number} comes again and is not marked as redelivered"));
        }
        let kind = message.properties().find(|(name, _)| *name == "k").map(|(_, value)| value);
        if self.clients[c].selects.is_some_and(|wanted| kind != Some(PropertyValue::Long(wanted as i64))) {
            self.fail(&format!("message {number} is not for who gets it"));
        }
        let group = message.field(Field::Group).map(Bytes::copy_from_slice);
        let (at, own) = (self.clients[c].at, self.clients[c].number % 2);
        let others = self.clients.iter().filter(|it| it.number != c && it.at == at && it.number % 2 == own);
        if group.is_some() && others.flat_map(|it| &it.held).any(|it| it.group == group) {
            self.fail(&format!("message {number} is of a group that another consumer works on"));
        }
        self.clients[c].held.push(Held { delivery, number, group });
    }
}
