//! An operator's orders. Messages that wait in one place enter another, a portion at a time: it holds no more memory than one read, gives the core
//! its turn between two of them, and is one group of the log, so that a message is in one of the two places after a crash.

use std::time::Duration;

use crate::broker::output::ReadRequest;
use crate::broker::serving::Serving;
use crate::broker::serving::acknowledge::settle_records;
use crate::broker::serving::applied::Pending;
use crate::broker::serving::dead_letter::{CAUSE, ORIGINAL_EXPIRATION, came_from};
use crate::broker::serving::directory::is_temporary;
use crate::broker::serving::disk::Purpose;
use crate::broker::serving::send::Collected;
use crate::broker::serving::sessions::Waiter;
use crate::broker::subscription::Selection;
use crate::broker::{Refusal, SessionEvent, Transfer, Way};
use crate::model::{
    CatalogueChange, Destination, DestinationId, DestinationKind, Field, Message, MessageBuilder, Outcome,
    PropertyValue, Record,
};
use crate::state::State;
use crate::storage::Loaded;

use super::name::TransferId;
use super::transfers::Ongoing;

/// Messages in one portion, and bytes of one read.
const PORTION_MESSAGES: usize = 256;
const PORTION_BYTES: usize = 1 << 20;
/// Messages that are looked at in one turn.
const LOOKS_MAX: usize = 1000;
/// How long a transfer goes on: an operator waits for the answer.
const TIME_MAX: Duration = Duration::from_secs(6);

/// What becomes one group of the log.
#[derive(Default)]
struct Portion {
    collected: Collected,
    /// Sequences of the log that leave their place.
    leaving: Vec<u64>,
    messages: u64,
    bytes: usize,
    looks: usize,
}

impl Portion {
    /// Whether no more is put into it, or looked at, in this turn.
    fn is_full(&self, ongoing: &Ongoing) -> bool {
        self.messages >= ongoing.left().min(PORTION_MESSAGES as u64)
            || self.bytes >= PORTION_BYTES
            || self.looks >= LOOKS_MAX
            || ongoing.is_stuck()
    }
}

impl Serving {
    /// Begins a transfer.
    pub(in crate::broker::serving) fn transfer(
        &mut self,
        state: &State,
        waiter: Waiter,
        from: &Destination,
        wanted: Transfer,
    ) {
        match self.begin_transfer(state, waiter, from, wanted) {
            Ok(ongoing) => {
                self.clients.begin_pending(Waiter { correlation: None, ..waiter }, 0);
                self.transfers.begin(ongoing);
            }
            Err(refusal) => self.clients.answer(waiter, Err(refusal)),
        }
    }

    fn begin_transfer(
        &self,
        state: &State,
        waiter: Waiter,
        from: &Destination,
        wanted: Transfer,
    ) -> Result<Ongoing, Refusal> {
        let found = self.known(from).filter(|id| !is_temporary(*id));
        let Some((id, queue)) = found.and_then(|id| Some((id, self.queues.get(&id)?))) else {
            return Err(Refusal::Invalid(format!("there is no queue {}", from.name)));
        };
        let selection = Selection::read(&wanted.selector, None)?;
        if let Way::Move(to) | Way::Copy(to) = &wanted.way {
            if to.kind != DestinationKind::Queue || to == from {
                return Err(Refusal::Invalid(format!("{to} is no other queue than {from}")));
            }
            if self.known(to).is_none() {
                self.may_make(waiter.session, to)?;
                self.may_create(to)?;
            }
        }
        self.transfers.admit()?;
        let last = state.destination(id).map_or(0, |it| it.next() - 1);
        let range = (last, queue.transient.last());
        let what = (wanted.way, selection, wanted.messages_max);
        Ok(Ongoing::new((waiter.session, waiter.correlation, id), what, range, self.now + TIME_MAX))
    }

    /// Goes on with each transfer, by one portion at most.
    pub(in crate::broker::serving) fn go_on_with_transfers(&mut self, state: &State) {
        for id in self.transfers.waiting() {
            if let Some(ongoing) = self.transfers.take(id) {
                self.go_on(state, id, ongoing);
            }
        }
    }

