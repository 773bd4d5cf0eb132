//! Stores: where persistent messages live.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::acl::{ZkAcl, acl};
use super::connector::non_empty;
use super::secret::Secret;
use super::section::{Section, Unit};
use super::values::units;
use super::values::uri::{Uri, host_port};

/// Where persistent messages live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// On the nodes of a group, by quorum.
    Replicated(Box<Replicated>),
    /// On this node's disk.
    Local(Local),
    /// In memory: gone at the stop.
    Memory,
}

impl StoreConfig {
    /// Directory of the log and its index; `None` in memory.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            StoreConfig::Replicated(it) => Some(&it.directory),
            StoreConfig::Local(it) => Some(&it.directory),
            StoreConfig::Memory => None,
        }
    }

    /// The same from the root on, for those who look for it from another directory; empty in memory.
    pub fn path(&self) -> String {
        let absolute = |it: &Path| std::path::absolute(it).unwrap_or_else(|_| it.to_owned());
        self.directory().map_or(String::new(), |it| absolute(it).display().to_string())
    }
}

/// `[store.local]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Directory of the log and its index.
    pub directory: PathBuf,
    /// Size of one log segment in bytes; none: one that fits the volume.
    pub log_size: Option<u64>,
}

/// `[store.replicated]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicated {
    /// Nodes of the group; a quorum of them must store a message before it is acknowledged.
    pub replicas: usize,
    /// Replication port, bound by the master only.
    pub bind: SocketAddr,
    /// Host under which the other nodes reach this one.
    pub hostname: String,
    /// Name of this node in its group: unique, and the same after a restart.
    pub node: String,
    /// ZooKeeper servers, `host:port,host:port`.
    pub zk_address: String,
    /// The group's place in ZooKeeper; shared by its nodes and by nobody else.
    pub zk_path: String,
    /// How long ZooKeeper keeps the membership of a silent node.
    pub zk_session_timeout: Duration,
    /// Digest credentials for ZooKeeper, `user:password`.
    pub zk_auth: Option<Secret>,
    /// Who may read and write the znodes.
    pub zk_acl: ZkAcl,
    /// What every node of the group proves to know; a stream without that proof is refused.
    pub secret: Option<Secret>,
    /// Mutual TLS on the replication port.
    pub tls: Option<Tls>,
    /// Plain text may leave this machine.
    pub insecure: bool,
    /// When a persistent message is acknowledged.
    pub sync: Sync,
    /// Wins an election between nodes whose logs are equally far.
    pub weight: i32,
    /// Silence of a replication stream after which its node is suspected.
    pub suspect_after: Duration,
    /// Directory of the log and its index.
    pub directory: PathBuf,
    /// Size of one log segment in bytes; none: one that fits the volume.
    pub log_size: Option<u64>,
}

/// `[store.replicated.tls]`: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// This node's certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// The key to it.
    pub key: PathBuf,
    /// Certificates of the group's authority.
    pub ca: PathBuf,
}

/// When a persistent message is acknowledged. The names are ActiveMQ's; only [`Sync::QuorumDisk`] keeps the promise
/// that an acknowledged message survives the loss of any one node of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Durable on a quorum.
    QuorumDisk,
    /// In the memory of a quorum.
    QuorumMem,
    /// Durable on a quorum's slaves, in the memory of the master.
    RemoteDisk,
    /// In the memory of a quorum; ActiveMQ's other name for `quorum_mem`.
    RemoteMem,
    /// Durable on the master; slaves get it when they get it.
    LocalDisk,
    /// In the memory of the master.
    LocalMem,
}

const SYNCS: [(&str, Sync); 6] = [
    ("quorum_disk", Sync::QuorumDisk),
    ("quorum_mem", Sync::QuorumMem),
    ("remote_disk", Sync::RemoteDisk),
    ("remote_mem", Sync::RemoteMem),
    ("local_disk", Sync::LocalDisk),
    ("local_mem", Sync::LocalMem),
];

