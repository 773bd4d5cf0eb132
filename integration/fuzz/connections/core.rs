//! The core of a lone node without its threads: gate, broker and record format as shipped; what it appends is committed
//! at once or held back, and a slave's broker folds the same bytes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use quorate::broker::{
    Broker, BrokerOptions, Gate, Inbound, Inboxes, ReadId, ReadRequest, SessionOptions, Spill, SpillId,
    Spilled,
};
use quorate::model::{DestinationId, Epoch, Message, Offset, Place, Record, Sequence};
use quorate::state::State;
use quorate::storage::{BatchBuilder, Expired, Loaded, join_body, push_group, records, verify};
use tokio::sync::mpsc;

/// Bytes of messages that sessions may have waiting.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Bytes that may be appended and not committed; then sessions wait at the gate.
const IN_FLIGHT_BYTES_MAX: usize = 4 << 20;
/// Submissions that are taken in one round.
const ROUND_SUBMISSIONS: usize = 256;
/// A batch is closed when it has grown to this.
const BATCH_BYTES: usize = 1 << 20;
/// The wall clock's time at the start of a run, in ms since 1970.
pub(super) const WALL_MS: i64 = 1_700_000_000_000;

/// Small bounds, so that inputs of a few MiB reach all of them.
fn options() -> BrokerOptions {
    BrokerOptions {
        memory_limit: 1 << 20,
        temp_limit: 2 << 20,
        session: SessionOptions { pending_bytes_max: 4 << 20, ..SessionOptions::default() },
        transaction_bytes_max: 2 << 20,
        window_entries_max: 16,
        window_bytes_max: 1 << 20,
        windows_bytes_max: 2 << 20,
        backlog_entries_max: 100,
        backlog_bytes_max: 256 << 10,
        ..BrokerOptions::default()
    }
}

/// What the log was given, as far as it tells one run from another.
#[derive(Default)]
pub(super) struct Written {
    /// A bit for each kind of record.
    pub(super) kinds: u16,
    /// Bytes of the longest record and of the longest group.
    pub(super) record: usize,
    pub(super) group: usize,
    /// Temporary files.
    pub(super) spills: usize,
}

pub(super) struct Core {
    inbound: mpsc::Receiver<Inbound>,
    broker: Broker,
    slave: Broker,
    inboxes: Inboxes,
    at: Offset,
    last: u32,
    /// Appended and not committed.
    pipeline: VecDeque<(Offset, u32, Bytes)>,
    in_flight: usize,
    /// Whether nothing is committed for now.
    pub(super) holds: bool,
    messages: BTreeMap<(DestinationId, u64), Message>,
    files: BTreeMap<SpillId, Vec<u8>>,
    now: Duration,
    pub(super) written: Written,
}

impl Core {
    pub(super) fn start() -> (Gate, Core) {
        let (gate, inbound) = Gate::bounded(WAITING_BYTES_MAX);
        let mut core = Core {
            inbound,
            broker: Broker::new(options(), State::new()),
            slave: Broker::new(options(), State::new()),
            inboxes: Inboxes::default(),
            at: Offset(0),
            last: 0,
            pipeline: VecDeque::new(),
            in_flight: 0,
            holds: false,
            messages: BTreeMap::new(),
            files: BTreeMap::new(),
            now: Duration::from_secs(1),
            written: Written::default(),
        };
        core.append(&[vec![Record::EpochStart { epoch: Epoch(1), master: "n1".into(), time: WALL_MS }]]);
        core.commit();
        core.broker.promote(core.now, core.wall());
        (gate, core)
    }

    fn wall(&self) -> i64 {
        WALL_MS + self.now.as_millis() as i64
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.broker.tick(self.now, self.wall());
    }

    /// One round of the node's loop; false when there was nothing to do.
    pub(super) fn round(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..ROUND_SUBMISSIONS {
            if self.in_flight >= IN_FLIGHT_BYTES_MAX {
                break;
            }
            let Ok(inbound) = self.inbound.try_recv() else { break };
            self.broker.take(self.now, self.wall(), inbound, &mut self.inboxes);
            busy = true;
        }
        if !self.holds {
            busy |= !self.pipeline.is_empty();
            self.commit();
        }
        self.broker.dispatch_allowed(true);
        let output = self.broker.take_output(self.now);
        busy |= !output.is_empty();
        assert!(output.damages.is_empty(), "{:?}", output.damages);
        self.inboxes.tell(output.events);
        for (read, request) in output.reads {
            let found = self.read(&request);
            self.broker.loaded(read, Ok(found));
        }
        if let Some((read, request, wall)) = output.expiry {
            self.look_for_expired(read, &request, wall);
        }
        output.spills.into_iter().for_each(|spill| self.spill(spill));
        self.append(&output.proposals);
        busy
    }

