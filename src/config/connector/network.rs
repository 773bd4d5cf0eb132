//! Network connectors: bridges to other brokers.

use super::non_empty;
use crate::config::Secret;
use crate::config::fault::nearest;
use crate::config::section::Section;
use crate::config::values::uri::{Uri, options};
use crate::model::{Destination, DestinationKind};

use super::retry::{OPTIONS as RETRY_OPTIONS, Retry};

/// How a network connector finds its brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// One bridge to each broker of the list.
    Static,
    /// One bridge to the first broker of the list that answers.
    MasterSlave,
}

/// One `[[network_connector]]`. Names and defaults are ActiveMQ's; config/NETWORK.md says what each does.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConnector {
    /// Unique name.
    pub name: String,
    /// How the brokers are found.
    pub discovery: Discovery,
    /// URIs of the other brokers, without options: `tcp://host:61616`.
    pub brokers: Vec<String>,
    /// When a broker is tried again.
    pub retry: Retry,
    /// Messages flow both ways.
    pub duplex: bool,
    /// Many consumers of a destination look like one from the other side.
    pub conduit_subscriptions: bool,
    /// Prefers near consumers.
    pub decrease_network_consumer_priority: bool,
    /// How many brokers a message may pass; `None`: any number.
    pub message_ttl: Option<u32>,
    /// How many brokers a consumer's demand may pass; `None`: any number.
    pub consumer_ttl: Option<u32>,
    /// How many messages of one subscription are under way.
    pub prefetch_size: u32,
    /// Non-persistent messages are confirmed by the other side as well.
    pub always_sync_send: bool,
    /// Serves `statically_included_destinations` only.
    pub static_bridge: bool,
    /// Never forwarded.
    pub excluded_destinations: Vec<Destination>,
    /// Forwarded on demand; empty means all.
    pub dynamically_included_destinations: Vec<Destination>,
    /// Forwarded without demand.
    pub statically_included_destinations: Vec<Destination>,
    /// User on the other side.
    pub user_name: Option<String>,
    /// Password on the other side.
    pub password: Option<Secret>,
}

const NAME_DEFAULT: &str = "NC";
/// How a broker is reached; all of them are TCP.
const BROKER_SCHEMES: [&str; 4] = ["tcp", "nio", "openwire", "auto"];
/// ActiveMQ's others, and what to do.
const UNSERVED_SCHEMES: [(&str, &str); 5] = [
    (
        "ssl",
        "TLS towards another broker is not served by this version; write \"tcp\", over a network that you trust",
    ),
    (
        "nio+ssl",
        "TLS towards another broker is not served by this version; write \"tcp\", over a network that you trust",
    ),
    (
        "auto+ssl",
        "TLS towards another broker is not served by this version; write \"tcp\", over a network that you trust",
    ),
    (
        "failover",
        "a bridge goes from broker to broker by itself; write \"masterslave:(tcp://a:61616,tcp://b:61616)\"",
    ),
    ("http", "no broker is reached by HTTP; write \"tcp\""),
];
/// ActiveMQ's other discoveries, and what to do.
const UNSERVED_DISCOVERIES: [&str; 6] = ["multicast", "rendezvous", "zeroconf", "ldap", "http", "simple"];
const TTL_MAX: i64 = 255;