impl Sync {
    /// The configuration's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Sync::QuorumDisk => "quorum_disk",
            Sync::QuorumMem => "quorum_mem",
            Sync::RemoteDisk => "remote_disk",
            Sync::RemoteMem => "remote_mem",
            Sync::LocalDisk => "local_disk",
            Sync::LocalMem => "local_mem",
        }
    }

    /// What can be lost in a group of this many replicas although it was acknowledged; `None` if nothing can while a
    /// quorum of disks survives.
    pub fn risk(self, replicas: usize) -> Option<&'static str> {
        Some(match self {
            Sync::QuorumDisk => return None,
            Sync::LocalDisk | Sync::RemoteDisk if replicas == 1 => return None,
            Sync::QuorumMem | Sync::RemoteMem => {
                "acknowledged messages are lost when a quorum of nodes loses power at the same time"
            }
            Sync::RemoteDisk => {
                "acknowledged messages are lost when the master loses power and one slave its disk"
            }
            Sync::LocalDisk => {
                "replication is not waited for: acknowledged messages are lost when the master fails and a slave takes over"
            }
            Sync::LocalMem => "acknowledged messages are lost when the master fails, with or without a slave",
        })
    }
}

const SEGMENT_BYTES_MIN: u64 = 2 << 20;
const SEGMENT_BYTES_MAX: u64 = 16 << 30;
const REPLICAS_MAX: i64 = 7;
/// A shorter secret can be found by trying.
const SECRET_CHARACTERS_MIN: usize = 16;
const BIND_DEFAULT: &str = "tcp://0.0.0.0:62621";

pub(super) const DURATION: Unit<Duration> = Unit {
    parse: units::duration,
    show: |value| units::show_duration(*value),
    magnitude: Duration::as_millis,
    expected: units::DURATION_EXPECTED,
    bare: false,
};
pub(super) const SIZE: Unit<u64> = Unit {
    parse: units::size,
    show: |value| units::show_size(*value),
    magnitude: |value| u128::from(*value),
    expected: units::SIZE_EXPECTED,
    bare: true,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Replicated,
    Local,
    Memory,
}

/// Reads `[store]` and what is below it. All sections are read, so that a slip in one that is not used is found too.
pub(super) fn read(store: &Section<'_>, data_directory: &Path, warnings: &mut Vec<String>) -> StoreConfig {
    let kinds = [("replicated", Kind::Replicated), ("local", Kind::Local), ("memory", Kind::Memory)];
    let kind = store.choice("kind", "local", &kinds);
    let (local, replicated) = (store.section("local"), store.section("replicated"));
    let local_read = read_local(&local, data_directory);
    let used = kind == Some(Kind::Replicated);
    let replicated_read = read_replicated(&replicated, data_directory, used, warnings);
    for (section, name, of) in [(local, "local", Kind::Local), (replicated, "replicated", Kind::Replicated)] {
        if section.is_present() && kind.is_some_and(|kind| kind != of) {
            let kind = kinds.iter().find(|(_, k)| Some(*k) == kind).map_or("", |(name, _)| name);
            warnings.push(format!("[store.{name}] has no effect: store.kind is {kind:?}"));
        }
    }
    match kind {
        Some(Kind::Replicated) => StoreConfig::Replicated(Box::new(replicated_read)),
        Some(Kind::Memory) => StoreConfig::Memory,
        _ => StoreConfig::Local(local_read),
    }
}

fn read_local(section: &Section<'_>, data_directory: &Path) -> Local {
    let directory = section.optional("directory", directory);
    Local {
        directory: directory.unwrap_or_else(|| data_directory.join("local")),
        log_size: log_size(section),
    }
}

fn log_size(section: &Section<'_>) -> Option<u64> {
    section.optional_measure("log_size", Some(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX), &SIZE)
}

