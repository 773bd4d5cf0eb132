//! A broker, a log in memory, and clients that speak in short words.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::broker::{
    Broker, BrokerOptions, Command, Correlation, DeliveryId, DestinationStatus, Outbox, PAGE_ENTRIES_MAX,
    ReadId, ReadRequest, Refusal, SessionEvent, SessionId, SessionInfo, Spill, SpillId, Spilled, Submission,
    SubscribeOptions, SubscriptionKey, TransactionKey, Verdict,
};
use crate::model::{
    Destination, DestinationId, DestinationKind, Encoding, Epoch, Field, Message, MessageBuilder, Offset,
    Place, Record, Sequence,
};
use crate::state::State;
use crate::storage::{BatchBuilder, Expired, Loaded, RecordView, push_group, records};

/// One delivery as a client sees it.
#[derive(Clone, Debug)]
pub(in crate::broker::tests) struct Got {
    pub(in crate::broker::tests) subscription: u64,
    pub(in crate::broker::tests) delivery: DeliveryId,
    pub(in crate::broker::tests) destination: Option<Destination>,
    pub(in crate::broker::tests) message: Message,
    pub(in crate::broker::tests) redelivered: bool,
    pub(in crate::broker::tests) first_of_group: bool,
    pub(in crate::broker::tests) failures: u32,
}

impl Got {
    pub(in crate::broker::tests) fn body(&self) -> String {
        String::from_utf8(self.message.body().to_vec()).unwrap()
    }
}

/// See the module.
pub(in crate::broker::tests) struct World {
    pub(in crate::broker::tests) broker: Broker,
    pub(in crate::broker::tests) options: BrokerOptions,
    pub(in crate::broker::tests) log: Vec<Vec<Record>>,
    /// Groups that are proposed and not committed.
    pub(in crate::broker::tests) pipeline: VecDeque<Vec<Record>>,
    pub(in crate::broker::tests) reads: VecDeque<(ReadId, ReadRequest)>,
    pub(in crate::broker::tests) expiry: Option<(ReadId, ReadRequest, i64)>,
    /// What is asked of temporary files, the files, and whether they can be written and read.
    pub(in crate::broker::tests) spills: VecDeque<Spill>,
    pub(in crate::broker::tests) files: BTreeMap<SpillId, Vec<u8>>,
    pub(in crate::broker::tests) files_work: bool,
    /// Whether groups commit and reads are answered by themselves.
    pub(in crate::broker::tests) automatic: bool,
    pub(in crate::broker::tests) now: Duration,
    pub(in crate::broker::tests) wall: i64,
    pub(in crate::broker::tests) damages: Vec<String>,
    /// Whether the broker wants to be asked again at once.
    again: bool,
    events: BTreeMap<u64, Vec<SessionEvent>>,
    store: BTreeMap<(DestinationId, u64), Message>,
    /// Where the log ends, and the checksum of its last record.
    pub(in crate::broker::tests) end: Offset,
    last: u32,
    correlations: u64,
}

pub(in crate::broker::tests) fn queue(name: &str) -> Destination {
    Destination::new(DestinationKind::Queue, name).unwrap()
}

pub(in crate::broker::tests) fn topic(name: &str) -> Destination {
    Destination::new(DestinationKind::Topic, name).unwrap()
}

pub(in crate::broker::tests) fn message(to: &[&Destination], body: &str, persistent: bool) -> MessageBuilder {
    let mut builder = MessageBuilder::new(Encoding::Native);
    builder.persistent = persistent;
    builder.body = body.to_owned().into();
    to.iter().for_each(|it| {
        builder.destination(Field::Destination, it);
    });
    builder
}

pub(in crate::broker::tests) fn prefetch(prefetch: u32) -> SubscribeOptions {
    SubscribeOptions {
        prefetch,
        selector: String::new(),
        exclusive: false,
        priority: 0,
        no_local: false,
        browse: false,
        durable_name: None,
        shared: false,
        bridge: bytes::Bytes::new(),
    }
}

impl World {
    pub(in crate::broker::tests) fn new() -> World {
        World::with(BrokerOptions::default())
    }

    pub(in crate::broker::tests) fn with(options: BrokerOptions) -> World {
        let mut world = World {
            broker: Broker::new(options.clone(), State::new()),
            options,
            log: Vec::new(),
            pipeline: VecDeque::new(),
            reads: VecDeque::new(),
            expiry: None,
            spills: VecDeque::new(),
            files: BTreeMap::new(),
            files_work: true,
            automatic: true,
            now: Duration::from_secs(1),
            wall: 1_000_000,
            damages: Vec::new(),
            again: false,
            events: BTreeMap::new(),
            store: BTreeMap::new(),
            end: Offset(0),
            last: 0,
            correlations: 0,
        };
        let start = Record::EpochStart { epoch: Default::default(), master: "n1".into(), time: 0 };
        world.commit_group(vec![start]);
        world.serve();
        world
    }

