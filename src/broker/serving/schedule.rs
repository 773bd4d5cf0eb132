//! Messages that are sent later, and again: they wait in a destination of their own, the schedule, which the fold keeps sorted by
//! time, and are sent from there like any other message, in one group of the log with their leaving. So a message is sent once
//! whatever happens, and written twice. The topic that ActiveMQ has for it shows and removes them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::broker::figures::DestinationFigures;
use crate::broker::output::ReadRequest;
use crate::broker::schedule::Schedule;
use crate::broker::{Correlation, Principal, Refusal, SessionId};
use crate::bugs;
use crate::model::{
    Destination, DestinationId, DestinationKind, Field, Message, MessageBuilder, Outcome, Place,
    PropertyValue, Record, SCHEDULED_PREFIX, Sequence, touching,
};
use crate::security::Permission;
use crate::state::{DueAt, State};
use crate::storage::Loaded;

use super::Serving;
use super::acknowledge::{settle_ranges, settle_records};
use super::applied::Pending;
use super::disk::Purpose;
use super::send::Collected;
use super::sessions::Waiter;

/// The name of the schedule.
const SCHEDULE: &str = "ActiveMQ.Scheduler";
/// Where the schedule is asked for, as in ActiveMQ.
const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";
const ACTION: &str = "AMQ_SCHEDULER_ACTION";
const ACTION_START: &str = "ACTION_START_TIME";
const ACTION_END: &str = "ACTION_END_TIME";
/// The property that names a scheduled message, and what the name begins with.
const JOB_ID: &str = "scheduledJobId";
const JOB: &str = "ID:quorate-job-";
/// Messages that may be scheduled at once; each takes some 60 bytes in each node's memory.
const SCHEDULED_MAX: usize = 4 << 20;
/// Messages in one read, and bytes of their bodies.
const READ_MAX: usize = 256;
const READ_BYTES_MAX: usize = 1 << 20;
/// Messages that have been read and are not sent yet.
const SENDING_MAX: usize = 1024;
/// Requests to be shown the schedule that wait for each other.
const LOOKS_MAX: usize = 64;
/// Nobody's session.
const NOBODY: Waiter = Waiter { session: SessionId(0), correlation: None::<Correlation> };

/// Somebody wants to see the schedule.
#[derive(Debug)]
struct Look {
    answer_to: Destination,
    from: SessionId,
    /// Times in ms since 1970.
    times: (i64, i64),
    /// The next sequence to look at.
    next: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    schedule: Option<(DestinationId, Arc<DestinationFigures>)>,
    /// The last sequence of the schedule that was given.
    assigned: u64,
    /// Messages that are being read, or on their way through the log.
    sending: BTreeSet<u64>,
    /// Those of them that are being read.
    reading: Vec<u64>,
    is_damaged: bool,
    management: Option<DestinationId>,
    looks: VecDeque<Look>,
    /// Times, in ms since 1970, between which all goes.
    removals: Vec<(i64, i64)>,
    is_looking: bool,
    /// A moment, and the time of day then.
    clock: (Duration, i64),
}

impl Scheduler {
    pub(super) fn set_time(&mut self, now: Duration, wall: i64) {
        self.clock = (now, wall);
    }

    fn wall(&self, now: Duration) -> i64 {
        let (at, wall) = self.clock;
        wall + now.saturating_sub(at).as_millis() as i64
    }

    /// Takes a destination that is its business; returns whether it is the schedule.
    pub(super) fn install(
        &mut self,
        id: DestinationId,
        figures: &Arc<DestinationFigures>,
        next: u64,
    ) -> bool {
        let Destination { kind, name } = &*figures.destination;
        if *kind == DestinationKind::Topic && name == MANAGEMENT {
            self.management = Some(id);
        }
        if *kind != DestinationKind::Schedule {
            return false;
        }
        self.schedule = Some((id, Arc::clone(figures)));
        self.assigned = next - 1;
        true
    }

    /// A destination is gone.
    pub(super) fn remove(&mut self, id: DestinationId) {
        self.management.take_if(|it| *it == id);
    }

    pub(super) fn figures(&self, id: DestinationId) -> Option<&Arc<DestinationFigures>> {
        self.schedule.as_ref().filter(|(schedule, _)| *schedule == id).map(|(_, figures)| figures)
    }

    pub(super) fn is_management(&self, id: DestinationId) -> bool {
        self.management == Some(id)
    }

