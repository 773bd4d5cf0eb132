//! Transfers that go on: what each has done, and what it looks at next.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::subscription::Selection;
use crate::broker::{Correlation, Refusal, SessionId, Way};
use crate::model::{DestinationId, Message};
use crate::state::State;

use super::name::TransferId;

/// Transfers that go on at once; a further one is refused.
const TRANSFERS_MAX: usize = 16;
/// Ranges in one read.
const RANGES_MAX: usize = 256;

/// What a transfer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing but its turn.
    Ready,
    /// Room on the disks or in memory, or for a temporary file to be read.
    Blocked,
    /// A read that goes up to this sequence.
    Reading(u64),
    /// Its portion is in the log's pipeline.
    Committing,
}

/// One transfer.
#[derive(Debug)]
pub(super) struct Ongoing {
    session: SessionId,
    correlation: Option<Correlation>,
    from: DestinationId,
    way: Way,
    selection: Option<Box<Selection>>,
    /// What the log has from here to there is still to be looked at.
    next: u64,
    last: u64,
    /// The same of what is in no log: the place that was looked at last, and the last one.
    seen: (u64, u64),
    seen_last: (u64, u64),
    /// How many messages it may still take, and how many it has.
    left: u64,
    done: u64,
    /// When it ends though there is more.
    until: Duration,
    stage: Stage,
    /// Why it ends before there is nothing more.
    refusal: Option<Refusal>,
}

impl Ongoing {
    /// A transfer of what is there now: `last` in the log, `seen_last` in no log.
    pub(super) fn new(
        (session, correlation, from): (SessionId, Option<Correlation>, DestinationId),
        (way, selection, messages_max): (Way, Option<Box<Selection>>, u64),
        (last, seen_last): (u64, (u64, u64)),
        until: Duration,
    ) -> Ongoing {
        Ongoing {
            session,
            correlation,
            from,
            way,
            selection,
            next: 1,
            last,
            seen: (0, 0),
            seen_last,
            left: messages_max,
            done: 0,
            until,
            stage: Stage::Ready,
            refusal: None,
        }
    }

    /// Who asked for it.
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    pub(super) fn from(&self) -> DestinationId {
        self.from
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Whether it selects a message of which so many deliveries have failed.
    pub(super) fn selects(&self, message: &Message, failures: u32) -> bool {
        self.selection.as_ref().is_none_or(|it| it.selector.matches(message, failures))
    }

    /// Whether messages leave the place where they wait.
    pub(super) fn takes(&self) -> bool {
        !matches!(self.way, Way::Copy(_))
    }

    /// How many messages it may still take.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// What of the log is still to be looked at, as ranges.
    pub(super) fn unread(&self, state: &State) -> Vec<(u64, u64)> {
        let found = state.destination(self.from);
        found.map_or(Vec::new(), |it| it.unsettled_between(self.next, self.last, RANGES_MAX))
    }

    /// The place of what is in no log and was looked at last.
    pub(super) fn seen(&self) -> (u64, u64) {
        self.seen
    }

    /// Whether what is in no log was there when it began.
    pub(super) fn reaches(&self, place: (u64, u64)) -> bool {
        place <= self.seen_last
    }

    /// A message of the log was looked at, unless that is to be done again.
    pub(super) fn looked_at(&mut self, sequence: u64) {
        if self.stage != Stage::Blocked {
            self.next = sequence + 1;
        }
    }

    /// The same of one that is in no log.
    pub(super) fn looked_behind(&mut self, place: (u64, u64)) {
        if self.stage != Stage::Blocked {
            self.seen = place;
        }
    }

    /// It goes on with what it waited for.
    pub(super) fn wake(&mut self) {
        self.stage = Stage::Ready;
    }

    /// It waits for room, or for a temporary file.
    pub(super) fn block(&mut self) {
        self.stage = Stage::Blocked;
    }

    /// It waits for a read of these ranges.
    pub(super) fn await_read(&mut self, ranges: &[(u64, u64)]) {
        self.stage = Stage::Reading(ranges.last().map_or(self.last, |(_, last)| *last));
    }

    /// The read has come, of so many messages; returns whether it waited for one.
    pub(super) fn end_read(&mut self, messages: usize) -> bool {
        let Stage::Reading(asked) = self.stage else { return false };
        self.stage = Stage::Ready;
        if messages == 0 {
            self.next = asked + 1;
        }
        true
    }

    /// So many messages have their new place; if they are `logged`, when that is committed.
    pub(super) fn passed_on(&mut self, messages: u64, logged: bool) {
        self.left -= messages;
        if logged {
            self.stage = Stage::Committing;
        } else {
            self.done += messages;
        }
    }

    /// It goes no further.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Ends it if it has taken its time; what is left then is told.
    pub(super) fn end_in_time(&mut self, now: Duration) {
        if now >= self.until {
            let done = self.done;
            let told = format!("{done} messages are done, and more wait: ask again for the rest");
            self.refuse(Refusal::Limit(told));
        }
    }

    /// Whether it takes no more.
    pub(super) fn is_over(&self) -> bool {
        self.left == 0 || self.refusal.is_some()
    }

    /// Whether it can do nothing now.
    pub(super) fn is_stuck(&self) -> bool {
        self.stage == Stage::Blocked || self.refusal.is_some()
    }

    /// Which request is to be answered, how many messages are done, and how it ended.
    pub(super) fn into_answer(self) -> (Option<Correlation>, u64, Result<(), Refusal>) {
        (self.correlation, self.done, self.refusal.map_or(Ok(()), Err))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::broker::serving) struct Transfers {
    ongoing: BTreeMap<TransferId, Ongoing>,
    made: u64,
}

impl Transfers {
    /// Whether there may be one more.
    pub(super) fn admit(&self) -> Result<(), Refusal> {
        if self.ongoing.len() >= TRANSFERS_MAX {
            let busy = format!("there are {TRANSFERS_MAX} transfers under way already");
            return Err(Refusal::Limit(busy));
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, ongoing: Ongoing) {
        self.made += 1;
        self.ongoing.insert(TransferId(self.made), ongoing);
    }

    /// Takes one out, to be put back if it goes on.
    pub(super) fn take(&mut self, id: TransferId) -> Option<Ongoing> {
        self.ongoing.remove(&id)
    }

    pub(super) fn put(&mut self, id: TransferId, ongoing: Ongoing) {
        self.ongoing.insert(id, ongoing);
    }

    /// Those that can go on, or may try to.
    pub(super) fn waiting(&self) -> Vec<TransferId> {
        let waits = |it: &Ongoing| matches!(it.stage, Stage::Ready | Stage::Blocked);
        self.ongoing.iter().filter(|(_, it)| waits(it)).map(|(id, _)| *id).collect()
    }

    /// Whether one can go on at once.
    pub(in crate::broker::serving) fn any_ready(&self) -> bool {
        self.ongoing.values().any(|it| it.stage == Stage::Ready)
    }

    /// A portion of so many messages is committed.
    pub(in crate::broker::serving) fn committed(&mut self, id: TransferId, messages: u64) {
        if let Some(ongoing) = self.ongoing.get_mut(&id) {
            ongoing.done += messages;
            ongoing.stage = Stage::Ready;
        }
    }

    /// Nobody is left to hear of those of this session: they end with the portion that is under way.
    pub(in crate::broker::serving) fn forget(&mut self, session: SessionId) {
        self.ongoing.retain(|_, it| it.session != session);
    }
}
