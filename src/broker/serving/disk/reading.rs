//! Reading back: the next window of a queue, and bodies of messages that leave it for the dead-letter queue.

use crate::broker::destination::{Entry, LaneId, Next, Queue, Reading};
use crate::broker::output::{ReadId, ReadRequest};
use crate::broker::subscription::{SubscriberId, Subscription};
use crate::broker::table::Table;
use crate::model::{DestinationId, touching};
use crate::state::{DestinationState, State};
use crate::storage::Loaded;

use crate::broker::serving::Serving;
use crate::broker::serving::operate::TransferId;

/// Ranges in one read; more come with the next one.
const RANGES_MAX: usize = 256;
/// Bodies for the dead-letter queue in one read.
const DEAD_MAX: usize = 64;
/// Bytes of bodies for the dead-letter queue in one read, which no window's budget counts.
const DEAD_BYTES_MAX: usize = 1 << 20;

/// What a read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::serving) enum Purpose {
    Window(DestinationId),
    Dead(DestinationId),
    Browse(SubscriberId),
    /// What is scheduled, to be sent.
    Due,
    /// What is scheduled, to be shown.
    Schedule,
    Transfer(TransferId),
}

/// What was asked of the log.
#[derive(Debug)]
pub(in crate::broker::serving) struct Reads {
    purposes: Table<ReadId, Purpose>,
    made: u64,
    requests: Vec<(ReadId, ReadRequest)>,
    /// What could not be read, for operators.
    damages: Vec<String>,
}

impl Reads {
    /// None yet; so many were made under earlier masterships, whose answers must fit no question of this one.
    pub(in crate::broker::serving) fn new(made: u64) -> Reads {
        Reads { purposes: Table::default(), made, requests: Vec::new(), damages: Vec::new() }
    }

    pub(in crate::broker::serving) fn made(&self) -> u64 {
        self.made
    }

    /// A name for a read.
    pub(in crate::broker::serving) fn name(&mut self) -> ReadId {
        self.made += 1;
        ReadId(self.made)
    }

    pub(in crate::broker::serving) fn ask(&mut self, purpose: Purpose, request: ReadRequest) -> ReadId {
        let read = self.name();
        self.purposes.insert(read, purpose);
        self.requests.push((read, request));
        read
    }

    /// Something is damaged.
    pub(in crate::broker::serving) fn complain(&mut self, damage: String) {
        self.damages.push(damage);
    }

    /// What has been found damaged since the last call.
    pub(in crate::broker::serving) fn take_damages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.damages)
    }

    /// What has been asked since the last call.
    pub(in crate::broker::serving) fn take_requests(&mut self) -> Vec<(ReadId, ReadRequest)> {
        std::mem::take(&mut self.requests)
    }
}

impl Serving {
    /// Bytes that windows may still grow by, all together.
    pub(in crate::broker::serving) fn room(&self) -> usize {
        self.options.windows_bytes_max.saturating_sub(self.window_bytes)
    }