    /// A message of the schedule was sent, or is to be sent again, or is gone.
    pub(super) fn done(&mut self, id: DestinationId, ranges: &[(u64, u64)]) {
        if self.figures(id).is_some() {
            self.sending.retain(|it| !ranges.iter().any(|(first, last)| (first..=last).contains(&it)));
        }
    }
}

fn job_id(sequence: u64) -> String {
    format!("{JOB}{sequence}")
}

impl Serving {
    /// When a message is to be sent, in ms since 1970; none for one that is sent now.
    ///
    /// # Errors
    /// What it says about that makes no sense, or too many messages are scheduled.
    pub(super) fn due_time(&self, message: &Message) -> Result<Option<i64>, Refusal> {
        let Some(schedule) = Schedule::read(message).map_err(Refusal::Invalid)? else { return Ok(None) };
        if self.options.volatile {
            return Err(Refusal::Unsupported("delivery at a later time, without a store,"));
        }
        let scheduled = self.scheduler.schedule.as_ref().map_or(0, |(_, figures)| figures.size());
        if scheduled >= SCHEDULED_MAX as u64 {
            return Err(Refusal::Limit(format!("{SCHEDULED_MAX} messages are scheduled already")));
        }
        let never = || Refusal::Invalid("the time at which it is to be sent never comes".into());
        schedule.first(self.wall).map(Some).ok_or_else(never)
    }

    /// Puts a message into the schedule.
    pub(super) fn put_off(&mut self, message: &Message, due: i64, to: &mut Collected) {
        let schedule = Destination { kind: DestinationKind::Schedule, name: SCHEDULE.to_owned() };
        let destination = match self.known(&schedule) {
            Some(id) => id,
            None => self.create(schedule, Pending::Nobody),
        };
        let mut builder = MessageBuilder::from_message(message);
        builder.due = due;
        let Ok(message) = builder.build() else { return };
        self.scheduler.assigned += 1;
        let sequence = Sequence(self.scheduler.assigned);
        to.put(Place { destination, sequence }.into(), &message);
    }

    /// Reads the messages whose time has come.
    pub(super) fn read_due(&mut self, state: &State) {
        let Some(id) = self.scheduler.schedule.as_ref().map(|(id, _)| *id) else { return };
        let may_send = !self.stores_held && self.clients.pending_bytes() < self.options.pipeline_bytes_max;
        let scheduler = &self.scheduler;
        let is_busy = !scheduler.reading.is_empty() || scheduler.sending.len() >= SENDING_MAX;
        if is_busy || scheduler.is_damaged || !may_send {
            return;
        }
        let (wall, Some(found)) = (scheduler.wall(self.now), state.destination(id)) else { return };
        let due = found.due().in_order().take_while(|(at, _)| *at <= wall).map(|(_, sequence)| sequence);
        let mut due: Vec<u64> = due.filter(|it| !scheduler.sending.contains(it)).take(READ_MAX).collect();
        if due.is_empty() {
            return;
        }
        due.sort_unstable();
        self.scheduler.sending.extend(&due);
        let ranges = touching(due.iter().copied());
        self.scheduler.reading = due;
        self.ask_for(id, ranges, Purpose::Due);
    }

    fn ask_for(&mut self, destination: DestinationId, ranges: Vec<(u64, u64)>, purpose: Purpose) {
        let request = ReadRequest { destination, ranges, entries_max: READ_MAX, bytes_max: READ_BYTES_MAX };
        self.reads.ask(purpose, request);
    }

    /// When the next message is to be sent, if that is not now.
    pub(super) fn next_due(&self, state: &State) -> Option<Duration> {
        let (id, _) = self.scheduler.schedule.as_ref()?;
        let wall = self.scheduler.wall(self.now);
        let mut due = state.destination(*id)?.due().in_order();
        let (at, _) = due.find(|(_, sequence)| !self.scheduler.sending.contains(sequence))?;
        // What is late waits for something that wakes the broker anyway.
        let left = u64::try_from(at - wall).ok().filter(|left| *left > 0)?;
        Some(self.now + Duration::from_millis(left))
    }

