//! ActiveMQ itself between two brokers: bridges to it and from it, as it is.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::world::{Consumer, bridges, connector, send, stands};
use crate::harness::lone::Lone;
use crate::harness::ports::Ports;

/// ActiveMQ, ended when dropped.
struct ActiveMq {
    child: Child,
    ports: Ports,
    _data: TempDir,
}

impl ActiveMq {
    fn start() -> ActiveMq {
        let place = build();
        let (ports, data) = (Ports::take(), TempDir::new().unwrap());
        let mut child = Command::new("java")
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-cp"])
            .arg(format!("{0}/classes:{0}/lib/*", place.display()))
            .arg("quorate.oracle.Oracle")
            .arg(ports.base().to_string())
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "ready"), "ActiveMQ does not start");
        ActiveMq { child, ports, _data: data }
    }

    fn openwire(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.base()))
    }
}

impl Drop for ActiveMq {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn build() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jms/oracle");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/jms/oracle/pom.xml");
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(project).arg("process-classes");
    maven.arg(format!("-Dplace={}", place.display()));
    let output = maven.output().unwrap_or_else(|error| panic!("mvn: {error}"));
    assert!(output.status.success(), "{maven:?}: {}", String::from_utf8_lossy(&output.stdout));
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_through_activemq_in_both_directions() {
    let between = ActiveMq::start();
    let lines = |name| connector(name, &[between.openwire()], "duplex = true\nnetwork_ttl = 2");
    let a = Lone::with_openwire_and(&lines("a")).await;
    let b = Lone::with_openwire_and(&lines("b")).await;
    stands(&a).await;
    stands(&b).await;
    for (from, to, queue) in [(&a, &b, "/queue/Forth"), (&b, &a, "/queue/Back"), (&a, &b, "/topic/News")] {
        let mut consumer = Consumer::of(to.stomp(), queue).await;
        bridges(from.console(), "the demand has come through ActiveMQ", |all| {
            all.iter().any(|it| it["direction"] == "out" && it["subscriptions"] == 1)
        })
        .await;
        send(from.stomp(), queue, 0..500).await;
        assert_eq!(consumer.take(500).await, (0..500).collect::<Vec<_>>(), "{queue}");
        consumer.leave().await;
        bridges(from.console(), "the demand has gone", |all| {
            all.iter().all(|it| it["direction"] == "in" || it["subscriptions"] == 0)
        })
        .await;
    }
}
