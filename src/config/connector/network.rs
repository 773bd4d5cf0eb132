//! Network connectors: bridges to other brokers.

use super::non_empty;
use crate::config::Secret;
use crate::config::fault::nearest;
use crate::config::section::Section;
use crate::config::uri::{Uri, options};

/// How a network connector finds its brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// One bridge to each broker of the list.
    Static,
    /// One bridge to the first broker of the list that answers.
    MasterSlave,
    /// Brokers announce themselves.
    Multicast,
}

/// One `[[network_connector]]`. Names and defaults are ActiveMQ's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConnector {
    /// Unique name.
    pub name: String,
    /// How the brokers are found.
    pub discovery: Discovery,
    /// URIs of the other brokers; the group of a multicast.
    pub brokers: Vec<String>,
    /// Options of the discovery, as written.
    pub discovery_options: Vec<(String, String)>,
    /// Messages flow both ways.
    pub duplex: bool,
    /// Forwards only for consumers that are connected now.
    pub dynamic_only: bool,
    /// Many consumers of a destination look like one from the other side.
    pub conduit_subscriptions: bool,
    /// Prefers near consumers.
    pub decrease_network_consumer_priority: bool,
    /// How many brokers a message or a demand may pass.
    pub network_ttl: i64,
    /// How many messages are under way.
    pub prefetch_size: i64,
    /// A network queue subscription is taken once only.
    pub suppress_duplicate_queue_subscriptions: bool,
    /// Temporary destinations are forwarded.
    pub bridge_temp_destinations: bool,
    /// Waits for the other side's answer to each message.
    pub always_sync_send: bool,
    /// Serves `statically_included_destinations` only.
    pub static_bridge: bool,
    /// Never forwarded.
    pub excluded_destinations: Vec<String>,
    /// Forwarded on demand; empty means all.
    pub dynamically_included_destinations: Vec<String>,
    /// Forwarded without demand.
    pub statically_included_destinations: Vec<String>,
    /// User on the other side.
    pub user_name: Option<String>,
    /// Password on the other side.
    pub password: Option<Secret>,
}

const NAME_DEFAULT: &str = "NC";
const BROKER_SCHEMES: [&str; 8] =
    ["tcp", "nio", "openwire", "ssl", "nio+ssl", "auto", "auto+ssl", "failover"];
const STATIC_OPTIONS: [&str; 7] = [
    "initialReconnectDelay",
    "maxReconnectDelay",
    "useExponentialBackOff",
    "backOffMultiplier",
    "maxReconnectAttempts",
    "minConnectTime",
    "randomize",
];

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
        let connector = connector(section, name.unwrap_or_default(), uri);
        if connectors.iter().any(|other| other.name == connector.name) {
            section.fault("name", format!("two network connectors are called {:?}", connector.name));
        }
        warnings.push(format!(
            "network connector {}: networks of brokers are not served by this version",
            connector.name
        ));
        connectors.push(connector);
    }
    connectors
}

fn connector(section: &Section<'_>, name: String, uri: Option<Found>) -> NetworkConnector {
    let (discovery, brokers, discovery_options) = uri.unwrap_or((Discovery::Static, Vec::new(), Vec::new()));
    NetworkConnector {
        name,
        discovery,
        brokers,
        discovery_options,
        duplex: section.boolean("duplex", false),
        dynamic_only: section.boolean("dynamic_only", false),
        conduit_subscriptions: section.boolean("conduit_subscriptions", true),
        decrease_network_consumer_priority: section.boolean("decrease_network_consumer_priority", true),
        network_ttl: section.integer("network_ttl", 1, 1..=255),
        prefetch_size: section.integer("prefetch_size", 1000, 1..=1_000_000),
        suppress_duplicate_queue_subscriptions: section
            .boolean("suppress_duplicate_queue_subscriptions", false),
        bridge_temp_destinations: section.boolean("bridge_temp_destinations", true),
        always_sync_send: section.boolean("always_sync_send", true),
        static_bridge: section.boolean("static_bridge", false),
        excluded_destinations: section.texts("excluded_destinations"),
        dynamically_included_destinations: section.texts("dynamically_included_destinations"),
        statically_included_destinations: section.texts("statically_included_destinations"),
        user_name: section.optional("user_name", non_empty),
        password: section.secret("password", "password_file"),
    }
}

type Found = (Discovery, Vec<String>, Vec<(String, String)>);

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
        "multicast" => Discovery::Multicast,
        scheme if BROKER_SCHEMES.contains(&scheme) && scheme != "failover" => {
            return Err(format!("{scheme}: is no discovery scheme; write \"static:({text})\""));
        }
        scheme => {
            return Err(match nearest(scheme, ["static", "masterslave", "multicast"]) {
                Some(meant) => format!("unknown discovery scheme {scheme:?}; did you mean {meant:?}?"),
                None => {
                    format!("unknown discovery scheme {scheme:?}; expected static, masterslave or multicast")
                }
            });
        }
    };
    if discovery == Discovery::Multicast {
        let (group, query) = rest.split_once('?').unwrap_or((rest, ""));
        let group = group.trim_start_matches("//").to_owned();
        return Ok((discovery, vec![group], options(query)?));
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let Some((list, after)) = rest.strip_prefix('(').and_then(|rest| rest.rsplit_once(')')) else {
        return Err(format!(
            "the list needs brackets; write \"{scheme}:({})\"",
            rest.trim_matches(['(', ')'])
        ));
    };
    let found = options(after.strip_prefix('?').unwrap_or(after))?;
    if let Some((option, _)) = found.iter().find(|(name, _)| !STATIC_OPTIONS.contains(&name.as_str())) {
        return Err(match nearest(option, STATIC_OPTIONS) {
            Some(meant) => format!("unknown option {option:?}; did you mean {meant:?}?"),
            None => format!("unknown option {option:?}"),
        });
    }
    Ok((discovery, brokers(list)?, found))
}

fn brokers(list: &str) -> Result<Vec<String>, String> {
    let mut brokers: Vec<String> = Vec::new();
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let uri = Uri::parse(part)?;
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