    fn serve(&mut self) {
        self.broker.check();
        self.broker.promote(self.now, self.wall);
        self.broker.dispatch_allowed(true);
    }

    /// The master dies; of what it had proposed, the first `keep` groups survive. Another node, which folded the same
    /// log, takes over.
    pub(in crate::broker::tests) fn fail_over(&mut self, keep: usize) {
        let mut slave = Broker::new(self.options.clone(), State::new());
        self.collect();
        let kept: Vec<_> = self.pipeline.drain(..).take(keep).collect();
        self.reads.clear();
        self.expiry = None;
        self.events.clear();
        std::mem::swap(&mut self.broker, &mut slave);
        let log = std::mem::take(&mut self.log);
        (self.end, self.last) = (Offset(0), 0);
        log.into_iter().chain(kept).for_each(|group| self.commit_group(group));
        self.serve();
    }

    fn commit_group(&mut self, group: Vec<Record>) {
        for record in &group {
            if let Record::Message { places, message } = record {
                let stored = places.iter().map(|it| ((it.destination, it.sequence.0), message.clone()));
                self.store.extend(stored);
            }
        }
        // What the node does to a group, with the log's limits.
        let mut builder = BatchBuilder::new(self.end, self.last, Epoch(1));
        push_group(&mut builder, &group);
        let batch = builder.finish();
        (self.end, self.last) = (batch.end(), batch.last);
        let decode = |view: RecordView| (view.offset, Record::decode(view.kind, view.payload).unwrap());
        let decoded: Vec<_> = records(batch.at, &batch.bytes).map(decode).collect();
        self.broker.apply(self.now, self.wall, &decoded);
        self.log.push(group);
    }

    fn collect(&mut self) -> bool {
        let output = self.broker.take_output(self.now);
        let some = !output.is_empty();
        self.again = output.again.is_some_and(|at| at <= self.now);
        self.pipeline.extend(output.proposals);
        self.reads.extend(output.reads);
        if let Some(asked) = output.expiry {
            assert!(self.expiry.replace(asked).is_none(), "two searches for expired messages");
        }
        self.spills.extend(output.spills);
        self.damages.extend(output.damages);
        for (session, events) in output.events {
            self.events.entry(session.0).or_default().extend(events);
        }
        self.broker.check();
        some
    }

    /// Commits so many groups.
    pub(in crate::broker::tests) fn commit(&mut self, groups: usize) {
        for _ in 0..groups {
            let Some(group) = self.pipeline.pop_front() else { break };
            self.commit_group(group);
        }
        self.collect();
    }

    /// Answers the oldest read.
    pub(in crate::broker::tests) fn answer_read(&mut self) {
        let Some((read, request)) = self.reads.pop_front() else { return };
        let mut loaded = Vec::new();
        let mut bytes = 0;
        let wanted = request.ranges.iter().flat_map(|(first, last)| *first..=*last);
        for at in wanted {
            let Some(message) = self.store.get(&(request.destination, at)) else { continue };
            bytes += message.encoded().len();
            if !loaded.is_empty() && (loaded.len() == request.entries_max || bytes > request.bytes_max) {
                break;
            }
            loaded.push(read_alone(request.destination, at, message));
        }
        self.broker.loaded(read, Ok(loaded));
        self.collect();
    }

    /// Answers the search for expired messages. The log knows their times to the second.
    pub(in crate::broker::tests) fn answer_expiry(&mut self) {
        let Some((read, request, wall)) = self.expiry.take() else { return };
        let wanted = request.ranges.iter().flat_map(|(first, last)| *first..=*last);
        let message = |at| Some((at, self.store.get(&(request.destination, at))?.clone()));
        let expiring = wanted.filter_map(message).filter(|(_, it)| it.expiry() != 0);
        let seconds = |message: &Message| message.expiry().saturating_add(999) / 1000;
        let (gone, later): (Vec<_>, Vec<_>) = expiring.partition(|(_, it)| seconds(it) <= wall / 1000);
        let loaded = |(at, message)| read_alone(request.destination, at, &message);
        let messages: Vec<_> = gone.into_iter().take(request.entries_max).map(loaded).collect();
        let expired = Expired {
            whole: messages.len() < request.entries_max,
            next: later.iter().map(|(_, it)| seconds(it) * 1000).min(),
            messages,
        };
        self.broker.expired(read, Ok(expired));
        self.collect();
    }

