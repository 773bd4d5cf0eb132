//! Browsing: a queue as it was when the browser came, without taking anything. The browser's credit is its window.

use crate::broker::deliveries::Held;
use crate::broker::destination::{Queue, Transient};
use crate::broker::output::ReadRequest;
use crate::broker::subscription::{Browse, Source, SubscriberId, Subscription};
use crate::broker::table::Table;
use crate::broker::{SessionEvent, SessionId, SubscriptionKey};
use crate::model::{DestinationId, Message};
use crate::state::State;
use crate::storage::Loaded;

use super::Serving;
use super::disk::Purpose;
use super::sessions::Marks;

/// Messages in one read.
const PAGE_ENTRIES: usize = 400;
/// Bytes in one read.
const PAGE_BYTES: usize = 1 << 20;
/// Ranges in one read.
const PAGE_RANGES: usize = 256;
/// Messages in one read for a browser that selects, however little credit it has: most are not for it.
const PAGE_ENTRIES_SIFTED: usize = 32;
/// Messages in memory that a browser looks at in one turn without showing them.
const LOOKS_MAX: usize = 1000;

type Queues = Table<DestinationId, Queue>;

/// What a browser does next.
enum Step {
    Deliver(Message),
    /// It has looked at enough for one turn.
    Rest,
    Read(ReadRequest),
    End,
    Wait,
}

impl Serving {
    /// Shows a browser what it has credit for.
    pub(super) fn browse_on(&mut self, state: &State, subscriber: SubscriberId) {
        let mut looks = 0;
        while self.allowed {
            let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
            match next_step(state, &self.queues, subscription, &mut looks) {
                Step::Deliver(message) => {
                    let from = browsed(subscription)
                        .and_then(|id| self.queues.get(&id))
                        .map(|it| &*it.figures.destination);
                    self.clients.deliver(
                        (subscriber, subscription),
                        Held::Copy,
                        from,
                        message,
                        Marks::default(),
                    );
                }
                Step::Rest => {
                    self.sifting.insert(subscriber);
                    return;
                }
                Step::Read(request) => {
                    self.reads.ask(Purpose::Browse(subscriber), request);
                    return;
                }
                Step::End => {
                    let (session, key) = (subscription.session, subscription.key);
                    return self.browse_end(session, key);
                }
                Step::Wait => return,
            }
        }
    }

    fn browse_end(&mut self, session: SessionId, subscription: SubscriptionKey) {
        self.clients.tell(session, SessionEvent::BrowseEnd { subscription });
    }

    /// A page has come. What left the queue meanwhile is not shown.
    pub(super) fn loaded_browse(
        &mut self,
        state: &State,
        subscriber: SubscriberId,
        result: Result<Vec<Loaded>, String>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&subscriber) else { return };
        let Source::Browse(browse) = &mut subscription.source else { return };
        browse.reading = false;
        let queue = browse.queue;
        match result {
            Ok(page) => {
                let from = self.queues.get(&queue).map(|it| &*it.figures.destination);
                if page.is_empty() {
                    browse.next = browse.asked + 1;
                }
                let found = state.destination(queue);
                for Loaded { sequence, message, .. } in page {
                    while let Some((front, selected)) =
                        browse_transient(&self.queues, subscription, sequence.0)
                    {
                        if selected {
                            self.clients.deliver(
                                (subscriber, subscription),
                                Held::Copy,
                                from,
                                front,
                                Marks::default(),
                            );
                        }
                    }
                    let failures = found.map_or(0, |it| it.failures(sequence.0));
                    let selected = subscription.selects(&message, failures);
                    // A page of a browser that selects may hold more than it has credit for.
                    if selected && subscription.selection.is_some() && subscription.credit() == 0 {
                        break;
                    }
                    if let Source::Browse(browse) = &mut subscription.source {
                        browse.next = sequence.0 + 1;
                    }
                    if selected {
                        self.clients.deliver(
                            (subscriber, subscription),
                            Held::Copy,
                            from,
                            message,
                            Marks::default(),
                        );
                    }
                }
            }
            Err(reason) => {
                browse.next = browse.last + 1;
                self.damage(queue, &reason);
            }
        }
        self.browse_on(state, subscriber);
    }
}

fn browsed(subscription: &Subscription) -> Option<DestinationId> {
    if let Source::Browse(browse) = &subscription.source { Some(browse.queue) } else { None }
}

/// The next message in memory that stands before `sequence`, and whether it is selected.
fn browse_transient(
    queues: &Queues,
    subscription: &mut Subscription,
    sequence: u64,
) -> Option<(Message, bool)> {
    let Source::Browse(browse) = &mut subscription.source else { return None };
    let next = next_transient(queues, browse).filter(|it| it.after < sequence)?;
    browse.shown = next.place();
    Some((next.message.clone(), subscription.selects(&next.message, next.failures)))
}

/// The next message in memory.
fn next_transient<'a>(queues: &'a Queues, browse: &Browse) -> Option<&'a Transient> {
    let next = queues.get(&browse.queue)?.transient.behind(browse.shown)?;
    (next.place() <= browse.shown_last).then_some(next)
}

fn next_step(state: &State, queues: &Queues, subscription: &mut Subscription, looks: &mut usize) -> Step {
    let credit = subscription.credit() as usize;
    let Source::Browse(browse) = &mut subscription.source else { return Step::Wait };
    if browse.reading || browse.ended {
        return Step::Wait;
    }
    let ranges = unread(state, browse);
    let over = ranges.is_empty();
    if over && next_transient(queues, browse).is_none() {
        browse.ended = true;
        return Step::End;
    }
    if credit == 0 {
        return Step::Wait;
    }
    let next = ranges.first().map_or(u64::MAX, |(first, _)| *first);
    while let Some((front, selected)) = browse_transient(queues, subscription, next) {
        if selected {
            return Step::Deliver(front);
        }
        *looks += 1;
        if *looks == LOOKS_MAX {
            return Step::Rest;
        }
    }
    let entries_min = if subscription.selection.is_some() { PAGE_ENTRIES_SIFTED } else { 1 };
    let Source::Browse(browse) = &mut subscription.source else { return Step::Wait };
    browse.reading = true;
    browse.asked = ranges.last().map_or(browse.last, |(_, last)| *last);
    let entries_max = credit.clamp(entries_min, PAGE_ENTRIES);
    Step::Read(ReadRequest { destination: browse.queue, ranges, entries_max, bytes_max: PAGE_BYTES })
}

fn unread(state: &State, browse: &Browse) -> Vec<(u64, u64)> {
    let Some(found) = state.destination(browse.queue) else { return Vec::new() };
    let ranges = found.unsettled(browse.next, PAGE_RANGES).into_iter();
    ranges
        .filter(|(first, _)| *first <= browse.last)
        .map(|(first, last)| (first, last.min(browse.last)))
        .collect()
}
