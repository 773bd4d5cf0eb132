//! A ZooKeeper ensemble and a group of three nodes for one test, run by `scripts/cluster`.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::ports::{Ports, Turn};
use super::{connectors, eventually, http};

/// Nodes of a group.
pub(crate) const NODES: usize = 3;

/// What differs between tests.
pub(crate) struct Options {
    /// ZooKeeper servers: 1 or 3.
    pub(crate) zk_servers: usize,
    /// What the nodes ask ZooKeeper for.
    pub(crate) session_timeout: &'static str,
    /// Bytes of a segment of the log, in the words of the configuration.
    pub(crate) log_size: &'static str,
    /// What the nodes log.
    pub(crate) log_filter: &'static str,
    /// A program that runs the broker with its arguments, in surroundings of its own.
    pub(crate) binary: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            zk_servers: 3,
            session_timeout: "10s",
            log_size: "100MiB",
            log_filter: "info",
            binary: None,
        }
    }
}

/// A running ensemble and three nodes, numbered from 1, which run or not. Ends them when dropped; after a panic their
/// data and logs stay.
pub(crate) struct Cluster {
    name: String,
    run: PathBuf,
    binary: PathBuf,
    ports: Ports,
    _turn: Turn,
}

impl Cluster {
    /// Starts the ensemble and writes the configurations; no node runs yet.
    pub(crate) fn prepare(name: &str, options: Options) -> Cluster {
        let turn = Turn::take();
        let ports = Ports::take();
        let run = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", ports.base()));
        std::fs::remove_dir_all(&run).ok();
        let binary = options.binary.unwrap_or_else(binary);
        let cluster = Cluster { name: name.to_owned(), run, binary, ports, _turn: turn };
        let servers = options.zk_servers.to_string();
        let mut command = cluster.command(&["up", "--zk", &servers, "--no-nodes"]);
        command.env("QUORATE_ZK_SESSION_TIMEOUT", options.session_timeout);
        command.env("QUORATE_LOG_SIZE", options.log_size);
        command.env("QUORATE_LOG", options.log_filter);
        cluster.finish(command, "up");
        cluster
    }

    /// Starts everything and waits until a node serves.
    pub(crate) async fn start(name: &str, options: Options) -> Cluster {
        let cluster = Cluster::prepare(name, options);
        cluster.verb(&["start", "1", "2", "3"]);
        cluster.master(Duration::from_secs(30)).await;
        cluster
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cluster");
        let mut command = Command::new(script);
        command
            .args(arguments)
            .env("QUORATE_RUN", &self.run)
            .env("QUORATE_PORT_BASE", self.ports.base().to_string())
            .env("QUORATE_BIN", &self.binary);
        command
    }

