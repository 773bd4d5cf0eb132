//! The registry: all figures in the order in which they are shown.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::broker::SessionId;
use crate::model::{Destination, DestinationKind};

use super::{
    ConnectionStatus, DestinationCounts, DestinationFigures, DestinationStatus, Page, SessionFigures,
    SubscriptionStatus,
};

/// Entries on one page. The core task waits for a reader no longer than it takes to find so many.
pub const PAGE_ENTRIES_MAX: usize = 1000;

/// A handle of the registry: a clone is another one of the same.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Registry>);

#[derive(Debug, Default)]
struct Registry {
    /// Lasting ones first, then temporary ones, each by name; so with topics.
    queues: RwLock<BTreeSet<ByDestination>>,
    topics: RwLock<BTreeSet<ByDestination>>,
    /// Durable subscriptions, by client id and name.
    durables: RwLock<BTreeSet<ByDestination>>,
    schedule: RwLock<BTreeSet<ByDestination>>,
    sessions: RwLock<BTreeMap<SessionId, Arc<SessionFigures>>>,
    gone: Mutex<Gone>,
}

/// What destinations had counted that are gone: without it the sums over all would fall when one goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// How often all counters began anew, with another state or the end of a mastership.
    pub beginnings: u64,
    /// Of the queues: what was enqueued, dequeued and dispatched; the rest is 0.
    pub queues: DestinationCounts,
    /// The same of the topics.
    pub topics: DestinationCounts,
}

impl Figures {
    /// At most `limit` of the queues that stand behind `after`, which is the `next` of another page or a queue's name. A page
    /// has 1 to [`PAGE_ENTRIES_MAX`] entries, whatever the limit is.
    pub fn queues(&self, after: Option<&str>, limit: usize) -> Page<DestinationStatus> {
        let kinds = [DestinationKind::Queue, DestinationKind::TemporaryQueue];
        page(&self.0.queues, after.map(|after| place(after, kinds)), limit, DestinationFigures::status)
    }

    /// The same of the topics.
    pub fn topics(&self, after: Option<&str>, limit: usize) -> Page<DestinationStatus> {
        let kinds = [DestinationKind::Topic, DestinationKind::TemporaryTopic];
        page(&self.0.topics, after.map(|after| place(after, kinds)), limit, DestinationFigures::status)
    }

    /// The same of the durable subscriptions.
    pub fn subscriptions(&self, after: Option<&str>, limit: usize) -> Page<SubscriptionStatus> {
        let after = after.map(|after| place(after, [DestinationKind::Subscription; 2]));
        page(&self.0.durables, after, limit, DestinationFigures::subscription_status)
    }

    /// The same of the client connections, by the numbers of their sessions.
    pub fn connections(&self, after: Option<SessionId>, limit: usize) -> Page<ConnectionStatus> {
        let sessions = read(&self.0.sessions);
        let from = (after.map_or(Unbounded, Excluded), Unbounded);
        let found = sessions.range(from).map(|(_, session)| session);
        let (found, more) = first(found, limit);
        let total = sessions.len();
        drop(sessions);
        let next = found.last().filter(|_| more).map(|last| last.session.0.to_string());
        Page { total, next, items: found.iter().map(|session| session.status()).collect() }
    }

    /// Shows the counts of at most [`PAGE_ENTRIES_MAX`] queues, or topics, behind `after`, in their order, and tells where that
    /// has come to; `None` at the end. Whoever makes or deletes a destination waits for `visit`, so that it only looks.
    pub fn visit(
        &self,
        queues: bool,
        after: Option<&Destination>,
        mut visit: impl FnMut(&Destination, DestinationCounts),
    ) -> Option<Arc<Destination>> {
        let all = read(if queues { &self.0.queues } else { &self.0.topics });
        let mut following = all.range::<Destination, _>((after.map_or(Unbounded, Excluded), Unbounded));
        let mut last = None;
        for it in following.by_ref().take(PAGE_ENTRIES_MAX) {
            visit(&it.0.destination, it.0.counts());
            last = Some(&it.0.destination);
        }
        last.filter(|_| following.next().is_some()).cloned()
    }

    /// The counts of one destination, if there is such a one.
    pub fn counts(&self, destination: &Destination) -> Option<DestinationCounts> {
        read(self.shelf(destination.kind)).get(destination).map(|it| it.0.counts())
    }

    /// How many queues and topics there are.
    pub fn destination_count(&self) -> usize {
        read(&self.0.queues).len() + read(&self.0.topics).len()
    }

    /// How many messages are to be sent later.
    pub fn scheduled(&self) -> u64 {
        read(&self.0.schedule).iter().map(|it| it.0.size()).sum()
    }

