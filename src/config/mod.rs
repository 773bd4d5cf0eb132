//! Configuration: the file as written, then validated and typed. Nothing else reads configuration.
//!
//! Three layers, the later ones win: the TOML file, the environment (`QUORATE_STORE_KIND` for `store.kind`) and
//! `--set key=value`. Whatever is not understood stops the start; all faults are told at once.

mod acl;
mod activemq;
mod connector;
mod fault;
mod policy;
mod raw;
mod secret;
mod section;
mod security;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod unknown;
mod values;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

pub use acl::{ZkAcl, ZkAclEntry};
pub use connector::{
    ConnectionOptions, Discovery, NetworkConnector, Retry, Scheme, TransportConnector, WireFormatOptions,
};
pub use fault::{ConfigError, Fault, Origin};
pub use policy::{DeadLetterStrategy, DeadLetters, Policies, Policy};
pub use secret::Secret;
pub use section::Setting;
pub use security::Security;
pub use store::{Local, Replicated, StoreConfig, Sync, Tls};
pub use values::units::{Limit, duration as parse_duration, size as parse_size};
pub use values::uri::host_port as parse_host_port;

use crate::model::{Destination, DestinationKind, Pattern};

use section::{Section, Source, Unit};
use values::units;

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[broker]`.
    pub broker: BrokerConfig,
    /// `[store]` and the section of its kind.
    pub store: StoreConfig,
    /// `[[transport_connector]]`, in the order of the file; names and ports are unique.
    pub transport_connectors: Vec<TransportConnector>,
    /// `[[network_connector]]`; names are unique.
    pub network_connectors: Vec<NetworkConnector>,
    /// `[[policy]]`.
    pub policies: Policies,
    /// `[system_usage]`.
    pub system_usage: SystemUsage,
    /// `[security]`, `[[users]]` and `[[rights]]`.
    pub security: Security,
    /// `[console]`.
    pub console: Console,
    /// `[log]`.
    pub log: LogConfig,
}

/// `[broker]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The broker's name; the same on all nodes of a group.
    pub name: String,
    /// Where everything is stored that has no directory of its own.
    pub data_directory: PathBuf,
    /// What is there from the start.
    pub destinations: Vec<Destination>,
}

/// `[system_usage]`: at these bounds producers wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemUsage {
    /// Messages in memory.
    pub memory: Limit,
    /// The store.
    pub store: Limit,
    /// Temporary files.
    pub temp: Limit,
}

/// `[console]`: the port of the admin interface, open on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Names under which it is reached beside its own, for instance those of a proxy.
    pub hosts: Vec<String>,
    /// What a request must show to change something; `None`: the node draws one and keeps it in its store's directory.
    pub token: Option<Secret>,
    /// Groups whose users may see everything, messages too.
    pub view: Vec<String>,
    /// Groups whose users may do that, and send, purge and remove.
    pub operate: Vec<String>,
    /// Groups whose users may do all that, and change the group of nodes.
    pub administer: Vec<String>,
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Least severity that is written.
    pub level: LogLevel,
    /// Lines for people or for machines.
    pub format: LogFormat,
}

/// Least severity that is written to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What happens.
    Info,
    /// Why it happens.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The configuration's word for it.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `INFO | message`, as ActiveMQ's console shows it.
    Text,
    /// One JSON object in a line.
    Json,
}

/// A configuration, and what its owner should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedConfig {
    /// The configuration.
    pub config: Config,
    /// Things that are allowed and may surprise.
    pub warnings: Vec<String>,
    /// Every key that there is, with the value that counts and where it came from, in the order of the sections.
    pub settings: Vec<Setting>,
}