    fn finish(&self, mut command: Command, what: &str) -> String {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "scripts/cluster {what}: {text}{complaint}");
        text
    }

    /// Runs a verb of `scripts/cluster` and gives what it prints.
    pub(crate) fn verb(&self, arguments: &[&str]) -> String {
        self.finish(self.command(arguments), &arguments.join(" "))
    }

    /// kill -9.
    pub(crate) fn kill(&self, node: usize) {
        self.verb(&["kill", &node.to_string()]);
    }

    /// Starts a node that does not run.
    pub(crate) fn start_node(&self, node: usize) {
        self.verb(&["start", &node.to_string()]);
    }

    /// Ends a node with SIGTERM.
    pub(crate) fn stop(&self, node: usize) {
        self.verb(&["stop", &node.to_string()]);
    }

    /// Where clients of a node connect.
    pub(crate) fn stomp(&self, node: usize) -> SocketAddr {
        self.local(node as u16)
    }

    /// Where clients of any node connect.
    pub(crate) fn stomp_all(&self) -> Vec<SocketAddr> {
        (1..=NODES).map(|node| self.stomp(node)).collect()
    }

    /// Where JMS clients of a node connect, after [`Cluster::add_openwire`].
    pub(crate) fn openwire(&self, node: usize) -> SocketAddr {
        self.local(60 + node as u16)
    }

    /// Adds a connector for OpenWire to the configuration of every node, before they start.
    pub(crate) fn add_openwire(&self) {
        self.configure(|node| connectors::openwire(self.openwire(node)));
    }

    /// Adds lines to the configuration of every node, before they start.
    pub(crate) fn configure(&self, lines: impl Fn(usize) -> String) {
        for node in 1..=NODES {
            let path = self.directory(node).join("quorate.toml");
            let config = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, config + &lines(node)).unwrap();
        }
    }

    /// A node's console.
    pub(crate) fn console(&self, node: usize) -> SocketAddr {
        self.local(10 + node as u16)
    }

    /// A ZooKeeper server.
    pub(crate) fn zookeeper(&self, server: usize) -> SocketAddr {
        self.local(30 + server as u16)
    }

    fn local(&self, number: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.ports.base() + number)
    }

    /// Directory of a node: configuration, log, data.
    pub(crate) fn directory(&self, node: usize) -> PathBuf {
        self.run.join(format!("node{node}"))
    }

    /// What a node has logged.
    pub(crate) fn log(&self, node: usize) -> String {
        std::fs::read_to_string(self.directory(node).join("log")).unwrap_or_default()
    }

    /// Process of a node.
    pub(crate) fn pid(&self, node: usize) -> u32 {
        std::fs::read_to_string(self.directory(node).join("pid")).unwrap().trim().parse().unwrap()
    }

    /// Whether the process of a node lives.
    pub(crate) fn runs(&self, node: usize) -> bool {
        let Ok(text) = std::fs::read_to_string(self.directory(node).join("pid")) else { return false };
        let status = std::fs::read_to_string(format!("/proc/{}/status", text.trim())).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    /// `GET /api/v1/broker` of a node.
    pub(crate) fn status(&self, node: usize) -> Option<Value> {
        http::get(self.console(node), "/api/v1/broker")
    }

    /// Waits until the serving node counts no message in a queue; what it shows may be a moment old.
    pub(crate) async fn empty(&self, name: &str, limit: Duration) {
        eventually(&format!("queue {name} is empty"), limit, || async {
            let queues = http::entries(self.console(self.serving()?), "/api/v1/queues")?;
            let queue = queues.iter().find(|queue| queue["name"] == name)?;
            (queue["size"] == 0).then_some(())
        })
        .await;
    }

    /// The node whose client port is open.
    pub(crate) fn serving(&self) -> Option<usize> {
        (1..=NODES).find(|node| {
            std::net::TcpStream::connect_timeout(&self.stomp(*node), Duration::from_millis(200)).is_ok()
                && self.role(*node).as_deref() == Some("master")
        })
    }

    /// Role of a node, as it says itself.
    pub(crate) fn role(&self, node: usize) -> Option<String> {
        self.status(node)?.get("role")?.as_str().map(str::to_owned)
    }

    /// Waits until a node serves.
    pub(crate) async fn master(&self, limit: Duration) -> usize {
        eventually("a node serves", limit, || async { self.serving() }).await
    }

    /// A number that a node tells about itself.
    pub(crate) fn number(&self, node: usize, field: &str) -> Option<u64> {
        self.status(node)?.get(field)?.as_u64()
    }

    /// The epoch that the serving node tells.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.number(self.serving()?, "epoch")
    }

    /// Waits until all nodes have applied the same offset with the same digest, and gives both.
    pub(crate) async fn agreement(&self, limit: Duration) -> (u64, Value) {
        eventually("all nodes have the same offset and state digest", limit, || async {
            let all: Option<Vec<(u64, Value)>> = (1..=NODES)
                .map(|node| {
                    let status = self.status(node)?;
                    let applied = status.get("applied")?.as_u64()?;
                    (status.get("digest_at")?.as_u64()? == applied)
                        .then(|| status.get("digest").cloned())?
                        .map(|digest| (applied, digest))
                })
                .collect();
            let all = all?;
            all.windows(2).all(|pair| pair[0] == pair[1]).then(|| all[0].clone())
        })
        .await
    }

    /// Asks the master to hand over, as an operator on its host does.
    pub(crate) fn step_down(&self, node: usize) {
        let console = self.console(node).to_string();
        let output =
            Command::new(binary()).args(["group", "step-down", "--console", &console]).output().unwrap();
        assert!(output.status.success(), "step-down: {output:?}");
    }

    /// The last line that ZooKeeper's own client prints for a command.
    pub(crate) fn zk(&self, command: &[&str]) -> String {
        let mut arguments = vec!["zk"];
        arguments.extend(command);
        let text = self.verb(&arguments);
        text.lines().rev().find(|line| line.starts_with(['[', '{'])).unwrap_or(&text).to_owned()
    }

    /// What ZooKeeper's own client prints for several commands, one on each line.
    pub(crate) fn zk_session(&self, commands: &str) -> String {
        let mut command = self.command(&["zk"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    }

    /// The group's place in ZooKeeper.
    pub(crate) fn zk_path(&self) -> &'static str {
        "/activemq-cluster/leveldb-stores/group1"
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let arguments: &[&str] = if failed { &["down", "--keep"] } else { &["down"] };
        let ended = self.command(arguments).output().is_ok_and(|output| output.status.success());
        if failed || !ended {
            eprintln!("{}: logs and data are in {}", self.name, self.run.display());
        }
    }
}

/// The program under test: the one built with these tests, or `QUORATE_BIN`.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("QUORATE_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_quorate")), PathBuf::from)
}