    /// How many destinations there are that no client names.
    #[cfg(test)]
    pub(super) fn inner_count(&self) -> usize {
        read(&self.0.durables).len() + read(&self.0.schedule).len()
    }

    /// How many clients are connected.
    pub fn connection_count(&self) -> usize {
        read(&self.0.sessions).len()
    }

    fn shelf(&self, kind: DestinationKind) -> &RwLock<BTreeSet<ByDestination>> {
        match kind {
            DestinationKind::Queue | DestinationKind::TemporaryQueue => &self.0.queues,
            DestinationKind::Topic | DestinationKind::TemporaryTopic => &self.0.topics,
            DestinationKind::Subscription => &self.0.durables,
            DestinationKind::Schedule => &self.0.schedule,
        }
    }

    pub(in crate::broker) fn insert(&self, figures: Arc<DestinationFigures>) {
        write(self.shelf(figures.destination.kind)).insert(ByDestination(figures));
    }

    pub(in crate::broker) fn remove(&self, destination: &Destination) {
        if let Some(gone) = write(self.shelf(destination.kind)).take(destination) {
            self.keep(&gone.0);
        }
    }

    fn keep(&self, figures: &DestinationFigures) {
        let (last, kind) = (figures.counts(), figures.destination.kind);
        let mut gone = self.gone();
        let kept = match kind {
            DestinationKind::Queue | DestinationKind::TemporaryQueue => &mut gone.queues,
            DestinationKind::Topic | DestinationKind::TemporaryTopic => &mut gone.topics,
            DestinationKind::Subscription | DestinationKind::Schedule => return,
        };
        kept.enqueued = kept.enqueued.saturating_add(last.enqueued);
        kept.dequeued = kept.dequeued.saturating_add(last.dequeued);
        kept.dispatched = kept.dispatched.saturating_add(last.dispatched);
    }

    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters begin anew.
    fn begin_anew(&self) {
        let mut gone = self.gone();
        *gone = Gone { beginnings: gone.beginnings + 1, ..Gone::default() };
    }

    /// What the destinations had counted that are gone. Who reads it before the others counts nothing twice.
    pub fn of_the_gone(&self) -> Gone {
        *self.gone()
    }

    pub(in crate::broker) fn open(&self, figures: Arc<SessionFigures>) {
        write(&self.0.sessions).insert(figures.session, figures);
    }

    pub(in crate::broker) fn close(&self, session: SessionId) {
        write(&self.0.sessions).remove(&session);
    }

    /// Nobody is connected any more, and what was temporary is gone.
    pub(super) fn end_mastership(&self) {
        self.begin_anew();
        write(&self.0.sessions).clear();
        for shelf in [&self.0.queues, &self.0.topics] {
            write(shelf).retain(|it| {
                matches!(it.0.destination.kind, DestinationKind::Queue | DestinationKind::Topic)
            });
        }
    }

    pub(super) fn clear_destinations(&self) {
        self.begin_anew();
        write(&self.0.queues).clear();
        write(&self.0.topics).clear();
        write(&self.0.durables).clear();
        write(&self.0.schedule).clear();
    }
}

fn page<T>(
    shelf: &RwLock<BTreeSet<ByDestination>>,
    after: Option<Destination>,
    limit: usize,
    status: fn(&DestinationFigures) -> T,
) -> Page<T> {
    let all = read(shelf);
    let from = (after.as_ref().map_or(Unbounded, Excluded), Unbounded);
    let (found, more) = first(all.range::<Destination, _>(from).map(|it| &it.0), limit);
    let total = all.len();
    // Texts are made while nobody waits.
    drop(all);
    let next = found.last().filter(|_| more).map(|last| last.destination.to_string());
    Page { total, next, items: found.iter().map(|it| status(it)).collect() }
}

/// The first of these, and whether there are more.
fn first<'a, T: 'a>(all: impl Iterator<Item = &'a Arc<T>>, limit: usize) -> (Vec<Arc<T>>, bool) {
    let limit = limit.clamp(1, PAGE_ENTRIES_MAX);
    let mut found: Vec<_> = all.take(limit + 1).cloned().collect();
    let more = found.len() > limit;
    found.truncate(limit);
    (found, more)
}

/// Where a text stands in the order: as `KIND://NAME`, else as a name of the first kind. Nothing has to be there.
fn place(text: &str, kinds: [DestinationKind; 2]) -> Destination {
    let named = |kind: DestinationKind| {
        let name = text.strip_prefix(kind.scheme())?.strip_prefix("://")?;
        Some(Destination { kind, name: name.to_owned() })
    };
    let plain = || Destination { kind: kinds[0], name: text.to_owned() };
    kinds.into_iter().find_map(named).unwrap_or_else(plain)
}

