//! The verdict on a history of one queue whose every message had to be consumed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::history::{ConnectionName, Event, MessageName, What};

/// What a history amounts to. Lists hold the offenders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Messages that were sent at least once.
    pub(crate) attempted: usize,
    /// Messages whose receipt came.
    pub(crate) confirmed: usize,
    /// Messages without a receipt: they may exist or not.
    pub(crate) unknown: usize,
    /// Messages that were delivered at least once.
    pub(crate) delivered: usize,
    /// Messages whose acknowledgement was confirmed.
    pub(crate) acknowledged: usize,
    /// Deliveries of a message that had been delivered before.
    pub(crate) repeated: usize,
    /// Confirmed, never delivered.
    pub(crate) lost: Vec<MessageName>,
    /// Delivered, never sent; `None` for a body that is no message of the run.
    pub(crate) phantom: Vec<Option<MessageName>>,
    /// Dispatched after their acknowledgement was confirmed: on a connection dialled after it, or on the same one.
    pub(crate) resurrected: Vec<MessageName>,
    /// Read after their acknowledgement was confirmed elsewhere, on a connection that already stood: an old master may have
    /// put them into that socket before.
    pub(crate) stale: Vec<MessageName>,
    /// Delivered for the first time on a connection, not marked redelivered, after a later message of the same producer.
    pub(crate) inverted: Vec<MessageName>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.phantom.is_empty()
            && self.resurrected.is_empty()
            && self.inverted.is_empty()
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} sent, {} confirmed, {} unknown, {} delivered, {} acknowledged, {} repeated; {} lost, {} invented, \
             {} dispatched again after their acknowledgement ({} more were in an old socket), {} out of order",
            self.attempted,
            self.confirmed,
            self.unknown,
            self.delivered,
            self.acknowledged,
            self.repeated,
            self.lost.len(),
            self.phantom.len(),
            self.resurrected.len(),
            self.stale.len(),
            self.inverted.len()
        )
    }
}

#[derive(Default)]
struct Progress {
    attempted: BTreeSet<MessageName>,
    confirmed: BTreeSet<MessageName>,
    delivered: HashSet<MessageName>,
    /// Place in the history of the first confirmation of each acknowledgement, and the connection that carried it.
    acknowledged: HashMap<MessageName, usize>,
    opened: HashMap<ConnectionName, usize>,
    last_delivery: HashMap<MessageName, ConnectionName>,
    highest: BTreeMap<(ConnectionName, u32), u64>,
}

/// Judges a history of one queue.
pub(crate) fn judge(events: &[Event]) -> Verdict {
    let mut progress = Progress::default();
    let mut verdict = Verdict::default();
    for (place, event) in events.iter().enumerate() {
        match event.what {
            What::Opening(connection) => {
                progress.opened.insert(connection, place);
            }
            What::Attempt(message) => {
                progress.attempted.insert(message);
            }
            What::Confirmed(message) => {
                progress.confirmed.insert(message);
            }
            What::Acknowledged(message) => {
                progress.acknowledged.entry(message).or_insert(place);
            }
            What::Delivered { message: None, .. } => verdict.phantom.push(None),
            What::Delivered { message: Some(message), connection, redelivered } => {
                deliver(&mut progress, &mut verdict, message, connection, redelivered);
            }
        }
    }
    verdict.attempted = progress.attempted.len();
    verdict.confirmed = progress.confirmed.len();
    verdict.unknown = progress.attempted.difference(&progress.confirmed).count();
    verdict.delivered = progress.delivered.len();
    verdict.acknowledged = progress.acknowledged.len();
    verdict.lost =
        progress.confirmed.iter().filter(|name| !progress.delivered.contains(name)).copied().collect();
    verdict
}