    /// Asks for the next messages of a queue when its window runs low and somebody may want them.
    pub(in crate::broker::serving) fn read_ahead(&mut self, state: &DestinationState, id: DestinationId) {
        let entries_max = self.options.window_entries_max;
        let subscriptions = &self.subscriptions;
        let has_credit = |it| subscriptions.get(&it).is_some_and(|it: &Subscription| it.credit() > 0);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let may_read = self.allowed && queue.standing().delivers() && !queue.consumers.is_empty();
        if !may_read || queue.backlog.reading.is_some() || !queue.runs_low(entries_max, has_credit) {
            return;
        }
        queue.backlog.skip_settled(state);
        if !queue.has_unread(state) {
            return;
        }
        if self.options.windows_bytes_max <= self.window_bytes {
            self.reclaim();
        }
        self.make_way(id);
        let room = self.room();
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let room = room.min(self.options.window_bytes_max.saturating_sub(queue.loaded_bytes()));
        let window = queue.backlog.window.len();
        if room == 0 && window > 0 {
            return;
        }
        // Half of what is free: the other half takes in what is sent while the read is under way.
        let entries_max = ((entries_max - window) / 2).max(1);
        let Some((ranges, lane, ahead)) = next_read(queue, state, entries_max as u64) else { return };
        let bytes_max = (room / 2).max(1);
        let request = ReadRequest { destination: id, ranges: ranges.clone(), entries_max, bytes_max };
        let read = self.reads.ask(Purpose::Window(id), request);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.backlog.reading = Some(Reading { read, ranges, entries_max, ahead, lane });
        }
    }

    /// What came back must go out before the window does, and what somebody waits for before what is only sorted: these make
    /// room for it.
    fn make_way(&mut self, id: DestinationId) {
        let full = self.room() == 0;
        let (entries_max, bytes_max) =
            (self.options.window_entries_max / 2, self.options.window_bytes_max / 2);
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let before = queue.loaded_bytes();
        if let Some(lanes) = &mut queue.lanes
            && (full || lanes.loaded() >= entries_max || lanes.bytes() >= bytes_max)
        {
            lanes.unload();
        }
        if queue.backlog.is_blocked() {
            // Without room nothing may stay, so that one message fits in any case.
            let (entries, bytes) = if full { (0, 0) } else { (entries_max, bytes_max) };
            queue.backlog.shrink(entries, bytes);
        }
        self.window_bytes -= before - queue.loaded_bytes();
    }

    /// Takes the windows of queues from which nobody takes anything now, so that others have room.
    fn reclaim(&mut self) {
        if !std::mem::take(&mut self.may_reclaim) {
            return;
        }
        let subscriptions = &self.subscriptions;
        let has_credit = |it| subscriptions.get(&it).is_some_and(|it: &Subscription| it.credit() > 0);
        let mut freed = 0;
        for queue in self.queues.values_mut() {
            let before = queue.loaded_bytes();
            let reads = queue.backlog.reading.is_some();
            if before == 0 || reads || queue.is_hungry(has_credit) {
                continue;
            }
            if queue.outstanding == 0 && queue.lanes.is_none() {
                queue.unload();
            } else {
                queue.shrink(0, 0);
            }
            freed += before - queue.loaded_bytes();
        }
        self.window_bytes -= freed;
    }

    /// The answer to a read.
    pub(in crate::broker) fn loaded(
        &mut self,
        state: &State,
        read: ReadId,
        result: Result<Vec<Loaded>, String>,
    ) {
        match self.reads.purposes.remove(&read) {
            Some(Purpose::Window(id)) => self.loaded_window(state, id, read, result),
            Some(Purpose::Dead(id)) => self.loaded_dead(state, id, result),
            Some(Purpose::Browse(subscriber)) => self.loaded_browse(state, subscriber, result),
            Some(Purpose::Due) => self.loaded_due(state, result),
            Some(Purpose::Schedule) => self.loaded_schedule(state, result),
            Some(Purpose::Transfer(transfer)) => self.loaded_transfer(state, transfer, result),
            None => {}
        }
    }

    fn loaded_window(
        &mut self,
        state: &State,
        id: DestinationId,
        read: ReadId,
        result: Result<Vec<Loaded>, String>,
    ) {
        let (Some(queue), Some(found)) = (self.queues.get_mut(&id), state.destination(id)) else { return };
        let Some(reading) = queue.backlog.reading.take_if(|it| it.read == read) else { return };
        let before = queue.loaded_bytes();
        let outcome = result.and_then(|loaded| take_in(queue, found, &reading, loaded));
        self.window_bytes += queue.loaded_bytes();
        self.window_bytes -= before;
        match outcome {
            Ok(()) => self.touch(id),
            Err(reason) => self.damage(id, &reason),
        }
    }

    /// A queue stands still rather than to skip a message.
    pub(in crate::broker::serving) fn damage(&mut self, id: DestinationId, reason: &str) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.standing_mut().damage();
            self.reads.complain(format!("{}: {reason}", queue.figures.destination));
        }
    }

    /// Asks for the bodies of messages that are to be buried.
    pub(in crate::broker::serving) fn read_dead(&mut self, id: DestinationId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        if queue.dead.is_empty() || queue.dead_reading || queue.standing().is_damaged() {
            return;
        }
        queue.dead_reading = true;
        let ranges = touching(queue.dead.keys().take(DEAD_MAX).copied());
        let request =
            ReadRequest { destination: id, ranges, entries_max: DEAD_MAX, bytes_max: DEAD_BYTES_MAX };
        self.reads.ask(Purpose::Dead(id), request);
    }
}

/// What is read next, if anything is: its ranges, the lane that they are of, and, when they are all that is left to be looked
/// at, the sequence behind them.
type NextRead = (Vec<(u64, u64)>, Option<LaneId>, Option<u64>);

fn next_read(queue: &Queue, state: &DestinationState, entries_max: u64) -> Option<NextRead> {
    // What came back stands before what is sorted.
    if queue.backlog.returned.is_empty()
        && let Some(lanes) = &queue.lanes
        && let Some((lane, ranges)) = lanes.unread(RANGES_MAX, entries_max)
    {
        return Some((ranges, Some(lane), None));
    }
    let (ranges, complete) = queue.backlog.unread(state, RANGES_MAX);
    let count: u64 = ranges.iter().map(|(first, last)| last - first + 1).sum();
    let ahead = (complete && count <= entries_max).then_some(state.next());
    (count > 0).then_some((ranges, None, ahead))
}

/// Takes what was read into the window, or into the lane that it is of.
fn take_in(
    queue: &mut Queue,
    state: &DestinationState,
    reading: &Reading,
    loaded: Vec<Loaded>,
) -> Result<(), String> {
    let last_loaded = loaded.last().map(|it| it.sequence.0);
    let mut loaded = loaded.into_iter().peekable();
    let wanted = reading.ranges.iter().flat_map(|(first, last)| *first..=*last);
    let mut reached = None;
    let mut complete = true;
    let mut fresh = Vec::new();
    for sequence in wanted {
        let here = loaded.next_if(|it| it.sequence.0 == sequence);
        let gone = state.is_settled(sequence) || queue.is_leaving(sequence, reading.lane);
        match here {
            _ if gone => {}
            Some(it) => fresh.push(Entry { sequence, message: it.message }),
            None if last_loaded.is_some_and(|last| sequence < last) || last_loaded.is_none() => {
                return Err(format!("message {sequence} is not in the log"));
            }
            None => {
                complete = false;
                break;
            }
        }
        reached = Some(sequence);
    }
    let Some(reached) = reached else { return Ok(()) };
    match (reading.lane, &mut queue.lanes) {
        (Some(lane), Some(lanes)) => {
            let ranges = reading.ranges.iter().filter(|(first, _)| *first <= reached);
            let ranges: Vec<_> = ranges.map(|(first, last)| (*first, reached.min(*last))).collect();
            lanes.load(lane, &ranges, fresh);
        }
        _ => {
            let (early, fresh): (Vec<_>, Vec<_>) =
                fresh.into_iter().partition(|it| queue.backlog.is_early(it.sequence));
            for entry in early {
                queue.backlog.returned.remove(entry.sequence, entry.sequence);
                queue.sort(Next::Stored(entry), Some(state), true);
            }
            queue.backlog.take_in(reading.ahead.filter(|_| complete), reached, fresh);
        }
    }
    Ok(())
}
