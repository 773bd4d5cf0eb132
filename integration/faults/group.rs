//! The group under test: three nodes with a host and a disk each, an ensemble, and what can be asked of them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::clock::Clock;
use super::disk::Disk;
use super::ensemble::{Ensemble, SERVERS};
use super::network::{Host, Network};
use super::process::Process;
use crate::harness::cluster::binary;
use crate::harness::ports::Turn;
use crate::harness::{eventually, http};

/// Nodes of the group.
pub(crate) const NODES: usize = 3;
/// Its place in ZooKeeper.
pub(crate) const ZK_PATH: &str = "/faults";
/// What the nodes ask ZooKeeper for.
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(2);
const STOMP: u16 = 21_613;
const CONSOLE: u16 = 8161;
/// How long a console may take; a node that is stopped never answers.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the group may take to be whole again once nothing is done to it any more.
pub(crate) const RECOVERY: Duration = Duration::from_secs(90);

/// A node: its process, its disk, its clock.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) process: Process,
    pub(crate) disk: Arc<Disk>,
    pub(crate) clock: Clock,
    address: IpAddr,
}

/// Everything. Ended when dropped; after a panic logs, disks and histories stay.
pub(crate) struct Group {
    pub(crate) nodes: Vec<Node>,
    pub(crate) ensemble: Ensemble,
    pub(crate) network: Arc<Network>,
    directory: PathBuf,
    _turn: Turn,
}

impl Node {
    /// Starts it, on a disk that has power.
    pub(crate) fn start(&self) {
        self.process.start();
    }

    /// The host that it is on.
    pub(crate) fn host(&self) -> Host {
        Host::Node(self.number)
    }

    /// Where its clients connect.
    pub(crate) fn stomp(&self) -> SocketAddr {
        (self.address, STOMP).into()
    }

    /// What it answers on its console.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        http::get_within(PATIENCE, (self.address, CONSOLE).into(), path)
    }

    /// Its name in the group.
    pub(crate) fn name(&self) -> String {
        format!("node{}", self.number)
    }

    /// Identity of its store.
    pub(crate) fn store(&self) -> Option<Value> {
        self.get("/api/v1/broker").map(|status| status["store"].clone())
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> PathBuf {
        self.disk.place().join("data/replicated/log")
    }
}

impl Group {
    /// Starts everything and waits until the group is whole.
    pub(crate) async fn start(name: &str) -> Group {
        let turn = Turn::take();
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&directory).ok();
        std::fs::create_dir_all(&directory).unwrap();
        let network = Arc::new(Network::build(NODES, SERVERS));
        let ensemble = Ensemble::new(&network, &directory);
        let nodes =
            (1..=NODES).map(|number| node(&network, &ensemble.address(), &directory, number)).collect();
        let group = Group { nodes, ensemble, network, directory, _turn: turn };
        group.ensemble.start().await;
        for node in &group.nodes {
            node.start();
        }
        group.whole().await;
        group
    }

    /// A node by its number.
    pub(crate) fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// Where logs, histories and, after a failure, disks are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where clients of any node connect.
    pub(crate) fn stomp(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::stomp).collect()
    }

    /// The node that lets clients in, as it says itself.
    pub(crate) fn serving(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| {
            node.get("/api/v1/broker")
                .is_some_and(|status| status["role"] == "master" && status["serving"] == true)
        })
    }

    /// Waits for a node that serves.
    pub(crate) async fn master(&self) -> &Node {
        eventually("a node serves", RECOVERY, || async { self.serving() }).await
    }

    /// The epoch in which a node serves.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.serving()?.get("/api/v1/broker")?["epoch"].as_u64()
    }

    /// Waits until one node serves in another epoch than `old`; whether that came.
    pub(crate) async fn epoch_moves(&self, old: Option<u64>, limit: Duration) -> bool {
        comes(limit, || self.epoch().is_some_and(|epoch| Some(epoch) > old)).await
    }

    /// What the group record and the streams say of all nodes: each a voter, attached, of one master.
    fn is_whole(&self) -> Option<()> {
        let master = self.serving()?;
        let group = master.get("/api/v1/group")?;
        let members = group["members"].as_array()?;
        let voters = group["voters"].as_array()?.len();
        let well = self.nodes.iter().all(|node| {
            let mine: Vec<&Value> = members.iter().filter(|member| member["node"] == node.name()).collect();
            // The member of a session that has not expired yet may stand beside the new one.
            mine.iter().any(|member| {
                member["voter"] == true && (member["attached"] == true || node.number == master.number)
            }) && node
                .get("/api/v1/broker")
                .is_some_and(|status| status["role"] == "master" || status["role"] == "slave")
        });
        (well && voters == NODES).then_some(())
    }

    /// Waits until the group is as it should be.
    pub(crate) async fn whole(&self) {
        eventually("all nodes are voters that follow one master", RECOVERY, || async { self.is_whole() })
            .await;
    }

    /// Identities of all stores; a node whose store is found to be damaged gets another one.
    pub(crate) async fn stores(&self) -> Vec<Value> {
        eventually("all nodes tell their stores", RECOVERY, || async {
            self.nodes.iter().map(Node::store).collect()
        })
        .await
    }

    /// Waits until all nodes have applied the same offset with the same digest, and gives both.
    pub(crate) async fn agreement(&self) -> (u64, Value) {
        eventually("all nodes have the same offset and state digest", RECOVERY, || async {
            let all: Option<Vec<(u64, Value)>> = self.nodes.iter().map(digest).collect();
            let all = all?;
            all.windows(2).all(|pair| pair[0] == pair[1]).then(|| all[0].clone())
        })
        .await
    }

    /// Offset below which all nodes know the log to be committed.
    pub(crate) fn committed(&self) -> Option<u64> {
        let all: Option<Vec<u64>> =
            self.nodes.iter().map(|node| node.get("/api/v1/broker")?["committed"].as_u64()).collect();
        all?.into_iter().min()
    }

    /// Messages that the serving node counts in a queue; nothing for a queue that it does not have.
    pub(crate) fn size(&self, queue: &str) -> Option<u64> {
        let queues = self.serving()?.get("/api/v1/queues?limit=1000")?;
        queues["items"].as_array()?.iter().find(|it| it["name"] == queue)?["size"].as_u64()
    }
}

