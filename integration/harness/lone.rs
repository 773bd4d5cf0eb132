//! A lone broker for one test, or a start that has to fail.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cluster::binary;
use super::connectors;
use super::ports::Ports;
use super::wait::eventually;

/// A process of `quorate run` with a configuration and a directory of its own; killed when dropped.
pub(crate) struct Lone {
    directory: TempDir,
    ports: Ports,
    binary: PathBuf,
    child: Child,
}

impl Lone {
    /// Starts it with an embedded store and waits until it serves.
    pub(crate) async fn start() -> Lone {
        Lone::with("").await
    }

    /// Starts it with these options of its connector, such as `?maximumConnections=2`.
    pub(crate) async fn with(options: &str) -> Lone {
        Lone::configured(options, "").await
    }

    /// Starts it with these options of its connector and more lines of configuration.
    pub(crate) async fn configured(options: &str, more: &str) -> Lone {
        Lone::run_by(binary(), options, more).await
    }

    /// Starts it with a second connector, for OpenWire.
    pub(crate) async fn with_openwire() -> Lone {
        Lone::with_openwire_and("").await
    }

    /// The same with more lines of configuration.
    pub(crate) async fn with_openwire_and(more: &str) -> Lone {
        Lone::with_openwire_told(|_| more.to_owned()).await
    }

    /// The same with more lines that know where its connector for OpenWire will be.
    pub(crate) async fn with_openwire_told(more: impl FnOnce(SocketAddr) -> String) -> Lone {
        let ports = Ports::take();
        let address = openwire_address(&ports);
        let lone = Lone::run_on(ports, binary(), "", &(connectors::openwire(address) + &more(address))).await;
        lone.answers(lone.openwire()).await;
        lone
    }

    /// The same by a program that runs the broker, with its arguments, in surroundings of its own.
    pub(crate) async fn run_by(binary: PathBuf, options: &str, more: &str) -> Lone {
        Lone::run_on(Ports::take(), binary, options, more).await
    }

    async fn run_on(ports: Ports, binary: PathBuf, options: &str, more: &str) -> Lone {
        let directory = TempDir::new().unwrap();
        let config = configuration(directory.path(), ports.base());
        let config = config.replace("\"\n[console]", &format!("{options}\"\n[console]")) + more;
        let child = spawn(&binary, directory.path(), &config, &[]);
        let lone = Lone { directory, ports, binary, child };
        lone.serves().await;
        lone
    }

    /// kill -9, and a start in the same directory.
    pub(crate) async fn kill_and_start(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it in the same directory, after it was killed.
    pub(crate) async fn start_again(&mut self) {
        let config = std::fs::read_to_string(self.directory.path().join("quorate.toml")).unwrap();
        self.child = spawn(&self.binary, self.directory.path(), &config, &[]);
        self.serves().await;
    }

    async fn serves(&self) {
        self.answers(self.stomp()).await;
    }

    async fn answers(&self, address: SocketAddr) {
        eventually("a lone broker serves", Duration::from_secs(30), || async {
            std::net::TcpStream::connect(address).ok()
        })
        .await;
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where clients connect.
    pub(crate) fn stomp(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base()))
    }

    /// Where JMS clients connect, if it was started for them.
    pub(crate) fn openwire(&self) -> SocketAddr {
        openwire_address(&self.ports)
    }

    /// Its console.
    pub(crate) fn console(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base() + 1))
    }

    /// Whether the process has not ended.
    pub(crate) fn lives(&self) -> bool {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        text.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    /// A figure of the process from /proc, in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

fn openwire_address(ports: &Ports) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports.base() + 2))
}

/// A lone broker with an embedded store, STOMP on `port` and the console on the next one.
pub(crate) fn configuration(directory: &Path, port: u16) -> String {
    format!(
        "[broker]\ndata_directory = \"{}\"\n[store]\nkind = \"local\"\n[[transport_connector]]\nname = \"stomp\"\n\
         uri = \"stomp://127.0.0.1:{port}\"\n[console]\nbind = \"127.0.0.1:{}\"\n",
        directory.join("data").display(),
        port + 1
    )
}

fn spawn(binary: &Path, directory: &Path, config: &str, arguments: &[&str]) -> Child {
    let path = directory.join("quorate.toml");
    std::fs::write(&path, config).unwrap();
    let log = std::fs::File::create(directory.join("log")).unwrap();
    Command::new(binary)
        .args(["run", "--config"])
        .arg(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// How a start ended that had to end by itself.
pub(crate) struct Ended {
    /// Exit code.
    pub(crate) code: Option<i32>,
    /// All that it printed.
    pub(crate) text: String,
}

/// Runs a configuration until it ends by itself.
pub(crate) async fn ends(config: &str, limit: Duration) -> Ended {
    ends_with(config, &[], limit).await
}

/// The same with more arguments of the command line.
pub(crate) async fn ends_with(config: &str, arguments: &[&str], limit: Duration) -> Ended {
    let directory = TempDir::new().unwrap();
    let mut child = spawn(&binary(), directory.path(), config, arguments);
    let deadline = Instant::now() + limit;
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > deadline {
            child.kill().ok();
            child.wait().ok();
            panic!("it runs on: {}", text_of(directory.path().join("log")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    Ended { code, text: text_of(directory.path().join("log")) }
}

fn text_of(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
