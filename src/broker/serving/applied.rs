//! What happens on the master when a group is committed: its messages become visible, its senders are answered.

use bytes::{Bytes, BytesMut};

use crate::broker::SessionId;
use crate::broker::destination::{Entry, Queue};
use crate::broker::figures::Book;
use crate::model::{
    CatalogueChange, DestinationId, Message, MessageBuilder, Offset, PRIORITY_DEFAULT, Place, Record,
    RecordKind,
};
use crate::state::{Applied, Entrance, State};

use super::Serving;
use super::operate::TransferId;
use super::sessions::Waiter;

/// What a group in the log's pipeline is for.
#[derive(Debug)]
pub(super) enum Pending {
    /// Nobody waits for it.
    Nobody,
    /// One command, with the bytes of its messages.
    One { waiter: Waiter, bytes: usize },
    /// The acknowledgements of a round.
    Many(Vec<Waiter>),
    /// A transaction, and what of it lives in memory only.
    Transaction { waiter: Waiter, bytes: usize, late: Vec<Late> },
    /// So many messages of a transfer, with the same of them.
    Portion { transfer: (TransferId, u64), waiter: Waiter, bytes: usize, late: Vec<Late> },
}

/// A part of a transaction that becomes visible with its group without being in it.
#[derive(Debug)]
pub(super) enum Late {
    /// For a queue, behind this sequence.
    Transient { queue: DestinationId, after: u64, message: Message },
    /// For a topic's subscriptions.
    Topic { topic: DestinationId, message: Message, from: SessionId },
}

/// Kinds of records that only the broker proposes; a group of others is the core's own.
fn is_ours(kind: RecordKind) -> bool {
    use RecordKind::{Catalogue, Dispatched, Message, Redelivered, Rescheduled, Settle};
    matches!(kind, Message | Settle | Redelivered | Dispatched | Catalogue | Rescheduled)
}

impl Serving {
    pub(in crate::broker) fn apply(
        &mut self,
        state: &mut State,
        book: &mut Book,
        group: &[(Offset, Record)],
    ) {
        let mut body = BytesMut::new();
        for (offset, record) in group {
            if let Record::Message { places, message } = record {
                self.enter(state, places, message, std::mem::take(&mut body).freeze());
                continue;
            }
            let verdict = state.apply(*offset, record);
            match record {
                Record::Chunk(part) => body.extend_from_slice(part),
                Record::Rescheduled { destination, sequence, .. } => {
                    self.scheduler.done(*destination, &[(sequence.0, sequence.0)]);
                }
                Record::Settle { destination, ranges, .. } => {
                    self.scheduler.done(*destination, ranges);
                    if let Some(queue) = self.queues.get_mut(destination) {
                        queue.expiry.left(ranges);
                        queue.history.left(ranges);
                    }
                    self.left(*destination, verdict)
                }
                Record::Redelivered { destination, counters, .. } => {
                    if let Some(queue) = self.queues.get_mut(destination) {
                        forget_counted(queue, counters);
                    }
                }
                Record::Catalogue(change) if verdict == Applied::Done => {
                    book.change(change, |id| self.figures_of(id));
                    if let CatalogueChange::PauseDestination { id, paused } = change {
                        self.paused(*id, *paused);
                    }
                }
                _ => {}
            }
        }
        if let Some((_, last)) = group.last()
            && is_ours(last.kind())
        {
            self.complete();
        }
    }

    /// A message enters its destinations. A large one's body came before it in parts.
    fn enter(&mut self, state: &mut State, places: &[Place], message: &Message, body: Bytes) {
        let joined = (!body.is_empty()).then(|| {
            let mut builder = MessageBuilder::from_message(message);
            builder.body = body;
            builder.build().ok()
        });
        for place in places {
            let (id, sequence) = (place.destination, place.sequence.0);
            match state.enter(*place, message) {
                Entrance::New => {
                    let whole = joined.clone().unwrap_or_else(|| Some(message.clone()));
                    self.entered(state, id, sequence, whole);
                }
                Entrance::Duplicate | Entrance::Dropped => {
                    if let Some(queue) = self.queues.get_mut(&id) {
                        queue.backlog.pass(sequence);
                    }
                }
            }
        }
    }