    fn go_on(&mut self, state: &State, id: TransferId, mut ongoing: Ongoing) {
        ongoing.wake();
        if !self.queues.contains_key(&ongoing.from()) {
            ongoing.refuse(Refusal::Invalid("the queue is gone".into()));
        }
        if !ongoing.is_over() {
            ongoing.end_in_time(self.now);
        }
        if ongoing.is_over() {
            return self.end_transfer(ongoing);
        }
        if self.stores_held || self.clients.pending_bytes() >= self.options.pipeline_bytes_max {
            ongoing.block();
            return self.transfers.put(id, ongoing);
        }
        let ranges = ongoing.unread(state);
        let before = ranges.first().map_or(u64::MAX, |(first, _)| *first);
        let mut portion = Portion::default();
        self.take_transients(&mut ongoing, before, &mut portion);
        if portion.messages > 0 || portion.is_full(&ongoing) {
            return self.end_portion(id, ongoing, portion);
        }
        if ranges.is_empty() {
            return self.end_transfer(ongoing);
        }
        ongoing.await_read(&ranges);
        let request = ReadRequest {
            destination: ongoing.from(),
            ranges,
            entries_max: PORTION_MESSAGES,
            bytes_max: PORTION_BYTES,
        };
        self.reads.ask(Purpose::Transfer(id), request);
        self.transfers.put(id, ongoing);
    }

    /// A page has come. What has left its place meanwhile, or is with a consumer, stays where it is.
    pub(in crate::broker::serving) fn loaded_transfer(
        &mut self,
        state: &State,
        id: TransferId,
        result: Result<Vec<Loaded>, String>,
    ) {
        let Some(mut ongoing) = self.transfers.take(id) else { return };
        let mut portion = Portion::default();
        if ongoing.end_read(result.as_ref().map_or(1, Vec::len)) {
            match result {
                Ok(page) => self.take_page(state, &mut ongoing, &page, &mut portion),
                Err(reason) => {
                    self.damage(ongoing.from(), &reason);
                    ongoing.refuse(Refusal::Invalid(reason));
                }
            }
        }
        self.end_portion(id, ongoing, portion);
    }

    /// Takes what is wanted of a page, and of what stands between its messages.
    fn take_page(&mut self, state: &State, ongoing: &mut Ongoing, page: &[Loaded], portion: &mut Portion) {
        for loaded in page {
            self.take_transients(ongoing, loaded.sequence.0, portion);
            if portion.is_full(ongoing) {
                return;
            }
            self.take_stored(state, ongoing, loaded, portion);
        }
    }

    /// Looks at a message of the log, and takes it if it is wanted and waits.
    fn take_stored(&mut self, state: &State, ongoing: &mut Ongoing, loaded: &Loaded, portion: &mut Portion) {
        let (sequence, message) = (loaded.sequence.0, &loaded.message);
        portion.looks += 1;
        let (Some(queue), Some(found)) =
            (self.queues.get(&ongoing.from()), state.destination(ongoing.from()))
        else {
            return;
        };
        let failures = queue.history.failures(sequence, Some(found));
        let wanted = !found.is_settled(sequence)
            && queue.waits(sequence)
            && !self.is_expired(message)
            && ongoing.selects(message, failures);
        if wanted && self.put_over(ongoing, message, portion) && ongoing.takes() {
            let Some(queue) = self.queues.get_mut(&ongoing.from()) else { return };
            let before = queue.loaded_bytes();
            queue.pull(sequence);
            queue.expiry.leaves(sequence);
            self.window_bytes -= before - queue.loaded_bytes();
            portion.leaving.push(sequence);
        }
        ongoing.looked_at(sequence);
    }

    /// Looks at the messages that are in no log and stand before a sequence, and takes those that are wanted.
    fn take_transients(&mut self, ongoing: &mut Ongoing, before: u64, portion: &mut Portion) {
        while !portion.is_full(ongoing)
            && let Some(queue) = self.queues.get_mut(&ongoing.from())
        {
            if ongoing.takes() && queue.transient.is_in_file() {
                ongoing.block();
                return self.read_back(ongoing.from());
            }
            let next = queue
                .transient
                .behind(ongoing.seen())
                .map(|it| (it.place(), it.message.clone(), it.failures));
            let next = next.filter(|(place, ..)| ongoing.reaches(*place) && place.0 < before);
            let Some((place, message, failures)) = next else { return };
            portion.looks += 1;
            let wanted = !self.is_expired(&message) && ongoing.selects(&message, failures);
            if wanted && self.put_over(ongoing, &message, portion) && ongoing.takes() {
                let queue = self.queues.get_mut(&ongoing.from());
                if let Some(gone) = queue.and_then(|it| it.transient.pull(place)) {
                    self.forget_transient(ongoing.from(), gone.bytes());
                }
            }
            ongoing.looked_behind(place);
        }
    }