impl Config {
    /// Reads `file`, the environment of the process and the `--set` arguments. Without a file everything has its
    /// default: a lone broker on loopback.
    ///
    /// # Errors
    /// [`ConfigError`] lists everything that is wrong; the caller prints it and does not start.
    pub fn load(file: Option<&Path>, arguments: &[String]) -> Result<LoadedConfig, ConfigError> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let Some(path) = file else {
            return Config::parse(None, "", arguments, &environment);
        };
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(Some(&name), &text, arguments, &environment),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                let fault = Fault { place: Origin::Default, key: String::new(), message };
                Err(ConfigError { file: Some(name), faults: vec![fault] })
            }
        }
    }

    /// Reads a configuration from its parts. `file` is the name for messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        file: Option<&str>,
        text: &str,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Result<LoadedConfig, ConfigError> {
        let default = ("transport_connector", connector::DEFAULT.as_slice());
        let source = Source::new(file, text, default, arguments, environment)?;
        let mut warnings = Vec::new();
        let config = read(&source, file, &mut warnings);
        let settings = source.finish()?;
        Ok(LoadedConfig { config, warnings, settings })
    }

    /// What each listener risks that other machines reach, because the configuration says so.
    pub fn open_to_all(&self) -> Vec<String> {
        let mut risks = Vec::new();
        for connector in self.transport_connectors.iter().filter(|c| c.is_served() && !c.is_local()) {
            let (name, address) = (&connector.name, connector.address());
            if connector.connection.allow_anonymous && self.security.rights.is_empty() {
                risks.push(format!(
                    "transport connector {name}: {address} is reached from other machines and asks for no login \
                     (allow_anonymous): whoever reaches the port can read and write every queue"
                ));
            }
            if !connector.tls && self.security.asks() {
                risks.push(format!(
                    "transport connector {name}: {address} is reached from other machines without TLS \
                     (allow_plaintext): passwords and messages can be overheard"
                ));
            }
        }
        let bind = self.console.bind;
        if !bind.ip().to_canonical().is_loopback() {
            let risk = match self.security.asks() {
                true => {
                    "passwords and what is shown can be overheard unless a proxy in front of it speaks TLS"
                }
                false => {
                    "whoever reaches the port can see what the broker holds and who is connected; changes need the \
                     console's token, which is sent in plain text"
                }
            };
            risks.push(format!("console.bind: {bind} is reached from other machines: {risk}"));
        }
        risks
    }
}

const LIMIT: Unit<Limit> = Unit {
    parse: units::limit,
    show: |limit| match limit {
        Limit::Bytes(bytes) => units::show_size(*bytes),
        Limit::Percent(percent) => format!("{percent}%"),
    },
    magnitude: |limit| u128::from(limit.bytes_of(100)),
    expected: units::LIMIT_EXPECTED,
    bare: true,
};

fn read(source: &Source, file: Option<&str>, warnings: &mut Vec<String>) -> Config {
    let root = source.root();
    let broker = root.section("broker");
    let broker = BrokerConfig {
        name: broker.parsed("name", "localhost", broker_name).unwrap_or_default(),
        data_directory: broker.parsed("data_directory", "data", store::directory).unwrap_or_default(),
        destinations: read_destinations(&broker),
    };
    let store_section = root.section("store");
    let store = store::read(&store_section, &broker.data_directory, warnings);
    let transports = root.sections("transport_connector");
    let mut transport_connectors = connector::read(&transports, warnings);
    let security = security::read(&root, file, warnings);
    security::check_doors(&transports, &mut transport_connectors, &security);
    let network_connectors = connector::read_networks(&root.sections("network_connector"), warnings);
    let usage = root.section("system_usage");
    let system_usage = SystemUsage {
        memory: usage.measure("memory", Limit::Bytes(1 << 30), None, &LIMIT),
        store: usage.measure("store", Limit::Bytes(100 << 30), None, &LIMIT),
        temp: usage.measure("temp", Limit::Bytes(50 << 30), None, &LIMIT),
    };
    let console_section = root.section("console");
    let console = read_console(&console_section, &security);
    let log = read_log(&root.section("log"));
    let config = Config {
        broker,
        store,
        transport_connectors,
        network_connectors,
        policies: policy::read(&root.sections("policy")),
        system_usage,
        security,
        console,
        log,
    };
    unique_ports(&config, &transports, &store_section, &console_section);
    warnings.extend(config.open_to_all());
    config
}