    /// A message is visible now.
    fn entered(&mut self, state: &State, id: DestinationId, sequence: u64, whole: Option<Message>) {
        self.touch(id);
        let Some(queue) = self.queues.get(&id) else {
            return self.scheduler.figures(id).into_iter().for_each(|figures| figures.enqueued.add(1));
        };
        queue.figures.enqueued.add(1);
        // A body that cannot be put together stays on disk, where the read says what is wrong with it.
        let Some(whole) = whole else { return };
        if whole.priority() > PRIORITY_DEFAULT {
            return self.hurry(id, Entry { sequence, message: whole.detached() });
        }
        let (bytes, expiry) = (whole.encoded().len(), whole.expiry());
        if !queue.consumers.is_empty() && !self.fits(queue, bytes) {
            self.dispatch_queue(state, id);
        }
        let room = self.room();
        let entries_max = self.options.window_entries_max;
        let bytes_max = self.options.window_bytes_max;
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.expiry.expect(expiry);
            let room = room.min(bytes_max.saturating_sub(queue.loaded_bytes()));
            self.window_bytes += queue.backlog.offer(sequence, whole, entries_max, room);
        }
    }

    /// An urgent message is visible now.
    fn hurry(&mut self, id: DestinationId, entry: Entry) {
        let room = self.room();
        let Some(queue) = self.queues.get_mut(&id) else { return };
        queue.expiry.expect(entry.message.expiry());
        let before = queue.loaded_bytes();
        let loaded = queue.lanes.as_ref().map_or(0, |it| it.loaded());
        let room = room.min((self.options.window_bytes_max / 2).saturating_sub(before));
        let has_room = loaded < self.options.window_entries_max / 2 && entry.message.encoded().len() <= room;
        queue.hurry(entry, has_room);
        self.window_bytes += queue.loaded_bytes() - before;
    }

    fn fits(&self, queue: &Queue, bytes: usize) -> bool {
        queue.backlog.window.len() < self.options.window_entries_max
            && queue.loaded_bytes() + bytes <= self.options.window_bytes_max
            && bytes <= self.room()
    }

    /// Messages are gone for good.
    fn left(&mut self, id: DestinationId, verdict: Applied) {
        let Applied::Settled(count) = verdict else { return };
        let Some(queue) = self.queues.get_mut(&id) else {
            return self.scheduler.figures(id).into_iter().for_each(|figures| figures.dequeued.add(count));
        };
        queue.figures.dequeued.add(count);
        queue.outstanding = queue.outstanding.saturating_sub(count);
    }

    /// Answers those who waited for the oldest group in the pipeline.
    fn complete(&mut self) {
        let pending = self.pending.pop_front();
        assert!(pending.is_some(), "a group was applied that this master did not propose");
        self.freed = true;
        match pending {
            None | Some(Pending::Nobody) => {}
            Some(Pending::One { waiter, bytes }) => self.clients.end_pending(waiter, bytes),
            Some(Pending::Many(waiters)) => {
                waiters.into_iter().for_each(|waiter| self.clients.end_pending(waiter, 0));
            }
            Some(Pending::Transaction { waiter, bytes, late }) => self.complete_with(waiter, bytes, late),
            Some(Pending::Portion { transfer: (id, messages), waiter, bytes, late }) => {
                self.complete_with(waiter, bytes, late);
                self.transfers.committed(id, messages);
            }
        }
    }

    /// Shows what is in no log, too.
    fn complete_with(&mut self, waiter: Waiter, bytes: usize, late: Vec<Late>) {
        self.clients.end_showing(waiter, !late.is_empty());
        late.into_iter().for_each(|late| self.show(late));
        self.clients.end_pending(waiter, bytes);
    }

    /// Makes the part of a transaction visible that is not in the log.
    pub(super) fn show(&mut self, late: Late) {
        match late {
            Late::Transient { queue, after, message } => self.enter_transient(queue, after, message),
            Late::Topic { topic, message, from } => self.publish(topic, &message, from),
        }
    }
}

/// Counters that are committed now are the state's.
fn forget_counted(queue: &mut Queue, counters: &[(u64, u64, u32)]) {
    for (first, last, count) in counters {
        for at in *first..=*last {
            if queue.history.failures.get(&at).is_some_and(|counted| counted <= count) {
                queue.history.failures.remove(&at);
            }
        }
    }
}
