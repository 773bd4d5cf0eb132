//! What `scripts/cluster demo` runs: a load on a group of three nodes, the master killed under it and started again, and
//! the count of what was lost. Ends with 1 if anything was.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo talks, and ends when it cannot go on"
)]

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

#[path = "../../integration/harness/checker.rs"]
mod checker;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/harness/gaps.rs"]
mod gaps;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/harness/history.rs"]
mod history;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/harness/load.rs"]
mod load;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/harness/stomp.rs"]
mod stomp;
#[path = "../../integration/harness/wait.rs"]
mod wait;

use history::{History, What};
use load::{Load, Plan};

const REDRAW: Duration = Duration::from_millis(200);
const BAR: u64 = 40;

#[derive(Default)]
struct Counts {
    place: usize,
    confirmed: u64,
    acknowledged: u64,
}

impl Counts {
    fn follow(&mut self, history: &History) {
        let events = history.events_from(self.place);
        self.place += events.len();
        for event in &events {
            match event.what {
                What::Confirmed(_) => self.confirmed += 1,
                What::Acknowledged(_) => self.acknowledged += 1,
                _ => {}
            }
        }
    }

    fn draw(&self, all: u64, remark: &str) {
        let done = self.confirmed.min(all) * BAR / all.max(1);
        let bar: String = (0..BAR).map(|at| if at < done { '#' } else { '.' }).collect();
        let line = format!(
            "[{bar}] {:>3} %  {} of {all} confirmed, {} consumed  {remark}",
            self.confirmed * 100 / all.max(1),
            self.confirmed,
            self.acknowledged
        );
        if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            eprint!("\r{line}\x1b[K");
        } else if !remark.is_empty() {
            eprintln!("{line}");
        }
    }
}

fn cluster(script: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(script).args(arguments).output().unwrap_or_else(|error| panic!("{script}: {error}"));
    assert!(output.status.success(), "{script} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [script, addresses, messages] = arguments.as_slice() else {
        eprintln!("demo SCRIPT ADDRESS,ADDRESS,.. MESSAGES");
        return ExitCode::from(2);
    };
    let addresses: Vec<SocketAddr> =
        addresses.split(',').map(|text| text.parse().expect("an address")).collect();
    let all: u64 = messages.parse().expect("a number of messages");
    let mut plan = Plan::new(addresses, "/queue/demo");
    plan.pace = Duration::ZERO;
    plan.messages = Some(all.div_ceil(u64::from(plan.producers)));
    let all = plan.messages.unwrap_or_default() * u64::from(plan.producers);
    println!(
        "sending {all} persistent messages with {} producers, each waiting for every receipt;",
        plan.producers
    );
    println!("{} consumers acknowledge each one; the master is killed in the middle.", plan.consumers);
    story(script, plan, all).await
}

async fn story(script: &str, plan: Plan, all: u64) -> ExitCode {
    let load = Load::start(plan);
    let mut counts = Counts::default();
    let mut killed: Option<(String, Duration)> = None;
    let mut restarted = false;
    let begun = Instant::now();
    while counts.confirmed < all {
        tokio::time::sleep(REDRAW).await;
        counts.follow(load.history());
        if killed.is_none() && counts.confirmed * 2 >= all {
            let master = cluster(script, &["master"]);
            killed = Some((master.clone(), load.history().now()));
            cluster(script, &["kill", &master]);
            counts.draw(all, &format!("node {master}, the master, is killed\n"));
        }
        if let Some((node, _)) = killed.as_ref().filter(|_| !restarted && counts.confirmed * 4 >= all * 3) {
            cluster(script, &["start", node]);
            restarted = true;
            counts.draw(all, &format!("node {node} is started again\n"));
        }
        counts.draw(all, "");
        assert!(begun.elapsed() < Duration::from_secs(600), "the load does not end");
    }
    if let Some((node, _)) = killed.as_ref().filter(|_| !restarted) {
        cluster(script, &["start", node]);
    }
    let until = load.history().now();
    let history = load.finish(Duration::from_secs(3)).await;
    let events = history.events();
    let verdict = checker::judge(&events);
    counts.follow(&history);
    counts.draw(all, "all sent\n");
    println!();
    if let Some((node, at)) = killed {
        let gap = gaps::longest(&events, at, until);
        println!("node {node} killed; {} ms without a confirmation", gap.as_millis());
    }
    println!("{}", verdict.summary());
    println!("{} lost", verdict.lost.len());
    if verdict.is_clean() && verdict.unknown == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