/// Queues and topics by their names; a bare name is a queue's.
fn read_destinations(section: &Section<'_>) -> Vec<Destination> {
    let read = |text: &String| {
        let (kind, name) = match text.split_once("://") {
            None => (DestinationKind::Queue, text.as_str()),
            Some(("queue", name)) => (DestinationKind::Queue, name),
            Some(("topic", name)) => (DestinationKind::Topic, name),
            Some((other, _)) => {
                return Err(format!("{other}:// is neither; expected queue://NAME or topic://NAME"));
            }
        };
        match Pattern::parse(name) {
            Some(_) => Err(format!("{text:?} has wildcards: it stands for no one destination")),
            None => Destination::new(kind, name).map_err(|error| format!("{text:?}: {error}")),
        }
    };
    let wrong = |fault| {
        section.fault("destinations", fault);
        None
    };
    let texts = section.texts("destinations");
    texts.iter().filter_map(|text| read(text).map_or_else(wrong, Some)).collect()
}

fn read_log(section: &Section<'_>) -> LogConfig {
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
        .map(|l| (l.name(), l));
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogConfig {
        level: section.choice("level", LogLevel::Info.name(), &levels).unwrap_or(LogLevel::Info),
        format: section.choice("format", "text", &formats).unwrap_or(LogFormat::Text),
    }
}

/// Every port is bound once: transport connectors, replication and console.
fn unique_ports(config: &Config, transports: &[Section<'_>], store: &Section<'_>, console: &Section<'_>) {
    let mut taken: Vec<(String, u16, String)> = Vec::new();
    if let StoreConfig::Replicated(replicated) = &config.store {
        let ip = replicated.bind.ip().to_string();
        taken.push((ip, replicated.bind.port(), "store.replicated.bind".to_owned()));
    }
    let console_bind = config.console.bind;
    if let Some(other) = conflict(&taken, &console_bind.ip().to_string(), console_bind.port()) {
        let owner = if console.is_written("bind") { console } else { store };
        owner.fault("bind", format!("port {} is already taken by {other}", console_bind.port()));
    }
    taken.push((console_bind.ip().to_string(), console_bind.port(), "console.bind".to_owned()));
    for connector in &config.transport_connectors {
        let path = format!("transport_connector.{}.uri", connector.name);
        if let Some(other) = conflict(&taken, &connector.host, connector.port) {
            let message = format!("port {} is already taken by {other}", connector.port);
            if let Some(section) = transports.iter().find(|section| section.path_of("uri") == path) {
                section.fault("uri", message);
            }
        }
        taken.push((connector.host.clone(), connector.port, path));
    }
}

fn conflict(taken: &[(String, u16, String)], host: &str, port: u16) -> Option<String> {
    let any = |host: &str| matches!(host, "0.0.0.0" | "::");
    let same = |other: &str| any(other) || any(host) || other == host;
    taken.iter().find(|(h, p, _)| *p == port && port != 0 && same(h)).map(|(_, _, owner)| owner.clone())
}

fn broker_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(allowed) {
        return Err(format!("{text:?} is no broker name; expected 1 to 100 letters, digits and -._"));
    }
    Ok(text.to_owned())
}

const CONSOLE_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8161);

fn read_console(section: &Section<'_>, security: &Security) -> Console {
    let bind = section.parsed("bind", &CONSOLE_DEFAULT.to_string(), console_bind).unwrap_or(CONSOLE_DEFAULT);
    let hosts = section.texts("hosts");
    for wrong in hosts.iter().filter_map(|text| store::host(text).err()) {
        section.fault("hosts", wrong);
    }
    let token = store::read_secret(section, ["token", "token_file"], "");
    let [view, operate, administer] =
        ["view", "operate", "administer"].map(|key| security::read_groups(section, key, security));
    Console { bind, hosts, token, view, operate, administer }
}

fn console_bind(text: &str) -> Result<SocketAddr, String> {
    text.trim()
        .replace("localhost", "127.0.0.1")
        .parse()
        .map_err(|_| format!("{text:?} is no address; expected one such as \"127.0.0.1:8161\""))
}