    /// Does the oldest of what is asked of temporary files.
    pub(in crate::broker::tests) fn do_spill(&mut self) {
        match self.spills.pop_front() {
            None => {}
            Some(Spill::Write(spill, messages)) => {
                if self.files_work {
                    self.files.insert(spill, messages.encode());
                }
                self.broker.spilled(spill, self.files_work);
            }
            Some(Spill::Read(spill)) => {
                let bytes = self.files.get(&spill).filter(|_| self.files_work);
                self.broker.unspilled(spill, bytes.and_then(|bytes| Spilled::decode(bytes)));
            }
            Some(Spill::Remove(spill)) => drop(self.files.remove(&spill)),
            Some(Spill::RemoveAll) => self.files.clear(),
        }
        self.collect();
    }

    /// Makes the stored message unreadable.
    pub(in crate::broker::tests) fn damage(&mut self, body: &str) {
        self.store.retain(|_, message| message.body() != body.as_bytes());
    }

    /// Lets everything happen that can, if that happens by itself.
    pub(in crate::broker::tests) fn settle_down(&mut self) {
        self.collect();
        while self.automatic {
            self.commit(self.pipeline.len());
            self.answer_read();
            self.answer_expiry();
            self.do_spill();
            let idle = self.pipeline.is_empty()
                && self.reads.is_empty()
                && self.expiry.is_none()
                && self.spills.is_empty()
                && !self.again;
            if !self.collect() && idle {
                break;
            }
        }
    }