    /// Writes groups as a node does; a slave must be able to read them.
    fn append(&mut self, groups: &[Vec<Record>]) {
        let mut groups = groups.iter().peekable();
        while groups.peek().is_some() {
            let (at, previous) = (self.at, self.last);
            let mut builder = BatchBuilder::new(at, previous, Epoch(1));
            while builder.len() < BATCH_BYTES
                && let Some(group) = groups.next()
            {
                let before = builder.len();
                push_group(&mut builder, group);
                self.written.group = self.written.group.max(builder.len() - before);
            }
            let batch = builder.finish();
            (self.at, self.last) = (batch.end(), batch.last);
            self.in_flight += batch.bytes.len();
            self.pipeline.push_back((at, previous, batch.bytes));
        }
    }

    /// Commits and applies all that is appended.
    fn commit(&mut self) {
        let mut group = Vec::new();
        while let Some((at, previous, bytes)) = self.pipeline.pop_front() {
            verify(at, previous, &bytes).expect("a batch of this node");
            for view in records(at, &bytes) {
                self.written.kinds |= 1 << view.kind.min(15);
                self.written.record = self.written.record.max(view.payload.len());
                let record = Record::decode(view.kind, view.payload).expect("a record of this node");
                group.push((view.offset, record));
                if !view.more {
                    self.apply(&std::mem::take(&mut group));
                }
            }
        }
        assert!(group.is_empty(), "a group is whole");
        self.in_flight = 0;
    }

    fn apply(&mut self, group: &[(Offset, Record)]) {
        let mut chunks = Vec::new();
        for (_, record) in group {
            match record {
                Record::Chunk(chunk) => chunks.push(chunk.clone()),
                Record::Message { places, message } => {
                    let whole = match chunks.is_empty() {
                        true => message.clone(),
                        false => join_body(&std::mem::take(&mut chunks), message).expect("a cut body"),
                    };
                    let stored = places.iter().map(|it| ((it.destination, it.sequence.0), whole.clone()));
                    self.messages.extend(stored);
                }
                _ => {}
            }
        }
        let (now, wall) = (self.now, self.wall());
        self.broker.apply(now, wall, group);
        self.slave.apply(now, wall, group);
    }

    fn read(&self, request: &ReadRequest) -> Vec<Loaded> {
        let (mut loaded, mut bytes) = (Vec::new(), 0);
        for sequence in request.ranges.iter().flat_map(|(first, last)| *first..=*last) {
            let Some(message) = self.messages.get(&(request.destination, sequence)) else { continue };
            bytes += message.encoded().len();
            if !loaded.is_empty() && (loaded.len() == request.entries_max || bytes > request.bytes_max) {
                break;
            }
            loaded.push(read_alone(request.destination, sequence, message));
        }
        loaded
    }

    /// A log knows times of expiry to the second.
    fn look_for_expired(&mut self, read: ReadId, request: &ReadRequest, wall: i64) {
        let (mut messages, mut whole, mut next) = (Vec::new(), true, None);
        for sequence in request.ranges.iter().flat_map(|(first, last)| *first..=*last) {
            let Some(message) = self.messages.get(&(request.destination, sequence)) else { continue };
            let at = message.expiry().saturating_add(999) / 1000 * 1000;
            if message.expiry() == 0 {
                continue;
            } else if at > wall {
                next = Some(next.map_or(at, |next: i64| next.min(at)));
            } else if messages.len() < request.entries_max {
                messages.push(read_alone(request.destination, sequence, message));
            } else {
                whole = false;
            }
        }
        self.broker.expired(read, Ok(Expired { messages, whole, next }));
    }

    fn spill(&mut self, spill: Spill) {
        match spill {
            Spill::Write(spill, messages) => {
                self.written.spills += 1;
                self.files.insert(spill, messages.encode());
                self.broker.spilled(spill, true);
            }
            Spill::Read(spill) => {
                let found = self.files.get(&spill).and_then(|bytes| Spilled::decode(bytes));
                self.broker.unspilled(spill, found);
            }
            Spill::Remove(spill) => drop(self.files.remove(&spill)),
            Spill::RemoveAll => self.files.clear(),
        }
    }

    /// The fold of a slave is the master's.
    pub(super) fn compare(&self) {
        assert_eq!(self.broker.state().digest(), self.slave.state().digest(), "master and slave differ");
    }
}

/// A message as it is read from a log where it stands in one place.
fn read_alone(destination: DestinationId, sequence: u64, message: &Message) -> Loaded {
    let sequence = Sequence(sequence);
    Loaded { sequence, places: Place { destination, sequence }.into(), message: message.clone() }
}
