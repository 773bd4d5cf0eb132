//! Who wants what at the target: consumers that its advisories tell of, and what is to be subscribed to for them.

use std::collections::{HashMap, HashSet};

use crate::model::{Destination, DestinationKind};
use crate::protocol::openwire::client::{
    ConsumerId, ConsumerInfo, MessageDispatch, RemoveInfo, Structure, Text, destinations,
};

use super::failure::Failure;
use super::route::{Ignored, Route};

/// Subscriptions of one bridge; more than the source would let it have.
const SUBSCRIPTIONS_MAX: usize = 5_000;
/// Consumers at the target that a bridge keeps account of.
const CONSUMERS_MAX: usize = 100_000;
/// Brokers that a demand has passed at most.
const PATH_MAX: usize = 255;

/// A subscription that is wanted at the source. With conduits there is one for each destination, however many consumers want it;
/// without, one for each consumer of a queue. Each consumer of a topic gets all that comes over, so that a second subscription
/// would only make it come twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Want {
    /// What is consumed.
    pub(super) destination: Destination,
    /// Of which consumer of the target, without conduits.
    consumer: Option<ConsumerId>,
}

/// What follows from an advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// To be subscribed to.
    Begin {
        /// What.
        want: Want,
        /// Selector of the consumer; that of a conduit takes everything.
        selector: Option<Text>,
        /// Its priority.
        priority: i8,
        /// Ids of the brokers that the demand has passed, the target's last.
        path: Vec<String>,
    },
    /// Nobody wants it any more.
    End(Want),
    /// Nothing can be subscribed to for a consumer, for this reason.
    Ignored(Destination, Ignored),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Demand {
    conduits: bool,
    wanted: HashMap<Want, HashSet<ConsumerId>>,
    of: HashMap<ConsumerId, Vec<Want>>,
}

impl Demand {
    pub(super) fn new(conduits: bool) -> Demand {
        Demand { conduits, ..Demand::default() }
    }

    /// Takes a message of the target's advisory topics; anything else means nothing.
    ///
    /// # Errors
    /// [`Failure::TooMuch`].
    pub(super) fn hear(&mut self, advisory: &MessageDispatch, route: &Route) -> Result<Vec<Change>, Failure> {
        let Some(Structure::Message(message)) = advisory.message.as_deref() else { return Ok(Vec::new()) };
        match message.data_structure.as_deref() {
            Some(Structure::ConsumerInfo(info)) => self.came(info, route),
            Some(Structure::RemoveInfo(info)) => Ok(self.went(info)),
            _ => Ok(Vec::new()),
        }
    }

    fn came(&mut self, info: &ConsumerInfo, route: &Route) -> Result<Vec<Change>, Failure> {
        let Some(id) = info.consumer_id.as_ref().filter(|_| !info.browser) else { return Ok(Vec::new()) };
        let mut path = passed(info);
        if self.of.contains_key(id) || !route.takes_demand(&path) {
            return Ok(Vec::new());
        }
        path.push(route.target().to_owned());
        let mut changes = Vec::new();
        for destination in destinations(info.destination.as_deref()) {
            if let Err(ignored) = route.admits(&destination) {
                changes.push(Change::Ignored(destination, ignored));
                continue;
            }
            let has_its_own = !self.conduits && destination.kind.is_queue();
            let want = Want { destination, consumer: has_its_own.then(|| id.clone()) };
            let is_new = !self.wanted.contains_key(&want);
            if is_new && self.wanted.len() >= SUBSCRIPTIONS_MAX {
                return Err(Failure::TooMuch(format!("more than {SUBSCRIPTIONS_MAX} subscriptions")));
            }
            if self.of.len() >= CONSUMERS_MAX {
                return Err(Failure::TooMuch(format!("messages for more than {CONSUMERS_MAX} consumers")));
            }
            self.wanted.entry(want.clone()).or_default().insert(id.clone());
            self.of.entry(id.clone()).or_default().push(want.clone());
            if is_new {
                let selector = info.selector.clone().filter(|_| has_its_own);
                let priority = route.priority(info.priority, &path);
                changes.push(Change::Begin { want, selector, priority, path: path.clone() });
            }
        }
        Ok(changes)
    }

    fn went(&mut self, info: &RemoveInfo) -> Vec<Change> {
        let Some(Structure::ConsumerId(id)) = info.object_id.as_deref() else { return Vec::new() };
        let wants = self.of.remove(&**id).unwrap_or_default();
        let ended = wants.into_iter().filter(|want| {
            let Some(consumers) = self.wanted.get_mut(want) else { return false };
            consumers.remove(&**id);
            consumers.is_empty() && self.wanted.remove(want).is_some()
        });
        ended.map(Change::End).collect()
    }

    /// Wants a destination for as long as the bridge stands, whether there is a consumer or not.
    pub(super) fn include(&mut self, destination: &Destination, route: &Route) -> Change {
        let want = Want { destination: destination.clone(), consumer: None };
        // Nobody has this id, and so nobody ends it.
        self.wanted.entry(want.clone()).or_default().insert(ConsumerId::default());
        let path = vec![route.target().to_owned()];
        Change::Begin { want, selector: None, priority: route.priority(0, &path), path }
    }
}

/// Ids of the brokers that a consumer's demand has passed. A bridge that names none comes from another broker all the same.
fn passed(info: &ConsumerInfo) -> Vec<String> {
    let path = info.broker_path.iter().flatten().filter_map(|passed| match passed {
        Structure::BrokerId(id) => Some(id.value.as_deref().unwrap_or_default().to_owned()),
        _ => None,
    });
    let mut path: Vec<String> = path.take(PATH_MAX).collect();
    if path.is_empty() && info.network_subscription {
        path.push(String::new());
    }
    path
}

/// The destination that the advisories of all consumers have.
pub(super) fn advisories() -> Destination {
    Destination { kind: DestinationKind::Topic, name: "ActiveMQ.Advisory.Consumer.>".to_owned() }
}
