//! A lone broker on a host that lacks something: its output, its limits and its volume are chosen by the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::cluster::binary;
use super::lone::configuration;
use super::ports::Ports;
use super::wait::eventually;

/// How long a start or an end may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A process of `quorate run`; killed when dropped.
pub(crate) struct Guest {
    directory: TempDir,
    ports: Ports,
    child: Option<Child>,
}

impl Guest {
    /// A broker that does not run yet, with these options of its connector and more lines of configuration.
    pub(crate) fn new(options: &str, more: &str) -> Guest {
        let (directory, ports) = (TempDir::new().unwrap(), Ports::take());
        let config = configuration(directory.path(), ports.base());
        let config = config.replace("\"\n[console]", &format!("{options}\"\n[console]")) + more;
        std::fs::write(directory.path().join("quorate.toml"), config).unwrap();
        Guest { directory, ports, child: None }
    }

    /// Starts it behind the words of `prefix`, with this output for all that it says.
    pub(crate) fn start(&mut self, prefix: &[&str], output: impl Fn() -> Stdio) {
        let mut words: Vec<&str> = prefix.to_vec();
        let (program, config) = (binary(), self.directory.path().join("quorate.toml"));
        words.extend([program.to_str().unwrap(), "run", "--config", config.to_str().unwrap()]);
        let child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Starts it with its output in a file, and waits until it serves.
    pub(crate) async fn serve(&mut self, prefix: &[&str]) {
        let log = std::fs::File::create(self.log_path()).unwrap();
        self.start(prefix, || log.try_clone().unwrap().into());
        self.serves().await;
    }

    /// Waits until it serves.
    pub(crate) async fn serves(&self) {
        let address = self.stomp();
        eventually("a broker serves", LIMIT, || async { std::net::TcpStream::connect(address).ok() }).await;
    }

    /// Tells it to end by SIGTERM.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), Signal::TERM).unwrap();
    }

    /// Waits for its end, and gives its exit code; none for a signal.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let child = std::sync::Mutex::new(self.child.take().unwrap());
        let status =
            eventually("a broker ends", LIMIT, || async { child.lock().unwrap().try_wait().unwrap() }).await;
        status.code()
    }

    /// Number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// What [`Guest::serve`] had it say.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Where clients connect.
    pub(crate) fn stomp(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base()))
    }

    /// Where the console listens.
    pub(crate) fn console(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base() + 1))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}