/// Reads all network connectors.
pub(in crate::config) fn read(sections: &[Section<'_>], warnings: &mut Vec<String>) -> Vec<NetworkConnector> {
    let mut connectors: Vec<NetworkConnector> = Vec::new();
    for section in sections {
        let name = section.parsed("name", NAME_DEFAULT, non_empty);
        let uri = section.optional("uri", discovery);
        if uri.is_none() && !section.is_written("uri") {
            section.fault(
                "uri",
                "missing; a network connector needs a uri such as \"static:(tcp://host:61616)\"",
            );
        }
        let connector = connector(section, name.unwrap_or_default(), uri, warnings);
        if connectors.iter().any(|other| other.name == connector.name) {
            section.fault("name", format!("two network connectors are called {:?}", connector.name));
        }
        connectors.push(connector);
    }
    connectors
}

fn connector(
    section: &Section<'_>,
    name: String,
    uri: Option<Found>,
    warnings: &mut Vec<String>,
) -> NetworkConnector {
    let (discovery, brokers, retry) = uri.unwrap_or((Discovery::Static, Vec::new(), Retry::default()));
    // Read so that a copied file is understood: both of its values come to the same until durable subscriptions are bridged.
    section.boolean("dynamic_only", false);
    if section.boolean("suppress_duplicate_queue_subscriptions", false) {
        let key = "suppress_duplicate_queue_subscriptions";
        section.fault(key, "true is not served by this version; leave it out");
    }
    if section.boolean("bridge_temp_destinations", true) {
        warnings.push(format!(
            "network connector {name}: temporary destinations are not bridged by this version; \
             bridge_temp_destinations = false says that this is known"
        ));
    }
    let network_ttl = section.integer("network_ttl", 1, -1..=TTL_MAX);
    let ttl = |key| {
        let ttl = section.optional_integer(key, -1..=TTL_MAX).unwrap_or(network_ttl);
        if ttl == 0 {
            let written = if section.is_written(key) { key } else { "network_ttl" };
            section.fault(written, "0 would let nothing through; expected 1 to 255, or -1 for no bound");
        }
        u32::try_from(ttl).ok()
    };
    NetworkConnector {
        name,
        discovery,
        brokers,
        retry,
        duplex: section.boolean("duplex", false),
        conduit_subscriptions: section.boolean("conduit_subscriptions", true),
        decrease_network_consumer_priority: section.boolean("decrease_network_consumer_priority", true),
        message_ttl: ttl("message_ttl"),
        consumer_ttl: ttl("consumer_ttl"),
        prefetch_size: section.integer("prefetch_size", 1000, 1..=1_000_000) as u32,
        always_sync_send: section.boolean("always_sync_send", true),
        static_bridge: section.boolean("static_bridge", false),
        excluded_destinations: destinations(section, "excluded_destinations"),
        dynamically_included_destinations: destinations(section, "dynamically_included_destinations"),
        statically_included_destinations: destinations(section, "statically_included_destinations"),
        user_name: section.optional("user_name", non_empty),
        password: section.secret("password", "password_file"),
    }
}

/// A list of queues and topics, which may have wildcards.
fn destinations(section: &Section<'_>, key: &'static str) -> Vec<Destination> {
    let texts = section.texts(key);
    let read = texts.iter().filter_map(|text| match destination(text.trim()) {
        Ok(destination) => Some(destination),
        Err(problem) => {
            section.fault(key, problem);
            None
        }
    });
    read.collect()
}

fn destination(text: &str) -> Result<Destination, String> {
    let (kind, name) = match text.split_once("://") {
        None => (DestinationKind::Queue, text),
        Some(("queue", name)) => (DestinationKind::Queue, name),
        Some(("topic", name)) => (DestinationKind::Topic, name),
        Some(_) => return Err(format!("{text:?} is no destination; expected queue://NAME or topic://NAME")),
    };
    if name.contains(',') {
        return Err(format!("{text:?} is several destinations; write an entry for each"));
    }
    Destination::new(kind, name).map_err(|error| format!("{text:?} is no destination: {error}"))
}

type Found = (Discovery, Vec<String>, Retry);

/// Takes a discovery URI apart, and shows the right spelling of the wrong ones that are handed around.
fn discovery(text: &str) -> Result<Found, String> {
    let text = text.trim();
    for scheme in ["static", "masterslave", "failover"] {
        if let Some(rest) = text.strip_prefix(scheme)
            && rest.starts_with('(')
        {
            return Err(format!("a colon is missing; write \"{scheme}:{rest}\""));
        }
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(format!("{text:?} is no discovery URI; expected \"static:(tcp://host:61616)\""));
    };
    let discovery = match scheme {
        "static" => Discovery::Static,
        "masterslave" => Discovery::MasterSlave,
        scheme if BROKER_SCHEMES.contains(&scheme) => {
            return Err(format!("{scheme}: is no discovery scheme; write \"static:({text})\""));
        }
        scheme if UNSERVED_DISCOVERIES.contains(&scheme) => {
            return Err(format!(
                "{scheme} discovery is not served by this version; write the brokers: \"static:(tcp://host:61616)\""
            ));
        }
        scheme => {
            return Err(match nearest(scheme, ["static", "masterslave"]) {
                Some(meant) => format!("unknown discovery scheme {scheme:?}; did you mean {meant:?}?"),
                None => format!("unknown discovery scheme {scheme:?}; expected static or masterslave"),
            });
        }
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let Some((list, after)) = rest.strip_prefix('(').and_then(|rest| rest.rsplit_once(')')) else {
        return Err(format!(
            "the list needs brackets; write \"{scheme}:({})\"",
            rest.trim_matches(['(', ')'])
        ));
    };
    let mut retry = Retry::default();
    for (option, value) in options(after.strip_prefix('?').unwrap_or(after))? {
        if !RETRY_OPTIONS.contains(&option.as_str()) {
            return Err(match nearest(&option, RETRY_OPTIONS) {
                Some(meant) => format!("unknown option {option:?}; did you mean {meant:?}?"),
                None => format!("unknown option {option:?}"),
            });
        }
        retry.set(&option, &value)?;
    }
    let brokers = brokers(list)?;
    if discovery == Discovery::MasterSlave && brokers.len() < 2 {
        return Err("masterslave needs two brokers or more; write \"static\" for one".to_owned());
    }
    Ok((discovery, brokers, retry))
}

fn brokers(list: &str) -> Result<Vec<String>, String> {
    let mut brokers: Vec<String> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let uri = Uri::parse(part)?;
        if let Some((_, why)) = UNSERVED_SCHEMES.iter().find(|(scheme, _)| *scheme == uri.scheme) {
            return Err(format!("{part:?}: {why}"));
        }
        if let Some((option, _)) = uri.options.first() {
            return Err(format!("{part:?}: {option} has no effect on a bridge; leave it out"));
        }
        if uri.port.is_none() {
            return Err(format!("{part:?} has no port; write \"{}://{}:61616\"", uri.scheme, uri.host));
        }
        if !BROKER_SCHEMES.contains(&uri.scheme.as_str()) {
            return Err(format!("{part:?} is no OpenWire address; expected tcp://host:61616"));
        }
        if brokers.iter().any(|other| other == part) {
            return Err(format!("{part:?} stands in the list twice"));
        }
        brokers.push(part.to_owned());
    }
    if brokers.is_empty() {
        return Err("the list is empty; expected \"static:(tcp://host:61616)\"".to_owned());
    }
    Ok(brokers)
}