/// Figures in the order of their destinations.
#[derive(Debug)]
struct ByDestination(Arc<DestinationFigures>);

impl Borrow<Destination> for ByDestination {
    fn borrow(&self) -> &Destination {
        &self.0.destination
    }
}

impl Ord for ByDestination {
    fn cmp(&self, other: &ByDestination) -> Ordering {
        self.0.destination.cmp(&other.0.destination)
    }
}

impl PartialOrd for ByDestination {
    fn partial_cmp(&self, other: &ByDestination) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByDestination {
    fn eq(&self, other: &ByDestination) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByDestination {}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::SessionInfo;

    fn figures(kind: DestinationKind, name: &str) -> Arc<DestinationFigures> {
        Arc::new(DestinationFigures::new(Destination::new(kind, name).unwrap()))
    }

    /// All pages of this size, and what every page said of the whole.
    fn pages(figures: &Figures, limit: usize) -> (Vec<Vec<String>>, Vec<usize>) {
        let (mut pages, mut totals, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = figures.queues(after.as_deref(), limit);
            let names = page.items.into_iter().map(|it| format!("{} {}", it.kind, it.name));
            pages.push(names.collect());
            totals.push(page.total);
            after = page.next;
            if after.is_none() {
                return (pages, totals);
            }
        }
    }

    #[test]
    fn pages_together_are_all_that_is_there_in_order_each_once() {
        let all = Figures::default();
        assert_eq!(all.queues(None, 10), Page::default());
        for name in ["b", "queue://a", "c", "a"] {
            all.insert(figures(DestinationKind::Queue, name));
        }
        // A name that a lasting queue has too.
        all.insert(figures(DestinationKind::TemporaryQueue, "a"));
        all.insert(figures(DestinationKind::Topic, "t"));
        let sorted = ["queue a", "queue b", "queue c", "queue queue://a", "temp-queue a"];
        for limit in 0..7 {
            let (pages, totals) = pages(&all, limit);
            assert_eq!(pages.concat(), sorted, "pages of {limit}");
            assert_eq!(pages.len(), sorted.len().div_ceil(limit.max(1)), "pages of {limit}");
            assert!(totals.iter().all(|total| *total == sorted.len()));
        }
        assert_eq!(all.queues(Some("b"), 1).items[0].name, "c", "a plain name is a queue's");
        assert_eq!(all.topics(None, 10).items[0].name, "t");
        assert_eq!(all.destination_count(), 6);
    }

    #[test]
    fn a_reader_goes_on_behind_what_has_gone_meanwhile() {
        let all = Figures::default();
        for name in ["a", "b", "c"] {
            all.insert(figures(DestinationKind::Queue, name));
        }
        let page = all.queues(None, 2);
        let b = Destination::new(DestinationKind::Queue, "b").unwrap();
        read(&all.0.queues).get(&b).unwrap().0.enqueued.add(3);
        all.remove(&b);
        assert_eq!(all.of_the_gone().queues.enqueued, 3);
        let next = all.queues(page.next.as_deref(), 2);
        assert_eq!((next.items[0].name.as_str(), next.items.len(), next.total), ("c", 1, 2));
    }

    #[test]
    fn a_visit_shows_no_more_than_a_page_and_goes_on_where_it_was() {
        let all = Figures::default();
        for number in 0..PAGE_ENTRIES_MAX + 1 {
            all.insert(figures(DestinationKind::Queue, &format!("{number:05}")));
        }
        let mut seen = Vec::new();
        let come_to = all.visit(true, None, |destination, _| seen.push(destination.name.clone()));
        assert_eq!((seen.len(), seen.last()), (PAGE_ENTRIES_MAX, come_to.as_ref().map(|it| &it.name)));
        let end = all.visit(true, come_to.as_deref(), |destination, _| seen.push(destination.name.clone()));
        assert_eq!((seen.len(), end), (PAGE_ENTRIES_MAX + 1, None));
        assert!(seen.is_sorted() && all.visit(false, None, |_, _| panic!("no topic")).is_none());
    }

    #[test]
    fn no_page_is_longer_than_the_bound() {
        let all = Figures::default();
        for number in 0..PAGE_ENTRIES_MAX as u64 + 1 {
            all.open(Arc::new(SessionFigures::new(SessionId(number), SessionInfo::default())));
        }
        let page = all.connections(None, usize::MAX);
        assert_eq!((page.items.len(), page.next), (PAGE_ENTRIES_MAX, Some("999".to_owned())));
        let rest = all.connections(Some(SessionId(999)), usize::MAX);
        assert_eq!((rest.items.len(), rest.items[0].session, rest.next), (1, 1000, None));
    }
}