fn read_replicated(
    section: &Section<'_>,
    data_directory: &Path,
    used: bool,
    warnings: &mut Vec<String>,
) -> Replicated {
    let replicas = section.integer("replicas", 3, 1..=REPLICAS_MAX) as usize;
    let bind = section
        .parsed("bind", BIND_DEFAULT, bind)
        .unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 62621));
    let hostname = section.optional("hostname", host).unwrap_or_else(|| host_default(bind));
    let node = section.optional("node", node_name);
    if used && node.is_none() && bind.port() == 0 {
        section.fault("node", "missing; a node whose replication port is chosen by the system needs a name");
    }
    let node = node.unwrap_or_else(|| format!("{hostname}:{}", bind.port()));
    let zk_auth = section.secret("zk_auth", "zk_auth_file");
    if zk_auth
        .as_ref()
        .is_some_and(|secret| secret.expose().split_once(':').is_none_or(|(user, _)| user.is_empty()))
    {
        let key = if section.is_written("zk_auth") { "zk_auth" } else { "zk_auth_file" };
        section.fault(key, "expected user:password");
    }
    let acl_default = if zk_auth.is_some() { "creator" } else { "open" };
    let zk_acl = section.parsed("zk_acl", acl_default, acl).unwrap_or(ZkAcl::Open);
    if zk_acl == ZkAcl::Creator && zk_auth.is_none() {
        section.fault("zk_acl", "\"creator\" needs zk_auth: without credentials nobody could be the creator");
    }
    let directory = section.optional("directory", directory);
    if used {
        warnings.extend(odd_group(replicas));
    }
    let secret = read_secret(section, ["secret", "secret_file"], ", the same on all nodes of the group");
    let tls = read_tls(&section.section("tls"));
    let insecure = section.boolean("insecure", false);
    if used && tls.is_none() {
        plain_text(section, bind, insecure, secret.is_some(), warnings);
    }
    Replicated {
        secret,
        tls,
        insecure,
        replicas,
        bind,
        hostname,
        node,
        zk_address: section.parsed("zk_address", "127.0.0.1:2181", ensemble).unwrap_or_default(),
        zk_path: section.parsed("zk_path", "/default", znode_path).unwrap_or_default(),
        zk_session_timeout: section.measure(
            "zk_session_timeout",
            Duration::from_secs(10),
            Some(Duration::from_secs(1)..=Duration::from_secs(60)),
            &DURATION,
        ),
        zk_auth,
        zk_acl,
        sync: read_sync(section, replicas, used, warnings),
        weight: section.integer("weight", 1, 0..=1000) as i32,
        suspect_after: section.measure(
            "suspect_after",
            Duration::from_secs(1),
            Some(Duration::from_millis(300)..=Duration::from_secs(60)),
            &DURATION,
        ),
        directory: directory.unwrap_or_else(|| data_directory.join("replicated")),
        log_size: log_size(section),
    }
}

/// What a group of a size brings that is not more than a smaller one's.
fn odd_group(replicas: usize) -> Option<String> {
    let key = "store.replicated.replicas";
    match replicas {
        1 => {
            Some(format!("{key} is 1: nothing is replicated; a group of 3 survives the loss of any one node"))
        }
        2 => Some(format!(
            "{key} is 2: a quorum is both nodes, so that the group stops when either is lost; 3 survive the loss of any one"
        )),
        even if even.is_multiple_of(2) => Some(format!(
            "{key} is {even}: a quorum is {} nodes, so that the group survives the loss of {}, as {} nodes do",
            even / 2 + 1,
            even / 2 - 1,
            even - 1
        )),
        _ => None,
    }
}

/// A secret that strangers cannot guess, from its key or its key for a file.
pub(super) fn read_secret(section: &Section<'_>, keys: [&'static str; 2], also: &str) -> Option<Secret> {
    let secret = section.secret(keys[0], keys[1]);
    if secret.as_ref().is_some_and(|secret| secret.expose().chars().count() < SECRET_CHARACTERS_MIN) {
        let key = if section.is_written(keys[0]) { keys[0] } else { keys[1] };
        let message = format!("too short; expected {SECRET_CHARACTERS_MIN} characters or more{also}");
        section.fault(key, message);
    }
    secret
}

/// TLS is on when any of its keys is written; then all must be.
fn read_tls(section: &Section<'_>) -> Option<Tls> {
    let [certificate, key, ca] = ["certificate", "key", "ca"].map(|key| section.optional(key, directory));
    let keys = ["certificate", "key", "ca"];
    if !keys.iter().any(|key| section.is_written(key)) {
        return None;
    }
    for key in keys.iter().filter(|key| !section.is_written(key)) {
        section.fault(key, "missing; TLS needs certificate, key and ca");
    }
    Some(Tls {
        certificate: certificate.unwrap_or_default(),
        key: key.unwrap_or_default(),
        ca: ca.unwrap_or_default(),
    })
}

/// Without TLS the port stays on loopback, unless that is not wanted.
fn plain_text(
    section: &Section<'_>,
    bind: SocketAddr,
    insecure: bool,
    secret: bool,
    warnings: &mut Vec<String>,
) {
    if bind.ip().to_canonical().is_loopback() {
        return;
    }
    if !insecure {
        section.fault(
            "bind",
            format!(
                "{bind} is reached from other machines and replication is in plain text: write certificate, key and ca into \
                 [store.replicated.tls]; or bind a loopback address; or write insecure = true if the network itself keeps strangers out"
            ),
        );
        return;
    }
    warnings.push(match secret {
        true => format!(
            "store.replicated.insecure: replication on {bind} is in plain text: whoever stands between the nodes can read and change what they store"
        ),
        false => format!(
            "store.replicated.insecure: replication on {bind} is in plain text and there is no store.replicated.secret: whoever reaches the port can read what the group stores, and take part in it"
        ),
    });
}