/// Waits until `holds` does, at most for `limit`; whether it came to it.
pub(crate) async fn comes(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = tokio::time::Instant::now() + limit;
    while tokio::time::Instant::now() < deadline {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

fn digest(node: &Node) -> Option<(u64, Value)> {
    let status = node.get("/api/v1/broker")?;
    let applied = status["applied"].as_u64()?;
    (status["digest_at"].as_u64()? == applied).then(|| (applied, status["digest"].clone()))
}

fn node(network: &Arc<Network>, zookeeper: &str, directory: &Path, number: usize) -> Node {
    let place = directory.join(format!("node{number}"));
    std::fs::create_dir_all(&place).unwrap();
    let disk = Arc::new(Disk::mount(&place.join("disk")));
    let address = network.address(Host::Node(number));
    let text = format!(
        "[broker]\nname = \"faults\"\ndata_directory = \"{}\"\n[store]\nkind = \"replicated\"\n\
         [store.replicated]\nnode = \"node{number}\"\nreplicas = {NODES}\nbind = \"tcp://{address}:22621\"\n\
         hostname = \"{address}\"\nzk_address = \"{zookeeper}\"\nzk_path = \"{ZK_PATH}\"\n\
         zk_session_timeout = \"{}s\"\nlog_size = \"2MiB\"\ninsecure = true\n\
         secret = \"a network of its own keeps strangers out\"\n\
         [[transport_connector]]\nname = \"stomp\"\nuri = \"stomp://{address}:{STOMP}\"\n\
         allow_anonymous = true\nallow_plaintext = true\n\
         [console]\nbind = \"{address}:{CONSOLE}\"\n",
        disk.place().join("data").display(),
        SESSION_TIMEOUT.as_secs(),
    );
    let configuration = place.join("quorate.toml");
    std::fs::write(&configuration, text).unwrap();
    let (network, power) = (Arc::clone(network), Arc::clone(&disk));
    let clock = Clock::new(&place);
    let time = clock.clone();
    let prepare = move || {
        power.light();
        let mut command = network.command(Host::Node(number), &binary());
        // Nobody's variables but the planted bug's: others would override keys of the configuration.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("QUORATE_") && name != "QUORATE_BUG" {
                command.env_remove(name);
            }
        }
        time.govern(&mut command);
        command.env("QUORATE_LOG", "info").arg("run").arg("--config").arg(&configuration);
        command
    };
    let process = Process::new(&format!("node {number}"), &place.join("log"), Box::new(prepare));
    Node { number, process, disk, clock, address: IpAddr::V4(address) }
}

impl Drop for Group {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        for node in &self.nodes {
            node.process.strike();
            node.disk.syncs(super::disk::Syncs::Well);
        }
        for node in &self.nodes {
            node.process.kill();
            if failed {
                node.disk.copy_to(&self.directory.join(format!("disk{}", node.number)));
            }
        }
        if failed {
            eprintln!("logs, disks and histories are in {}", self.directory.display());
        }
        for number in 1..=SERVERS {
            self.ensemble.server(number).kill();
        }
        let directory = self.directory.clone();
        self.nodes.clear();
        if !failed {
            std::fs::remove_dir_all(&directory).ok();
        }
    }
}
