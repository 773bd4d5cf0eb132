//! `produce`, `consume`, `browse` and `bench`: nothing is acknowledged that was not written, and nothing is hidden.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{quorate_at, told, well};
use crate::harness::eventually;
use crate::harness::lone::Lone;

const LIMIT: Duration = Duration::from_secs(60);
/// Bodies so long that a pipe holds some sixty of them.
const PADDING: usize = 1000;
/// More than a pipe and its reader's buffer hold.
const WRITTEN_MAX: u64 = 200;

fn fill(lone: &Lone, queue: &str, count: u64) {
    let (body, count) = (format!("{{n}} {}", "x".repeat(PADDING)), count.to_string());
    well(&quorate_at(lone, &["produce", queue, "--count", &count, "--body", &body]).output().unwrap());
}

/// The numbers of the messages that are in a queue.
fn numbers(lone: &Lone, queue: &str) -> Vec<u64> {
    let text = well(&quorate_at(lone, &["browse", queue]).output().unwrap());
    text.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// Reads two lines and closes the pipe, as `head -2` does.
fn two_lines(child: &mut Child) -> String {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    out.read_line(&mut text).unwrap();
    text
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

fn rest(mut out: BufReader<ChildStdout>) -> String {
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_send_to_groups_with_priorities_and_take_what_they_select() {
    let lone = Lone::start().await;
    let told = |arguments: &[&str]| {
        let output = quorate_at(&lone, arguments).output().unwrap();
        well(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    told(&["produce", "queue/a", "--body", "low", "--priority", "1"]);
    told(&["produce", "queue/a", "--body", "high", "--priority", "9", "--group", "g"]);
    told(&["produce", "queue/a", "--body", "third", "--header", "kind=k"]);
    assert!(told(&["browse", "queue/a", "--selector", "JMSPriority = 1"]).contains("low"));
    assert!(told(&["consume", "queue/a", "--selector", "kind = 'k'", "--count", "1"]).contains("third"));
    assert!(told(&["browse", "queue/a", "--selector", "JMSXGroupID = 'g'"]).contains("high"));
    assert!(told(&["consume", "queue/a", "--count", "1"]).contains("high"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_is_not_acknowledged_and_a_closed_pipe_is_an_error() {
    let lone = Lone::start().await;
    for (queue, more) in [("queue/Plain", None), ("queue/Json", Some("--json"))] {
        fill(&lone, queue, 3000);
        let mut consume =
            quorate_at(&lone, &["consume", queue, "--count", "3000"]).args(more).spawn().unwrap();
        assert!(two_lines(&mut consume).contains("1 x"));
        let ended = consume.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
        assert!(told(&ended).contains("nobody reads the standard output"), "{}", told(&ended));
        let left = numbers(&lone, queue);
        let first = 3001 - left.len() as u64;
        assert!(first > 2 && first <= WRITTEN_MAX, "{first} is the first that is left");
        assert_eq!(left, (first..=3000).collect::<Vec<u64>>());

        let mut browse = quorate_at(&lone, &["browse", queue]).args(more).spawn().unwrap();
        two_lines(&mut browse);
        let ended = browse.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
        assert_eq!(numbers(&lone, queue).len(), left.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_command_says_how_far_it_got() {
    let lone = Lone::start().await;
    let produce = quorate_at(&lone, &["produce", "queue/Many", "--count", "100000000"]).spawn().unwrap();
    eventually("something is sent", LIMIT, || async {
        let seen = quorate_at(&lone, &["browse", "queue/Many", "--count", "1"]).output().unwrap();
        (!seen.stdout.is_empty()).then_some(())
    })
    .await;
    interrupt(&produce);
    let ended = produce.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{}", told(&ended));
    let confirmed: u64 = text.strip_suffix(" confirmed\n").unwrap().parse().unwrap();
    assert!(confirmed > 0 && told(&ended).contains("interrupted"), "{text} {}", told(&ended));

    let mut consume = quorate_at(&lone, &["consume", "queue/Many", "--json"]).spawn().unwrap();
    let mut out = BufReader::new(consume.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    interrupt(&consume);
    let printed = 1 + rest(out).lines().count();
    let ended = consume.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", told(&ended));
    let fault: Value = serde_json::from_str(&told(&ended)).unwrap();
    assert!(fault["error"].as_str().unwrap().contains(&format!("{printed} consumed")), "{fault}");

    let bench = ["bench", "queue/Bench", "--producers", "1", "--consumers", "1", "--duration", "10min"];
    let mut bench = quorate_at(&lone, &bench).stderr(Stdio::null()).spawn().unwrap();
    eventually("the measurement runs", LIMIT, || async {
        let queues = well(&quorate_at(&lone, &["queues", "--json"]).output().unwrap());
        let queues: Vec<Value> = serde_json::from_str(&queues).unwrap();
        let bench = queues.iter().find(|queue| queue["name"] == "Bench")?;
        (bench["dequeued"].as_u64()? > 0).then_some(())
    })
    .await;
    interrupt(&bench);
    let text = rest(BufReader::new(bench.stdout.take().unwrap()));
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    assert!(text.contains(" confirmed, ") && !text.contains(" 0 consumed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_with_the_limit() {
    let lone = Lone::with("?wireFormat.maxFrameSize=65536").await;
    for count in ["1", "5"] {
        let large = ["produce", "queue/Large", "--size", "64MiB", "--count", count];
        let ended = quorate_at(&lone, &large).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
        assert!(told(&ended).contains("at most 65536 bytes"), "{}", told(&ended));
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "0 confirmed\n");
    }
}
