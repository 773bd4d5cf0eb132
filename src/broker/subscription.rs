//! A subscription of a session, while it lasts.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{DestinationId, Message, Pattern, ToldConsumer};
use crate::selector::{Reach, Selector};

use super::{Outbox, Refusal, SessionId, SubscriptionKey};

/// Names a subscription over all sessions; never given twice under one master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubscriberId(pub(super) u64);

/// What a subscription takes its messages from.
#[derive(Debug)]
pub(super) enum Source {
    /// It competes for the messages of these queues: one, or all that match its wildcards.
    Queues(Vec<DestinationId>),
    /// It gets every message of these topics.
    Topics(Vec<DestinationId>, Backlog),
    /// It looks at a queue as it was at its start.
    Browse(Box<Browse>),
}

/// Messages of topics that wait for credit.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Each with the topic that it comes from, if there is such a one.
    pub(super) messages: VecDeque<(Option<DestinationId>, Message)>,
    pub(super) bytes: usize,
}

/// Drops the oldest non-persistent messages of a row until no more than so many are left, and it is so many bytes shorter;
/// returns their number and bytes.
pub(super) fn evict(
    messages: &mut VecDeque<(Option<DestinationId>, Message)>,
    messages_max: usize,
    excess: usize,
) -> (u64, usize) {
    let (mut from, mut count, mut bytes) = (0, 0, 0);
    while messages.len() > messages_max || bytes < excess {
        let oldest = messages.iter().skip(from).position(|(_, message)| !message.persistent());
        let Some(at) = oldest.map(|at| from + at) else { break };
        if let Some((_, message)) = messages.remove(at) {
            (count, bytes) = (count + 1, bytes + message.encoded().len());
        }
        from = at;
    }
    (count, bytes)
}

/// Where a browser stands.
#[derive(Debug)]
pub(super) struct Browse {
    pub(super) queue: DestinationId,
    /// The next sequence to look at, and the last one.
    pub(super) next: u64,
    pub(super) last: u64,
    /// The place of the non-persistent message that was shown last, and of the last one to show. They are looked up in the
    /// queue, one by one: a browser keeps nothing alive.
    pub(super) shown: (u64, u64),
    pub(super) shown_last: (u64, u64),
    pub(super) reading: bool,
    /// The last sequence of the page that is being read.
    pub(super) asked: u64,
    pub(super) ended: bool,
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) session: SessionId,
    pub(super) key: SubscriptionKey,
    pub(super) prefetch: u32,
    /// Deliveries that are not settled; may exceed `prefetch` after that was lowered.
    pub(super) outstanding: u32,
    /// Its session's.
    pub(super) outbox: Outbox,
    pub(super) priority: i8,
    pub(super) exclusive: bool,
    pub(super) no_local: bool,
    pub(super) selection: Option<Box<Selection>>,
    /// Of a durable subscription's consumer, the topics that are kept.
    pub(super) topics: Option<Pattern>,
    pub(super) source: Source,
    /// What others are told of it.
    pub(super) told: Box<ToldConsumer>,
}

/// Which messages a subscription wants, and the bytes of the text that says so, which are counted over all of them.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) selector: Arc<Selector>,
    pub(super) bytes: usize,
}

impl Selection {
    /// What a text selects, within this reach.
    ///
    /// # Errors
    /// [`Refusal::Invalid`]: it is no selector.
    pub(super) fn read(text: &str, reach: Option<&Reach>) -> Result<Option<Box<Selection>>, Refusal> {
        // As in ActiveMQ, blanks select everything.
        let text = match (text.trim(), reach) {
            ("", None) => return Ok(None),
            ("", Some(_)) => "TRUE",
            _ => text,
        };
        let selector = Selector::parse(text).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let (selector, more) = match reach {
            Some(reach) => (selector.within(reach.clone()), reach.broker.len()),
            None => (selector, 0),
        };
        Ok(Some(Box::new(Selection { selector: Arc::new(selector), bytes: text.len() + more })))
    }
}

impl Subscription {
    /// Whether it selects a message of which so many deliveries have failed.
    pub(super) fn selects(&self, message: &Message, failures: u32) -> bool {
        self.selection.as_ref().is_none_or(|it| it.selector.matches(message, failures))
    }

    /// How many more deliveries it takes now; none while its client does not read what is on its way.
    pub(super) fn credit(&self) -> u32 {
        if self.outbox.is_full() { 0 } else { self.prefetch.saturating_sub(self.outstanding) }
    }
}
