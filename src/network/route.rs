//! Which destinations a bridge serves, and how far messages and demand go over it.

use crate::config::NetworkConnector;
use crate::model::{Destination, DestinationKind, Pattern};
use crate::protocol::openwire::client::{BrokerId, NetworkBridgeFilter, Structure};

/// Priority of a bridge's consumers: whoever consumes at the source itself comes first.
const PRIORITY_BASE: i8 = -5;
/// What tells of other things never goes to another broker.
const ADVISORIES: &str = "ActiveMQ.Advisory.";

/// A kind of destination and the names that are meant.
#[derive(Clone, Debug)]
struct Place {
    is_queue: bool,
    pattern: Pattern,
}

impl Place {
    fn of(destination: &Destination) -> Place {
        Place { is_queue: destination.kind.is_queue(), pattern: Pattern::of(&destination.name) }
    }

    fn covers(&self, other: &Place) -> bool {
        self.is_queue == other.is_queue && self.pattern.covers(&other.pattern)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Route {
    source: String,
    target: String,
    message_ttl: Option<u32>,
    consumer_ttl: Option<u32>,
    decreases: bool,
    excluded: Vec<Place>,
    included: Vec<Place>,
}

/// Why a consumer of the target makes no demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    /// It is none of the bridge's, as it is configured or by what it is.
    Outside,
    /// It has wildcards that mean queues which are excluded.
    Wildcards,
}

impl Route {
    /// The way from the broker of the id `source` to that of the id `target`.
    pub(super) fn new(connector: &NetworkConnector, source: &str, target: &str) -> Route {
        let places = |all: &[Destination]| all.iter().map(Place::of).collect();
        Route {
            source: source.to_owned(),
            target: target.to_owned(),
            message_ttl: connector.message_ttl,
            consumer_ttl: connector.consumer_ttl,
            decreases: connector.decrease_network_consumer_priority,
            excluded: places(&connector.excluded_destinations),
            included: places(&connector.dynamically_included_destinations),
        }
    }

    /// Whether demand that has passed the brokers of `path` may come over this way.
    pub(super) fn takes_demand(&self, path: &[String]) -> bool {
        let passed = u32::try_from(path.len()).unwrap_or(u32::MAX);
        self.consumer_ttl.is_none_or(|most| passed < most) && !path.contains(&self.source)
    }

    /// Whether messages of a destination, or of all that its wildcards mean, may go this way.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn admits(&self, destination: &Destination) -> Result<(), Ignored> {
        let lasting = matches!(destination.kind, DestinationKind::Queue | DestinationKind::Topic);
        if !lasting || destination.name.starts_with(ADVISORIES) {
            return Err(Ignored::Outside);
        }
        let wanted = Place::of(destination);
        let is_excluded = self.excluded.iter().any(|it| it.covers(&wanted));
        if is_excluded || !self.included.is_empty() && !self.included.iter().any(|it| it.covers(&wanted)) {
            return Err(Ignored::Outside);
        }
        // What of a queue was taken and may not go would stand in the way of the rest.
        let is_pattern = Pattern::parse(&destination.name).is_some();
        if is_pattern && wanted.is_queue && self.excluded.iter().any(|it| it.is_queue) {
            return Err(Ignored::Wildcards);
        }
        Ok(())
    }

    /// Whether a message may go that has passed the brokers of `path`.
    pub(super) fn takes_message<'a>(&self, path: impl Iterator<Item = &'a str>) -> bool {
        let mut passed = 0;
        let mut path = path;
        path.all(|broker| {
            passed += 1;
            broker != self.target
        }) && self.message_ttl.is_none_or(|most| passed < most)
    }

    /// The priority of a consumer whose demand has passed the brokers of `path`, and had this one at the last.
    pub(super) fn priority(&self, own: i8, path: &[String]) -> i8 {
        if !self.decreases {
            return own;
        }
        // Each further broker makes it less, as in ActiveMQ.
        let further = if path.len() > 1 { path.len() + 1 } else { 0 };
        PRIORITY_BASE.saturating_sub(i8::try_from(further).unwrap_or(i8::MAX))
    }

    /// What the source is told, so that it gives the bridge nothing that may not go.
    pub(super) fn filter(&self) -> Structure {
        let ttl = |ttl: Option<u32>| ttl.and_then(|ttl| i32::try_from(ttl).ok()).unwrap_or(-1);
        Structure::NetworkBridgeFilter(Box::new(NetworkBridgeFilter {
            network_ttl: ttl(self.message_ttl),
            network_broker_id: Some(BrokerId { value: Some(self.target.as_str().into()) }),
            message_ttl: ttl(self.message_ttl),
            consumer_ttl: ttl(self.consumer_ttl),
        }))
    }

    /// The id of the broker that messages come from.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The id of the broker that they go to.
    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tests::connector;

    fn destination(text: &str) -> Destination {
        let (kind, name) = text.split_once("://").unwrap();
        let kind = if kind == "queue" { DestinationKind::Queue } else { DestinationKind::Topic };
        Destination::new(kind, name).unwrap()
    }

    fn route(lines: &str) -> Route {
        Route::new(&connector(lines), "A", "B")
    }

    #[test]
    fn excluded_destinations_come_before_included_ones() {
        let some = route(
            "excluded_destinations = [\"queue://S.>\"]\ndynamically_included_destinations = [\"S.A\", \"queue://T.*\", \"topic://T\"]",
        );
        for (name, expected) in [
            ("queue://S.A", Err(Ignored::Outside)),
            ("queue://T.A", Ok(())),
            ("queue://T.A.B", Err(Ignored::Outside)),
            ("topic://T", Ok(())),
            ("topic://T.A", Err(Ignored::Outside)),
            ("queue://T.*", Err(Ignored::Wildcards)),
            ("topic://ActiveMQ.Advisory.Queue", Err(Ignored::Outside)),
        ] {
            assert_eq!(some.admits(&destination(name)), expected, "{name}");
        }
        let all = route("");
        assert_eq!(all.admits(&destination("queue://>")), Ok(()));
        assert_eq!(all.admits(&destination("topic://A")), Ok(()));
        let temporary = Destination::new(DestinationKind::TemporaryQueue, "ID:1").unwrap();
        assert_eq!(all.admits(&temporary), Err(Ignored::Outside));
    }

    #[test]
    fn nothing_goes_in_a_circle_or_further_than_it_may() {
        let path = |path: &[&str]| path.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let one = route("");
        assert!(one.takes_demand(&[]) && one.takes_message([].into_iter()));
        assert!(!one.takes_demand(&path(&["C"])) && !one.takes_message(["C"].into_iter()));
        let three = route("network_ttl = 3");
        assert!(three.takes_demand(&path(&["C", "D"])) && three.takes_message(["C", "D"].into_iter()));
        assert!(!three.takes_demand(&path(&["A"])) && !three.takes_message(["B"].into_iter()));
        assert!(!three.takes_demand(&path(&["C", "D", "E"])));
        let any = route("network_ttl = -1\nmessage_ttl = 2");
        assert!(any.takes_demand(&path(&["C"; 300])) && !any.takes_message(["C"; 2].into_iter()));
    }

    #[test]
    fn who_is_further_away_comes_later() {
        let path = |count| vec!["B".to_owned(); count];
        let route_ = route("");
        assert_eq!([1, 2, 3, 300].map(|count| route_.priority(7, &path(count))), [-5, -8, -9, -128]);
        assert_eq!(route("decrease_network_consumer_priority = false").priority(7, &path(2)), 7);
    }
}