    /// Messages whose time has come have been read.
    pub(super) fn loaded_due(&mut self, state: &State, result: Result<Vec<Loaded>, String>) {
        let Some((id, _)) = self.scheduler.schedule.clone() else { return };
        let asked = std::mem::take(&mut self.scheduler.reading);
        let loaded = match result {
            Ok(loaded) if !loaded.is_empty() => loaded,
            other => {
                let reason =
                    other.err().unwrap_or_else(|| "a scheduled message is not in the log".to_owned());
                self.scheduler.is_damaged = true;
                return self.reads.complain(format!("the schedule: {reason}"));
            }
        };
        // Those for which there was no room come with the next read.
        let last = loaded.last().map_or(0, |it| it.sequence.0);
        self.scheduler.sending.retain(|it| *it <= last || !asked.contains(it));
        for Loaded { sequence, message, .. } in loaded {
            match state.destination(id).and_then(|found| found.due().get(sequence.0)) {
                Some(due) => self.send_due(id, sequence.0, due, &message),
                None => drop(self.scheduler.sending.remove(&sequence.0)),
            }
        }
    }

    fn send_due(&mut self, id: DestinationId, sequence: u64, due: DueAt, message: &Message) {
        let mut collected = Collected::default();
        if let Some(copy) = sent_copy(message, sequence, due.sent) {
            match self.targets(&copy, NOBODY.session) {
                Ok(targets) => self.collect(&copy, &targets, NOBODY.session, true, &mut collected),
                // A temporary destination is gone, or there may be no more destinations.
                Err(_) => {
                    let origin = copy.destinations(Field::Destination).next();
                    let dead = origin.and_then(|origin| self.unsent_copy(&origin, &copy));
                    collected.records().extend(dead);
                }
            }
        }
        let wall = self.scheduler.wall(self.now);
        let schedule = Schedule::read(message).ok().flatten();
        match schedule.and_then(|schedule| schedule.next(due, wall)) {
            Some(at) => {
                let sent = due.sent.saturating_add(1);
                let sequence = Sequence(sequence);
                collected.records().push(Record::Rescheduled { destination: id, sequence, due: at, sent });
            }
            None if bugs::on("sent_and_scheduled") && !collected.records().is_empty() => {}
            None => settle_records(id, Outcome::Moved, vec![sequence], collected.records()),
        }
        let (group, late, bytes) = collected.into_parts();
        self.clients.begin_pending(NOBODY, bytes);
        self.propose(group, Pending::Transaction { waiter: NOBODY, bytes, late });
    }

    /// Somebody asks for the schedule to be shown, or for messages to be taken out of it.
    pub(super) fn manage_schedule(&mut self, message: &Message, from: SessionId, to: &mut Collected) {
        let text = |wanted: &str| {
            let found = message.properties().find(|(name, _)| *name == wanted).map(|(_, value)| value);
            match found {
                Some(PropertyValue::String(text)) => Some(text.to_owned()),
                Some(PropertyValue::Long(number)) => Some(number.to_string()),
                _ => None,
            }
        };
        let time = |name: &str| text(name).and_then(|text| text.parse::<i64>().ok());
        let times = (time(ACTION_START).unwrap_or(i64::MIN), time(ACTION_END).unwrap_or(i64::MAX));
        match text(ACTION).as_deref() {
            Some("BROWSE") => {
                let answer_to = message.destinations(Field::ReplyTo).next();
                let answer_to = answer_to.filter(|it| self.may_answer(from, it));
                if let Some(answer_to) = answer_to.filter(|_| self.scheduler.looks.len() < LOOKS_MAX) {
                    self.scheduler.looks.push_back(Look { answer_to, from, times, next: 1 });
                }
            }
            Some("REMOVE") => {
                let id = text(JOB_ID).and_then(|id| id.strip_prefix(JOB)?.parse::<u64>().ok());
                self.unschedule(id.map(|id| (id, id)), to);
            }
            Some("REMOVEALL") if times == (i64::MIN, i64::MAX) => {
                self.unschedule(Some((1, self.scheduler.assigned)), to);
            }
            Some("REMOVEALL") if self.scheduler.removals.len() < LOOKS_MAX => {
                self.scheduler.removals.push(times)
            }
            _ => {}
        }
    }

    fn unschedule(&mut self, range: Option<(u64, u64)>, to: &mut Collected) {
        let schedule = self.scheduler.schedule.as_ref().map(|(id, _)| *id);
        if let Some((id, range)) = schedule.zip(range).filter(|(_, (first, last))| first <= last) {
            settle_ranges(id, Outcome::Purged, &[range], to.records());
        }
    }

