//! Hosts of their own for nodes and ZooKeeper servers: network namespaces on one switch, with a firewall each.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::harness::ports::Ports;

/// A node or a ZooKeeper server, numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Node(usize),
    ZooKeeper(usize),
}

/// Every host drops what comes from addresses in `unheard`, and answers with a reset what comes from those in `refused`.
const FIREWALL: &str = "table inet faults {
    set unheard { type ipv4_addr; }
    set refused { type ipv4_addr; }
    counter lost { }
    counter resets { }
    chain input {
        type filter hook input priority 0;
        ip saddr @unheard counter name lost drop
        ip protocol tcp ip saddr @refused counter name resets reject with tcp reset
    }
}
";

/// The hosts. Removed when dropped, with whatever still runs on them cut off.
pub(crate) struct Network {
    /// Of all names, and third byte of all addresses.
    number: u16,
    hosts: Vec<Host>,
    _ports: Ports,
}

/// Runs a program to its end and gives what it printed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    // A program that does not read its input has closed it.
    child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()).ok());
    let output = child.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{program} {}: {text}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn must(program: &str, arguments: &[&str], input: &str) -> String {
    run(program, arguments, input).unwrap_or_else(|error| panic!("{error}"))
}

impl Network {
    /// Hosts for so many nodes and ZooKeeper servers, and a link from here.
    pub(crate) fn build(nodes: usize, servers: usize) -> Network {
        let ports = Ports::take();
        let hosts: Vec<Host> =
            (1..=nodes).map(Host::Node).chain((1..=servers).map(Host::ZooKeeper)).collect();
        let network = Network { number: ports.number(), hosts, _ports: ports };
        // A test that was killed may have left its hosts.
        network.remove();
        let hub = network.name("hub");
        must("ip", &["netns", "add", &hub], "");
        let root = network.name("root");
        let mut plug = "link add switch type bridge\nlink set switch up\n".to_owned();
        must("ip", &["link", "add", &root, "type", "veth", "peer", "name", "root", "netns", &hub], "");
        plug += "link set root master switch up\n";
        for host in &network.hosts {
            let (space, port) = (network.space(*host), port(*host));
            must("ip", &["netns", "add", &space], "");
            plug += &format!("link add {port} type veth peer name eth0 netns {space}\n");
            plug += &format!("link set {port} master switch up\n");
        }
        must("ip", &["-n", &hub, "-batch", "-"], &plug);
        let here = format!("{}/24", network.here());
        must("ip", &["-batch", "-"], &format!("address add {here} dev {root}\nlink set {root} up\n"));
        for host in &network.hosts {
            let address = network.address(*host);
            let own = format!("address add {address}/24 dev eth0\nlink set eth0 up\nlink set lo up\n");
            must("ip", &["-n", &network.space(*host), "-batch", "-"], &own);
            must("nsenter", &[&network.entry(*host), "nft", "-f", "-"], FIREWALL);
        }
        network
    }

    fn name(&self, what: &str) -> String {
        format!("q{}{what}", self.number)
    }

    fn space(&self, host: Host) -> String {
        self.name(&port(host))
    }

    fn entry(&self, host: Host) -> String {
        format!("--net=/run/netns/{}", self.space(host))
    }

    /// A command that will run on a host.
    pub(crate) fn command(&self, host: Host, program: &std::path::Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.entry(host)).arg(program);
        command
    }

    /// Address of a host.
    pub(crate) fn address(&self, host: Host) -> Ipv4Addr {
        let last = match host {
            Host::Node(number) => 10 + number,
            Host::ZooKeeper(number) => 20 + number,
        };
        Ipv4Addr::new(10, 213, self.number as u8, last as u8)
    }

    /// Address of this process on that network.
    pub(crate) fn here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number as u8, 1)
    }

    fn change(&self, verb: &str, set: &str, from: Host, to: Host) {
        let rule = format!("{verb} element inet faults {set} {{ {} }}\n", self.address(from));
        must("nsenter", &[&self.entry(to), "nft", "-f", "-"], &rule);
    }

    /// Loses what one host sends to another from now on.
    pub(crate) fn cut(&self, from: Host, to: Host) {
        self.change("add", "unheard", from, to);
    }

    /// Answers with a reset whatever one host sends to another from now on.
    pub(crate) fn reset(&self, from: Host, to: Host) {
        self.change("add", "refused", from, to);
    }

    /// Lets through what one host sends to another.
    pub(crate) fn mend(&self, from: Host, to: Host) {
        for set in ["unheard", "refused"] {
            // An element that is not there is an error that says so.
            let rule = format!("delete element inet faults {set} {{ {} }}\n", self.address(from));
            run("nsenter", &[&self.entry(to), "nft", "-f", "-"], &rule).ok();
        }
    }

    /// Packets that a host has lost, and answered with a reset, so far.
    pub(crate) fn struck(&self, host: Host) -> u64 {
        let text = must("nsenter", &[&self.entry(host), "nft", "list", "counters"], "");
        let words: Vec<&str> = text.split_whitespace().collect();
        let counts = words.windows(2).filter(|pair| pair[0] == "packets").map(|pair| pair[1].parse::<u64>());
        counts.map(|count| count.unwrap_or(0)).sum()
    }

    /// Limits what a host sends to so many kilobits in a second, queued for half a second at most.
    pub(crate) fn slow(&self, host: Host, kilobits: u32) {
        let rate = format!("{kilobits}kbit");
        let how = ["rate", &rate, "burst", "4kb", "latency", "500ms"];
        let mut arguments = vec!["-n", "", "qdisc", "replace", "dev", "eth0", "root", "tbf"];
        let space = self.space(host);
        arguments[1] = &space;
        arguments.extend(how);
        must("tc", &arguments, "");
    }

    /// Takes the limit away; how many packets had to wait for it. 0 when another slow link of this host has ended first
    /// and taken it along.
    pub(crate) fn quick(&self, host: Host) -> u64 {
        let space = self.space(host);
        let text = must("tc", &["-n", &space, "-s", "qdisc", "show", "dev", "eth0"], "");
        if !text.contains("qdisc tbf ") {
            return 0;
        }
        let late = text.split("overlimits ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        must("tc", &["-n", &space, "qdisc", "del", "dev", "eth0", "root"], "");
        late.unwrap_or(0)
    }

    fn remove(&self) {
        for host in &self.hosts {
            run("ip", &["netns", "del", &self.space(*host)], "").ok();
        }
        run("ip", &["netns", "del", &self.name("hub")], "").ok();
        run("ip", &["link", "del", &self.name("root")], "").ok();
    }
}

fn port(host: Host) -> String {
    match host {
        Host::Node(number) => format!("node{number}"),
        Host::ZooKeeper(number) => format!("zk{number}"),
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}