fn deliver(
    progress: &mut Progress,
    verdict: &mut Verdict,
    message: MessageName,
    connection: ConnectionName,
    redelivered: bool,
) {
    if !progress.attempted.contains(&message) {
        verdict.phantom.push(Some(message));
    }
    if let Some(settled) = progress.acknowledged.get(&message) {
        let dialled_after = progress.opened.get(&connection).is_some_and(|opened| opened > settled);
        let same = progress.last_delivery.get(&message) == Some(&connection);
        let list = if dialled_after || same { &mut verdict.resurrected } else { &mut verdict.stale };
        list.push(message);
    }
    if !progress.delivered.insert(message) {
        verdict.repeated += 1;
    }
    progress.last_delivery.insert(message, connection);
    let highest = progress.highest.entry((connection, message.producer)).or_default();
    if message.sequence <= *highest && !redelivered {
        verdict.inverted.push(message);
    }
    *highest = (*highest).max(message.sequence);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: MessageName = MessageName { producer: 1, sequence: 1 };
    const B: MessageName = MessageName { producer: 1, sequence: 2 };
    const ONE: ConnectionName = ConnectionName(1);
    const TWO: ConnectionName = ConnectionName(2);

    fn verdict(whats: &[What]) -> Verdict {
        let events: Vec<Event> = whats
            .iter()
            .enumerate()
            .map(|(n, what)| Event { at: Duration::from_millis(n as u64), what: *what })
            .collect();
        judge(&events)
    }

    fn delivered(message: MessageName, connection: ConnectionName) -> What {
        What::Delivered { message: Some(message), connection, redelivered: false }
    }

    fn redelivered(message: MessageName, connection: ConnectionName) -> What {
        What::Delivered { message: Some(message), connection, redelivered: true }
    }

    #[test]
    fn a_history_in_which_every_message_is_consumed_once_is_clean() {
        use What::*;
        let verdict = verdict(&[
            Opening(ONE),
            Attempt(A),
            Confirmed(A),
            delivered(A, ONE),
            Acknowledged(A),
            Attempt(B),
            delivered(B, ONE),
            Confirmed(B),
            Acknowledged(B),
        ]);
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!((verdict.confirmed, verdict.acknowledged, verdict.repeated), (2, 2, 0));
    }

    #[test]
    fn a_confirmed_message_that_nobody_got_is_lost() {
        let verdict = verdict(&[What::Attempt(A), What::Confirmed(A)]);
        assert_eq!(verdict.lost, [A]);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn an_unconfirmed_message_that_nobody_got_is_unknown_and_not_lost() {
        let verdict = verdict(&[What::Attempt(A)]);
        assert_eq!((verdict.unknown, verdict.is_clean()), (1, true));
    }

    #[test]
    fn a_message_that_was_never_sent_is_invented() {
        let verdict = verdict(&[What::Opening(ONE), delivered(A, ONE)]);
        assert_eq!(verdict.phantom, [Some(A)]);
    }

    #[test]
    fn a_body_that_is_no_message_of_the_run_is_invented() {
        let foreign = What::Delivered { message: None, connection: ONE, redelivered: false };
        assert_eq!(verdict(&[What::Opening(ONE), foreign]).phantom, [None]);
    }

    #[test]
    fn a_dispatch_on_a_connection_dialled_after_the_acknowledgement_was_confirmed_is_an_error() {
        use What::*;
        let verdict = verdict(&[
            Attempt(A),
            Confirmed(A),
            Opening(ONE),
            delivered(A, ONE),
            Acknowledged(A),
            Opening(TWO),
            redelivered(A, TWO),
        ]);
        assert_eq!(
            (verdict.resurrected.as_slice(), verdict.stale.as_slice()),
            ([A].as_slice(), [].as_slice())
        );
    }

    #[test]
    fn a_second_dispatch_on_the_connection_whose_acknowledgement_was_confirmed_is_an_error() {
        use What::*;
        let verdict = verdict(&[
            Attempt(A),
            Confirmed(A),
            Opening(ONE),
            delivered(A, ONE),
            Acknowledged(A),
            redelivered(A, ONE),
        ]);
        assert_eq!(verdict.resurrected, [A]);
    }

    #[test]
    fn what_stood_in_the_socket_of_an_old_connection_is_counted_apart() {
        use What::*;
        let verdict = verdict(&[
            Attempt(A),
            Confirmed(A),
            Opening(ONE),
            Opening(TWO),
            delivered(A, TWO),
            Acknowledged(A),
            delivered(A, ONE),
        ]);
        assert_eq!((verdict.stale.as_slice(), verdict.is_clean()), ([A].as_slice(), true));
    }

    #[test]
    fn an_unmarked_step_back_in_a_producers_order_is_an_error_and_a_redelivery_is_not() {
        use What::*;
        let sent = [Opening(ONE), Attempt(A), Confirmed(A), Attempt(B), Confirmed(B), delivered(B, ONE)];
        let mut bad = sent.to_vec();
        bad.push(delivered(A, ONE));
        assert_eq!(verdict(&bad).inverted, [A]);
        let mut good = sent.to_vec();
        good.push(redelivered(A, ONE));
        assert!(verdict(&good).inverted.is_empty());
    }

    #[test]
    fn a_message_stored_twice_shows_as_a_dispatch_after_its_acknowledgement() {
        use What::*;
        let verdict = verdict(&[
            Attempt(A),
            Attempt(A),
            Confirmed(A),
            Opening(ONE),
            delivered(A, ONE),
            Acknowledged(A),
            delivered(A, ONE),
        ]);
        assert_eq!((verdict.resurrected.as_slice(), verdict.repeated), ([A].as_slice(), 1));
    }
}