    /// Takes out of the schedule what is to be sent between two times.
    pub(super) fn remove_between(&mut self, state: &State) {
        let removals = std::mem::take(&mut self.scheduler.removals);
        let schedule = self.scheduler.schedule.as_ref().map(|(id, _)| *id);
        let Some((id, found)) = schedule.and_then(|id| Some((id, state.destination(id)?))) else { return };
        for (from, to) in removals {
            let due = found.due().in_order().skip_while(|(at, _)| *at < from).take_while(|(at, _)| *at <= to);
            let mut group = Vec::new();
            settle_records(id, Outcome::Purged, due.map(|(_, sequence)| sequence).collect(), &mut group);
            if !group.is_empty() {
                self.propose(group, Pending::Nobody);
            }
        }
    }

    /// Whether a session may have something sent there.
    fn may_answer(&self, session: SessionId, to: &Destination) -> bool {
        match self.clients.get(session).map(super::sessions::Client::principal) {
            Some(Principal::Known(account)) => account.may(Permission::Write, to.kind, &to.name),
            Some(Principal::Claimed(_)) => true,
            None => false,
        }
    }

    /// Reads what the first of those wants to see who want to see the schedule.
    pub(super) fn read_looks(&mut self, state: &State) {
        if self.scheduler.is_looking || self.memory >= self.options.memory_limit {
            return;
        }
        let schedule =
            self.scheduler.schedule.as_ref().and_then(|(id, _)| Some((*id, state.destination(*id)?)));
        let Some(look) = self.scheduler.looks.front() else { return };
        let ranges = schedule.map(|(id, found)| (id, found.unsettled(look.next, READ_MAX)));
        match ranges.filter(|(_, ranges)| !ranges.is_empty()) {
            Some((id, ranges)) => {
                self.scheduler.is_looking = true;
                self.ask_for(id, ranges, Purpose::Schedule);
            }
            None => drop(self.scheduler.looks.pop_front()),
        }
    }

    /// A part of the schedule has been read for somebody.
    pub(super) fn loaded_schedule(&mut self, state: &State, result: Result<Vec<Loaded>, String>) {
        self.scheduler.is_looking = false;
        let Some(mut look) = self.scheduler.looks.pop_front() else { return };
        let (Some((id, _)), Ok(loaded)) = (self.scheduler.schedule.clone(), result) else { return };
        let Some(found) = state.destination(id) else { return };
        let Some(last) = loaded.last().map(|it| it.sequence.0) else { return };
        for Loaded { sequence, message, .. } in loaded {
            let due = found.due().get(sequence.0);
            let is_wanted = due.is_some_and(|due| (look.times.0..=look.times.1).contains(&due.at));
            let shown = shown_copy(&message, sequence.0, &look.answer_to).filter(|_| is_wanted);
            if let Some(shown) = shown
                && let Ok(targets) = self.targets(&shown, look.from)
            {
                // It is not persistent, so that nothing of it enters the log.
                self.collect(&shown, &targets, NOBODY.session, false, &mut Collected::default());
            }
        }
        look.next = last + 1;
        self.scheduler.looks.push_front(look);
    }
}

/// What is sent: the message without the words that have put it off, and with the name of its place in the schedule. One that
/// was sent before is another message.
fn sent_copy(message: &Message, sequence: u64, sent: u32) -> Option<Message> {
    let mut builder = MessageBuilder::from_message(message);
    builder.remove(Field::DuplicateId).remove(Field::ProducerId);
    builder.producer_sequence = 0;
    builder.retain_properties(|name| !name.starts_with(SCHEDULED_PREFIX));
    builder.property(JOB_ID, PropertyValue::String(&job_id(sequence))).send_now();
    if sent > 0 {
        builder.remove(Field::MessageId).field(Field::MessageId, format!("{}:{sent}", job_id(sequence)));
    }
    builder.build().ok()
}

/// What somebody is shown of a scheduled message.
fn shown_copy(message: &Message, sequence: u64, to: &Destination) -> Option<Message> {
    let mut builder = MessageBuilder::from_message(message);
    (builder.persistent, builder.producer_sequence) = (false, 0);
    builder.remove(Field::DuplicateId).remove(Field::ProducerId).remove(Field::Destination);
    builder.destination(Field::Destination, to);
    builder.property(JOB_ID, PropertyValue::String(&job_id(sequence))).send_now();
    builder.build().ok()
}