    /// Puts a message into the portion as it enters its new place; returns whether it does.
    fn put_over(&mut self, ongoing: &mut Ongoing, message: &Message, portion: &mut Portion) -> bool {
        let Some(queue) = self.queues.get(&ongoing.from()) else { return false };
        let origin = queue.figures.destination.clone();
        let Some(sent) = sent_again(message, &origin, ongoing.way()) else { return false };
        let session = ongoing.session();
        let full = self.memory >= self.options.memory_limit && self.enters_memory(&sent);
        if full && !ongoing.takes() {
            ongoing.refuse(Refusal::Limit("the memory for non-persistent messages is full".into()));
            return false;
        }
        if !self.topics_have_room(&sent) {
            ongoing.block();
            return false;
        }
        let client = self.clients.get(session).filter(|_| *ongoing.way() == Way::Retry);
        let may_write = client.map_or(Ok(()), |client| {
            sent.destinations(Field::Destination).try_for_each(|to| client.may_write(&to))
        });
        match may_write.and_then(|()| self.targets(&sent, session)) {
            Ok(targets) => {
                self.collect(&sent, &targets, session, true, &mut portion.collected);
                portion.messages += 1;
                portion.bytes += sent.encoded().len();
                true
            }
            // Other dead letters may have come from elsewhere.
            Err(_) if *ongoing.way() == Way::Retry => false,
            Err(refusal) => {
                ongoing.refuse(refusal);
                false
            }
        }
    }

    /// The portion goes to the log. What of it is in no log is in its new place when the rest is.
    fn end_portion(&mut self, id: TransferId, mut ongoing: Ongoing, portion: Portion) {
        let Portion { collected, leaving, messages, .. } = portion;
        let (mut group, late, bytes) = collected.into_parts();
        settle_records(ongoing.from(), Outcome::Moved, leaving, &mut group);
        ongoing.passed_on(messages, !group.is_empty());
        if group.is_empty() {
            late.into_iter().for_each(|late| self.show(late));
        } else {
            let waiter = Waiter { session: ongoing.session(), correlation: None };
            self.clients.begin_showing(waiter, bytes, !late.is_empty());
            self.propose(group, Pending::Portion { transfer: (id, messages), waiter, bytes, late });
        }
        self.transfers.put(id, ongoing);
    }

    /// Tells how many messages are done, and why it ended if there are more.
    fn end_transfer(&mut self, ongoing: Ongoing) {
        let session = ongoing.session();
        let (correlation, messages, result) = ongoing.into_answer();
        if let Some(correlation) = correlation {
            self.clients.tell(session, SessionEvent::Affected { correlation, messages });
        }
        self.clients.answer(Waiter { session, correlation }, result);
        self.clients.end_pending(Waiter { session, correlation: None }, 0);
    }

    /// Has the dispatch of a queue end or begin again; it does when that is committed. A pause is the group's: it stands in the
    /// log and outlives the mastership.
    pub(in crate::broker::serving) fn pause(
        &mut self,
        waiter: Waiter,
        destination: &Destination,
        paused: bool,
    ) {
        let found = self.known(destination).filter(|id| self.queues.contains_key(id) && !is_temporary(*id));
        let Some(id) = found else {
            let refusal = Refusal::Invalid(format!("there is no queue {}", destination.name));
            return self.clients.answer(waiter, Err(refusal));
        };
        self.clients.begin_pending(waiter, 0);
        let change = CatalogueChange::PauseDestination { id, paused };
        self.propose(vec![Record::Catalogue(change)], Pending::One { waiter, bytes: 0 });
    }

    /// A pause is committed, or its end.
    pub(in crate::broker::serving) fn paused(&mut self, id: DestinationId, paused: bool) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.standing_mut().pause(paused);
            self.touch(id);
        }
    }
}

/// A message as it enters its new place: nobody's repetition, and with the first place that it left. `None` if it has nowhere
/// to go.
fn sent_again(message: &Message, origin: &Destination, way: &Way) -> Option<Message> {
    let before = message.destinations(Field::OriginalDestination).next();
    let mut builder = MessageBuilder::from_message(message);
    builder.remove(Field::Destination).remove(Field::DuplicateId).remove(Field::ProducerId);
    builder.producer_sequence = 0;
    match way {
        Way::Move(to) | Way::Copy(to) => {
            builder.destination(Field::Destination, to);
            if before.is_none() {
                builder.destination(Field::OriginalDestination, &came_from(origin, message));
            }
        }
        Way::Retry => {
            let to = before.filter(|to| to != origin)?;
            builder.destination(Field::Destination, &to).remove(Field::OriginalDestination);
            let told = [CAUSE, ORIGINAL_EXPIRATION];
            let kept: Vec<_> = message.properties().filter(|(name, _)| !told.contains(name)).collect();
            builder.clear_properties();
            kept.into_iter().for_each(|(name, value): (&str, PropertyValue<'_>)| {
                builder.property(name, value);
            });
        }
    }
    builder.build().ok()
}
