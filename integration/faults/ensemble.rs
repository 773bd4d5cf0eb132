//! Three ZooKeeper servers on hosts of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zookeeper_client::Client;

use super::network::{Host, Network};
use super::process::Process;
use crate::harness::eventually;

/// Servers of the ensemble.
pub(crate) const SERVERS: usize = 3;
const PORT: u16 = 2181;
const CLASS_PATH: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
const LIMIT: Duration = Duration::from_secs(60);
/// What ZooKeeper mixes into the number of a session to make its password.
const PASSWORD_SALT: i64 = 0xb341_5c00;

/// The ensemble.
pub(crate) struct Ensemble {
    network: Arc<Network>,
    directory: PathBuf,
    servers: Vec<Process>,
}

impl Ensemble {
    /// Prepares the servers; none runs yet.
    pub(crate) fn new(network: &Arc<Network>, directory: &Path) -> Ensemble {
        let servers = (1..=SERVERS).map(|number| server(network, directory, number)).collect();
        Ensemble { network: Arc::clone(network), directory: directory.to_owned(), servers }
    }

    /// What nodes are told: all servers.
    pub(crate) fn address(&self) -> String {
        let all: Vec<String> = (1..=SERVERS).map(|number| self.socket(number).to_string()).collect();
        all.join(",")
    }

    fn socket(&self, number: usize) -> SocketAddr {
        (self.network.address(Host::ZooKeeper(number)), PORT).into()
    }

    /// A server's process.
    pub(crate) fn server(&self, number: usize) -> &Process {
        &self.servers[number - 1]
    }

    /// Starts all servers and waits until they serve.
    pub(crate) async fn start(&self) {
        for server in &self.servers {
            server.start();
        }
        eventually("all ZooKeeper servers serve", LIMIT, || async {
            (1..=SERVERS).all(|number| self.mode(number).is_some()).then_some(())
        })
        .await;
    }

    /// `leader` or `follower`, as a server says itself.
    pub(crate) fn mode(&self, number: usize) -> Option<String> {
        let mut socket = TcpStream::connect_timeout(&self.socket(number), Duration::from_millis(500)).ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        socket.write_all(b"srvr").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Removes what a server that does not run has stored, but for its number.
    pub(crate) fn empty(&self, number: usize) {
        std::fs::remove_dir_all(self.directory.join(format!("zk{number}/data/version-2"))).ok();
    }

    /// A client of its own.
    pub(crate) async fn client(&self) -> Result<Client, zookeeper_client::Error> {
        Client::connect(&self.address()).await
    }

    /// Sessions that hold the members below a path.
    pub(crate) async fn sessions(&self, path: &str) -> Result<Vec<(String, i64)>, zookeeper_client::Error> {
        let client = self.client().await?;
        let mut sessions = Vec::new();
        for child in client.list_children(path).await? {
            let (data, stat) = client.get_data(&format!("{path}/{child}")).await?;
            let record: serde_json::Value = serde_json::from_slice(&data).unwrap_or_default();
            let node = record["node"].as_str().unwrap_or_default().to_owned();
            sessions.push((node, stat.ephemeral_owner));
        }
        Ok(sessions)
    }

    /// Ends a session as its owner could: for the owner it has expired. Whether a server agreed.
    pub(crate) fn end_session(&self, session: i64) -> bool {
        (1..=SERVERS).any(|number| end_session(self.socket(number), session).is_ok())
    }
}

fn end_session(server: SocketAddr, session: i64) -> std::io::Result<()> {
    let patience = Duration::from_secs(2);
    let mut socket = TcpStream::connect_timeout(&server, patience)?;
    socket.set_read_timeout(Some(patience))?;
    // Version of the protocol, last transaction seen, timeout, session, password.
    let mut connect = 0_i32.to_be_bytes().to_vec();
    connect.extend(0_i64.to_be_bytes());
    connect.extend(4000_i32.to_be_bytes());
    connect.extend(session.to_be_bytes());
    connect.extend(16_i32.to_be_bytes());
    connect.extend(password(session));
    let mut close = 1_i32.to_be_bytes().to_vec();
    close.extend((-11_i32).to_be_bytes());
    for frame in [connect, close] {
        socket.write_all(&(frame.len() as i32).to_be_bytes())?;
        socket.write_all(&frame)?;
    }
    // The session that was found; 0 for none.
    let mut answer = [0; 4 + 4 + 4 + 8];
    socket.read_exact(&mut answer)?;
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).ok();
    if answer[12..] == [0; 8] { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(()) }
}

/// Every server of an ensemble makes it from the session's number alone, by Java's generator.
fn password(session: i64) -> [u8; 16] {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut seed = ((session ^ PASSWORD_SALT) as u64 ^ MULTIPLIER) & MASK;
    let mut bytes = [0; 16];
    for word in bytes.chunks_mut(4) {
        seed = seed.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        word.copy_from_slice(&((seed >> 16) as u32).to_le_bytes());
    }
    bytes
}

fn server(network: &Arc<Network>, directory: &Path, number: usize) -> Process {
    let place = directory.join(format!("zk{number}"));
    std::fs::create_dir_all(place.join("data")).unwrap();
    std::fs::write(place.join("data/myid"), number.to_string()).unwrap();
    let mut text = format!(
        "tickTime=500\nminSessionTimeout=1000\nmaxSessionTimeout=60000\ninitLimit=20\nsyncLimit=10\n\
         dataDir={}\nclientPort={PORT}\nmaxClientCnxns=0\nadmin.enableServer=false\n\
         4lw.commands.whitelist=ruok,srvr\n",
        place.join("data").display()
    );
    for other in 1..=SERVERS {
        text += &format!("server.{other}={}:2888:3888\n", network.address(Host::ZooKeeper(other)));
    }
    let configuration = place.join("zoo.cfg");
    std::fs::write(&configuration, text).unwrap();
    let network = Arc::clone(network);
    let prepare = move || {
        let class_path =
            std::env::var("QUORATE_ZOOKEEPER_CLASSPATH").unwrap_or_else(|_| CLASS_PATH.to_owned());
        let mut command = network.command(Host::ZooKeeper(number), Path::new("java"));
        command
            .args(["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &class_path])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(&configuration);
        command
    };
    Process::new(&format!("ZooKeeper server {number}"), &place.join("log"), Box::new(prepare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_as_from_javas_generator() {
        // new java.util.Random(0).nextBytes(4): 60 b4 20 bb
        assert_eq!(password(PASSWORD_SALT)[..4], [0x60, 0xb4, 0x20, 0xbb]);
    }
}