/// `sync`, which must not be weak by accident: many how-tos copy `local_disk`.
fn read_sync(section: &Section<'_>, replicas: usize, used: bool, warnings: &mut Vec<String>) -> Sync {
    let sync = section.choice("sync", "quorum_disk", &SYNCS).unwrap_or(Sync::QuorumDisk);
    let allowed = section.boolean("allow_weak_sync", false);
    if let Some(risk) = sync.risk(replicas) {
        if !allowed {
            let name = sync.name();
            section.fault(
                "sync",
                format!("{name:?} is weak: {risk}; write allow_weak_sync = true if that is meant, else \"quorum_disk\""),
            );
        } else if used {
            warnings.push(format!(
                "store.replicated.sync is {:?}: {risk}. This version waits for the disks of a quorum all the same",
                sync.name()
            ));
        }
    }
    sync
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    non_empty(text).map(PathBuf::from)
}

fn bind(text: &str) -> Result<SocketAddr, String> {
    let uri = Uri::parse(text)?;
    if uri.scheme != "tcp" {
        return Err(format!("scheme {:?} does not fit; expected tcp://address:port", uri.scheme));
    }
    if let Some((option, _)) = uri.options.first() {
        return Err(format!("unknown option {option:?}; expected tcp://address:port"));
    }
    let Ok(address) = uri.host.parse::<IpAddr>() else {
        return Err(format!(
            "{:?} is no IP address to bind; expected one such as 0.0.0.0 (the name goes into hostname)",
            uri.host
        ));
    };
    match uri.port {
        Some(port) => Ok(SocketAddr::new(address, port)),
        None => Err(format!("{text:?} has no port; expected tcp://address:port")),
    }
}

pub(super) fn host(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.contains("://") {
        return Err(format!("{text:?} is a URI; expected a host name or address alone"));
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok_and(|ip| !ip.is_unspecified()) {
        return Ok(text.to_owned());
    }
    match host_port(text)? {
        (_, Some(_)) => Err(format!("{text:?} has a port; expected a host name or address alone")),
        (host, None) if host == "0.0.0.0" => {
            Err("no other node can reach 0.0.0.0; expected this node's address".to_owned())
        }
        (host, None) => Ok(host),
    }
}

/// The address that is bound, else the machine's name.
fn host_default(bind: SocketAddr) -> String {
    if !bind.ip().is_unspecified() {
        return bind.ip().to_string();
    }
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn node_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(allowed) {
        return Err(format!("{text:?} is no node name; expected 1 to 255 letters, digits and -._:"));
    }
    Ok(text.to_owned())
}

fn ensemble(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err(format!(
            "{text:?} has a path; expected host:port,host:port (the path goes into zk_path)"
        ));
    }
    let mut servers = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (host, port) =
            host_port(part).map_err(|error| format!("{error}, in a list such as host:2181,host:2181"))?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let server = format!("{host}:{}", port.unwrap_or(2181));
        if servers.contains(&server) {
            return Err(format!("{server} stands in the list twice"));
        }
        servers.push(server);
    }
    Ok(servers.join(","))
}

fn znode_path(text: &str) -> Result<String, String> {
    let Some(parts) = text.strip_prefix('/') else {
        return Err(format!(
            "{text:?} does not begin with \"/\"; expected a path such as \"/quorate/group1\""
        ));
    };
    if parts.is_empty() {
        return Err("\"/\" is the root; expected a path such as \"/quorate/group1\"".to_owned());
    }
    if text.ends_with('/') {
        return Err(format!("{text:?} ends with \"/\"; write {:?}", text.trim_end_matches('/')));
    }
    if parts.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(format!(
            "{text:?} has an empty or relative part; expected a path such as \"/quorate/group1\""
        ));
    }
    if text.starts_with("/zookeeper/") || text == "/zookeeper" || text.chars().any(char::is_control) {
        return Err(format!("{text:?} cannot be used; expected a path such as \"/quorate/group1\""));
    }
    Ok(text.to_owned())
}