    pub(in crate::broker::tests) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.wall += time.as_millis() as i64;
        self.broker.tick(self.now, self.wall);
        self.settle_down();
    }

    pub(in crate::broker::tests) fn open(&mut self, session: u64) {
        self.open_as(session, "");
    }

    /// Opens a session of a client with this id.
    pub(in crate::broker::tests) fn open_as(&mut self, session: u64, client_id: &str) {
        let info = SessionInfo { client_id: client_id.to_owned(), ..SessionInfo::default() };
        self.open_with(session, info);
    }

    pub(in crate::broker::tests) fn open_with(&mut self, session: u64, info: SessionInfo) {
        self.broker.open(SessionId(session), info, Outbox::default());
    }

    pub(in crate::broker::tests) fn close(&mut self, session: u64) {
        self.broker.close(SessionId(session));
        self.events.remove(&session);
        self.settle_down();
    }

    pub(in crate::broker::tests) fn ask(
        &mut self,
        session: u64,
        command: impl FnOnce(Option<Correlation>) -> Command,
    ) -> u64 {
        self.correlations += 1;
        let command = command(Some(Correlation(self.correlations)));
        self.broker.submit(self.now, self.wall, SessionId(session), Submission::from(vec![command]));
        self.settle_down();
        self.correlations
    }

    pub(in crate::broker::tests) fn send_message(&mut self, session: u64, message: Message) -> u64 {
        self.ask(session, |correlation| Command::Send { message, transaction: None, correlation })
    }

    /// Sends a persistent message to a queue.
    pub(in crate::broker::tests) fn send(&mut self, session: u64, to: &str, body: &str) -> u64 {
        self.send_message(session, message(&[&queue(to)], body, true).build().unwrap())
    }

    /// Sends a non-persistent message to a queue.
    pub(in crate::broker::tests) fn send_fast(&mut self, session: u64, to: &str, body: &str) -> u64 {
        self.send_message(session, message(&[&queue(to)], body, false).build().unwrap())
    }

    pub(in crate::broker::tests) fn subscribe(
        &mut self,
        session: u64,
        key: u64,
        to: Destination,
        options: SubscribeOptions,
    ) -> u64 {
        self.ask(session, |correlation| Command::Subscribe {
            subscription: SubscriptionKey(key),
            destination: to,
            options,
            correlation,
        })
    }

    pub(in crate::broker::tests) fn unsubscribe(&mut self, session: u64, key: u64) -> u64 {
        self.ask(session, |correlation| Command::Unsubscribe {
            subscription: SubscriptionKey(key),
            transacted: Vec::new(),
            correlation,
        })
    }

    pub(in crate::broker::tests) fn settle(&mut self, session: u64, got: &[Got], verdict: Verdict) -> u64 {
        let deliveries = got.iter().map(|it| it.delivery).collect();
        self.ask(session, |correlation| Command::Settle {
            deliveries,
            verdict,
            transaction: None,
            correlation,
        })
    }

    /// Consumes without asking for an answer, in a round that others may have a part in.
    pub(in crate::broker::tests) fn consume_quietly(&mut self, session: u64, got: &[Got]) {
        let (deliveries, verdict) = (got.iter().map(|it| it.delivery).collect(), Verdict::Consumed);
        let settle = Command::Settle { deliveries, verdict, transaction: None, correlation: None };
        self.broker.submit(self.now, self.wall, SessionId(session), Submission::from(vec![settle]));
    }

    /// Purges a queue; returns how many messages that is said to be about, and the command.
    pub(in crate::broker::tests) fn purge(&mut self, session: u64, name: &str) -> (Option<u64>, u64) {
        let destination = queue(name);
        self.affect(session, |correlation| Command::Purge { destination, correlation })
    }

    /// The same of another command.
    pub(super) fn affect(
        &mut self,
        session: u64,
        command: impl FnOnce(Option<Correlation>) -> Command,
    ) -> (Option<u64>, u64) {
        let asked = self.ask(session, command);
        (self.affected(session, asked), asked)
    }

    /// How many messages a command is said to be about.
    pub(super) fn affected(&mut self, session: u64, asked: u64) -> Option<u64> {
        let mut count = None;
        self.told(session, |event| match event {
            SessionEvent::Affected { correlation, messages } if correlation.0 == asked => {
                count = Some(*messages);
                true
            }
            _ => false,
        });
        count
    }

    pub(in crate::broker::tests) fn begin(&mut self, session: u64, key: u64) -> u64 {
        self.ask(session, |correlation| Command::Begin { transaction: TransactionKey(key), correlation })
    }

    pub(in crate::broker::tests) fn finish(&mut self, session: u64, key: u64, commit: bool) -> u64 {
        let transaction = TransactionKey(key);
        self.ask(session, |correlation| Command::Finish { transaction, commit, correlation })
    }

    /// The answer to a command, once.
    pub(in crate::broker::tests) fn answer(
        &mut self,
        session: u64,
        wanted: u64,
    ) -> Option<Result<(), Refusal>> {
        let events = self.events.get_mut(&session)?;
        let is_it = |event: &SessionEvent| matches!(event, SessionEvent::Done { correlation, .. } if correlation.0 == wanted);
        let at = events.iter().position(is_it)?;
        match events.remove(at) {
            SessionEvent::Done { result, .. } => Some(result),
            _ => None,
        }
    }

    /// Takes the deliveries that have come.
    pub(in crate::broker::tests) fn got(&mut self, session: u64) -> Vec<Got> {
        let mut out = Vec::new();
        let Some(events) = self.events.get_mut(&session) else { return out };
        events.retain(|event| match event {
            SessionEvent::Delivery {
                subscription,
                delivery,
                destination,
                message,
                redelivered,
                first_of_group,
                failures,
            } => {
                out.push(Got {
                    subscription: subscription.0,
                    delivery: *delivery,
                    destination: destination.as_deref().cloned(),
                    message: message.clone(),
                    redelivered: *redelivered,
                    first_of_group: *first_of_group,
                    failures: *failures,
                });
                false
            }
            _ => true,
        });
        out
    }

    pub(in crate::broker::tests) fn bodies(&mut self, session: u64) -> Vec<String> {
        self.got(session).iter().map(Got::body).collect()
    }

    /// Takes the answers that have come.
    pub(in crate::broker::tests) fn answers(&mut self, session: u64) -> Vec<(u64, Result<(), Refusal>)> {
        let mut out = Vec::new();
        let Some(events) = self.events.get_mut(&session) else { return out };
        events.retain(|event| match event {
            SessionEvent::Done { correlation, result } => {
                out.push((correlation.0, result.clone()));
                false
            }
            _ => true,
        });
        out
    }

    /// Whether an event other than deliveries has come; takes it.
    pub(in crate::broker::tests) fn told(
        &mut self,
        session: u64,
        mut is_it: impl FnMut(&SessionEvent) -> bool,
    ) -> bool {
        let events = self.events.entry(session).or_default();
        let before = events.len();
        events.retain(|event| !is_it(event));
        events.len() < before
    }

    pub(in crate::broker::tests) fn view(&self, destination: &Destination) -> DestinationStatus {
        let figures = self.broker.figures();
        let all = match destination.kind {
            kind if kind.is_queue() => figures.queues(None, PAGE_ENTRIES_MAX),
            kind if kind.is_topic() => figures.topics(None, PAGE_ENTRIES_MAX),
            kind => panic!("{kind:?}"),
        };
        let is_it =
            |it: &DestinationStatus| it.kind == destination.kind.scheme() && it.name == destination.name;
        all.items.into_iter().find(is_it).unwrap()
    }
}

/// A message as it is read from a log where it stands in one place.
fn read_alone(destination: DestinationId, sequence: u64, message: &Message) -> Loaded {
    let sequence = Sequence(sequence);
    Loaded { sequence, places: Place { destination, sequence }.into(), message: message.clone() }
}
